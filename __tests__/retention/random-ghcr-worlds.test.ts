import { describe, expect, it } from 'vitest';
import type { PlannedManifest } from '../../src/core/retention/plan.ts';
import { planHash } from '../../src/core/retention/plan-document.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import type { Draft } from '../../src/retention/draft.ts';
import type { ImageStore, Removal } from '../../src/retention/store.ts';
import { directStore } from '../support/ghcr/direct-store.ts';
import type { Ghcr, GhcrFault } from '../support/ghcr/ghcr.ts';
import type { Random } from '../support/random.ts';
import { MISHAPS } from '../support/random-package/mishaps.ts';
import { Tally } from '../support/random-package/tally.ts';
import { Trial } from '../support/random-package/trial.ts';
import { draft, makeWorld, randomFor, type World } from '../support/random-package/world.ts';
import { openClient, startGhcr } from './open-ghcr.ts';

/** The same seed makes the same world; how requests at the same time mix is the machine's. */
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 1);
const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 200);

/** What may go wrong on the way, each by chance. */
const FAULTS: Readonly<Record<string, GhcrFault>> = {
  'manifest 503': { on: 'manifest', answer: 503, probability: 0.2 },
  'manifest cut': { on: 'manifest', answer: 'cut', probability: 0.1 },
  'manifest truncated': { on: 'manifest', answer: 'truncated', probability: 0.1 },
  'manifest damaged': { on: 'manifest', answer: 'damaged', probability: 0.1 },
  'manifest is a page': { on: 'manifest', answer: 'html', probability: 0.05 },
  'manifest not there': { on: 'manifest', answer: 404, times: 1 },
  'token 500': { on: 'token', answer: 500, probability: 0.3 },
  'list 502': { on: 'list', answer: 502, probability: 0.2 },
  'list always 500': { on: 'list', answer: 500 },
  'list cut': { on: 'list', answer: 'cut', probability: 0.2 },
  'package 500': { on: 'package', answer: 500, probability: 0.2 },
  'version 500': { on: 'version', answer: 500, probability: 0.2 },
  'version cut': { on: 'version', answer: 'cut', probability: 0.1 },
  'deletion 500': { on: 'delete', answer: 500, probability: 0.3 },
  'deletion 403': { on: 'delete', answer: 403, probability: 0.1 },
  'deletion cut': { on: 'delete', answer: 'cut', probability: 0.2 },
};
const SETTINGS = {
  'too many requests': { registryPerSecond: 5 },
  'secondary limit': { rateLimit: true, points: 60, retryAfterS: 3 },
  'lists that lag': { listLagMs: 8000 },
  jitter: { jitterMs: 3 },
} as const;
const ENDS = ['planned', 'no plan', 'something unreadable', 'as planned'];

describe('random packages on a GitHub that fails', () => {
  it('break no tag, lose no signature, and lose what the dry run said', { timeout: 3_600_000 }, async () => {
    const tally = new Tally([...Object.keys(FAULTS), ...Object.keys(SETTINGS), ...ENDS]);
    let seed = SEED;
    for (let played = 0; played < RUNS; seed += 1) {
      try {
        if (await play(seed, tally)) played += 1;
      } catch (error) {
        throw new Error(`BUILD_ONCE_SEED=${seed} BUILD_ONCE_RUNS=1`, { cause: error });
      }
    }
    process.stdout.write(`${RUNS} worlds on GitHub's API from seed ${SEED}:\n${tally.text()}\n`);
    // Or it would show little.
    if (RUNS >= 200) expect(tally.never()).toEqual([]);
  });
});

/** False for a world in which there is nothing to do. */
async function play(seed: number, tally: Tally): Promise<boolean> {
  const twin = makeWorld(seed, { circles: false });
  const expected = await draft(
    twin,
    directStore(twin.content, () => twin.clock.nowMs),
  );
  if (expected.plan.deletions.length === 0 || expected.plan.refusals.length > 0) return false;
  const random = randomFor(seed, 'http');
  const { ghcr, clock } = await startGhcr({ versions: 0 });
  clock.advance(twin.startMs - clock.now());
  const time = {
    get nowMs() {
      return clock.now();
    },
    set nowMs(nowMs: number) {
      clock.advance(nowMs - clock.now());
    },
  };
  const world = makeWorld(seed, { circles: false, content: ghcr.store(), clock: time });
  const { store } = openClient(ghcr, clock);
  const isCalm = random.chance(0.2);
  if (!isCalm) letFail(ghcr, random, tally);
  const drafted = await draftAnyway(world, store);
  if (drafted === undefined) return noted(tally, 'no plan');
  if ([...drafted.manifests.values()].some(({ kind }) => kind === 'unreadable')) {
    expect(drafted.plan.deletions).toEqual([]);
    return noted(tally, 'something unreadable');
  }
  expect(planHash([nameless(drafted.plan)])).toBe(planHash([nameless(expected.plan)]));
  tally.add('planned');
  const mishap = isCalm && random.chance(0.5) ? 'nothing' : random.pick(MISHAPS);
  const trial = new Trial({ world, drafted, random, mishap, tally });
  const applied = await trial.run(withMishaps(store, trial.mishaps.beforeRemove));
  if (mishap === 'nothing' && isCalm) {
    trial.checkWhole(applied);
    tally.add('as planned');
  }
  calm(ghcr);
  await trial.rest(store);
  await trial.undo(store);
  return true;
}

function noted(tally: Tally, name: string): true {
  tally.add(name);
  return true;
}

function letFail(ghcr: Ghcr, random: Random, tally: Tally): void {
  const names = Object.keys(FAULTS);
  const chosen = new Set(Array.from({ length: random.below(4) }, () => random.pick(names)));
  for (const name of chosen) tally.add(name);
  ghcr.settings.faults = [...chosen].flatMap((name) => FAULTS[name] ?? []);
  for (const [name, settings] of Object.entries(SETTINGS)) {
    if (!random.chance(0.2)) continue;
    Object.assign(ghcr.settings, settings);
    tally.add(name);
  }
}

function calm(ghcr: Ghcr): void {
  Object.assign(ghcr.settings, { faults: [], registryPerSecond: 0, rateLimit: false, listLagMs: 0, jitterMs: 0 });
}

/** `undefined` when the package could not be listed: then nothing is deleted. */
async function draftAnyway(world: World, store: ImageStore): Promise<Draft | undefined> {
  try {
    return await draft(world, store);
  } catch (error) {
    if (!isBuildOnceError(error)) throw error;
    return undefined;
  }
}

function nameless<T extends { readonly repository: string }>(plan: T): T {
  return { ...plan, repository: '' };
}

function withMishaps(
  store: ImageStore,
  before: (manifest: PlannedManifest, count: number) => Removal | undefined,
): ImageStore {
  let count = 0;
  return { ...store, remove: async (manifest) => before(manifest, (count += 1)) ?? store.remove(manifest) };
}
