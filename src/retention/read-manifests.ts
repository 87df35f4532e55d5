import type { Digest } from '../core/digest.ts';
import { manifestsToRead } from '../core/retention/graph.ts';
import type { Inventory, KnownManifests, ManifestFacts, Unreadable } from '../core/retention/inventory.ts';
import { inParallel } from '../in-parallel.ts';
import type { FactsCache } from './facts-cache.ts';
import type { ImageStore } from './store.ts';

/** How many manifests are asked for at once. */
const AT_ONCE = 16;

/**
 * Reads as few manifests as there must be read to know every link in the repository; see `manifestsToRead`. `needed` are read in
 * any case: what an index calls a mere platform, and who needs it by its digest knows to be an index.
 */
export async function readManifests(
  store: ImageStore,
  inventory: Inventory,
  {
    cache,
    onRead,
    needed = new Set(),
  }: {
    readonly cache: FactsCache;
    readonly onRead: (count: number) => void;
    readonly needed?: ReadonlySet<string>;
  },
): Promise<KnownManifests> {
  const known = new Map<Digest, ManifestFacts | Unreadable>();
  for (const { digest } of inventory.entries) {
    const facts = cache.find(digest);
    if (facts !== undefined) known.set(digest, facts);
  }
  let count = 0;
  const read = async (digest: Digest): Promise<void> => {
    const facts = await store.read(digest);
    known.set(digest, facts);
    if (facts.kind !== 'unreadable') cache.keep(digest, facts);
    count += 1;
    onRead(count);
  };
  const next = (): readonly Digest[] => {
    const first = inventory.entries.filter(({ digest }) => needed.has(digest) && !known.has(digest));
    return first.length > 0 ? first.map(({ digest }) => digest) : manifestsToRead(inventory, known);
  };
  for (let ahead = next(); ahead.length > 0; ahead = next()) {
    // The first one alone: it gets the token that does for all.
    const [first, ...rest] = ahead;
    if (first !== undefined) await read(first);
    await inParallel(rest, AT_ONCE, read);
  }
  return known;
}
