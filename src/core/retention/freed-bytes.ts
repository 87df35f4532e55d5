import type { Digest } from '../digest.ts';
import type { BlobFacts, InventoryEntry, KnownManifests, ManifestFacts } from './inventory.ts';

/** Tells how much goes with a root, when it is asked for each in the order in which they go. */
export type FreedBytes = (root: InventoryEntry, members: readonly InventoryEntry[]) => number;

/**
 * What is known to be freed: what the registry or engine says, else the bytes of the manifests, and of the blobs that
 * nothing holds that stays. While there is a manifest that stays and was not read, no blob is counted: it may hold each of them.
 */
export function freedBytes(
  entries: readonly InventoryEntry[],
  manifests: KnownManifests,
  goes: (node: number) => boolean,
): FreedBytes {
  const sizes = childSizes(manifests);
  const counted = heldBlobs(
    entries.filter((_, node) => !goes(node)),
    manifests,
  );
  return (root, members) => {
    if (root.sizeBytes !== undefined) return root.sizeBytes;
    let total = 0;
    for (const { digest } of [root, ...members]) {
      const facts = manifests.get(digest);
      total += (facts === undefined || facts.kind === 'unreadable' ? sizes.get(digest) : facts.sizeBytes) ?? 0;
      if (counted === undefined) continue;
      for (const blob of blobsOf(facts)) {
        if (!counted.has(blob.digest)) total += blob.sizeBytes;
        counted.add(blob.digest);
      }
    }
    return total;
  };
}

/** `undefined` when not all of them are known. */
function heldBlobs(staying: readonly InventoryEntry[], manifests: KnownManifests): Set<Digest> | undefined {
  if (staying.some(({ digest }) => (manifests.get(digest)?.kind ?? 'unreadable') === 'unreadable')) return undefined;
  const held = new Set<Digest>();
  for (const { digest } of staying) for (const blob of blobsOf(manifests.get(digest))) held.add(blob.digest);
  return held;
}

function blobsOf(facts: ReturnType<KnownManifests['get']>): readonly BlobFacts[] {
  return facts?.kind === 'manifest' ? facts.blobs : blobChildren(facts);
}

/** Indexes of build caches name their layers. */
function blobChildren(facts: ReturnType<KnownManifests['get']>): readonly BlobFacts[] {
  return facts?.kind === 'index' ? facts.children.filter(({ type }) => type === 'blob') : [];
}

/** Of manifests that need not be read, as the indexes tell. */
function childSizes(manifests: KnownManifests): ReadonlyMap<Digest, number> {
  const sizes = new Map<Digest, number>();
  for (const facts of manifests.values()) {
    for (const { digest, sizeBytes } of indexChildren(facts)) sizes.set(digest, sizeBytes);
  }
  return sizes;
}

function indexChildren(facts: ManifestFacts | { readonly kind: 'unreadable' }): readonly BlobFacts[] {
  return facts.kind === 'index' ? facts.children : [];
}
