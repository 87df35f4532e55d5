import { randomUUID } from 'node:crypto';
import { createReadStream, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, hasherFor } from '../core/digest.ts';
import { type ByteRange, type ContentStore, digestWritten, type StagedContent } from './content-store.ts';

/** How the files of unfinished content begin; they lie beside `blobs/`, never in it. */
export const STAGED_PREFIX = '.staged-';

/** Larger pieces than Node's own make an upload a third faster. */
const READ_BYTES = 512 * 1024;

/**
 * Content in files, at `blobs/ALGORITHM/HEX`, as in an OCI image layout:
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#blobs
 * A file appears there whole or not at all: it is written elsewhere in the folder, verified and renamed.
 */
export class ContentFolder implements ContentStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async sizeOf(digest: Digest): Promise<number | undefined> {
    const found = await unlessMissing(stat(this.#pathOf(digest)));
    return found?.isFile() ? found.size : undefined;
  }

  read(digest: Digest, range?: ByteRange): AsyncIterable<Uint8Array> {
    // An empty range cannot be said to createReadStream, whose ends both count.
    if (range !== undefined && range.last < range.first) return empty();
    const path = this.#pathOf(digest);
    const bounds = range === undefined ? {} : { start: range.first, end: range.last };
    return pieces(() => createReadStream(path, { highWaterMark: READ_BYTES, ...bounds }));
  }

  /**
   * The whole content in two buffers that are filled in turn: a piece is good until the next one is asked for. Half the
   * memory of `read`, and a quarter less work, for a layer that goes into a registry.
   */
  async *stream(digest: Digest): AsyncGenerator<Uint8Array> {
    const file = await open(this.#pathOf(digest));
    try {
      const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)] as const;
      for (let [filled, next] = buffers; ; [filled, next] = [next, filled]) {
        // Not through the thread pool: what a builder has just written is in memory, and an upload is a tenth faster.
        const bytesRead = readSync(file.fd, filled);
        if (bytesRead === 0) return;
        yield filled.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async stage(): Promise<StagedContent> {
    await mkdir(this.#directory, { recursive: true });
    const path = join(this.#directory, `${STAGED_PREFIX}${randomUUID()}`);
    return new StagedFile(path, await open(path, 'wx+'), (digest) => this.#pathOf(digest));
  }

  async remove(digest: Digest): Promise<boolean> {
    return (await unlessMissing(rm(this.#pathOf(digest)).then(() => true))) ?? false;
  }

  /** Removes what a process that was killed left unfinished. Not while another one writes here. */
  async removeStaged(): Promise<void> {
    const names = (await unlessMissing(readdir(this.#directory))) ?? [];
    for (const name of names)
      if (name.startsWith(STAGED_PREFIX)) await rm(join(this.#directory, name), { force: true });
  }

  #pathOf(digest: Digest): string {
    const [algorithm = '', hex = ''] = digest.split(':');
    return join(this.#directory, 'blobs', algorithm, hex);
  }
}

class StagedFile implements StagedContent {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #pathOf: (digest: Digest) => string;
  readonly #hash = hasherFor();
  sizeBytes = 0;

  constructor(path: string, file: FileHandle, pathOf: (digest: Digest) => string) {
    this.#path = path;
    this.#file = file;
    this.#pathOf = pathOf;
  }

  async append(incoming: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of incoming) {
      // writeFile on a handle goes on at its position and, unlike write, never stops half-way.
      await this.#file.writeFile(piece);
      this.#hash.update(piece);
      this.sizeBytes += piece.length;
    }
  }

  async commit(digest: Digest): Promise<boolean> {
    const written = await digestWritten(this.#hash, digest, () => pieces(() => createReadStream(this.#path)));
    if (written !== digest) return false;
    await this.#file.close();
    const path = this.#pathOf(digest);
    await mkdir(dirname(path), { recursive: true });
    await rename(this.#path, path);
    return true;
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

/** The value, or `undefined` where the file or a directory on the way to it does not exist. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}

/** Opens the stream when the reading starts, so that an iterable nobody reads holds no file open. */
async function* pieces(open: () => AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of open()) {
    if (piece instanceof Uint8Array) yield piece;
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}
