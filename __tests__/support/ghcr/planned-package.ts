import type { Digest } from '../../../src/core/digest.ts';
import type { Inventory } from '../../../src/core/retention/inventory.ts';
import type { PlannedManifest, RepositoryPlan, RootDeletion } from '../../../src/core/retention/plan.ts';
import { type Applied, type ApplyRequest, applyPlan } from '../../../src/retention/apply.ts';
import { openJournal } from '../../../src/retention/journal.ts';
import type { ImageStore } from '../../../src/retention/store.ts';
import { type DirectFaults, directStore } from './direct-store.ts';
import { type MadeImage, makeImage } from './images.ts';
import { DEFAULT_SHAPE } from './options.ts';
import { PackageStore } from './store.ts';

const NOW_MS = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;
export const PLAIN_SHAPE = { ...DEFAULT_SHAPE, attest: false, referrers: 'none' } as const;

/** A package of images `t0`, `t1`, … with two platforms each, and a plan that deletes the oldest so many. */
export interface PlannedPackage {
  readonly content: PackageStore;
  readonly store: ImageStore;
  readonly doomed: readonly MadeImage[];
  readonly kept: readonly MadeImage[];
  readonly inventory: Inventory;
  /** Of the image at a position 2^position bytes are freed, so that a sum says of which. */
  readonly plan: RepositoryPlan;
  /** All of it, in the order in which it goes. */
  readonly steps: readonly PlannedManifest[];
  /** What was appended. */
  readonly journal: string[];
  apply(more?: Partial<ApplyRequest>): Promise<Applied>;
}

export async function openPlannedPackage(
  { doomed, kept = 2 }: { readonly doomed: number; readonly kept?: number },
  faults: DirectFaults = {},
): Promise<PlannedPackage> {
  const content = new PackageStore(() => NOW_MS);
  const made = Array.from({ length: doomed + kept }, (_, position) => {
    const atMs = NOW_MS - (doomed + kept - position) * DAY_MS;
    const making = { store: content, shape: PLAIN_SHAPE, name: `i${position}`, atMs };
    return makeImage(making, { tags: [`t${position}`] });
  });
  const store = directStore(content, () => NOW_MS, faults);
  const inventory = await store.list();
  const planned = (digest: Digest): PlannedManifest => {
    const { id, tags } = inventory.entries.find((entry) => entry.digest === digest) ?? { id: '0', tags: [] };
    return { id, digest, tags };
  };
  const deletions = made.slice(0, doomed).map(
    ({ index, platforms }, position): RootDeletion => ({
      root: planned(index.digest),
      rule: `*: keep ${kept}`,
      reason: `not among the ${kept} newest`,
      pushedAtMs: 0,
      freedBytes: 2 ** position,
      members: platforms.map(({ digest }) => ({ ...planned(digest), role: 'child', after: [index.digest] })),
    }),
  );
  const nothing = { untags: [], kept: [], warnings: [], stops: [], refusals: [] };
  const plan: RepositoryPlan = { repository: store.name, policy: `*: keep ${kept}`, deletions, ...nothing };
  const journal: string[] = [];
  return {
    content,
    store,
    doomed: made.slice(0, doomed),
    kept: made.slice(doomed),
    inventory,
    plan,
    steps: deletions.flatMap(({ root, members }) => [root, ...members]),
    journal,
    apply: (more = {}) =>
      applyPlan({
        store,
        plan,
        inventory,
        journal: openJournal({ append: (_, line) => void journal.push(line) }, 'j'),
        now: () => new Date(NOW_MS),
        signal: new AbortController().signal,
        deadlineMs: undefined,
        onProgress: () => {},
        ...more,
      }),
  };
}
