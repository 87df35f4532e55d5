import type { Digest } from '../core/digest.ts';
import type { Inventory, InventoryEntry } from '../core/retention/inventory.ts';
import { imageTags } from '../core/retention/link-tag.ts';
import type { RepositoryPlan } from '../core/retention/plan.ts';
import type { ImageStore } from './store.ts';

/**
 * Lists once more after deleting: what was there before, and was not to go, must be there still. Lists of referrers are written
 * anew when one of these goes, so they do not count. Another run may have deleted something too: this tells, it mends nothing.
 */
export async function findMissing(
  store: ImageStore,
  plan: RepositoryPlan,
  before: Inventory,
): Promise<readonly InventoryEntry[]> {
  const { entries } = await store.list();
  const there = new Set<Digest>(entries.map(({ digest }) => digest));
  const planned = new Set(
    plan.deletions.flatMap(({ root, members }) => [root, ...members].map(({ digest }) => digest)),
  );
  return before.entries.filter(
    ({ digest, tags }) =>
      !there.has(digest) && !planned.has(digest) && (tags.length === 0 || imageTags(tags).length > 0),
  );
}
