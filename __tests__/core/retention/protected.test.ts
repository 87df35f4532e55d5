import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import type { Protection } from '../../../src/core/retention/inventory.ts';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';
import { findProtected } from '../../../src/core/retention/protected.ts';

const ENTRY = { id: '1', digest: digestOf('a'), tags: ['1.0.0'], pushedAtMs: 0, updatedAtMs: 0 };

function refusalsOf(policy: string, protections: readonly Protection[]): readonly string[] {
  const parsed = parseRetention(policy);
  if (!parsed.ok || parsed.value === 'off' || parsed.value.general === undefined) throw new Error('it does not parse');
  return findProtected([ENTRY], parsed.value.general, protections).refusals;
}

describe('case 16: a source that the policy names must protect something here', () => {
  test.each<[string, string, readonly Protection[]]>([
    ['it says nothing at all', 'protect @releases\n*: keep 1', []],
    ['it names other images only', 'protect @releases\n*: keep 1', [{ by: '@releases', tags: ['2.0.0'], digests: [] }]],
    [
      'another source names the image',
      'protect @in-use(kubectl)\n*: keep 1',
      [{ by: '@in-use(docker): x', tags: ['1.0.0'], digests: [] }],
    ],
    [
      'one with a longer name does',
      'protect @in-use\n*: keep 1',
      [{ by: '@in-use(docker): x', tags: ['1.0.0'], digests: [] }],
    ],
  ])('%s: refused', (_, policy, protections) => {
    expect(refusalsOf(policy, protections)).toEqual([expect.stringMatching(/^protect "@.*" matches nothing here/)]);
  });

  test.each<[string, string, readonly Protection[]]>([
    ['it is marked', 'protect @releases?\n*: keep 1', []],
    ['it names an image here', 'protect @releases\n*: keep 1', [{ by: '@releases', tags: ['1.0.0'], digests: [] }]],
    [
      'a place of it does',
      'protect @in-use(kubectl)\n*: keep 1',
      [{ by: '@in-use(kubectl): prod: pod a/b', tags: [], digests: [ENTRY.digest] }],
    ],
  ])('%s: not refused', (_, policy, protections) => {
    expect(refusalsOf(policy, protections)).toEqual([]);
  });
});
