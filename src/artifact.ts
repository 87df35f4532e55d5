import { type Digest, digestOf } from './core/digest.ts';
import { type Parsed, parsed, unparsable } from './core/parsed.ts';
import { isRegistryError, RegistryError } from './errors.ts';
import { formatDescriptor } from './oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from './oci/types.ts';
import { lacksBlob } from './registry/failure.ts';
import { fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

const EMPTY_CONFIG = Buffer.from('{}');
/** What reading a manifest or blob that cannot be used ends with. */
const DAMAGED = new Set(['DIGEST_INVALID', 'MANIFEST_INVALID', 'SIZE_INVALID', 'TOO_LARGE', 'UNEXPECTED_ANSWER']);

const ATTEMPTS = 3;

/** What is attached to an image: one piece of content. */
export interface Artifact {
  /** Of the artifact and of its layer. */
  readonly type: string;
  readonly content: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Attaches content to an image that is in this repository, as an artifact of one layer, and returns the artifact:
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
 * The errors of `Repository.push`.
 */
export async function attachArtifact(
  repository: Repository,
  subject: Descriptor,
  { type, content, annotations }: Artifact,
): Promise<Descriptor> {
  const config = describe(MEDIA_TYPES.ociEmpty, EMPTY_CONFIG);
  const layer = describe(type, content);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: type,
      config: formatDescriptor(config),
      layers: [formatDescriptor(layer)],
      subject: formatDescriptor({ mediaType: subject.mediaType, digest: subject.digest, sizeBytes: subject.sizeBytes }),
      annotations,
    }),
  );
  const artifact = describe(MEDIA_TYPES.ociManifest, manifest);
  for (let attempt = 1; ; attempt += 1) {
    await Promise.all([repository.push(config, EMPTY_CONFIG), repository.push(layer, content)]);
    try {
      await repository.push(artifact, manifest);
      return artifact;
    } catch (error) {
      // Whoever else attaches pushes the same config: docker-registry has none for the moment in which it takes two.
      if (attempt === ATTEMPTS || !lacksBlob(error)) throw error;
    }
  }
}

/** RegistryError TOO_LARGE for content that nobody would read again; `what` it is, for the message. */
export function checkAttachable(content: Uint8Array, maxBytes: number, what: string): void {
  if (content.length <= maxBytes) return;
  throw new RegistryError(
    'TOO_LARGE',
    `${what} has ${content.length} bytes: ${maxBytes} are the most that is attached`,
  );
}

/** An artifact that was found on an image, and what is in it. */
export interface FoundArtifact {
  readonly artifact: Descriptor;
  readonly layer: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The first artifacts of a type on an image, at most so many: anybody who may push may attach more. */
export async function listArtifacts(
  repository: Repository,
  subject: Descriptor,
  { type, limit }: { readonly type: string; readonly limit: number },
): Promise<Parsed<Descriptor[]>> {
  return orProblem(async () => {
    const artifacts: Descriptor[] = [];
    for await (const artifact of repository.referrers(subject, type)) {
      artifacts.push(artifact);
      if (artifacts.length === limit) break;
    }
    return parsed(artifacts);
  });
}

/** What {@link attachArtifact} made for this subject; a problem when it is anything else. The errors of `fetchImage`. */
export async function findArtifact(
  repository: Repository,
  { digest }: Descriptor,
  subject: Digest,
): Promise<Parsed<FoundArtifact>> {
  const found = await fetchImage(repository, { digest });
  if (found === undefined) return unparsable('it is not there');
  const { manifest, descriptor } = found;
  if (manifest.kind !== 'manifest' || manifest.subject?.digest !== subject) return unparsable('it belongs elsewhere');
  if (manifest.config.digest !== digestOf(EMPTY_CONFIG)) return unparsable('its config is not the empty one');
  const [layer, ...more] = manifest.layers;
  if (layer === undefined || more.length > 0) return unparsable(`it has ${manifest.layers.length} layers, not one`);
  return parsed({ artifact: descriptor, layer, annotations: manifest.annotations });
}

/**
 * The content of an artifact's layer, as a blob of this type whatever it says: a manifest would be another kind of content.
 * The errors of `Repository.fetch` and of `Content.bytes`.
 */
export async function readLayer(
  repository: Repository,
  layer: Descriptor,
  { type, maxBytes }: { readonly type: string; readonly maxBytes: number },
): Promise<Parsed<Uint8Array>> {
  if (layer.sizeBytes > maxBytes) return unparsable(`larger than ${maxBytes} bytes`);
  const content = await repository.fetch({ ...layer, mediaType: type });
  return content === undefined ? unparsable('its layer is not there') : parsed(await content.bytes(maxBytes));
}

/** What was pushed by others may be anything: of that, nothing is an error. */
export async function orProblem<T>(read: () => Promise<Parsed<T>>): Promise<Parsed<T>> {
  try {
    return await read();
  } catch (error) {
    if (isRegistryError(error) && DAMAGED.has(error.code)) return unparsable(error.message);
    throw error;
  }
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
}
