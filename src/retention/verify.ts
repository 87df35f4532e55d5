import type { Digest } from '../core/digest.ts';
import type { Inventory, InventoryEntry } from '../core/retention/inventory.ts';
import { imageTags } from '../core/retention/link-tag.ts';
import type { RepositoryPlan } from '../core/retention/plan.ts';
import { isBuildOnceError } from '../errors.ts';
import type { ImageStore } from './store.ts';

/** What is not there any more though it should be, or half a sentence why nobody knows. */
export type Verified =
  | { readonly isKnown: true; readonly missing: readonly InventoryEntry[] }
  | { readonly isKnown: false; readonly reason: string };

/**
 * Lists once more after deleting: what was there before, and was not to go, must be there still. Lists of referrers are written
 * anew when one of these goes, so they do not count. Another run may have deleted something too: this tells, it mends nothing.
 * What was deleted is told in any case: a list that cannot be had, or is not whole, is no error.
 */
export async function findMissing(store: ImageStore, plan: RepositoryPlan, before: Inventory): Promise<Verified> {
  const listed = await listAgain(store);
  if (typeof listed === 'string') return { isKnown: false, reason: listed };
  if (!listed.isComplete) return { isKnown: false, reason: 'it changes all the time' };
  const { entries } = listed;
  const there = new Set<Digest>(entries.map(({ digest }) => digest));
  const planned = new Set(
    plan.deletions.flatMap(({ root, members }) => [root, ...members].map(({ digest }) => digest)),
  );
  const missing = before.entries.filter(
    ({ digest, tags }) =>
      !there.has(digest) && !planned.has(digest) && (tags.length === 0 || imageTags(tags).length > 0),
  );
  return { isKnown: true, missing };
}

async function listAgain(store: ImageStore): Promise<Inventory | string> {
  try {
    return await store.list();
  } catch (error) {
    if (isBuildOnceError(error)) return error.message;
    throw error;
  }
}
