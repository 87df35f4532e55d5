import { type Digest, digestOf } from '../core/digest.ts';
import { valueAt } from '../core/json.ts';
import { RegistryError } from '../errors.ts';
import { formatDescriptor } from '../oci/format.ts';
import { describeReferrer } from '../oci/links.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci/types.ts';
import type { Repository } from './repository.ts';
import type { RetryRules } from './retry.ts';

/** How often a list is looked at or written because other writers write there too. */
const MAX_ROUNDS = 20;
/** How long at least until a list that was written is looked at once more, and how much longer at most in later rounds. */
const MIN_SETTLE_MS = 100;
const MAX_STRETCH = 4;

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
  const { subject } = parsed.value;
  return { subject, descriptor: describeReferrer(parsed.value, manifest.digest, manifest.sizeBytes) };
}

/**
 * Puts a referrer into the index under the fallback tag. Registries know no conditional writes: another writer may have read
 * the index before this write and write it after. So it looks again once such a writer must be done too, and enters it again
 * until it stays. RegistryError UNEXPECTED_ANSWER when it never does.
 */
export async function enterReferrer(repository: Repository, referrer: Referrer, rules: RetryRules): Promise<void> {
  const { digest } = referrer.descriptor;
  await rewrite(repository, referrer.subject.digest, rules, {
    isDone: (members) => members.some((member) => valueAt(member, 'digest') === digest),
    change: (members) => [...members, formatDescriptor(referrer.descriptor)],
    failure: `${digest} does not stay in`,
  });
}

/**
 * Takes a referrer out of the index under the fallback tag, where there is one that lists it; an index that would be left
 * empty is deleted. RegistryError UNEXPECTED_ANSWER when it always comes back.
 */
export async function removeReferrer(
  repository: Repository,
  { subject, digest }: { readonly subject: Digest; readonly digest: Digest },
  rules: RetryRules,
): Promise<void> {
  await rewrite(repository, subject, rules, {
    isDone: (members) => members.every((member) => valueAt(member, 'digest') !== digest),
    change: (members) => members.filter((member) => valueAt(member, 'digest') !== digest),
    failure: `${digest} does not go from`,
  });
}

interface Rewriting {
  readonly isDone: (members: readonly unknown[]) => boolean;
  readonly change: (members: readonly unknown[]) => readonly unknown[];
  /** What to say before the name of the tag when it was in vain. */
  readonly failure: string;
}

async function rewrite(
  repository: Repository,
  subject: Digest,
  { clock, signal }: RetryRules,
  { isDone, change, failure }: Rewriting,
): Promise<void> {
  const tag = fallbackTag(subject);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const startedAtMs = clock.now();
    const { digest, members } = await readFallbackTag(repository, tag);
    if (isDone(members)) return;
    await replaceIndex(repository, tag, change(members), digest);
    // A writer that overlapped with this one takes about as long, and is done after this. By chance, so that both do not
    // meet again.
    const settleMs = Math.max(MIN_SETTLE_MS, 2 * (clock.now() - startedAtMs));
    await clock.sleep(settleMs * (1 + clock.random() * Math.min(round, MAX_STRETCH)), signal);
  }
  throw new RegistryError('UNEXPECTED_ANSWER', `${failure} the index of referrers ${tag}`, {
    hint: 'Run this job again; if it happens again, the registry loses writes, or many jobs write there at once.',
  });
}

async function replaceIndex(
  repository: Repository,
  tag: string,
  manifests: readonly unknown[],
  previous: Digest | undefined,
): Promise<void> {
  if (manifests.length === 0) {
    if (previous !== undefined) await repository.delete(previous);
    return;
  }
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
  const index = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(bytes), sizeBytes: bytes.length };
  await repository.push(index, bytes);
  await repository.tag(index, tag);
}

interface FallbackIndex {
  readonly digest: Digest | undefined;
  /** As they stand there, so that fields that we do not know survive. */
  readonly members: readonly unknown[];
}

async function readFallbackTag(repository: Repository, tag: string): Promise<FallbackIndex> {
  const content = await repository.fetch({ tag });
  if (content === undefined) return { digest: undefined, members: [] };
  const bytes = await content.bytes(MAX_MANIFEST_BYTES);
  membersOf(bytes, tag);
  const members = valueAt(JSON.parse(Buffer.from(bytes).toString('utf8')), 'manifests');
  return { digest: content.descriptor.digest, members: Array.isArray(members) ? members : [] };
}
