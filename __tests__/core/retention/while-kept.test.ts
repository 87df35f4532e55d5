import { describe, expect, it } from 'vitest';
import type { GitState } from '../../../src/core/retention/inventory.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import type { KeepClause } from '../../../src/core/retention/policy.ts';
import { pullRequestOf } from '../../../src/core/retention/while-kept.ts';
import { DAY_MS, forDays, rule, samplePolicy } from '../../support/sample-policy.ts';
import { keptTags, NOW_MS, SampleRepository } from '../../support/sample-repository.ts';

const GIT: GitState = {
  pullRequests: new Map<number, 'open' | number>([
    [1, 'open'],
    [2, NOW_MS - 2 * DAY_MS],
    [4, NOW_MS - 4 * DAY_MS],
    [5, NOW_MS - 3 * DAY_MS],
  ]),
  branches: new Set(['main', 'feature-x']),
  gitTags: new Set(['v1.0.0']),
};

function plan(tags: readonly string[], pattern: string, clauses: readonly KeepClause[], git: Partial<GitState> = {}) {
  const repo = new SampleRepository();
  for (const tag of tags) repo.manifest({ tags: [tag] });
  return planRepository(repo.request(samplePolicy([rule(pattern, ...clauses)]), { git: { ...GIT, ...git } }));
}

describe('while open', () => {
  const open: KeepClause = { kind: 'while', state: 'open' };

  it('case 12: for 3d counts from the closing: two days ago stays, four days ago goes, exactly three stays', () => {
    expect(keptTags(plan(['pr-1', 'pr-2', 'pr-4', 'pr-5'], 'pr-*', [open, forDays(3)]))).toEqual([
      'pr-1',
      'pr-2',
      'pr-5',
    ]);
    expect(keptTags(plan(['pr-1', 'pr-2'], 'pr-*', [forDays(3), open]))).toEqual(['pr-1', 'pr-2']);
    expect(keptTags(plan(['pr-1', 'pr-2'], 'pr-*', [open]))).toEqual(['pr-1']);
  });

  it('case 12: counts from the push when that was later', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['pr-4'], daysAgo: 1 });
    const policy = samplePolicy([rule('pr-*', open, forDays(3))]);
    expect(keptTags(planRepository(repo.request(policy, { git: GIT })))).toEqual(['pr-4']);
  });

  it('case 12: keeps all when the pull requests could not be read, and one that is unknown, and says so', () => {
    const unread = plan(['pr-2', 'pr-4'], 'pr-*', [open], { pullRequests: undefined });
    expect(keptTags(unread)).toEqual(['pr-2', 'pr-4']);
    expect(unread.warnings).toEqual([expect.stringContaining('the pull requests could not be read')]);
    const unknown = plan(['pr-x', 'pr-99', 'pr-4'], 'pr-*', [open, forDays(3)]);
    expect(keptTags(unknown)).toEqual(['pr-99', 'pr-x']);
    expect(unknown.warnings).toEqual([expect.stringContaining('no pull request is known for "pr-99" and 1 more')]);
  });

  it.each([
    ['pr-12-abc', '12-abc', 12],
    ['v2-pr-7', '7', 7],
    ['pr-7', 'pr', 7],
    ['pr', 'pr', undefined],
  ])('reads the number of %s from %j', (tag, variable, expected) => {
    expect(pullRequestOf(tag, variable)).toBe(expected);
  });

  it('judges each tag of an image: one pull request that is open keeps it', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['pr-1', 'pr-4'] });
    const policy = samplePolicy([rule('pr-*', open)], { limits: { untag: 'safe' } });
    const result = planRepository(repo.request(policy, { git: GIT }));
    expect(result).toMatchObject({ deletions: [], untags: [{ tags: ['pr-4'] }] });
  });
});

describe('while branch and while tag', () => {
  it('case 13: a tag goes with its branch, after the time that for gives it from its push', () => {
    const branch: KeepClause = { kind: 'while', state: 'branch' };
    expect(keptTags(plan(['br-main', 'br-feature-x', 'br-gone'], 'br-*', [branch]))).toEqual([
      'br-feature-x',
      'br-main',
    ]);
    expect(keptTags(plan(['br-gone'], 'br-*', [branch, forDays(200)]))).toEqual(['br-gone']);
    const gone = plan(['br-gone'], 'br-*', [branch, forDays(7)]);
    expect(gone.deletions.map(({ reason }) => reason)).toEqual(['its branch is gone, older than 7d']);
  });

  it('compares the part that varies with git tags', () => {
    expect(keptTags(plan(['t-v1.0.0', 't-v2.0.0'], 't-*', [{ kind: 'while', state: 'tag' }]))).toEqual(['t-v1.0.0']);
  });

  it.each(['branch', 'tag'] as const)('keeps all when each %s could not be read', (state) => {
    const unread = plan(['x-gone'], 'x-*', [{ kind: 'while', state }], { branches: undefined, gitTags: undefined });
    expect(keptTags(unread)).toEqual(['x-gone']);
    expect(unread.warnings).toEqual([expect.stringContaining('could not be read')]);
  });
});
