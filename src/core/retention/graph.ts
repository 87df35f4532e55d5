import type { Digest } from '../digest.ts';
import type { Inventory, InventoryEntry, KnownManifests } from './inventory.ts';
import { imageTags } from './link-tag.ts';
import { newestFirst } from './newest-first.ts';

/** So many manifests are looked through one behind the other, beside others of their number. */
const SEGMENT = 200;
/** How many images must be known, and which share of them must be of one shape, to take it for that of all. */
const MIN_SHAPES = 8;
const COMMON_SHARE = 0.95;

/**
 * What is still to be read, to be called until it answers none: the links that are known then are those that reading everything
 * would show. First what has a tag, and what an index names without saying that it names nothing itself. Then, of those that
 * no tag leads to, the newest of each stretch, since an index is pushed behind what it names, and what it names as a manifest need
 * not be read. Where all images are of one size, those too that should be indexes by that. A wrong guess costs a request,
 * and nothing else.
 */
export function manifestsToRead(inventory: Inventory, known: KnownManifests): readonly Digest[] {
  const { named, open } = namedManifests(known);
  const first = inventory.entries.filter(
    ({ digest, tags }) => !known.has(digest) && (tags.length > 0 || open.has(digest)),
  );
  if (first.length > 0) return first.map(({ digest }) => digest);
  const runs = unknownRuns(inventory.entries, (digest) => known.has(digest) || named.has(digest));
  if (runs.length === 0) return [];
  const stride = usualStride(inventory.entries, known, named);
  return runs.flatMap((run) => run.filter((_, position) => position === 0 || position % stride === 0));
}

interface NamedManifests {
  /** Named by an index. */
  readonly named: ReadonlySet<Digest>;
  /** Named by an index that does not say that they name no other. */
  readonly open: ReadonlySet<Digest>;
}

function namedManifests(known: KnownManifests): NamedManifests {
  const named = new Set<Digest>();
  const open = new Set<Digest>();
  for (const facts of known.values()) {
    if (facts.kind !== 'index') continue;
    for (const { digest, type } of facts.children) {
      if (type === 'manifest') named.add(digest);
      else if (type === 'unknown') open.add(digest);
    }
  }
  return { named, open };
}

/** What is not known, newest first, cut where there is a tag, and into segments. */
function unknownRuns(
  entries: readonly InventoryEntry[],
  isKnown: (digest: Digest) => boolean,
): readonly (readonly Digest[])[] {
  if (entries.every(({ digest }) => isKnown(digest))) return [];
  const runs: Digest[][] = [];
  let run: Digest[] = [];
  for (const [position, { digest, tags }] of newestFirst(entries).entries()) {
    if (tags.length > 0 || position % SEGMENT === 0) run = [];
    if (isKnown(digest)) continue;
    if (run.length === 0) runs.push(run);
    run.push(digest);
  }
  return runs;
}

/** One more than the number of manifests that images name, when nearly all name as many. */
function usualStride(entries: readonly InventoryEntry[], known: KnownManifests, named: ReadonlySet<Digest>): number {
  const counts = new Map<number, number>();
  let total = 0;
  for (const { digest, tags } of entries) {
    const facts = known.get(digest);
    const isImage = !named.has(digest) && (tags.length === 0 || imageTags(tags).length > 0);
    if (facts === undefined || facts.kind === 'unreadable' || !isImage) continue;
    const size = 1 + (facts.kind === 'index' ? facts.children.filter(({ type }) => type === 'manifest').length : 0);
    counts.set(size, (counts.get(size) ?? 0) + 1);
    total += 1;
  }
  const [stride, count] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), [1, 0]);
  return total >= MIN_SHAPES && count >= total * COMMON_SHARE ? stride : Number.POSITIVE_INFINITY;
}
