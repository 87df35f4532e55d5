import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../src/core/digest.ts';
import { parseLinkTag } from '../../../src/core/retention/link-tag.ts';
import { mayDelete } from '../../../src/core/retention/may-delete.ts';
import type { PlanRequest, RepositoryPlan } from '../../../src/core/retention/plan.ts';
import { planHash } from '../../../src/core/retention/plan-document.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import { seededRandom } from '../../support/random.ts';
import {
  NaiveRegistry,
  PULL_REQUESTS,
  type RandomOptions,
  randomPolicy,
  randomRepository,
} from '../../support/random-inventory.ts';
import { DAY_MS } from '../../support/sample-policy.ts';
import { ABILITIES, deletedDigests, NOW_MS, type SampleRepository } from '../../support/sample-repository.ts';

const RUNS = { numRuns: 600 };
const SEEDS = [fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 0, max: 2 ** 31 })] as const;

interface World {
  readonly repo: SampleRepository;
  readonly request: PlanRequest;
  readonly plan: RepositoryPlan;
  readonly isDeleted: ReadonlySet<Digest>;
}

function world(seed: number, policySeed: number, options: RandomOptions & Partial<PlanRequest> = {}): World {
  const { unreadable = false, circles = true, ...more } = options;
  const repo = randomRepository(seed, { unreadable, circles });
  const git = { pullRequests: PULL_REQUESTS, branches: undefined, gitTags: undefined };
  const request = repo.request(randomPolicy(policySeed), { git, ...more });
  const plan = planRepository(request);
  return { repo, request, plan, isDeleted: new Set(deletedDigests(plan)) };
}

/** Everything that somebody may pull: what has a tag of an image. */
function pulled({ repo, isDeleted }: World): readonly Digest[] {
  return repo.entries.flatMap(({ digest, tags }) =>
    tags.some((tag) => parseLinkTag(tag) === undefined) && !isDeleted.has(digest) ? [digest] : [],
  );
}

describe('plans for random repositories and policies', () => {
  it('I1: nothing goes that a root that stays leads to', () => {
    let deletions = 0;
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const one = world(seed, policySeed);
        const before = new NaiveRegistry(one.repo.entries, one.repo.facts);
        const stays = [...pulled(one), ...one.plan.kept.map(({ digest }) => digest)];
        for (const root of stays) {
          const lost = [...before.visible(root)].filter((digest) => one.isDeleted.has(digest));
          expect(lost).toEqual([]);
        }
        deletions += one.isDeleted.size;
      }),
      RUNS,
    );
    expect(deletions).toBeGreaterThan(RUNS.numRuns);
  });

  it('names nothing twice, nothing that is not there, and keeps every root that it does not delete', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { repo, plan, isDeleted } = world(seed, policySeed);
        const listed = new Set(repo.entries.map(({ digest }) => digest));
        expect(deletedDigests(plan)).toHaveLength(isDeleted.size);
        expect([...isDeleted].filter((digest) => !listed.has(digest))).toEqual([]);
        expect(plan.kept.filter(({ digest }) => isDeleted.has(digest))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('I2: nothing goes while a manifest could not be read', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { repo, plan } = world(seed, policySeed, { unreadable: true });
        const isUnreadable = [...repo.facts.values()].some(({ kind }) => kind === 'unreadable');
        if (isUnreadable) expect({ ...plan, kept: [], warnings: [] }).toMatchObject({ deletions: [], untags: [] });
      }),
      RUNS,
    );
  });

  it('I3: nothing younger than the grace period goes', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { request, plan } = world(seed, policySeed);
        const { grace } = request.policy.limits;
        const pushed = new Map(request.inventory.entries.map(({ digest, pushedAtMs }) => [digest, pushedAtMs]));
        for (const { root, members } of plan.deletions) {
          const isTagged = root.tags.some((tag) => parseLinkTag(tag) === undefined);
          const graceMs = isTagged ? grace.taggedMs : grace.untaggedMs;
          for (const { digest } of [root, ...members]) {
            const pushedAtMs = pushed.get(digest);
            if (graceMs > 0 && pushedAtMs !== undefined) expect(NOW_MS - pushedAtMs).toBeGreaterThan(graceMs);
          }
          if (graceMs > 0) expect(pushed.get(root.digest)).toBeDefined();
        }
      }),
      RUNS,
    );
  });

  it('I8: who stops anywhere, or is refused anything, has broken no tag and lost no signature', () => {
    fc.assert(
      fc.property(...SEEDS, fc.integer({ min: 0, max: 2 ** 31 }), fc.boolean(), (seed, policySeed, luck, refuses) => {
        // Of a circle nothing can go first.
        const { repo, plan } = world(seed, policySeed, { circles: false });
        const random = seededRandom(luck);
        const steps = plan.deletions.flatMap(({ root, members }) => [{ ...root, after: [] }, ...members]);
        const before = new NaiveRegistry(repo.entries, repo.facts);
        const now = new NaiveRegistry(repo.entries, repo.facts);
        const tagged = repo.entries.filter(({ tags }) => tags.some((tag) => parseLinkTag(tag) === undefined));
        const whole = new Map(tagged.map(({ digest }) => [digest, before.visible(digest)]));
        for (const { digest, after } of steps) {
          if (after.some((other) => now.has(other)) || (refuses && random.chance(0.3))) continue;
          now.remove(digest);
          for (const { digest: root } of tagged) {
            if (now.has(root)) expect(now.visible(root)).toEqual(whole.get(root));
          }
        }
      }),
      RUNS,
    );
  });

  it('I8: names what must be gone first before what waits for it, so that all of it can go', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { plan } = world(seed, policySeed, { circles: false });
        const gone = new Set<Digest>();
        for (const { root, members } of plan.deletions) {
          gone.add(root.digest);
          for (const { digest, after } of members) {
            expect(after.filter((other) => !gone.has(other))).toEqual([]);
            gone.add(digest);
          }
        }
      }),
      RUNS,
    );
  });

  it('lets nothing go of which the cheap exit says that nothing can', () => {
    let idle = 0;
    fc.assert(
      fc.property(...SEEDS, fc.boolean(), (seed, policySeed, isCalm) => {
        const { request, plan } = world(seed, policySeed);
        // Long ago the same images were young.
        const listedAtMs = isCalm ? NOW_MS - 59 * DAY_MS : NOW_MS;
        const inventory = { ...request.inventory, listedAtMs };
        if (mayDelete({ ...request, inventory })) return;
        idle += 1;
        expect(planRepository({ ...request, inventory })).toMatchObject({ deletions: [], untags: [] });
        expect(plan.repository).toBe(request.inventory.repository);
      }),
      RUNS,
    );
    expect(idle).toBeGreaterThan(RUNS.numRuns / 20);
  });

  it('case 50: makes the same plan when only what is needed was read', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { repo, request, plan } = world(seed, policySeed);
        const lazy = planRepository({ ...request, manifests: repo.readAsNeeded().manifests });
        expect(withoutBytes(lazy)).toEqual(withoutBytes(plan));
      }),
      RUNS,
    );
  });

  it('I6: makes the same plan in any order of the list, and hours later where no clause counts time', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const { request, plan } = world(seed, policySeed);
        const inventory = { ...request.inventory, entries: request.inventory.entries.toReversed() };
        const again = planRepository({ ...request, inventory });
        expect(planHash([again])).toBe(planHash([plan]));
      }),
      RUNS,
    );
  });

  it('case 2: leaves an image, and one with a tag, where the registry refuses to delete the last one', () => {
    fc.assert(
      fc.property(...SEEDS, (seed, policySeed) => {
        const abilities = { ...ABILITIES, keepsLastTagged: true };
        const { repo, isDeleted } = world(seed, policySeed, { abilities });
        const tagged = repo.entries.filter(({ tags }) => tags.length > 0);
        if (tagged.length > 0) expect(tagged.some(({ digest }) => !isDeleted.has(digest))).toBe(true);
        expect(isDeleted.size).toBeLessThan(repo.entries.length);
      }),
      RUNS,
    );
  });
});

function withoutBytes(plan: RepositoryPlan): unknown {
  return { ...plan, deletions: plan.deletions.map((deletion) => ({ ...deletion, freedBytes: 0 })) };
}
