import type { Digest } from '../core/digest.ts';
import type { InventoryEntry, ManifestFacts } from '../core/retention/inventory.ts';
import type { DockerHubImage, DockerHubTag } from './docker-hub-tags.ts';

/** A tag with its digest, which Docker Hub does not tell of old ones. */
export type ResolvedTag = DockerHubTag & { readonly digest: Digest };

/** What Docker Hub's lists say, without a manifest read: each read would be a pull, counted, limited, and told as the last one. */
export interface DockerHubCatalog {
  readonly entries: readonly InventoryEntry[];
  readonly facts: ReadonlyMap<Digest, ManifestFacts>;
}

/** The images behind these tags, their platforms, and what belongs to them by subject. */
export function catalogOf(
  tags: readonly ResolvedTag[],
  referrers: ReadonlyMap<Digest, readonly Digest[]>,
): DockerHubCatalog {
  const entries = new Map<Digest, InventoryEntry>();
  const facts = new Map<Digest, ManifestFacts>();
  for (const tag of tags) {
    enterEntry(entries, tag.digest, entryOfTag(tag));
    facts.set(tag.digest, factsOf(tag));
    if (tag.isIndex) for (const image of tag.images) enterEntry(entries, image.digest, entryOfImage(image, tag));
  }
  for (const [subject, digests] of referrers) {
    const owner = entries.get(subject);
    for (const digest of digests) {
      if (owner === undefined || facts.has(digest)) continue;
      const { pushedAtMs, updatedAtMs } = owner;
      enterEntry(entries, digest, { id: digest, digest, tags: [], pushedAtMs, updatedAtMs, subject });
      facts.set(digest, { kind: 'manifest', subject, sizeBytes: 0, blobs: [] });
    }
  }
  return { entries: [...entries.values()], facts };
}

function factsOf({ digest, isIndex, images }: ResolvedTag): ManifestFacts {
  if (!isIndex) return { kind: 'manifest', subject: undefined, sizeBytes: 0, blobs: [] };
  const children = [...new Set(images.map((image) => image.digest))].filter((child) => child !== digest);
  return {
    kind: 'index',
    subject: undefined,
    sizeBytes: 0,
    children: children.map((child) => ({ digest: child, type: 'manifest', sizeBytes: 0 })),
  };
}

function entryOfTag(tag: ResolvedTag): InventoryEntry {
  const { digest, pushedAtMs, updatedAtMs, pulledAtMs } = tag;
  const sizes = new Map(tag.images.map((image) => [image.digest, image.sizeBytes]));
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { id: digest, digest, tags: [tag.name], pushedAtMs, updatedAtMs, usedAtMs: pulledAtMs, sizeBytes };
}

function entryOfImage({ digest, pushedAtMs, pulledAtMs }: DockerHubImage, tag: ResolvedTag): InventoryEntry {
  const time = pushedAtMs ?? tag.pushedAtMs;
  return { id: digest, digest, tags: [], pushedAtMs: time, updatedAtMs: time, usedAtMs: pulledAtMs };
}

/** What several tags tell of one manifest: all of its tags, of each time the latest. */
function enterEntry(entries: Map<Digest, InventoryEntry>, digest: Digest, entry: InventoryEntry): void {
  const known = entries.get(digest);
  if (known === undefined) {
    entries.set(digest, entry);
    return;
  }
  entries.set(digest, {
    ...known,
    tags: [...known.tags, ...entry.tags].toSorted(),
    pushedAtMs: latest(known.pushedAtMs, entry.pushedAtMs),
    updatedAtMs: latest(known.updatedAtMs, entry.updatedAtMs),
    usedAtMs: latest(known.usedAtMs, entry.usedAtMs),
    sizeBytes: latest(known.sizeBytes, entry.sizeBytes),
    subject: known.subject ?? entry.subject,
  });
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
