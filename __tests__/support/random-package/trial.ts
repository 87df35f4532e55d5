import { expect } from 'vitest';
import type { RepositoryPlan } from '../../../src/core/retention/plan.ts';
import type { Applied } from '../../../src/retention/apply.ts';
import type { Draft } from '../../../src/retention/draft.ts';
import type { ImageStore } from '../../../src/retention/store.ts';
import { inspect } from '../ghcr/integrity.ts';
import type { Random } from '../random.ts';
import { Audit } from './audit.ts';
import { Cut, type Mishap, Mishaps } from './mishaps.ts';
import type { Tally } from './tally.ts';
import { apply, plannedSteps, runToRest, snapshot, stepsOf, undo, type World } from './world.ts';

/** Of a circle one goes first; an attestation in an index is that index's, whatever it points at: the audit looks after it. */
const UNOWNED = new Set(['circle', 'attestation']);

interface TrialRequest {
  readonly world: World;
  readonly drafted: Draft;
  readonly random: Random;
  readonly mishap: Mishap;
  readonly tally: Tally;
}

/** A plan that is carried out while something happens, and what has to be true whatever happens. */
export class Trial {
  readonly mishaps: Mishaps;
  readonly #request: TrialRequest;
  readonly #audit: Audit;
  readonly #journals: string[][] = [];
  readonly #before: {
    readonly digests: readonly string[];
    readonly tags: ReadonlyMap<string, string>;
    readonly all: unknown;
  };

  constructor(request: TrialRequest) {
    const { world, drafted, random, mishap } = request;
    const { byDigest, tags } = world.content;
    this.#request = request;
    this.#before = { digests: [...byDigest.keys()], tags: new Map<string, string>(tags), all: snapshot(world.content) };
    this.#audit = new Audit(world.content);
    this.mishaps = new Mishaps({ world, plan: drafted.plan, random, mishap, onPush: () => this.#audit.witness() });
  }

  /** `undefined` when a request was cut, and nobody caught it. */
  async run(store: ImageStore): Promise<Applied | undefined> {
    const { world, drafted, mishap, tally } = this.#request;
    const journal: string[] = [];
    this.#journals.push(journal);
    const applied = await apply(world, { ...drafted, store: this.mishaps.around(store) }, journal, {
      signal: this.mishaps.stopping.signal,
      deadlineMs: mishap === 'time runs out' ? world.clock.nowMs + 1000 : undefined,
    }).catch((error: unknown) => {
      if (error instanceof Cut) return undefined;
      throw error;
    });
    for (const one of this.mishaps.happened) tally.add(one);
    tally.add('deleted manifests', applied?.deleted.length ?? 0);
    tally.add('deleted images', applied?.deletedRoots ?? 0);
    this.#checkAfter(applied);
    return applied;
  }

  #checkAfter(applied: Applied | undefined): void {
    const { world, drafted } = this.#request;
    const roots = rootsOf(drafted.plan);
    expect(this.#audit.losses(roots)).toEqual([]);
    const { brokenTags, lostSignatures } = inspect(world.content);
    expect(brokenTags).toEqual([]);
    // What an interrupted run leaves over is garbage, signed or not.
    const garbage = this.#audit.garbage(roots);
    const lost = lostSignatures.filter(({ subject, kind }) => !garbage.has(subject) && !UNOWNED.has(kind));
    expect(lost).toEqual([]);
    for (const digest of this.mishaps.needed)
      expect(
        world.content.byDigest.has(digest),
        `${digest}, which something needs that was pushed meanwhile, is there`,
      ).toBe(true);
    // What GitHub will never delete is not tried.
    if (!this.mishaps.isMeanwhile)
      expect(applied?.skipped.filter(({ reason }) => reason === 'the last one cannot be deleted') ?? []).toEqual([]);
    const planned = new Set(plannedSteps(drafted.plan).map(({ id }) => id));
    expect(applied?.deleted.filter(({ id }) => !planned.has(id)) ?? []).toEqual([]);
  }

  /** Nothing went wrong: what was said is gone, and nothing is left over. */
  checkWhole(applied: Applied | undefined): void {
    const { world, drafted } = this.#request;
    const planned = plannedSteps(drafted.plan).map(({ id }) => id);
    const deleted = applied?.deleted.map(({ id }) => id) ?? [];
    expect(applied).toMatchObject({ failed: [], skipped: [], stopped: undefined });
    if (world.features.has('circle')) {
      // Of a circle nothing can go first.
      expect(deleted.filter((id) => !planned.includes(id))).toEqual([]);
      return;
    }
    expect(deleted).toEqual(planned);
    const { orphanReferrers, orphanChildren } = inspect(world.content);
    const wasGarbage = this.#garbageBefore();
    const garbage = this.#audit.garbage(drafted.plan.kept.map(({ digest }) => digest));
    expect([...garbage].filter((digest) => !wasGarbage.has(digest))).toEqual([]);
    const left = [...orphanReferrers, ...orphanChildren].filter((digest) => garbage.has(digest));
    expect(left.filter((digest) => !wasGarbage.has(digest))).toEqual([]);
  }

  #garbageBefore(): ReadonlySet<string> {
    const needed = this.#audit.needed(rootsOf(this.#request.drafted.plan), this.#before.tags);
    return new Set(this.#before.digests.filter((digest) => !needed.has(digest)));
  }

  /** The nights that follow, in which nothing goes wrong. */
  async rest(store: ImageStore): Promise<void> {
    const { world, drafted } = this.#request;
    await runToRest(world, store, this.#journals);
    expect(this.#audit.losses(drafted.plan.kept.map(({ digest }) => digest))).toEqual([]);
    expect(inspect(world.content).brokenTags).toEqual([]);
  }

  /** What this run leaves over, the next ones take; unless it has a tag, and is an image by now. */
  get mayConverge(): boolean {
    const { rules, features } = this.#request.world;
    const members = this.#request.drafted.plan.deletions.flatMap((deletion) => deletion.members);
    const hasTaggedPart = members.some(({ tags }) => tags.some((tag) => !/^sha256-[0-9a-f]{64}/.test(tag)));
    // Which one is the last hangs on what is there.
    const sparesLast = this.#request.drafted.plan.kept.some(({ by }) => by === 'last tagged');
    // An attestation that outlives its index may belong to what a tagged referrer keeps.
    if (features.has('attestation with a subject') && features.has('tagged referrer')) return false;
    return !sparesLast && rules.collectsGarbage && !features.has('circle') && !hasTaggedPart && !this.mishaps.isPush;
  }

  /** Everything is back, byte for byte, with the tags that nobody has taken. */
  async undo(store: ImageStore): Promise<void> {
    const { content } = this.#request.world;
    const { deleted, movedTags, needed } = this.mishaps;
    const outcomes: string[] = [];
    for (const journal of this.#journals.toReversed()) outcomes.push(...(await undo(store, stepsOf(journal))));
    expect(outcomes).not.toContain('lost');
    if (needed.length + movedTags.size + deleted.size === 0) {
      expect(snapshot(content)).toEqual(this.#before.all);
      return;
    }
    const there = new Set<string>(content.byDigest.keys());
    expect(this.#before.digests.filter((digest) => !there.has(digest) && !deleted.has(digest))).toEqual([]);
    const lost = [...this.#before.tags].filter(
      ([tag, digest]) => content.tags.get(tag) !== digest && !movedTags.has(tag),
    );
    expect(lost.filter(([, digest]) => !deleted.has(digest))).toEqual([]);
  }
}

/** As far as they are there. */
function rootsOf({ kept, deletions }: RepositoryPlan): readonly string[] {
  return [...kept, ...deletions.map(({ root }) => root)].map(({ digest }) => digest);
}
