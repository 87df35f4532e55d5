import { type Digest, digestOf } from '../core/digest.ts';
import { valueAt } from '../core/json.ts';
import { RegistryError } from '../errors.ts';
import { formatDescriptor } from '../oci/format.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci/types.ts';
import type { Repository } from './repository.ts';
import type { Clock } from './retry.ts';

/** How often an entry is written again because another writer has overwritten it. */
const MAX_ROUNDS = 10;
const MAX_PAUSE_MS = 300;

/** A manifest that points at another one, as a list of referrers shows it. */
export interface Referrer {
  readonly subject: Descriptor;
  /** With its artifact type and annotations. */
  readonly descriptor: Descriptor;
}

/**
 * The tag under which registries without the referrers API keep the index of a subject's referrers:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function fallbackTag(subject: Digest): string {
  const [algorithm = '', hex = ''] = subject.split(':');
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

/** The members of an index of referrers; `source` says in the error where it came from. */
export function membersOf(index: Uint8Array, source: string): readonly Descriptor[] {
  const parsed = parseManifest(index);
  if (parsed.ok && parsed.value.kind === 'index') return parsed.value.manifests;
  const problem = parsed.ok ? 'it is a manifest' : parsed.problem;
  throw new RegistryError('MANIFEST_INVALID', `${source} is no index of referrers: ${problem}`);
}

/** What this manifest is in the list of its subject's referrers; `undefined` when it has no subject. */
export function referrerOf(manifest: Descriptor, bytes: Uint8Array): Referrer | undefined {
  const parsed = parseManifest(bytes, manifest.mediaType);
  if (!parsed.ok || parsed.value.subject === undefined) return undefined;
  const { subject, annotations, ...document } = parsed.value;
  const artifactType = document.artifactType ?? (document.kind === 'manifest' ? document.config.mediaType : undefined);
  const { mediaType, digest, sizeBytes } = manifest;
  const descriptor = {
    mediaType,
    digest,
    sizeBytes,
    annotations,
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  return { subject, descriptor };
}

/**
 * Puts a referrer into the index under the fallback tag. Registries know no conditional writes, so it reads again what it
 * wrote, until its entry is there.
 */
export async function writeFallbackTag(
  repository: Repository,
  { subject, descriptor }: Referrer,
  clock: Clock,
): Promise<void> {
  const tag = fallbackTag(subject.digest);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const members = await readFallbackTag(repository, tag);
    if (members.some((member) => valueAt(member, 'digest') === descriptor.digest)) return;
    if (round > 0) await clock.sleep(clock.random() * MAX_PAUSE_MS);
    const manifests = [...members, formatDescriptor(descriptor)];
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
    const index = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(bytes), sizeBytes: bytes.length };
    await repository.push(index, bytes);
    await repository.tag(index, tag);
  }
  if ((await readFallbackTag(repository, tag)).some((member) => valueAt(member, 'digest') === descriptor.digest))
    return;
  throw new RegistryError('UNEXPECTED_ANSWER', `${descriptor.digest} does not stay in the index of referrers ${tag}`);
}

/** The members as they stand there, so that fields that we do not know survive. */
async function readFallbackTag(repository: Repository, tag: string): Promise<readonly unknown[]> {
  const content = await repository.fetch({ tag });
  const bytes = await content?.bytes(MAX_MANIFEST_BYTES);
  if (bytes === undefined) return [];
  membersOf(bytes, tag);
  const members = valueAt(JSON.parse(Buffer.from(bytes).toString('utf8')), 'manifests');
  return Array.isArray(members) ? members : [];
}
