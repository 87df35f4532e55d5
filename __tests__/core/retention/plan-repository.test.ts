import { describe, expect, it } from 'vitest';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import { keep, rule, samplePolicy } from '../../support/sample-policy.ts';
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
