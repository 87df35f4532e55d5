import { attachArtifact, orProblem, readLayer } from '../artifact.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { BUNDLE_MEDIA_TYPE, SIGNATURE_PREDICATE } from '../core/signed-statement.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci/types.ts';
import { fetchImage } from '../registry/image.ts';
import type { Repository } from '../registry/repository.ts';

/** A bundle and what it is attached to. */
export interface Attachment {
  readonly image: Descriptor;
  readonly bundle: string;
  readonly predicateType: string;
  readonly created: Date;
}

const CONTENT = 'dev.sigstore.bundle.content';
const PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';
const CREATED = 'org.opencontainers.image.created';
/** Anybody who may push may attach more; so many are looked at, the newest first. */
const MAX_CANDIDATES = 50;
/** Of a bundle, whose statement is in it in base64: that of a signature is short, that of an SBOM is not. */
const MAX_SIGNATURE_BYTES = 1 << 20;
const MAX_ATTESTATION_BYTES = 32 << 20;
/** Attaches a bundle to an image that is in this repository, as cosign 3 does. The errors of `attachArtifact`. */
export function attachBundle(
  repository: Repository,
  { image, bundle, predicateType, created }: Attachment,
): Promise<Descriptor> {
  return attachArtifact(repository, image, {
    type: BUNDLE_MEDIA_TYPE,
    content: Buffer.from(bundle),
    annotations: {
      [CONTENT]: 'dsse-envelope',
      [PREDICATE_TYPE]: predicateType,
      [CREATED]: created.toISOString().replace(/\.[0-9]+Z$/, 'Z'),
    },
  });
}

/**
 * What is attached to an image and may be a bundle that states this; the newest first. Two requests, since the
 * referrers API and the fallback tag both count. The errors of `Repository`.
 */
export async function listBundles(
  repository: Repository,
  image: Descriptor,
  predicateType: string,
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  // Without a filter: cosign lists its bundles under the fallback tag as what their config is, and without annotations.
  for await (const artifact of repository.referrers(image)) {
    const { artifactType = MEDIA_TYPES.ociEmpty, annotations } = artifact;
    if (artifactType !== BUNDLE_MEDIA_TYPE && artifactType !== MEDIA_TYPES.ociEmpty) continue;
    if ((annotations?.[PREDICATE_TYPE] ?? predicateType) === predicateType) found.push(artifact);
  }
  const createdAt = ({ annotations }: Descriptor): string => annotations?.[CREATED] ?? '';
  return found.sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1)).slice(0, MAX_CANDIDATES);
}

/**
 * The text of a bundle, in two requests; `undefined` for what is none, or states something else, and a problem for one that
 * cannot be read. The errors of `Repository` that are not about this content.
 */
export function readBundle(
  repository: Repository,
  { digest }: Descriptor,
  predicateType: string,
): Promise<Parsed<string | undefined>> {
  return orProblem<string | undefined>(async () => {
    const manifest = (await fetchImage(repository, { digest }))?.manifest;
    if (manifest === undefined) return unparsable('it is not there');
    if (manifest.artifactType !== BUNDLE_MEDIA_TYPE || manifest.kind !== 'manifest') return parsed(undefined);
    if ((manifest.annotations[PREDICATE_TYPE] ?? predicateType) !== predicateType) return parsed(undefined);
    const [layer] = manifest.layers;
    if (layer === undefined) return unparsable('it has no content');
    const maxBytes = predicateType === SIGNATURE_PREDICATE ? MAX_SIGNATURE_BYTES : MAX_ATTESTATION_BYTES;
    const content = await readLayer(repository, layer, { type: BUNDLE_MEDIA_TYPE, maxBytes });
    return content.ok ? parsed(Buffer.from(content.value).toString()) : content;
  });
}
