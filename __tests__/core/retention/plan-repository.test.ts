import { describe, expect, it } from 'vitest';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import { DAY_MS, keep, rule, samplePolicy } from '../../support/sample-policy.ts';
import { deletedDigests, deletedTags, keptTags, SampleRepository } from '../../support/sample-repository.ts';

describe('what a rule lets go', () => {
  it('case 1: keep 10 of 20 keeps the ten newest images, and leaves nothing of the others', () => {
    const repo = new SampleRepository();
    for (let day = 20; day > 0; day -= 1) repo.image([`b-${day}`], day);
    const plan = planRepository(repo.request(samplePolicy([rule('b-*', keep(10))])));
    expect(deletedTags(plan)).toEqual([20, 19, 18, 17, 16, 15, 14, 13, 12, 11].map((day) => `b-${day}`));
    expect(keptTags(plan)).toHaveLength(10);
    expect(deletedDigests(plan)).toHaveLength(30);
  });
});

describe('what is too young', () => {
  it('stays by its grace, also in a list of which nothing was read', () => {
    const repo = new SampleRepository();
    for (let day = 3; day > 0; day -= 1) repo.image([`b-${day}`], day);
    const limits = { grace: { taggedMs: 9 * DAY_MS, untaggedMs: 9 * DAY_MS } };
    const request = repo.request(samplePolicy([rule('b-*', keep(1))], { limits }));
    for (const manifests of [request.manifests, new Map()]) {
      const { kept } = planRepository({ ...request, manifests });
      const why = kept.flatMap(({ tags, by }) => tags.map((tag) => [tag, by]));
      expect(Object.fromEntries(why)).toMatchObject({ 'b-2': 'grace', 'b-3': 'grace' });
    }
  });
});
