import { describe, expect, it } from 'vitest';
import { formatFacts, parseFacts } from '../../src/core/retention/facts-text.ts';
import { formatPlan, parsePlanDocument, planHash } from '../../src/core/retention/plan-document.ts';
import type { Draft } from '../../src/retention/draft.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { directStore } from '../support/ghcr/direct-store.ts';
import type { Random } from '../support/random.ts';
import { FEATURES } from '../support/random-package/content.ts';
import { MISHAPS } from '../support/random-package/mishaps.ts';
import { RULE_FEATURES } from '../support/random-package/rules.ts';
import { Tally } from '../support/random-package/tally.ts';
import { Trial } from '../support/random-package/trial.ts';
import { draft, MemoryCache, makeWorld, randomFor, snapshot, type World } from '../support/random-package/world.ts';

/** The same seed makes the same world and lets the same things happen to it; the next worlds have the next seeds. */
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 1);
const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 2000);
/** How often a world is played, besides the time in which nothing goes wrong. */
const MISHAPS_EACH = 2;
const ENDS = ['refused', 'nothing to do', 'unreadable', 'converged'];

describe('random packages, pruned by random rules, while things go wrong', () => {
  it('break no tag, lose no signature, and lose what the dry run said', { timeout: 3_600_000 }, async () => {
    const tally = new Tally([...MISHAPS, ...FEATURES, ...RULE_FEATURES, ...ENDS]);
    for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
      try {
        await play(seed, tally);
      } catch (error) {
        throw new Error(`BUILD_ONCE_SEED=${seed} BUILD_ONCE_RUNS=1`, { cause: error });
      }
    }
    process.stdout.write(`${RUNS} worlds from seed ${SEED}:\n${tally.text()}\n`);
    // Or it would show little.
    if (RUNS >= 1000) expect(tally.never()).toEqual([]);
  });
});

async function play(seed: number, tally: Tally): Promise<void> {
  const random = randomFor(seed, 'mishap');
  const world = makeWorld(seed, { circles: true });
  for (const feature of [...world.features, ...world.rules.features]) tally.add(feature);
  if (random.chance(0.1)) tally.add('unreadable', await checkUnreadable(world, random));
  const drafted = await draftTwice(world, storeOf(world));
  if (drafted.plan.refusals.length > 0) return tally.add('refused');
  if (drafted.plan.deletions.length === 0) return tally.add('nothing to do');
  const calm = new Trial({ world, drafted, random, mishap: 'nothing', tally });
  calm.checkWhole(await calm.run(storeOf(world)));
  await calm.rest(storeOf(world));
  for (let times = 0; times < MISHAPS_EACH; times += 1) {
    const again = makeWorld(seed, { circles: true });
    const store = storeOf(again);
    const trial = new Trial({ world: again, drafted, random, mishap: random.pick(MISHAPS), tally });
    const { beforeRemove } = trial.mishaps;
    await trial.run(directStore(again.content, () => again.clock.nowMs, { beforeRemove }));
    await trial.rest(store);
    if (trial.mayConverge) {
      expect(snapshot(again.content)).toEqual(snapshot(world.content));
      tally.add('converged');
    }
    await trial.undo(store);
  }
}

function storeOf({ content, clock }: World): ImageStore {
  return directStore(content, () => clock.nowMs);
}

/** A dry run, once more, and once more with what the first one has read. */
async function draftTwice(world: World, store: ImageStore): Promise<Draft> {
  const [cold, warm] = [new MemoryCache(), new MemoryCache()];
  const first = await draft(world, store, cold);
  const text = [...formatPlan([first.plan], { plannedAt: 'now' })].join('');
  for (const [digest, facts] of parseFacts([...formatFacts(cold.facts)].join('')) ?? []) warm.keep(digest, facts);
  for (const cache of [new MemoryCache(), warm]) {
    const again = await draft(world, store, cache);
    expect([...formatPlan([again.plan], { plannedAt: 'now' })].join('')).toBe(text);
  }
  const read = parsePlanDocument(Buffer.from(text));
  expect(read).toMatchObject({ ok: true, value: { plans: [first.plan], hash: planHash([first.plan]) } });
  return first;
}

/** What cannot be read may be anything; answers how many were asked for. */
async function checkUnreadable(world: World, random: Random): Promise<number> {
  const hidden = random.pick([...world.content.byDigest.keys()]);
  const isUnreadable = (digest: string): boolean => digest === hidden;
  const { plan, manifests } = await draft(
    world,
    directStore(world.content, () => world.clock.nowMs, { isUnreadable }),
  );
  const unreadable = [...manifests.values()].filter(({ kind }) => kind === 'unreadable');
  if (unreadable.length > 0) expect(plan.deletions).toEqual([]);
  return unreadable.length;
}
