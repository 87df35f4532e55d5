import type { FileDigest } from '../host.ts';

/** What a second thread is to read, and where it writes what it read. */
export interface ReadOrder {
  /** Absolute. */
  readonly paths: readonly string[];
  readonly board: ReadBoard;
}

/** Memory that both threads see. */
export interface ReadBoard {
  readonly chunkFiles: number;
  /** One number for each chunk of files: who has it. */
  readonly owners: SharedArrayBuffer;
  /** Each file's sha256 in hex. */
  readonly sums: SharedArrayBuffer;
  readonly sizesBytes: SharedArrayBuffer;
  readonly flags: SharedArrayBuffer;
}

/** Files that one thread takes at once: few, so that nobody waits long for the other's last ones, and one where they are few. */
const MAX_CHUNK_FILES = 16;
const CHUNKS = 64;
const SUM_BYTES = 64;
const [FREE, MINE, THEIRS, DONE] = [0, 1, 2, 3];
const [READ, EXECUTABLE, LFS_POINTER] = [1, 2, 4];

export function createBoard(files: number): ReadBoard {
  const chunkFiles = Math.max(1, Math.min(MAX_CHUNK_FILES, Math.floor(files / CHUNKS)));
  return {
    chunkFiles,
    owners: new SharedArrayBuffer(Math.ceil(files / chunkFiles) * Int32Array.BYTES_PER_ELEMENT),
    sums: new SharedArrayBuffer(files * SUM_BYTES),
    sizesBytes: new SharedArrayBuffer(files * Float64Array.BYTES_PER_ELEMENT),
    flags: new SharedArrayBuffer(files),
  };
}

/** Who reads which files. */
export class Chunks {
  readonly #owners: Int32Array;
  readonly #chunkFiles: number;

  constructor({ owners, chunkFiles }: ReadBoard) {
    this.#owners = new Int32Array(owners);
    this.#chunkFiles = chunkFiles;
  }

  /** False when a file is for this thread, as those around it; true when the other one has read it; waits while it does. */
  takeOrAwait(file: number, maxWaitMs: number): boolean {
    const chunk = Math.floor(file / this.#chunkFiles);
    const owner = Atomics.compareExchange(this.#owners, chunk, FREE, MINE);
    if (owner === THEIRS) Atomics.wait(this.#owners, chunk, THEIRS, maxWaitMs);
    return Atomics.load(this.#owners, chunk) === DONE;
  }

  /** Takes what nobody has, so that the other thread ends. */
  close(): void {
    for (let chunk = 0; chunk < this.#owners.length; chunk += 1)
      Atomics.compareExchange(this.#owners, chunk, FREE, MINE);
  }

  /** For the other thread: reads chunk after chunk from the last one, until it comes to one that is taken. */
  serve(read: (file: number) => void, files: number): void {
    for (let chunk = this.#owners.length - 1; chunk >= 0; chunk -= 1) {
      if (Atomics.compareExchange(this.#owners, chunk, FREE, THEIRS) !== FREE) return;
      const end = Math.min(files, (chunk + 1) * this.#chunkFiles);
      for (let file = chunk * this.#chunkFiles; file < end; file += 1) read(file);
      Atomics.store(this.#owners, chunk, DONE);
      Atomics.notify(this.#owners, chunk);
    }
  }
}

/** What was seen of the files. */
export class Results {
  readonly #sums: Buffer;
  readonly #sizesBytes: Float64Array;
  readonly #flags: Uint8Array;

  constructor({ sums, sizesBytes, flags }: ReadBoard) {
    this.#sums = Buffer.from(sums);
    this.#sizesBytes = new Float64Array(sizesBytes);
    this.#flags = new Uint8Array(flags);
  }

  /** `undefined` when the file could not be read. */
  get(file: number): FileDigest | undefined {
    const flag = this.#flags[file] ?? 0;
    if ((flag & READ) === 0) return undefined;
    return {
      sha256: this.#sums.toString('latin1', file * SUM_BYTES, (file + 1) * SUM_BYTES),
      executable: (flag & EXECUTABLE) !== 0,
      sizeBytes: this.#sizesBytes[file] ?? 0,
      isLfsPointer: (flag & LFS_POINTER) !== 0,
    };
  }

  set(file: number, { sha256, executable, sizeBytes, isLfsPointer }: FileDigest): void {
    this.#sums.write(sha256, file * SUM_BYTES, 'latin1');
    this.#sizesBytes[file] = sizeBytes;
    this.#flags[file] = READ | (executable ? EXECUTABLE : 0) | (isLfsPointer ? LFS_POINTER : 0);
  }
}
