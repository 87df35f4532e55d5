import { createHash, type Hash } from 'node:crypto';

/** `algorithm:hex` of a blob, manifest or index. Made by {@link parseDigest} or {@link digestOf} only. */
export type Digest = string & { readonly __digest: unique symbol };

const HEX_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** The registered algorithms of the image specification, v1.1.1 (descriptor.md, "Registered Algorithms"). */
export function isDigest(text: string): text is Digest {
  const [algorithm = '', hex = '', rest] = text.split(':');
  return rest === undefined && HEX_LENGTHS[algorithm] === hex.length && /^[a-f0-9]+$/.test(hex);
}

/** `undefined` when the text is not a sha256 or sha512 digest. */
export function parseDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined;
}

/** The digest of these bytes; sha256 unless `like` names another algorithm. */
export function digestOf(bytes: Uint8Array | string, like?: Digest): Digest {
  return digestFromHash(hasherFor(like).update(bytes), like);
}

/** A running hash for streamed content, of the algorithm of `like` (sha256 when absent). */
export function hasherFor(like?: Digest): Hash {
  return createHash(like?.startsWith('sha512:') ? 'sha512' : 'sha256');
}

/** Finishes what {@link hasherFor} began. */
export function digestFromHash(hash: Hash, like?: Digest): Digest {
  const text = `${like?.startsWith('sha512:') ? 'sha512' : 'sha256'}:${hash.digest('hex')}`;
  if (!isDigest(text)) throw new TypeError(`not a digest: ${text}`);
  return text;
}
