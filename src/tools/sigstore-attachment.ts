import { digestOf } from '../core/digest.ts';
import { BUNDLE_MEDIA_TYPE, SIGNATURE_PREDICATE } from '../core/signed-statement.ts';
import { isRegistryError } from '../errors.ts';
import { formatDescriptor } from '../oci/format.ts';
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
const EMPTY_CONFIG = Buffer.from('{}');
/** Anybody who may push may attach more; so many are looked at, the newest first. */
const MAX_CANDIDATES = 50;
/** Of a bundle, whose statement is in it in base64: that of a signature is short, that of an SBOM is not. */
const MAX_SIGNATURE_BYTES = 1 << 20;
const MAX_ATTESTATION_BYTES = 32 << 20;
/** What reading a manifest or blob that cannot be used ends with. */
const DAMAGED = new Set(['DIGEST_INVALID', 'MANIFEST_INVALID', 'SIZE_INVALID', 'TOO_LARGE', 'UNEXPECTED_ANSWER']);

/** Attaches a bundle to an image that is in this repository, in the form of cosign 3. The errors of `Repository.push`. */
export async function attachBundle(repository: Repository, attachment: Attachment): Promise<Descriptor> {
  const { image, predicateType, created } = attachment;
  const content = Buffer.from(attachment.bundle);
  const config = describe(MEDIA_TYPES.ociEmpty, EMPTY_CONFIG);
  const layer = describe(BUNDLE_MEDIA_TYPE, content);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: BUNDLE_MEDIA_TYPE,
      config: formatDescriptor({ ...config, artifactType: BUNDLE_MEDIA_TYPE }),
      layers: [formatDescriptor(layer)],
      annotations: {
        [CONTENT]: 'dsse-envelope',
        [PREDICATE_TYPE]: predicateType,
        [CREATED]: created.toISOString().replace(/\.[0-9]+Z$/, 'Z'),
      },
      subject: formatDescriptor({ mediaType: image.mediaType, digest: image.digest, sizeBytes: image.sizeBytes }),
    }),
  );
  await Promise.all([repository.push(config, EMPTY_CONFIG), repository.push(layer, content)]);
  const artifact = describe(MEDIA_TYPES.ociManifest, manifest);
  await repository.push(artifact, manifest);
  return artifact;
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

/** What an artifact turned out to be. */
export type ReadBundle =
  | { readonly kind: 'bundle'; readonly text: string }
  | { readonly kind: 'damaged'; readonly problem: string }
  /** No bundle, or one that states something else. */
  | { readonly kind: 'other' };

/** Reads a bundle, in two requests. Errors of `Repository` that are not about this content are thrown. */
export async function readBundle(
  repository: Repository,
  artifact: Descriptor,
  predicateType: string,
): Promise<ReadBundle> {
  try {
    const manifest = (await fetchImage(repository, { digest: artifact.digest }))?.manifest;
    if (manifest === undefined) return { kind: 'damaged', problem: 'it is not there' };
    if (manifest.artifactType !== BUNDLE_MEDIA_TYPE || manifest.kind !== 'manifest') return { kind: 'other' };
    if ((manifest.annotations[PREDICATE_TYPE] ?? predicateType) !== predicateType) return { kind: 'other' };
    const [layer] = manifest.layers;
    if (layer === undefined) return { kind: 'damaged', problem: 'it has no content' };
    const limitBytes = predicateType === SIGNATURE_PREDICATE ? MAX_SIGNATURE_BYTES : MAX_ATTESTATION_BYTES;
    if (layer.sizeBytes > limitBytes) return { kind: 'damaged', problem: `it is larger than ${limitBytes} bytes` };
    const content = await repository.fetch(layer);
    if (content === undefined) return { kind: 'damaged', problem: 'its content is not there' };
    return { kind: 'bundle', text: Buffer.from(await content.bytes(limitBytes)).toString() };
  } catch (error) {
    if (isRegistryError(error) && DAMAGED.has(error.code)) return { kind: 'damaged', problem: error.message };
    throw error;
  }
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
}
