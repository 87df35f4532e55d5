import type { Digest } from '../../core/digest.ts';
import { type Parsed, parsed } from '../../core/parsed.ts';
import { describeReferrer, isNonDistributable, partsOf } from '../../oci/links.ts';
import { parseManifest } from '../../oci/parse.ts';
import type { Descriptor } from '../../oci/types.ts';

/** What the registry knows of a manifest beside its bytes. */
export interface StoredManifest {
  /** As the referrers API lists it. */
  readonly descriptor: Descriptor;
  readonly subject?: Digest;
  /** Blobs that must be there before it: config and layers; none for an index, which may name what is elsewhere. */
  readonly blobs: readonly Descriptor[];
}

/** Reads what a manifest says; `mediaType` is the one it was pushed with, where that was said. */
export function readManifest(bytes: Uint8Array, digest: Digest, mediaType: string | undefined): Parsed<StoredManifest> {
  const result = parseManifest(bytes, mediaType);
  if (!result.ok) return result;
  const manifest = result.value;
  return parsed({
    descriptor: describeReferrer(manifest, digest, bytes.length),
    ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest }),
    blobs: manifest.kind === 'index' ? [] : partsOf(manifest).filter((blob) => !isNonDistributable(blob.mediaType)),
  });
}
