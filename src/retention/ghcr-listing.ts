import type { Digest } from '../core/digest.ts';
import type { Inventory, InventoryEntry } from '../core/retention/inventory.ts';
import { inParallel } from '../in-parallel.ts';
import { type GhcrPackage, VERSIONS_PER_PAGE } from './ghcr-package.ts';

const PAGES_AT_ONCE = 10;
const ATTEMPTS = 3;
/** So many pages of new versions are read; with more, everything is to be listed again. */
const MAX_NEW_PAGES = 5;

/** What was listed, in the package's own order. */
type Listing = Omit<Inventory, 'repository'>;

/**
 * Every version, in as many requests as there are pages and one. Pages are numbered, so that what is pushed or deleted
 * meanwhile moves versions from one page to another, and some are seen twice and some not at all. First comes the newest page,
 * then the number of versions, then the rest: when there are as many different versions as GitHub counts, none was missed but
 * those that a change of the newest page betrays (see `changesSince`). Otherwise all is listed again, up to three times.
 */
export async function listVersions(one: GhcrPackage): Promise<Listing> {
  let listing = await listOnce(one);
  for (let attempt = 1; attempt < ATTEMPTS && !listing.isComplete; attempt += 1) listing = await listOnce(one);
  return listing;
}

async function listOnce(one: GhcrPackage): Promise<Listing> {
  const first = await one.page(1);
  const { versionCount } = await one.facts();
  const numbers = Array.from({ length: Math.ceil(versionCount / VERSIONS_PER_PAGE) - 1 }, (_, index) => index + 2);
  const rest = await inParallel(numbers, PAGES_AT_ONCE, (number) => one.page(number));
  const entries = new Map<Digest, InventoryEntry>();
  for (const entry of [first, ...rest].flatMap((page) => page.entries)) {
    if (!entries.has(entry.digest)) entries.set(entry.digest, entry);
  }
  const isComplete = entries.size === versionCount && (rest.at(-1) ?? first).isLast;
  return { listedAtMs: first.dateMs, entries: [...entries.values()], isComplete };
}

/**
 * The versions that are new or have other tags on the newest pages, in two requests when nothing happened. `undefined` when
 * that is not all: the number of versions is not what it should be after them and after `removed`, those that this run has
 * deleted itself; or a version of the newest pages is gone.
 */
export async function changesSince(
  one: GhcrPackage,
  since: Pick<Inventory, 'entries'>,
  removed: ReadonlySet<string>,
): Promise<readonly InventoryEntry[] | undefined> {
  const known = new Map(since.entries.map((entry) => [entry.id, entry]));
  const head = await newestPages(one, known);
  if (head === undefined) return undefined;
  const { versionCount } = await one.facts();
  const added = head.filter(({ id }) => !known.has(id)).length;
  const left = since.entries.filter(({ id }) => !removed.has(id));
  if (versionCount !== left.length + added) return undefined;
  const ids = new Set(head.map(({ id }) => id));
  const oldestMs = Math.min(...head.map(({ pushedAtMs }) => pushedAtMs ?? 0));
  if (left.some(({ id, pushedAtMs }) => (pushedAtMs ?? 0) > oldestMs && !ids.has(id))) return undefined;
  return head.filter((entry) => !isSame(entry, known.get(entry.id)));
}

/** Up to the first that has a version that is known. */
async function newestPages(
  one: GhcrPackage,
  known: ReadonlyMap<string, InventoryEntry>,
): Promise<readonly InventoryEntry[] | undefined> {
  const head: InventoryEntry[] = [];
  for (let number = 1; number <= MAX_NEW_PAGES; number += 1) {
    const { entries, isLast } = await one.page(number);
    head.push(...entries);
    if (isLast || entries.some(({ id }) => known.has(id))) return head;
  }
  return undefined;
}

function isSame(entry: InventoryEntry, before: InventoryEntry | undefined): boolean {
  if (before === undefined || entry.digest !== before.digest) return false;
  return [...entry.tags].sort().join(' ') === [...before.tags].sort().join(' ');
}
