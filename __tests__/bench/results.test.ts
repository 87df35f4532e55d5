import { describe, expect, it } from 'vitest';
import { compared, counted, isReached, withSession } from '../../bench/results.ts';
import { comparedRow, countedRow, session } from './sample-results.ts';

const place = { group: 'hit', session: 'first' };

describe('what is kept', () => {
  it('of a comparison: medians, the spread of the ratios, how many pairs, what was noted', () => {
    const row = {
      name: 'fast',
      ours: 'a',
      theirs: 'b',
      comparison: 'faster',
      target: 2,
      needs: [],
      pairs: 1,
      open: () => Promise.reject(new Error('not asked for')),
    } as const;
    const pairs = [
      { oursMs: 10, theirsMs: 30 },
      { oursMs: 20.04, theirsMs: 40 },
      { oursMs: 30, theirsMs: 70 },
    ];
    expect(compared(row, { pairs, notes: { ours: [], theirs: ['cached'] }, repeats: 1 }, place)).toEqual({
      id: 'fast',
      ...place,
      comparison: 'faster',
      ours: { what: 'a', medianMs: 20 },
      theirs: { what: 'b', medianMs: 40, notes: ['cached'] },
      spread: { median: 2.3333, lowest: 1.996, highest: 3 },
      pairs: 3,
      repeats: 1,
      target: 2,
    });
  });

  it('of a count: its value, its unit and its target', () => {
    const fact = {
      name: 'n',
      what: 'x',
      unit: 'MB',
      target: undefined,
      needs: [],
      count: () => Promise.resolve(0),
    } as const;
    expect(counted(fact, 1.000_04, place)).toEqual({ id: 'n', ...place, what: 'x', unit: 'MB', value: 1 });
  });
});

it.each([
  { row: comparedRow(), reached: true },
  { row: comparedRow({ target: 13 }), reached: false },
  { row: comparedRow({ comparison: 'over', target: 12 }), reached: false },
  { row: countedRow(), reached: false },
  { row: countedRow({ value: 3 }), reached: true },
])('a target of $row.target for $row.id: $reached', ({ row, reached }) => {
  expect(isReached(row)).toBe(reached);
});

describe('a later session', () => {
  const old = { sessions: [session()], rows: [comparedRow(), countedRow()] };
  const second = session({ id: 'second', commit: 'ba9876543210' });
  const again = countedRow({ value: 3, session: 'second' });

  it('replaces its own rows only, in the order that the bench has', () => {
    const { rows, sessions } = withSession(old, second, [again], ['requests', 'fast']);
    expect(rows).toEqual([again, comparedRow()]);
    expect(sessions.map(({ id }) => id)).toEqual(['first', 'second']);
  });

  it('takes the place of one that has no row left', () => {
    const all = [again, comparedRow({ session: 'second' })];
    expect(withSession(old, second, all, ['requests', 'fast']).sessions).toEqual([second]);
  });

  it('drops rows that the bench no longer has', () => {
    expect(withSession(old, second, [], ['fast'])).toEqual({ sessions: [session()], rows: [comparedRow()] });
  });
});
