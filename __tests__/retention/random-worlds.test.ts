import { describe, expect, it } from 'vitest';
import { formatFacts, parseFacts } from '../../src/core/retention/facts-text.ts';
import { formatPlan, parsePlanDocument, planHash } from '../../src/core/retention/plan-document.ts';
import type { RepositoryPlan } from '../../src/core/retention/plan.ts';
import type { Applied } from '../../src/retention/apply.ts';
import type { Draft } from '../../src/retention/draft.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { directStore } from '../support/ghcr/direct-store.ts';
import { inspect } from '../support/ghcr/integrity.ts';
import { Audit } from '../support/random-package/audit.ts';
import { Cut, MISHAPS, type Mishap, Mishaps } from '../support/random-package/mishaps.ts';
import {
  apply,
  draft,
  MemoryCache,
  makeWorld,
  plannedSteps,
  randomFor,
  runToRest,
  snapshot,
  stepsOf,
  undo,
  type World,
} from '../support/random-package/world.ts';

/** The same seed makes the same world and lets the same things happen; further worlds have the next seeds. */
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 1);
const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 2000);

/** How often what occurred. */
class Tally {
  readonly counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }
}

describe('random packages, pruned by random rules, while things go wrong', () => {
  it('break no tag, lose no signature, and delete what the dry run said', { timeout: 3_600_000 }, async () => {
    const tally = new Tally();
    for (const mishap of MISHAPS) tally.add(mishap, 0);
    for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
      try {
        await play(seed, tally);
      } catch (error) {
        if (process.env['COLLECT']) { process.stderr.write(`SEED ${seed}: ${String(error).slice(0, 300).replaceAll('\n', ' | ')}\n`); continue; }
        throw new Error(`BUILD_ONCE_SEED=${seed} BUILD_ONCE_RUNS=1`, { cause: error });
      }
    }
    const counts = Object.fromEntries([...tally.counts].sort());
    if (process.env['BUILD_ONCE_SHOW'] !== undefined) process.stderr.write(`${JSON.stringify(counts, undefined, 1)}\n`);
    // Or it would show little.
    if (RUNS >= 1000) expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
  });
});

async function play(seed: number, tally: Tally): Promise<void> {
  const random = randomFor(seed, 'mishap');
  const mishap = random.chance(0.2) ? 'nothing' : random.pick(MISHAPS);
  const world = makeWorld(seed, { circles: true });
  for (const feature of world.features) tally.add(`content: ${feature}`);
  for (const feature of world.rules.features) tally.add(`rules: ${feature}`);
  const store = directStore(world.content, () => world.clock.nowMs);
  const drafted = await draftTwice(world, store);
  if (drafted.plan.refusals.length > 0) return tally.add('refused');
  if (drafted.plan.deletions.length === 0) return tally.add('nothing to do');
  const before = snapshot(world.content);
  const mishaps = new Mishaps(world, drafted.plan, random, mishap);
  const audit = new Audit(world.content);
  mishaps.onPush = () => audit.witness();
  const journal: string[] = [];
  const faulty = mishaps.around(directStore(world.content, () => world.clock.nowMs, { beforeRemove: mishaps.beforeRemove }));
  const deadlineMs = mishap === 'time runs out' ? world.clock.nowMs + 1000 : undefined;
  const applied = await applyAnyway(world, { ...drafted, store: faulty }, { mishaps, journal, deadlineMs });
  for (const one of mishaps.happened) tally.add(one);
  if (process.env['DEBUG']) {
    process.stderr.write(`MISHAP ${mishap} ${[...mishaps.happened]} needed ${mishaps.needed} features ${[...world.features]}\n${world.rules.text}\n`);
    process.stderr.write(JSON.stringify(drafted.plan.deletions.map(({root, members, rule}) => [rule, root, ...members.map(m=>({...m}))]), undefined, 1));
    process.stderr.write(JSON.stringify(applied, undefined, 1));
    process.stderr.write(JSON.stringify(audit.losses(rootsOf(drafted.plan)), undefined, 1));
    process.stderr.write(JSON.stringify([...drafted.inventory.entries.map(({digest, tags}) => [digest, tags, drafted.manifests.get(digest)])], undefined, 0));
  }
  tally.add('deleted', applied?.deleted.length ?? 0);
  tally.add('images deleted', applied?.deletedRoots ?? 0);

  checkIntegrity(world, { plan: drafted.plan, audit });
  for (const digest of mishaps.needed) expect(world.content.byDigest.has(digest), 'needed by a newcomer').toBe(true);
  if (mishap === 'nothing') checkWhole(world, { drafted, applied, audit });
  await checkUndo(world, { store, journal, mishaps, before });
}

/** A dry run, twice, and once more with what the first one has read. */
async function draftTwice(world: World, store: ImageStore): Promise<Draft> {
  const cache = new MemoryCache();
  const first = await draft(world, store, cache);
  const text = formatPlan([first.plan], { plannedAt: 'now' });
  const warm = new MemoryCache();
  for (const [digest, facts] of parseFacts(formatFacts(cache.facts)) ?? []) warm.keep(digest, facts);
  expect(formatPlan([(await draft(world, store)).plan], { plannedAt: 'now' })).toBe(text);
  expect(formatPlan([(await draft(world, store, warm)).plan], { plannedAt: 'now' })).toBe(text);
  const read = parsePlanDocument(Buffer.from(text));
  expect(read).toMatchObject({ ok: true, value: { plans: [first.plan], hash: planHash([first.plan]) } });
  return first;
}

interface Course {
  readonly mishaps: Mishaps;
  readonly journal: string[];
  readonly deadlineMs: number | undefined;
}

/** `undefined` when a request was cut, and nobody said why. */
async function applyAnyway(
  world: World,
  drafted: Draft,
  { mishaps, journal, deadlineMs }: Course,
): Promise<Applied | undefined> {
  try {
    return await apply(world, drafted, journal, { signal: mishaps.stopping.signal, deadlineMs });
  } catch (error) {
    if (error instanceof Cut) return undefined;
    throw error;
  }
}

/** Images without a tag, as far as they are there. */
function rootsOf({ kept, deletions }: RepositoryPlan): readonly string[] {
  return [...kept, ...deletions.map(({ root }) => root)].map(({ digest }) => digest);
}

function checkIntegrity(
  { content }: World,
  { plan, audit }: { readonly plan: RepositoryPlan; readonly audit: Audit },
): void {
  const roots = rootsOf(plan);
  expect(audit.losses(roots)).toEqual([]);
  const { brokenTags, lostSignatures } = inspect(content);
  expect(brokenTags).toEqual([]);
  // What an interrupted run leaves over is garbage, signed or not.
  const garbage = audit.garbage(roots);
  expect(lostSignatures.filter(({ subject }) => !garbage.has(subject))).toEqual([]);
}

function checkWhole(
  { content, features }: World,
  { drafted, applied, audit }: { readonly drafted: Draft; readonly applied: Applied | undefined; readonly audit: Audit },
): void {
  const { plan } = drafted;
  const planned = plannedSteps(plan);
  expect(applied).toMatchObject({ failed: [], skipped: [], stopped: undefined });
  // Of a circle nothing can go first.
  const isCircular = features.has('circle');
  if (!isCircular) expect(applied?.deleted.map(({ id }) => id)).toEqual(planned.map(({ id }) => id));
  else expect(planned.map(({ id }) => id)).toEqual(expect.arrayContaining(applied?.deleted.map(({ id }) => id) ?? []));
  const isListed = new Set<string>(drafted.inventory.entries.map(({ digest }) => digest));
  const isNewGarbage = [...audit.garbage(plan.kept.map(({ digest }) => digest))].filter((digest) => isListed.has(digest));
  if (!isCircular) expect(isNewGarbage.filter((digest) => plan.deletions.length > 0 && content.byDigest.has(digest))).toEqual([]);
}

interface Past {
  readonly store: ImageStore;
  readonly journal: readonly string[];
  readonly mishaps: Mishaps;
  readonly before: unknown;
}

async function checkUndo(world: World, { store, journal, mishaps, before }: Past): Promise<void> {
  const outcomes = await undo(store, stepsOf(journal));
  expect(outcomes).not.toContain('lost');
  const isAlone = mishaps.needed.length === 0 && mishaps.movedTags.size === 0 && mishaps.deleted.size === 0;
  if (isAlone) expect(snapshot(world.content)).toEqual(before);
}
