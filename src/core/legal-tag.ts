import { createHash } from 'node:crypto';

/** The longest tag of the distribution specification v1.1.1, "Pulling manifests". */
const MAX_LENGTH = 128;
const HASH_LENGTH = 8;

/**
 * The text with every run of characters that a tag cannot hold as one `-`; a piece of a tag, not yet a legal one. A `+`
 * becomes `_`, as Helm has it: `1.2.3+b5` is a release, and must not look like the pre-release `1.2.3-b5`.
 */
export function toTagPiece(text: string): string {
  return text.replaceAll('+', '_').replace(/[^A-Za-z0-9._-]+/g, '-');
}

/**
 * A legal tag for any text: `+` becomes `_`, runs of other characters become `-`, a first `.` or `-` becomes `_`. What is too long is cut,
 * and what has no letter or digit left is marked; both end in 8 hexadecimal digits of the text's sha256, so that two
 * texts that differ only in what was lost stay two tags.
 */
export function toLegalTag(text: string): string {
  const legal = toTagPiece(text).replace(/^[.-]/, '_');
  if (legal.length <= MAX_LENGTH && /[A-Za-z0-9]/.test(legal)) return legal;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  return `${legal.slice(0, MAX_LENGTH - HASH_LENGTH - 1) || '_'}-${hash}`;
}

/** Tags with a meaning of their own: a content hash (`hashTag`), and the referrers of a digest (distribution-spec v1.1.1). */
export function isReservedTag(tag: string): boolean {
  return /^(?:hash-[0-9a-f]{32}|sha256-[0-9a-f]{64}(?:\..*)?)$/.test(tag);
}
