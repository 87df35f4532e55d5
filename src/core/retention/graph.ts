import type { Digest } from '../digest.ts';
import type { Inventory, InventoryEntry, KnownManifests } from './inventory.ts';
import { imageTags } from './link-tag.ts';
import { newestFirst } from './newest-first.ts';

/** How many images must be known before their shape is taken for that of others. */
const MIN_SHAPES = 8;
/** So many guesses at least are made at a time, and this share of all. */
const MIN_GUESSES = 16;
const SHARE_OF_GUESSES = 0.25;

/**
 * What is still to be read, to be called until it answers none: the links that are known then are those that reading everything
 * would show. First what has a tag, and what an index names without saying that it names nothing itself. Then, of those that
 * no tag leads to, the newest and others at the distance at which indexes should follow each other, since an index is pushed
 * behind what it names; what it names as a manifest need not be read. A wrong guess costs a request, and nothing else.
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
  return runs.flatMap((run) => guessHeads(run, stride));
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

/** What is not known, newest first, cut where there is a tag. */
function unknownRuns(
  entries: readonly InventoryEntry[],
  isKnown: (digest: Digest) => boolean,
): readonly (readonly Digest[])[] {
  if (entries.every(({ digest }) => isKnown(digest))) return [];
  const runs: Digest[][] = [];
  let run: Digest[] = [];
  for (const { digest, tags } of newestFirst(entries)) {
    if (tags.length > 0) run = [];
    else if (!isKnown(digest)) {
      if (run.length === 0) runs.push(run);
      run.push(digest);
    }
  }
  return runs;
}

function guessHeads(run: readonly Digest[], stride: number): readonly Digest[] {
  const guesses = run.filter((_, position) => position === 0 || position % stride === 0);
  return guesses.slice(0, Math.max(MIN_GUESSES, Math.ceil(guesses.length * SHARE_OF_GUESSES)));
}

/** One more than the number of manifests that most images name; no guess is made while few images are known. */
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
  if (total < MIN_SHAPES) return Number.POSITIVE_INFINITY;
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}
