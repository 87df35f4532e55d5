import { describe, expect, it } from 'vitest';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import type { KeepClause } from '../../../src/core/retention/policy.ts';
import { keep, rule, samplePolicy, semver } from '../../support/sample-policy.ts';
import { keptTags, SampleRepository } from '../../support/sample-repository.ts';

function kept(tags: readonly string[], clause: KeepClause, pattern: string | RegExp = '*'): readonly string[] {
  const repo = new SampleRepository();
  for (const [n, tag] of tags.entries()) repo.manifest({ tags: [tag], daysAgo: 100 - n });
  return keptTags(planRepository(repo.request(samplePolicy([rule(pattern, clause)]))));
}

/** Majors 1 to 4, and in each of them minors and patches from 0: 40 versions. */
const FORTY = [1, 2, 3, 4].flatMap((major) =>
  [3, 1, 2, 4].flatMap((patches, minor) => Array.from({ length: patches }, (_, patch) => `${major}.${minor}.${patch}`)),
);

const ofMajors = (majors: readonly number[], ...versions: readonly string[]): readonly string[] =>
  majors.flatMap((major) => versions.map((version) => `${major}.${version}`));

describe('semver clauses', () => {
  it.each([
    [{ minors: 3, patches: 2 }, ofMajors([1, 2, 3, 4], '1.0', '2.0', '2.1', '3.2', '3.3')],
    [{ majors: 2, minors: 3, patches: 2 }, ofMajors([3, 4], '1.0', '2.0', '2.1', '3.2', '3.3')],
    [{ majors: 2, minors: 1, patches: 1 }, ofMajors([3, 4], '3.3')],
    [{ majors: 1 }, FORTY.filter((version) => version.startsWith('4.'))],
    [{ minors: 1 }, FORTY.filter((version) => version.split('.')[1] === '3')],
    [{ patches: 1 }, ofMajors([1, 2, 3, 4], '0.2', '1.0', '2.1', '3.3')],
    [{ majors: 1, patches: 1 }, ofMajors([4], '0.2', '1.0', '2.1', '3.3')],
    [{ majors: 0 }, []],
    [{ majors: 9, minors: 9, patches: 9 }, FORTY],
  ])('case 8: %j of 40 versions', (levels, expected) => {
    expect(kept(FORTY, semver(levels))).toEqual([...expected].sort());
  });

  it.each([
    [1, ['2.0.0']],
    [2, ['2.0.0', '2.0.0-rc.10']],
    [3, ['2.0.0', '2.0.0-rc.10', '2.0.0-rc.2']],
    [4, ['1.10.0', '2.0.0', '2.0.0-rc.10', '2.0.0-rc.2']],
    [5, ['1.10.0', '1.9.0', '2.0.0', '2.0.0-rc.10', '2.0.0-rc.2']],
  ])(
    'case 7: keep %d by semver knows that 10 is more than 9, and a release more than its candidates',
    (count, expected) => {
      const versions = ['2.0.0', '2.0.0-rc.10', '1.10.0', '2.0.0-rc.2', '1.9.0', '1.0.0'];
      expect(kept(versions, keep(count, 'semver'))).toEqual(expected);
    },
  );

  const CANDIDATES = ['1.0.0-rc.1', '1.0.0', '1.1.0-rc.1', '1.1.0-rc.2', '1.1.0', '2.0.0-beta.1', '2.0.0-beta.2'];
  it.each([
    [{ minors: 1 }, ['1.1.0', '2.0.0-beta.1', '2.0.0-beta.2']],
    [{ minors: 1, prereleases: 1 }, ['1.1.0', '2.0.0-beta.2']],
    [{ minors: 1, prereleases: 3 }, ['1.1.0', '1.1.0-rc.2', '2.0.0-beta.1', '2.0.0-beta.2']],
    [{ minors: 1, prereleases: 0 }, ['1.1.0']],
  ])('keeps of pre-releases what %j says, and without a word those above every release', (levels, expected) => {
    expect(kept(CANDIDATES, semver(levels))).toEqual(expected);
  });

  it('prereleases 5 for 30d keeps at most five, and none that is older', () => {
    const repo = new SampleRepository();
    for (let n = 0; n < 8; n += 1) repo.manifest({ tags: [`2.0.0-rc.${n}`], daysAgo: (8 - n) * 10 });
    repo.manifest({ tags: ['2.0.0-rc.8'], pushedAtMs: undefined });
    const policy = samplePolicy([rule('*', semver({ majors: 2, minors: 3, patches: 2, prereleases: [5, 30] }))]);
    expect(keptTags(planRepository(repo.request(policy)))).toEqual([
      '2.0.0-rc.5',
      '2.0.0-rc.6',
      '2.0.0-rc.7',
      '2.0.0-rc.8',
    ]);
  });

  it('orders builds of one version by their push, and reads `_` as `+`', () => {
    expect(kept(['1.0.0_b9', '1.0.0_b10', '1.0.0_b1'], keep(1, 'semver'))).toEqual(['1.0.0_b1']);
  });

  it.each([['1.2.3.4'], ['2024.01.15'], ['20240115'], ['v'], ['vv1.2.3'], ['1.2'], ['main'], ['1.2.3-01']])(
    'keeps %s, which is no version, takes no slot for it, and says so',
    (tag) => {
      const repo = new SampleRepository();
      for (const one of ['3.0.0', tag, '3.0.1']) repo.manifest({ tags: [one] });
      for (const clause of [keep(1, 'semver'), semver({ patches: 1 })]) {
        const plan = planRepository(repo.request(samplePolicy([rule('*', clause)])));
        expect(keptTags(plan)).toEqual([tag, '3.0.1'].sort());
        expect(plan.warnings).toEqual([expect.stringContaining('no semantic versions')]);
      }
    },
  );

  it.each([
    ['app-*', ['app-1.9.0', 'app-1.10.0'], ['app-1.10.0']],
    ['app-v*', ['app-v1.9.0', 'app-v1.10.0'], ['app-v1.10.0']],
    ['*-alpine', ['1.9.0-alpine', '1.10.0-alpine'], ['1.10.0-alpine']],
    ['v*', ['v1.9.0', 'v1.10.0', 'v1.10.0-rc.1'], ['v1.10.0']],
    [/^rel-(.*)-x$/, ['rel-1.9.0-x', 'rel-1.10.0-x'], ['rel-1.10.0-x']],
  ])('reads the version of %s where it stands', (pattern, tags, expected) => {
    expect(kept(tags, keep(1, 'semver'), pattern)).toEqual(expected);
  });

  it('never takes the end of four numbers for a version', () => {
    expect(kept(['1.2.3.4', '1.9.9.9'], keep(0, 'semver'), '1.*')).toEqual(['1.2.3.4', '1.9.9.9']);
  });
});
