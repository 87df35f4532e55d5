import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideMoves } from '../../src/core/semver-tags.ts';
import { planTags, type TagCandidate, type TagRequest } from '../../src/core/tag-candidates.ts';

const SHA = '860c1904a1ce19322e91ac35af1ab07466440c37';
const USUAL = [
  'type=semver,pattern={{version}}',
  'type=semver,pattern={{major}}.{{minor}}',
  'type=semver,pattern={{major}}',
];

function candidatesOf(gitTag: string, more: Partial<TagRequest> = {}): readonly TagCandidate[] {
  const event = { ref: `refs/tags/${gitTag}`, sha: SHA, date: new Date(0) };
  const plan = planTags({
    tags: [],
    flavor: [],
    version: undefined,
    tagPrefix: 'v',
    immutableTags: undefined,
    event,
    ...more,
  });
  if (!plan.ok) throw new Error(JSON.stringify(plan.problems));
  return plan.value.candidates;
}

/** The tags that a release sets, given what the registry has. */
function moved(gitTag: string, existing: readonly string[], more: Partial<TagRequest> = {}): readonly string[] {
  const moves = decideMoves(candidatesOf(gitTag, more), existing);
  return moves.filter(({ move }) => move).map(({ tag }) => tag);
}

const AFTER_2_0_1 = ['1.9.0', '1.9', '1', '2.0.1', '2.0', '2', 'latest'];

describe('a version line moves to the highest version only', () => {
  it.each([
    ['acceptance 1: the highest', 'v2.0.1', [], ['2.0.1', '2.0', '2', 'latest']],
    ['acceptance 2: a backport', 'v1.9.1', AFTER_2_0_1, ['1.9.1', '1.9', '1']],
    ['acceptance 3: an older backport', 'v1.8.5', ['1.9.1'], ['1.8.5', '1.8']],
    ['acceptance 4: a pre-release', 'v2.1.0-rc.1', AFTER_2_0_1, ['2.1.0-rc.1']],
    ['acceptance 5: no 0', 'v0.3.0', [], ['0.3.0', '0.3', 'latest']],
    ['acceptance 6: build metadata', 'v2.0.2+b5', AFTER_2_0_1, ['2.0.2_b5', '2.0', '2', 'latest']],
    [
      'acceptance 7: a re-run sets the lines again, and the version is there',
      'v2.0.1',
      AFTER_2_0_1,
      ['2.0', '2', 'latest'],
    ],
    ['a backport after build metadata', 'v1.9.1', ['2.0.1_b5', 'latest'], ['1.9.1', '1.9', '1']],
    ['an older patch of the newest minor', 'v2.0.0', AFTER_2_0_1, ['2.0.0']],
    [
      'pre-releases in the registry hold nothing back',
      'v2.0.2',
      [...AFTER_2_0_1, '3.0.0-rc.1', '2.0.3-beta'],
      ['2.0.2', '2.0', '2', 'latest'],
    ],
    ['numbers are compared as numbers', 'v1.10.0', ['1.9.0'], ['1.10.0', '1.10', '1', 'latest']],
    ['tags with a v are versions too', 'v1.9.1', ['v2.0.1'], ['1.9.1', '1.9', '1']],
    [
      'the first release of all',
      'v1.0.0',
      ['hash-0123456789abcdef0123456789abcdef', 'main'],
      ['1.0.0', '1.0', '1', 'latest'],
    ],
  ])('%s', (_, gitTag, existing, expected) => {
    expect(moved(gitTag, existing)).toEqual(expected);
  });

  it('says why', () => {
    const reasons = decideMoves(candidatesOf('v1.9.1'), AFTER_2_0_1).map(({ tag, reason }) => `${tag} ${reason}`);
    expect(reasons).toEqual([
      '1.9.1 is new',
      '1.9 moves, 1.9.1 is the highest in its line',
      '1 moves, 1.9.1 is the highest in its line',
      'latest stays, 2.0.1 is higher',
    ]);
  });

  it('is not confused by foreign tags', () => {
    const foreign = [
      'hash-0123456789abcdef0123456789abcdef',
      `sha256-${'a'.repeat(64)}`,
      `sha256-${'a'.repeat(64)}.sig`,
      'main',
      'release-9.9.9',
      '9.9.9-alpine',
      '2024.01',
      '2024.01.15',
      '20240115',
      '99999999999999999999.0.0',
      '9007199254740993.0.0',
      '9.9',
      '9',
      '9.9.9.9',
      'v9',
      '09.9.9',
      'pr-9.9.9',
      '9.9_1',
      '',
    ];
    expect(moved('v1.0.0', foreign)).toEqual(['1.0.0', '1.0', '1', 'latest']);
  });

  it('moves nothing with a pre-release, whatever rule asks for it', () => {
    expect(moved('v2.0.0-rc.1', [], { tags: ['latest', '2', '2.0'] })).toEqual([]);
  });
});

describe('variants of an image keep to themselves', () => {
  const alpine = { tags: USUAL, flavor: ['suffix=-alpine,onlatest=true'] };
  const prefixed = { tags: USUAL, flavor: ['prefix=x-'] };
  const pattern = (text: string) => ({ tags: [`type=semver,pattern=${text}`] });
  const allAlpine = ['1.9.1-alpine', '1.9-alpine', '1-alpine', 'latest-alpine'];
  it.each<{ what: string; rules: Partial<TagRequest>; existing: readonly string[]; expected: readonly string[] }>([
    { what: 'others do not count', rules: alpine, existing: AFTER_2_0_1, expected: allAlpine },
    { what: 'its own count', rules: alpine, existing: ['2.0.1-alpine'], expected: allAlpine.slice(0, 3) },
    { what: 'its own pre-releases do not', rules: alpine, existing: ['2.0.1-rc.1-alpine'], expected: allAlpine },
    { what: 'prefixes too', rules: prefixed, existing: ['x-2.0.1', '3.0.0'], expected: ['x-1.9.1', 'x-1.9', 'x-1'] },
    {
      what: 'a pattern can set them apart',
      rules: pattern('x-{{major}}'),
      existing: ['2.0.1'],
      expected: ['x-1', 'latest'],
    },
    { what: 'and finds its own', rules: pattern('x-v{{major}}-y'), existing: ['x-v2.0.1-y'], expected: ['x-v1-y'] },
    {
      what: 'a pattern with v alone does not',
      rules: pattern('v{{major}}'),
      existing: ['2.0.1', '1.9.9'],
      expected: [],
    },
  ])('$what', ({ rules, existing, expected }) => {
    expect(moved('v1.9.1', existing, rules)).toEqual(expected);
  });

  it('acceptance 19: with a tag-prefix, other components are ignored', () => {
    const existing = ['api-v9.0.0', 'v8.0.0', 'app-v1.0.0', '1.1.0'];
    expect(moved('app/v1.2.3', existing, { tagPrefix: 'app/v' })).toEqual(['1.2.3', '1.2', '1', 'latest']);
    expect(moved('app/v1.2.3', [...existing, 'app-v2.0.0'], { tagPrefix: 'app/v' })).toEqual(['1.2.3', '1.2', '1']);
  });
});

describe('PEP 440', () => {
  const rules = [
    'type=pep440,pattern={{version}}',
    'type=pep440,pattern={{major}}.{{minor}}',
    'type=pep440,pattern={{major}}',
  ];
  it.each([
    ['1.9.1', ['2.0'], ['1.9.1', '1.9', '1']],
    ['1.9.1', ['2.0rc1', '2.0.dev4', '1.9.2.post1'], ['1.9.1', '1.9', '1', 'latest']],
    ['1.2.3rc1', [], ['1.2.3rc1']],
  ])('%s beside %j', (gitTag, existing, expected) => {
    expect(moved(gitTag, existing, { tags: rules })).toEqual(expected);
  });
});

describe('properties', () => {
  const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom('', '', '-rc.1'));
  const releases = fc.uniqueArray(version, { selector: (one) => one.join('.'), maxLength: 12 });

  it('releases in any order leave every line at its highest stable version, and no line ever moves down', () => {
    fc.assert(
      fc.property(releases, (all) => {
        const registry = new Map<string, readonly number[]>();
        for (const [major, minor, patch, pre] of all) {
          const candidates = candidatesOf(`v${major}.${minor}.${patch}${pre}`, {
            tags: [...USUAL.slice(0, 2), `${USUAL[2]},major-zero=true`],
          });
          for (const { tag, move } of decideMoves(candidates, [...registry.keys()])) {
            const before = registry.get(tag);
            if (!move) continue;
            if (before !== undefined) expect(compare([major, minor, patch], before)).toBeGreaterThanOrEqual(0);
            registry.set(tag, [major, minor, patch]);
          }
        }
        const stable = all.filter(([, , , pre]) => pre === '').map(([major, minor, patch]) => [major, minor, patch]);
        expect(registry.get('latest')).toEqual(highest(stable));
        for (const [major, minor] of stable) {
          expect(registry.get(`${major}`)).toEqual(highest(stable.filter((one) => one[0] === major)));
          expect(registry.get(`${major}.${minor}`)).toEqual(
            highest(stable.filter((one) => one[0] === major && one[1] === minor)),
          );
        }
      }),
    );
  });

  it('any other tags in the registry change nothing', () => {
    const noise = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9._-]{0,60}$/).filter((tag) => !/^v?[0-9]/.test(tag));
    fc.assert(
      fc.property(fc.array(noise), (tags) => {
        expect(moved('v1.9.1', [...AFTER_2_0_1, ...tags])).toEqual(['1.9.1', '1.9', '1']);
      }),
    );
  });
});

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((one, index) => one - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function highest(versions: readonly (readonly number[])[]): readonly number[] | undefined {
  return [...versions].sort(compare).at(-1);
}
