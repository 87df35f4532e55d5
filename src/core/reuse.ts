import type { Index, Manifest, Platform } from '../oci/types.ts';
import { createdOf, INPUTS_ANNOTATION } from './labels.ts';
import { formatPlatform } from './platform.ts';
import { toLine } from './printable.ts';
import { formatDuration, parseTimestamp } from './timestamp.ts';

/** Why there is nothing to reuse. */
export type MissReason = 'not-found' | 'forced' | 'expired' | 'incomplete' | 'mismatch' | 'untrusted';

/** What an image must be to stand in for a build. */
export interface Wanted {
  /** The full content hash, 64 hexadecimal digits. */
  readonly hash: string;
  readonly platforms: readonly Platform[];
  readonly maxAgeMs: number | undefined;
  readonly nowMs: number;
}

/** `undefined`: the image may be reused. Else why not, and what was seen. */
export interface Unfit {
  readonly reason: MissReason;
  readonly detail: string;
}

/** Decides whether what stands behind a tag is the image that a build would give: full hash, every platform, age. */
export function findUnfit(image: Index | Manifest, wanted: Wanted): Unfit | undefined {
  const hash = image.annotations[INPUTS_ANNOTATION];
  if (hash !== wanted.hash) {
    const seen = hash === undefined ? 'it carries no content hash' : `it carries the content hash ${toLine(hash, 64)}`;
    return { reason: 'mismatch', detail: seen };
  }
  if (image.kind !== 'index') return { reason: 'incomplete', detail: 'it is no index and names no platform' };
  const present = new Set(
    image.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)])),
  );
  const missing = wanted.platforms.map(formatPlatform).filter((platform) => !present.has(platform));
  if (missing.length > 0) return { reason: 'incomplete', detail: `it lacks ${missing.join(', ')}` };
  return findTooOld(image, wanted);
}

function findTooOld(image: Index, { maxAgeMs, nowMs }: Wanted): Unfit | undefined {
  if (maxAgeMs === undefined) return undefined;
  const createdMs = parseTimestamp(createdOf(image.annotations) ?? '');
  if (createdMs === undefined) return { reason: 'expired', detail: 'it does not say when it was made' };
  const ageMs = nowMs - createdMs;
  if (ageMs <= maxAgeMs) return undefined;
  return { reason: 'expired', detail: `it is ${formatDuration(ageMs)} old, max-age is ${formatDuration(maxAgeMs)}` };
}
