import os from 'node:os';
import { extname } from 'node:path';
import type { FileDigest, FilesToRead } from '../host.ts';
import { Chunks, createBoard, type ReadOrder, Results } from './read-board.ts';

/** The second thread, and when it is worth its start, which takes some 40 ms of a processor. */
export interface Help {
  /** Starts a thread that carries out the order. May throw; then this thread goes on alone. */
  readonly start: (order: ReadOrder) => void;
  /** How long this thread reads alone. */
  readonly aloneMs: number;
  /** How much longer it would take alone. */
  readonly remainingMs: number;
  readonly processors: number;
  /** How long the other thread may take for a few files; after that, this one reads them itself. */
  readonly maxWaitMs: number;
}

const HELP: Help = {
  start: startWorker,
  aloneMs: 30,
  remainingMs: 250,
  processors: os.availableParallelism(),
  maxWaitMs: 10_000,
};
/** How many files may have been known already without losing the place. */
const MAX_SKIPPED = 64;

/** Reads files one by one, with the help of a second thread where there are many. */
export interface ReadAhead {
  digest(file: string): FileDigest;
  /** As `Files.readingAhead`. */
  readingAhead<T>(files: FilesToRead, work: () => T): T;
}

/** `digest` reads one file, by its absolute path, and knows nothing of threads. */
export function createReadAhead(digest: (file: string) => FileDigest, help: Partial<Help> = {}): ReadAhead {
  let reading: Reading | undefined;
  return {
    digest: (file) => (reading === undefined ? digest(file) : reading.digest(file)),
    readingAhead(files, work) {
      const outer = reading;
      reading = new Reading(files, digest, { ...HELP, ...help });
      try {
        return work();
      } finally {
        reading.stop();
        reading = outer;
      }
    },
  };
}

/** This thread goes from the first file to the last, the other one from the last to the first. */
class Reading {
  readonly #files: FilesToRead;
  readonly #digest: (file: string) => FileDigest;
  readonly #settings: Help;
  readonly #startedAt = performance.now();
  #position = 0;
  #isAlone = false;
  #help: { readonly first: number; readonly chunks: Chunks; readonly results: Results } | undefined;

  constructor(files: FilesToRead, digest: (file: string) => FileDigest, settings: Help) {
    this.#files = files;
    this.#digest = digest;
    this.#settings = settings;
  }

  digest(file: string): FileDigest {
    const position = this.#find(file);
    if (position === undefined) return this.#digest(file);
    if (this.#help === undefined && !this.#isAlone && this.#isSlow(position)) this.#callHelp(position);
    if (this.#help === undefined) return this.#digest(file);
    const { first, chunks, results } = this.#help;
    const isRead = chunks.takeOrAwait(position - first, this.#settings.maxWaitMs);
    // What the other thread failed on is read again here, for the error.
    return (isRead ? results.get(position - first) : undefined) ?? this.#digest(file);
  }

  stop(): void {
    this.#help?.chunks.close();
  }

  /** The place of a file, which is the next one but for those that were known already. */
  #find(file: string): number | undefined {
    const { count, pathAt } = this.#files;
    for (let at = this.#position; at < Math.min(count, this.#position + MAX_SKIPPED); at += 1) {
      if (pathAt(at) !== file) continue;
      this.#position = at + 1;
      return at;
    }
    return undefined;
  }

  #isSlow(position: number): boolean {
    const { aloneMs, remainingMs, processors } = this.#settings;
    if (processors < 2) return false;
    const tookMs = performance.now() - this.#startedAt;
    return tookMs >= aloneMs && (tookMs / Math.max(1, position)) * (this.#files.count - position) >= remainingMs;
  }

  #callHelp(first: number): void {
    const { count, pathAt } = this.#files;
    const paths = Array.from({ length: count - first }, (_, at) => pathAt(first + at));
    const board = createBoard(paths.length);
    try {
      this.#settings.start({ paths, board });
      this.#help = { first, chunks: new Chunks(board), results: new Results(board) };
    } catch {
      this.#isAlone = true;
    }
  }
}

function startWorker(workerData: ReadOrder): void {
  // A hit of few files is spared loading it.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  // Beside this file, as a bundle too: dist/ is flat.
  const here = import.meta.url;
  const worker = new Worker(new URL(`read-worker${extname(here)}`, here), { workerData });
  // What it has not read is read by the first thread.
  worker.on('error', () => {});
  worker.unref();
}
