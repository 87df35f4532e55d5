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
import type { Random } from '../support/random.ts';
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
  if (random.chance(0.1)) tally.add('unreadable', await checkUnreadable(world, random));
  const drafted = await draftTwice(world, store);
  if (drafted.plan.refusals.length > 0) return tally.add('refused');
  if (drafted.plan.deletions.length === 0) return tally.add('nothing to do');
  const { byDigest, tags } = world.content;
  const before = { digests: [...byDigest.keys()], tags: new Map<string, string>(tags), all: snapshot(world.content) };
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
  const planned = new Set(plannedSteps(drafted.plan).map(({ id }) => id));
  expect(applied?.deleted.filter(({ id }) => !planned.has(id)) ?? []).toEqual([]);
  if (mishap === 'nothing') checkWhole(world, { drafted, applied, audit });

  const journals = [journal];
  await runToRest(world, store, journals);
  audit.witness();
  expect(audit.losses(drafted.plan.kept.map(({ digest }) => digest))).toEqual([]);
  expect(inspect(world.content).brokenTags).toEqual([]);
  if (mayConverge(world, drafted.plan, mishap)) {
    await checkConverged(world, seed);
    tally.add(`converged: ${mishap}`);
  }
  await checkUndo(world, { store, journals, mishaps, before });
}

/** What a run leaves over, the next ones take; unless it has a tag, and is an image by now. */
function mayConverge({ rules, features }: World, { deletions }: RepositoryPlan, mishap: Mishap): boolean {
  const hasTaggedPart = deletions.some(({ members }) => members.some(({ tags }) => tags.some((tag) => !isLink(tag))));
  const isPush = MISHAPS.indexOf(mishap) >= MISHAPS.indexOf('image pushed that shares parts');
  return rules.collectsGarbage && !features.has('circle') && !hasTaggedPart && (!isPush || mishap === 'another pruner');
}

function isLink(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}/.test(tag);
}

/** It is as if nothing had happened. */
async function checkConverged({ content }: World, seed: number): Promise<void> {
  const twin = makeWorld(seed, { circles: true });
  await runToRest(twin, directStore(twin.content, () => twin.clock.nowMs));
  expect(snapshot(content)).toEqual(snapshot(twin.content));
}

/** What cannot be read may be anything; answers how many were asked for. */
async function checkUnreadable(world: World, random: Random): Promise<number> {
  const { content, clock } = world;
  const hidden = random.pick([...content.byDigest.keys()]);
  const isUnreadable = (digest: string): boolean => digest === hidden;
  const { plan, manifests } = await draft(world, directStore(content, () => clock.nowMs, { isUnreadable }));
  const unreadable = [...manifests.values()].filter(({ kind }) => kind === 'unreadable');
  if (unreadable.length > 0) expect(plan.deletions).toEqual([]);
  return unreadable.length;
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

interface Before {
  readonly digests: readonly string[];
  readonly tags: ReadonlyMap<string, string>;
  readonly all: unknown;
}

interface Past {
  readonly store: ImageStore;
  readonly journals: readonly (readonly string[])[];
  readonly mishaps: Mishaps;
  readonly before: Before;
}

/** Everything is back, byte for byte, in the tags that nobody has taken. */
async function checkUndo({ content }: World, { store, journals, mishaps, before }: Past): Promise<void> {
  const outcomes: string[] = [];
  for (const journal of journals.toReversed()) outcomes.push(...(await undo(store, stepsOf(journal))));
  expect(outcomes).not.toContain('lost');
  for (const digest of before.digests)
    if (!mishaps.deleted.has(digest)) expect(content.byDigest.has(digest), 'brought back').toBe(true);
  for (const [tag, digest] of before.tags)
    if (!mishaps.movedTags.has(tag) && !mishaps.deleted.has(digest)) expect([tag, content.tags.get(tag)]).toEqual([tag, digest]);
  const isAlone = mishaps.needed.length === 0 && mishaps.movedTags.size === 0 && mishaps.deleted.size === 0;
  if (isAlone) expect(snapshot(content)).toEqual(before.all);
}
