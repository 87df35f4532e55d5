import type { Digest } from '../core/digest.ts';
import type { Inventory, InventoryEntry } from '../core/retention/inventory.ts';
import { inParallel } from '../in-parallel.ts';
import { type GhcrPackage, VERSIONS_PER_PAGE } from './ghcr-package.ts';

type Pages = Pick<GhcrPackage, 'facts' | 'page'>;

const PAGES_AT_ONCE = 10;
const ATTEMPTS = 3;
/** So many of the newest pages are read again; when that is not enough, everything is to be listed again. */
const MAX_NEWEST_PAGES = 5;
/** A package of no more pages is looked through whole for tags that were moved to old versions. */
const MAX_PAGES_LOOKED_THROUGH = 5;

/** What was listed, in the package's own order. */
type Listing = Omit<Inventory, 'repository'>;

/**
 * Every version, the newest first, in as many requests as there are pages and one. Pages are numbered, so that what is pushed
 * or deleted meanwhile moves versions from one page to another, and some are seen twice and some not at all. First comes the
 * newest page, then the number of versions, then the rest. What was on the first page may be gone when they are counted, what
 * is on the others is not: so when nothing of the first page is gone (`changesSince` looks, before anything is deleted), and
 * there are as many versions as were counted, they are all that there were at that moment. What came later is on the newest
 * pages. When the numbers differ, all is listed again, up to three times.
 */
export async function listVersions(one: Pages): Promise<Listing> {
  let listing = await listOnce(one);
  for (let attempt = 1; attempt < ATTEMPTS && !listing.isComplete; attempt += 1) listing = await listOnce(one);
  return listing;
}

async function listOnce(one: Pages): Promise<Listing> {
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
 * The versions that are new or have other tags on the newest pages, in two requests when nothing happened; in a package of up to
 * five pages on all of them, since a part of an image may get a tag of its own long after it was pushed. `since` is as
 * `listVersions` gave it, `removed` has those that this run has deleted itself. `undefined` when that is not all: others have
 * deleted, or have pushed so much that it is better to list again.
 */
export async function changesSince(
  one: Pages,
  since: Pick<Inventory, 'entries'>,
  removed: ReadonlySet<string>,
): Promise<readonly InventoryEntry[] | undefined> {
  const known = new Map(since.entries.map((entry) => [entry.id, entry]));
  const newest = since.entries.slice(0, VERSIONS_PER_PAGE).filter(({ id }) => !removed.has(id));
  // Before the pages, so that what is pushed in between is too many, and not one that makes up for another.
  const { versionCount } = await one.facts();
  const head = await newestPages(one, newest);
  if (head === undefined) return undefined;
  const added = head.filter(({ id }) => !known.has(id)).length;
  const left = since.entries.filter(({ id }) => !removed.has(id)).length;
  if (versionCount !== left + added) return undefined;
  const older = await olderPages(one, Math.ceil(versionCount / VERSIONS_PER_PAGE));
  const isNewest = new Set(head.map(({ id }) => id));
  const others = older.filter(({ id }) => known.has(id) && !removed.has(id) && !isNewest.has(id));
  return [...head, ...new Map(others.map((entry) => [entry.id, entry])).values()].filter(
    (entry) => !isSame(entry, known.get(entry.id)),
  );
}

async function olderPages(one: Pages, pageCount: number): Promise<readonly InventoryEntry[]> {
  if (pageCount > MAX_PAGES_LOOKED_THROUGH) return [];
  const numbers = Array.from({ length: Math.max(0, pageCount - 1) }, (_, index) => index + 2);
  const pages = await inParallel(numbers, PAGES_AT_ONCE, (number) => one.page(number));
  return pages.flatMap(({ entries }) => entries);
}

/** The newest versions up to these; `undefined` when one of these is not there. */
async function newestPages(
  one: Pages,
  wanted: readonly InventoryEntry[],
): Promise<readonly InventoryEntry[] | undefined> {
  const missing = new Set(wanted.map(({ id }) => id));
  const head = new Map<string, InventoryEntry>();
  for (let number = 1; number <= MAX_NEWEST_PAGES; number += 1) {
    const { entries, isLast } = await one.page(number);
    for (const entry of entries) {
      head.set(entry.id, entry);
      missing.delete(entry.id);
    }
    if (missing.size === 0) return [...head.values()];
    if (isLast) return undefined;
  }
  return undefined;
}

function isSame(entry: InventoryEntry, before: InventoryEntry | undefined): boolean {
  if (before === undefined || entry.digest !== before.digest) return false;
  return [...entry.tags].sort().join(' ') === [...before.tags].sort().join(' ');
}
