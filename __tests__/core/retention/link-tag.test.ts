import { describe, expect, it } from 'vitest';
import { digestOf, parseDigest } from '../../../src/core/digest.ts';
import { imageTags, linkName, parseLinkTag } from '../../../src/core/retention/link-tag.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import { actionRule, samplePolicy } from '../../support/sample-policy.ts';
import { deletedDigests, SampleRepository } from '../../support/sample-repository.ts';

const HEX = 'a1'.repeat(32);

describe('parseLinkTag', () => {
  it.each([
    [`sha256-${HEX}`, { subject: `sha256-${HEX}`, isFallback: true }],
    [`sha256-${HEX}.sig`, { subject: `sha256-${HEX}`, isFallback: false }],
    [`sha256-${HEX}.att`, { subject: `sha256-${HEX}`, isFallback: false }],
    [`sha256-${HEX}.sbom`, { subject: `sha256-${HEX}`, isFallback: false }],
    [`sha512-${HEX}`, { subject: `sha512-${HEX}`, isFallback: true }],
    [`sha512-${HEX}${HEX}.sig`, { subject: `sha512-${HEX}`, isFallback: false }],
    [`sha256-${HEX}.txt`, undefined],
    [`sha256-${HEX}0`, undefined],
    [`sha256-${HEX.slice(1)}`, undefined],
    [`sha256-${HEX.toUpperCase()}`, undefined],
    [`x-sha256-${HEX}`, undefined],
    ['sha256-abc', undefined],
    ['latest', undefined],
  ])('reads %s', (tag, expected) => {
    expect(parseLinkTag(tag)).toEqual(expected);
  });

  it('leaves the tags of images', () => {
    expect(imageTags([`sha256-${HEX}`, '1.0', `sha256-${HEX}.sig`])).toEqual(['1.0']);
  });
});

it('finds the subject whose digest is longer than a tag tells', () => {
  const repo = new SampleRepository();
  const long = digestOf('image', parseDigest(`sha512:${HEX}${HEX}`));
  repo.manifest({ digest: long, tags: ['a'] });
  const signature = repo.manifest({ tags: [linkName(long)] });
  const plan = planRepository(repo.request(samplePolicy([actionRule('*', 'delete')])));
  expect(deletedDigests(plan)).toEqual([long, signature]);
});
