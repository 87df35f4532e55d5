import type { Hash } from 'node:crypto';
import { type Digest, digestFromHash, hasherFor } from '../core/digest.ts';

/** Which bytes to read: both ends count, as in HTTP. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Where content lives under its digest, whatever it is. Used by the embedded registry and by layout folders. */
export interface ContentStore {
  /** `undefined` when there is no such content. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** The content, or a part of it, in pieces. Call it only for content that is there. */
  read(digest: Digest, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Begins new content, whose digest need not be known yet. */
  stage(): Promise<StagedContent>;
  /** `false` when there was no such content. */
  remove(digest: Digest): Promise<boolean>;
}

/** Content on its way into a store. Nobody sees it before `commit`. */
export interface StagedContent {
  readonly sizeBytes: number;
  /** Adds these pieces as they come; what came before an error stays, so that a cut upload can go on. */
  append(pieces: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes it visible under this digest; `false`, and nothing is visible, when the bytes have another one. */
  commit(digest: Digest): Promise<boolean>;
  /** Drops what is not visible. To be called in the end in any case; safe to call twice. */
  discard(): Promise<void>;
}

/**
 * The digest of what was written, in the algorithm of `like`. sha256 is computed while writing; the rare other algorithm,
 * known only at the end of an upload, reads the content again.
 */
export async function digestWritten(
  running: Hash,
  like: Digest,
  readAgain: () => AsyncIterable<Uint8Array>,
): Promise<Digest> {
  if (like.startsWith('sha256:')) return digestFromHash(running.copy());
  const hash = hasherFor(like);
  for await (const piece of readAgain()) hash.update(piece);
  return digestFromHash(hash, like);
}

/** All pieces as one array; for small content only. */
export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** The bytes as the only piece. */
export async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Content in this process's memory, in the pieces it came in. */
export class MemoryStore implements ContentStore {
  readonly #contents = new Map<Digest, Pieces>();

  async sizeOf(digest: Digest): Promise<number | undefined> {
    return this.#contents.get(digest)?.sizeBytes;
  }

  async *read(digest: Digest, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const content = this.#contents.get(digest);
    if (content === undefined) throw new Error(`${digest} is not in the store`);
    yield* part(content, range);
  }

  async stage(): Promise<StagedContent> {
    return new StagedPieces((digest, content) => this.#contents.set(digest, content));
  }

  async remove(digest: Digest): Promise<boolean> {
    return this.#contents.delete(digest);
  }
}

interface Pieces {
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
}

class StagedPieces implements StagedContent {
  readonly #keep: (digest: Digest, content: Pieces) => void;
  readonly #hash = hasherFor();
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;

  constructor(keep: (digest: Digest, content: Pieces) => void) {
    this.#keep = keep;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async append(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces) {
      this.#hash.update(piece);
      this.#pieces.push(piece);
      this.#sizeBytes += piece.length;
    }
  }

  async commit(digest: Digest): Promise<boolean> {
    const content = { pieces: this.#pieces, sizeBytes: this.#sizeBytes };
    if ((await digestWritten(this.#hash, digest, () => part(content))) !== digest) return false;
    this.#keep(digest, content);
    return true;
  }

  async discard(): Promise<void> {
    this.#pieces = [];
  }
}

async function* part({ pieces, sizeBytes }: Pieces, range?: ByteRange): AsyncGenerator<Uint8Array> {
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
  let position = 0;
  for (const piece of pieces) {
    const wanted = piece.subarray(Math.max(0, first - position), Math.max(0, last + 1 - position));
    if (wanted.length > 0) yield wanted;
    position += piece.length;
    if (position > last) return;
  }
}
