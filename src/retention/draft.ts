import { counted } from '../core/counted.ts';
import type { GitState, Inventory, KnownManifests, Protection } from '../core/retention/inventory.ts';
import { mayDelete } from '../core/retention/may-delete.ts';
import type { RepositoryPlan } from '../core/retention/plan.ts';
import { planRepository } from '../core/retention/plan-repository.ts';
import type { RetentionPolicy } from '../core/retention/policy.ts';
import { formatDuration } from '../core/timestamp.ts';
import type { Host } from '../host.ts';
import type { FactsCache } from './facts-cache.ts';
import { progressOf } from './progress.ts';
import { readManifests } from './read-manifests.ts';
import type { ImageStore } from './store.ts';

/** What is to become of one repository, and what that was decided from. */
export interface Draft {
  readonly store: ImageStore;
  readonly inventory: Inventory;
  readonly policy: RetentionPolicy;
  readonly plan: RepositoryPlan;
  readonly manifests: KnownManifests;
}

export interface DraftRequest {
  readonly host: Host;
  readonly store: ImageStore;
  readonly policy: RetentionPolicy;
  readonly cache: FactsCache;
  readonly findProtections: () => Promise<readonly Protection[]>;
  readonly readGitState: (inventory: Inventory) => Promise<GitState>;
}

const NOTHING_READ: KnownManifests = new Map();
/** A clock that is further from the registry's than this is worth a word. */
const MAX_SKEW_MS = 5 * 60_000;

/**
 * Lists a repository, finds out who needs what, reads what has to be read, and plans. A repository of which nothing is old
 * enough to go is listed only.
 */
export async function draftPlan(request: DraftRequest): Promise<Draft> {
  const { host, store, policy, cache } = request;
  const listed = await store.list();
  host.log.info(`${store.name}: ${counted(listed.entries.length, 'manifest')} listed`);
  const nowMs = host.now().getTime();
  const skewMs = Math.abs(nowMs - listed.listedAtMs);
  if (skewMs > MAX_SKEW_MS)
    host.log.warning(
      `the clock of this machine is ${formatDuration(skewMs)} from that of ${store.name}; ages are counted by the clock that is behind`,
    );
  // A clock that is years ahead would make everything old.
  const inventory = { ...listed, listedAtMs: Math.min(listed.listedAtMs, nowMs) };
  cache.retain(new Set(inventory.entries.map(({ digest }) => digest)));
  const git = await request.readGitState(inventory);
  const known = { inventory, policy, git, abilities: store.abilities };
  const mayGo = mayDelete({ ...known, protections: [] });
  // Who needs what is of no interest while nothing can go; but what a policy names is looked at in every run.
  const isAsked = mayGo || policy.protect.some(({ kind }) => kind === 'source');
  const protections = isAsked ? await request.findProtections() : [];
  const progress = progressOf(host, (count) => `${store.name}: ${count} manifests are read`);
  const needed = new Set([
    ...protections.flatMap(({ digests }) => digests),
    ...policy.protect.flatMap((item) => (item.kind === 'digest' ? [item.digest] : [])),
  ]);
  const manifests = mayGo ? await readManifests(store, inventory, { cache, onRead: progress, needed }) : NOTHING_READ;
  const plan = planRepository({ ...known, protections, manifests });
  return { store, inventory, policy, manifests, plan };
}
