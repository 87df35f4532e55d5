import { describe, expect, it } from 'vitest';
import { alignTable, figuresOf, formatNumber, renderRows } from '../../bench/table.ts';
import { comparedRow, countedRow } from './sample-results.ts';

describe('the figures of a row', () => {
  it.each([
    { comparison: 'slower', target: 2, median: '12.50×', spread: '11.00 – 14.00', said: '≤ 2×' },
    { comparison: 'faster', target: 8, median: '12.5× faster', spread: '11.0 – 14.0', said: '≥ 8× faster' },
    { comparison: 'over', target: 500, median: '13 ms more', spread: '11 – 14', said: '≤ 500 ms more' },
  ] as const)('$comparison', ({ comparison, target, median, spread, said }) => {
    const figures = figuresOf(comparedRow({ comparison, target }));
    expect(figures).toMatchObject({ median, spread, target: said, ours: '100 ms', theirs: '1,250 ms' });
  });

  it.each([
    { unit: 'requests', value: 2103, target: 2200, median: '2,103 requests', said: '≤ 2,200 requests' },
    { unit: 's', value: 312.44, target: 300, median: '312.4 s', said: '≤ 300 s' },
    { unit: '×', value: 0.2081, target: 0.25, median: '0.21×', said: '≤ 0.25×' },
    { unit: 'MB', value: 12.345, target: 400, median: '12.3 MB', said: '≤ 400 MB' },
    { unit: 'cases', value: 0, target: 0, median: '0 cases', said: '≤ 0 cases' },
  ] as const)('$value $unit', ({ unit, value, target, median, said }) => {
    expect(figuresOf(countedRow({ unit, value, target }))).toMatchObject({ median, target: said });
  });

  it('of a long process are seconds', () => {
    expect(figuresOf(comparedRow({ theirs: { what: 'slow', medianMs: 12_345 } })).theirs).toBe('12.3 s');
  });

  it.each([
    [-0.04, 1, '0.0'],
    [-13, 0, '-13'],
    [1234.5, 1, '1,234.5'],
  ])('%d with %i digits is %s', (value, digits, text) => {
    expect(formatNumber(value, digits)).toBe(text);
  });
});

describe('the tables', () => {
  it('have counts first, then comparisons, each with its verdict', () => {
    expect(renderRows([comparedRow({ repeats: 1 }), countedRow()]).split('\n')).toEqual([
      '| counted           |            | target       |           |',
      '| ----------------- | ---------- | ------------ | --------- |',
      '| requests of a hit | 4 requests | ≤ 3 requests | **short** |',
      '',
      '| ours           | theirs                            | median of the pairs (lowest – highest)                | target      |         |',
      '| -------------- | --------------------------------- | ----------------------------------------------------- | ----------- | ------- |',
      '| `ours`: 100 ms | theirs: 1,250 ms (8 steps CACHED) | 12.5× faster (11.0 – 14.0), 7 pairs, 1 measured again | ≥ 8× faster | reached |',
    ]);
  });

  it('say nothing of targets where there is none', () => {
    const { target: _, ...row } = countedRow();
    expect(renderRows([row])).toMatch(/\| 4 requests \| +\| +\|$/);
  });

  it('keep what would end a cell', () => {
    expect(alignTable([['a'], ['x | y']])).toContain('x \\| y');
  });
});
