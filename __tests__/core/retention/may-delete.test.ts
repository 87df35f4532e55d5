import { describe, expect, it } from 'vitest';
import { mayDelete } from '../../../src/core/retention/may-delete.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import type { RetentionRule } from '../../../src/core/retention/policy.ts';
import {
  actionRule,
  DAY_MS,
  forDays,
  HOUR_MS,
  keep,
  protectTag,
  rule,
  samplePolicy,
  semver,
} from '../../support/sample-policy.ts';
import { NOW_MS, SampleRepository } from '../../support/sample-repository.ts';

function repository(): SampleRepository {
  const repo = new SampleRepository();
  for (const n of [3, 2, 1]) repo.image([`b-${n}`, `1.${3 - n}.0`], n, 4);
  repo.image([], 5);
  return repo;
}

describe('mayDelete', () => {
  it.each<[string, readonly RetentionRule[], boolean]>([
    ['keep 3', [rule('b-*', keep(3))], false],
    ['keep 2, and another tag that stays', [rule('b-*', keep(2))], false],
    ['keep 2 of all', [rule('*', keep(2))], true],
    ['for 3d', [rule('*', forDays(3))], false],
    ['for 2d', [rule('*', forDays(2))], true],
    ['semver', [rule('1.*', semver({ minors: 3 })), actionRule('b-*', 'delete')], false],
    ['untagged for 7d', [rule('untagged', forDays(7))], false],
    ['untagged for 4d', [rule('untagged', forDays(4))], true],
    ['orphans for 7d', [rule('orphans', forDays(7))], false],
    ['orphans for 1d', [rule('orphans', forDays(1))], true],
    ['broken: report', [actionRule('broken', 'report')], false],
    ['broken for 1d', [rule('broken', forDays(1))], true],
    ['the short form of 20', [rule('versions', keep(20, 'semver')), rule('others', keep(20))], false],
    ['the short form of 3', [rule('versions', keep(3, 'semver')), rule('others', keep(3))], true],
  ])('case 69: %s', (_, rules, expected) => {
    expect(mayDelete(repository().request(samplePolicy(rules)))).toBe(expected);
  });

  it('knows what is protected, and what is in its grace period', () => {
    const repo = new SampleRepository();
    repo.image(['old'], 90);
    repo.image(['new'], 0.05);
    const rules = [actionRule('*', 'delete')];
    const limits = { grace: { taggedMs: 2 * HOUR_MS, untaggedMs: DAY_MS } };
    const protect = [protectTag('old')];
    expect(mayDelete(repo.request(samplePolicy(rules, { limits, protect })))).toBe(false);
    expect(mayDelete(repo.request(samplePolicy(rules, { limits })))).toBe(true);
    expect(mayDelete(repo.request(samplePolicy(rules, { protect })))).toBe(true);
  });

  it('counts tags that would be taken off', () => {
    const repo = new SampleRepository();
    repo.image(['sha-1', 'prod'], 90);
    const rules = [actionRule('sha-*', 'delete')];
    expect(mayDelete(repo.request(samplePolicy(rules)))).toBe(false);
    expect(mayDelete(repo.request(samplePolicy(rules, { limits: { untag: 'safe' } })))).toBe(true);
  });

  it('leaves a plan that can be made without reading anything, with its refusals', () => {
    const repo = repository();
    const request = repo.request(samplePolicy([rule('b-*', keep(3))], { protect: [protectTag('nothing')] }), {
      manifests: new Map(),
    });
    expect(mayDelete(request)).toBe(false);
    const plan = planRepository(request);
    expect(plan).toMatchObject({ deletions: [], warnings: [], stops: [], refusals: [expect.any(String)] });
    expect(plan.kept).toHaveLength(3);
  });

  it('case 59: counts ages from when the registry was listed, whatever this machine thinks', () => {
    const repo = repository();
    const request = repo.request(samplePolicy([rule('*', forDays(3))]));
    const later = { ...request.inventory, listedAtMs: NOW_MS + 2 * DAY_MS };
    expect(planRepository(request).deletions).toEqual([]);
    expect(planRepository({ ...request, inventory: later }).deletions).toHaveLength(2);
  });
});
