import { describe, expect, it } from 'vitest';
import { GROUPS, idsOf } from '../../bench/groups.ts';
import { selectGroups } from '../../bench/selection.ts';

const fact = { what: '', unit: 'MB', target: undefined, needs: [], count: () => Promise.resolve(0) } as const;
const groups = [
  { name: 'hit', title: '', facts: [{ ...fact, name: 'memory' }], rows: [] },
  {
    name: 'prune',
    title: '',
    facts: [
      { ...fact, name: 'prune-idle' },
      { ...fact, name: 'prune-full', slow: true },
    ],
    rows: [],
  },
];

describe('what is measured', () => {
  it.each([
    { only: '', ids: ['memory', 'prune-idle'] },
    { only: 'all', ids: ['memory', 'prune-idle', 'prune-full'] },
    { only: 'prune', ids: ['prune-idle', 'prune-full'] },
    { only: 'prune-full', ids: ['prune-full'] },
    { only: 'prune-full, hit', ids: ['memory', 'prune-full'] },
  ])('--only=$only: $ids', ({ only, ids }) => {
    expect(idsOf(selectGroups(groups, only))).toEqual(ids);
  });

  it.each([
    { only: 'hti', message: '--only: there is no group or row "hti": did you mean "hit"?' },
    { only: 'hit,prune-ful', message: 'there is no group or row "prune-ful": did you mean "prune-full"?' },
    { only: 'zzzzzzzz', message: 'there is no group or row "zzzzzzzz": npm run bench -- --list names them' },
  ])('--only=$only is an error', ({ only, message }) => {
    expect(() => selectGroups(groups, only)).toThrow(message);
  });
});

it('every group and every row has a name of its own', () => {
  const names = ['all', ...GROUPS.map(({ name }) => name), ...idsOf(GROUPS)];
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  // A group may be called as the row that stands for it.
  expect(twice.filter((name) => name !== 'cases')).toEqual([]);
});
