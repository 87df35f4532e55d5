import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparePairs, reaches, spreadOf } from '../../bench/statistics.ts';

const DURATION_MS = fc.double({ min: 0.1, max: 100_000, noNaN: true });

describe('the spread of measurements', () => {
  it.each([
    { values: [7], median: 7, lowest: 7, highest: 7 },
    { values: [3, 1, 2], median: 2, lowest: 1, highest: 3 },
    { values: [4, 1, 3, 2], median: 2.5, lowest: 1, highest: 4 },
    { values: [10, 9, 2], median: 9, lowest: 2, highest: 10 },
  ])('of $values is $median between $lowest and $highest', ({ values, ...spread }) => {
    expect(spreadOf(values)).toEqual(spread);
  });

  it('leaves the median alone when one run takes for ever', () => {
    expect(spreadOf([10, 11, 12, 13, 90_000]).median).toBe(12);
  });

  it('does not depend on the order, and lies between the ends', () => {
    fc.assert(
      fc.property(fc.array(DURATION_MS, { minLength: 1 }), (values) => {
        const spread = spreadOf(values);
        expect(spreadOf(values.toReversed())).toEqual(spread);
        expect(spread.median).toBeGreaterThanOrEqual(spread.lowest);
        expect(spread.median).toBeLessThanOrEqual(spread.highest);
      }),
    );
  });

  it('of nothing is an error', () => {
    expect(() => spreadOf([])).toThrow(TypeError);
  });
});

describe('the comparison of pairs', () => {
  const pairs = [
    { oursMs: 10, theirsMs: 40 },
    { oursMs: 20, theirsMs: 40 },
    { oursMs: 100, theirsMs: 800 },
  ];

  it.each([
    { comparison: 'slower', median: 0.25, lowest: 0.125, highest: 0.5 },
    { comparison: 'faster', median: 4, lowest: 2, highest: 8 },
    { comparison: 'over', median: -30, lowest: -700, highest: -20 },
  ] as const)('$comparison: within each pair, then the median', ({ comparison, ...spread }) => {
    expect(comparePairs(pairs, comparison)).toEqual(spread);
  });

  it('is the same when the machine was slower during some of the pairs', () => {
    const slowed = pairs.map(({ oursMs, theirsMs }, index) => ({
      oursMs: oursMs * (index + 1),
      theirsMs: theirsMs * (index + 1),
    }));
    expect(comparePairs(slowed, 'faster')).toEqual(comparePairs(pairs, 'faster'));
  });
});

describe('a target', () => {
  it.each([
    { comparison: 'slower', median: 2, target: 2, reached: true },
    { comparison: 'slower', median: 2.01, target: 2, reached: false },
    { comparison: 'faster', median: 2.5, target: 2.5, reached: true },
    { comparison: 'faster', median: 2.49, target: 2.5, reached: false },
    { comparison: 'over', median: 60.1, target: 60, reached: false },
    { comparison: 'over', median: -5, target: 60, reached: true },
  ] as const)('$comparison $target with a median of $median: $reached', ({ comparison, median, target, reached }) => {
    expect(reaches({ median, lowest: 0, highest: 9 }, comparison, target)).toBe(reached);
  });
});
