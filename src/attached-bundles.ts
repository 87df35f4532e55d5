import { CREATED_ANNOTATION } from './core/labels.ts';
import { BUNDLE_MEDIA_TYPE } from './core/signed-statement.ts';
import { type Descriptor, MEDIA_TYPES } from './oci/types.ts';
import type { Repository } from './registry/repository.ts';

/** What a bundle states, as the artifact that holds it says. */
export const PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';
/** Anybody who may push may attach more; so many are looked at, the newest first. */
export const MAX_BUNDLES = 50;
/** Of a bundle, whose statement is in it in base64: that of a signature is short, that of an SBOM is not. */
export const MAX_BUNDLE_BYTES = 32 << 20;

/**
 * What is attached to an image and may be a bundle, the newest first. Two requests, since the referrers API and the fallback
 * tag both count. The errors of `Repository`.
 */
export async function listAttached(repository: Repository, image: Descriptor): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  // Without a filter: cosign lists its bundles under the fallback tag as what their config is, and without annotations.
  for await (const artifact of repository.referrers(image)) {
    const { artifactType = MEDIA_TYPES.ociEmpty } = artifact;
    if (artifactType === BUNDLE_MEDIA_TYPE || artifactType === MEDIA_TYPES.ociEmpty) found.push(artifact);
  }
  const createdAt = ({ annotations }: Descriptor): string => annotations?.[CREATED_ANNOTATION] ?? '';
  return found.sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1));
}

/** Whether an artifact may be a bundle that states this: where it does not say, it may. */
export function mayState({ annotations }: Pick<Descriptor, 'annotations'>, predicateType: string): boolean {
  return (annotations?.[PREDICATE_TYPE] ?? predicateType) === predicateType;
}
