import type { Digest } from '../core/digest.ts';
import type { PlannedManifest, RepositoryPlan } from '../core/retention/plan.ts';
import type { ImageStore } from './store.ts';

/** Lists once more after deleting: what the plan keeps must be there. Another run may have deleted it too: this tells, it mends nothing. */
export async function findMissing(store: ImageStore, plan: RepositoryPlan): Promise<readonly PlannedManifest[]> {
  const { entries } = await store.list();
  const there = new Set<Digest>(entries.map(({ digest }) => digest));
  return plan.kept.filter(({ digest }) => !there.has(digest));
}
