import { expect, it } from 'vitest';
import { leaderRequests } from '../../bench/prune.ts';
import { FACTS } from '../../bench/rows.ts';
import { factLine } from '../../bench/table.ts';

it.each([
  [100, 105],
  [1000, 1014],
  [10_000, 10_104],
])('the field’s leader plans %i versions with %i requests', (versions, requests) => {
  expect(leaderRequests(versions)).toBe(requests);
});

const shown = { name: 'x', what: 'x', needs: [], count: () => Promise.resolve(0) };

it.each([
  { unit: 'requests', target: 2200, value: 2200, line: '| x |  | 2200 requests | ≤ 2200 requests | reached |' },
  { unit: 's', target: 300, value: 312.44, line: '| x |  | 312.4 s | ≤ 300 s | **short** |' },
  { unit: '×', target: 0.25, value: 0.2081, line: '| x |  | 0.21 × | ≤ 0.25 × | reached |' },
  { unit: 'MB', target: undefined, value: 12.345, line: '| x |  | 12.3 MB |  |  |' },
] as const)('$value of $target $unit is told so', ({ unit, target, value, line }) => {
  expect(factLine({ ...shown, unit, target }, value)).toBe(line);
});

it('every fact has a name of its own', () => {
  expect(new Set(FACTS.map(({ name }) => name)).size).toBe(FACTS.length);
});
