import type { Digest } from '../../../src/core/digest.ts';
import type { ManifestFacts } from '../../../src/core/retention/inventory.ts';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';
import type { PlannedManifest, RepositoryPlan } from '../../../src/core/retention/plan.ts';
import type { RetentionPolicy } from '../../../src/core/retention/policy.ts';
import { createTerminalHost } from '../../../src/hosts/terminal.ts';
import { type Applied, type ApplyRequest, applyPlan } from '../../../src/retention/apply.ts';
import { type Draft, draftPlan } from '../../../src/retention/draft.ts';
import type { FactsCache } from '../../../src/retention/facts-cache.ts';
import { openJournal, type PastStep, parseJournal } from '../../../src/retention/journal.ts';
import type { ImageStore } from '../../../src/retention/store.ts';
import { undoSteps } from '../../../src/retention/undo.ts';
import { PackageStore } from '../ghcr/store.ts';
import { type Random, seededRandom } from '../random.ts';
import { type Feature, RandomContent } from './content.ts';
import { gitStateAt, type RandomRules, randomRules } from './rules.ts';

/** A package, the rules for it, and the time that it is there. */
export interface World {
  readonly content: PackageStore;
  readonly rules: RandomRules;
  readonly policy: RetentionPolicy;
  readonly features: ReadonlySet<Feature>;
  readonly clock: { nowMs: number };
  /** When it was made. */
  readonly startMs: number;
}

const START_MS = Date.UTC(2026, 10, 21, 12);
const MAX_NIGHTS = 8;
const HOST = createTerminalHost({ env: {}, cwd: '/', write: () => {} });

/** Choices for one purpose, that are those of no other purpose and no other seed. */
export function randomFor(seed: number, purpose: string): Random {
  const salt = [...purpose].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7);
  return seededRandom(Math.imul((seed ^ salt) + 0x9e37, 0x85eb_ca6b) ^ (seed >>> 3));
}

interface WorldOptions {
  /** Manifests that name each other. */
  readonly circles: boolean;
  /** To be filled; one of its own when absent. */
  readonly content?: PackageStore;
  readonly clock?: World['clock'];
}

/** The same world for the same seed. */
export function makeWorld(seed: number, options: WorldOptions): World {
  const { clock = { nowMs: START_MS } } = options;
  const content = options.content ?? new PackageStore(() => clock.nowMs);
  const filling = new RandomContent(content, randomFor(seed, 'content'), clock.nowMs);
  filling.fill(options);
  const rules = randomRules(randomFor(seed, 'rules'));
  const parsed = parseRetention(rules.text);
  if (!parsed.ok || parsed.value === 'off' || parsed.value.general === undefined)
    throw new TypeError(`no policy: ${parsed.ok ? 'off' : parsed.problems.join('; ')}:\n${rules.text}`);
  const startMs = clock.nowMs;
  return { content, rules, policy: parsed.value.general, features: filling.features, clock, startMs };
}

/** What was read, and is known by the next run. */
export class MemoryCache implements FactsCache {
  readonly facts = new Map<Digest, ManifestFacts>();
  find(digest: Digest): ManifestFacts | undefined {
    return this.facts.get(digest);
  }
  keep(digest: Digest, facts: ManifestFacts): void {
    this.facts.set(digest, facts);
  }
  retain(digests: ReadonlySet<Digest>): void {
    for (const digest of this.facts.keys()) if (!digests.has(digest)) this.facts.delete(digest);
  }
}

/** What a dry run does. */
export function draft({ policy, clock, startMs }: World, store: ImageStore, cache = new MemoryCache()): Promise<Draft> {
  return draftPlan({
    host: { ...HOST, now: () => new Date(clock.nowMs) },
    store,
    policy,
    cache,
    findProtections: async () => [],
    readGitState: async () => gitStateAt(startMs),
  });
}

/** What a real run does with a plan; all that it wrote down is in `journal`, also when it throws. */
export function apply(
  { clock }: World,
  { store, plan, inventory }: Draft,
  journal: string[],
  more: Partial<ApplyRequest> = {},
): Promise<Applied> {
  return applyPlan({
    store,
    plan,
    inventory,
    journal: openJournal({ append: (_, line) => void journal.push(line) }, 'journal'),
    now: () => new Date(clock.nowMs),
    signal: new AbortController().signal,
    deadlineMs: undefined,
    onProgress: () => {},
    ...more,
  });
}

/** Runs until nothing is left to do, as nights do; `journals` gets that of each. */
export async function runToRest(world: World, store: ImageStore, journals: string[][] = []): Promise<void> {
  world.clock.nowMs = world.startMs;
  for (let night = 0; night < MAX_NIGHTS; night += 1) {
    const journal: string[] = [];
    const { deleted } = await apply(world, await draft(world, store), journal);
    journals.push(journal);
    if (deleted.length === 0) return;
  }
  throw new Error(`${MAX_NIGHTS} nights do not suffice`);
}

export async function undo(store: ImageStore, steps: readonly PastStep[]): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const undone = await undoSteps(steps, async () => store, { signal, onStep: () => {} });
  return undone.map(({ restoration }) => restoration.outcome);
}

export function stepsOf(journal: readonly string[]): readonly PastStep[] {
  if (journal.length === 0) return [];
  const steps = parseJournal(journal.join(''));
  if (!steps.ok) throw new TypeError(steps.problem);
  return steps.value;
}

/** In the order in which it goes. */
export function plannedSteps({ deletions }: RepositoryPlan): readonly PlannedManifest[] {
  return deletions.flatMap(({ root, members }) => [root, ...members]);
}

/** Everything that somebody can see of a package: digests, bytes and tags. */
export function snapshot({ byDigest, bodies, tags }: PackageStore): unknown {
  const versions = [...byDigest.values()].map(({ id, digest, tags: own, createdAtMs }) => {
    return [digest, { id, createdAtMs, tags: [...own].sort(), body: bodies.get(digest)?.body }] as const;
  });
  return { versions: Object.fromEntries(versions), tags: Object.fromEntries(tags) };
}
