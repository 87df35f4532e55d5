import type { Digest } from '../core/digest.ts';
import type { InventoryEntry } from '../core/retention/inventory.ts';
import { parseLinkTag } from '../core/retention/link-tag.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { isRegistryError } from '../errors.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import { type Descriptor, isManifestMediaType } from '../oci/types.ts';
import { lacksBlob } from '../registry/failure.ts';
import type { Repository } from '../registry/repository.ts';
import type { Restoration, SavedManifest } from './store.ts';

/** Which of its tags a manifest in a registry still has; `undefined` when it is gone. */
export async function lookAt(
  repository: Repository,
  { id, digest, tags }: PlannedManifest,
): Promise<InventoryEntry | undefined> {
  const left: string[] = [];
  for (const tag of tags) if ((await repository.resolve({ tag }))?.digest === digest) left.push(tag);
  if (left.length === 0 && (await repository.resolve({ digest })) === undefined) return undefined;
  return { id, digest, tags: left, pushedAtMs: undefined, updatedAtMs: undefined };
}

/** A manifest in a registry with its bytes; `undefined` when it is gone. */
export async function saveManifest(
  repository: Repository,
  { digest }: PlannedManifest,
): Promise<SavedManifest | undefined> {
  const content = await repository.fetch({ digest });
  if (content === undefined) return undefined;
  const bytes = await content.bytes(MAX_MANIFEST_BYTES);
  return { mediaType: content.descriptor.mediaType, content: Buffer.from(bytes).toString('base64') };
}

/**
 * Pushes a manifest again as it was saved, and sets those of its tags that nothing else has by now. A fallback tag is taken
 * from a list that holds nothing else: referrers that came back before it have made that one. What came of it was read back. Its layers must still be there: registries keep them until they collect what nothing names.
 */
export async function restoreManifest(
  repository: Repository,
  { digest, tags }: PlannedManifest,
  saved: SavedManifest | undefined,
): Promise<Restoration> {
  try {
    const there = await repository.resolve({ digest });
    const descriptor = there ?? (await pushAgain(repository, digest, saved));
    if (descriptor === undefined) return { outcome: 'lost', reason: 'the journal does not have its content' };
    const { own, set } = await setTags(repository, descriptor, tags);
    const content = await repository.fetch({ digest });
    if (content === undefined) return { outcome: 'lost', reason: 'the registry took it, and does not have it' };
    await content.bytes(MAX_MANIFEST_BYTES);
    return { outcome: there === undefined || set > 0 ? 'restored' : 'present', tags: own };
  } catch (error) {
    if (!isRegistryError(error) || error.code === 'ABORTED') throw error;
    const reason = lacksBlob(error) ? `what it is made of is gone from the registry: ${error.message}` : error.message;
    return { outcome: 'lost', reason };
  }
}

/** `undefined` when no manifest was saved; other bytes than its own are not pushed. */
async function pushAgain(
  repository: Repository,
  digest: Digest,
  saved: SavedManifest | undefined,
): Promise<Descriptor | undefined> {
  if (saved === undefined || !isManifestMediaType(saved.mediaType)) return undefined;
  const bytes = Buffer.from(saved.content, 'base64');
  const descriptor = { mediaType: saved.mediaType, digest, sizeBytes: bytes.length };
  await repository.push(descriptor, bytes);
  return descriptor;
}

/** Which of the tags are its own now, and how many were set for that. */
async function setTags(
  repository: Repository,
  descriptor: Descriptor,
  tags: readonly string[],
): Promise<{ readonly own: readonly string[]; readonly set: number }> {
  const own: string[] = [];
  let set = 0;
  for (const tag of tags) {
    const taken = await repository.resolve({ tag });
    if (taken?.digest !== descriptor.digest) {
      if (taken !== undefined && !(await isPartOf(repository, { tag, list: taken }, descriptor))) continue;
      await repository.tag(descriptor, tag);
      set += 1;
    }
    own.push(tag);
  }
  return { own, set };
}

/** Whether a list of referrers holds nothing that the other does not. */
async function isPartOf(
  repository: Repository,
  { tag, list }: { readonly tag: string; readonly list: Descriptor },
  whole: Descriptor,
): Promise<boolean> {
  if (parseLinkTag(tag)?.isFallback !== true) return false;
  const [own, others] = await Promise.all([whole, list].map((one) => listedIn(repository, one)));
  return own !== undefined && others !== undefined && [...others].every((digest) => own.has(digest));
}

/** `undefined` when it is no list. */
async function listedIn(repository: Repository, { digest }: Descriptor): Promise<ReadonlySet<Digest> | undefined> {
  const content = await repository.fetch({ digest });
  if (content === undefined) return undefined;
  const manifest = parseManifest(await content.bytes(MAX_MANIFEST_BYTES), content.descriptor.mediaType);
  if (!manifest.ok || manifest.value.kind !== 'index') return undefined;
  return new Set(manifest.value.manifests.map((member) => member.digest));
}
