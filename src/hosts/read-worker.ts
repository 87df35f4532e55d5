/** A second thread that reads files, from the last one back to where the first thread is; see `read-ahead.ts`. */
import { workerData } from 'node:worker_threads';
import { createDigest } from './file-digest.ts';
import { Chunks, type ReadOrder, Results } from './read-board.ts';

serve(workerData);

function serve({ paths, board }: ReadOrder): void {
  const digest = createDigest();
  const results = new Results(board);
  new Chunks(board).serve((file) => {
    try {
      results.set(file, digest(paths[file] ?? ''));
    } catch {
      // The first thread reads it again and says why.
    }
  }, paths.length);
}
