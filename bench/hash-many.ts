/** Hashes the images of these Dockerfiles over one context, one after the other, and says what that took: the part of `plan` that reads. */
import { countedFiles } from '../__tests__/support/counted-files.ts';
import { sampleRun } from '../__tests__/support/sample-run.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions } from '../src/options.ts';
import { createSharedWork } from '../src/shared-work.ts';
import { runnable } from '../src/stage.ts';
import { hashStage } from '../src/stages/hash.ts';

const startedAt = performance.now();
const host = createTerminalHost({ env: {}, cwd: process.cwd(), write: () => {} });
const { files, reads } = countedFiles(host.files);
const shared = createSharedWork(files);
const hash = runnable(hashStage);
for (const file of process.argv.slice(2)) {
  const { options } = parseOptions({ images: 'ghcr.io/acme/app', file });
  await hash(sampleRun({ host, options, shared }));
}
const counts = [...reads.values()];
const found = {
  tookMs: performance.now() - startedAt,
  reads: counts.reduce((sum, count) => sum + count, 0),
  mostReads: counts.reduce((most, count) => Math.max(most, count), 0),
};
process.stdout.write(`${JSON.stringify(found)}\n`);
