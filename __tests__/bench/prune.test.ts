import { expect, it } from 'vitest';
import { leaderRequests } from '../../bench/prune.ts';
import { countWorlds } from '../../bench/worlds.ts';

it.each([
  [100, 105],
  [1000, 1014],
  [10_000, 10_104],
])('the field’s leader plans %i versions with %i requests', (versions, requests) => {
  expect(leaderRequests(versions)).toBe(requests);
});

it('random packages without a failure have no violation', () => {
  expect(countWorlds([{ group: 'random', status: 'passed', message: '' }], 10_000)).toEqual({
    packages: 10_000,
    violations: 0,
  });
});

it('the random package that a failure names was the last', () => {
  const message = 'Error: BUILD_ONCE_SEED=958 BUILD_ONCE_RUNS=1';
  const outcome = { group: 'random', status: 'failed', message } as const;
  expect(countWorlds([outcome], 10_000)).toEqual({ packages: 958, violations: 1 });
});

it('a failure that names no package counts nothing', () => {
  const outcome = { group: 'random', status: 'failed', message: 'SyntaxError: broken' } as const;
  expect(() => countWorlds([outcome], 10_000)).toThrow(/were not pruned:\nSyntaxError: broken/);
});
