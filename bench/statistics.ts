/** The middle and the ends of several measurements of one thing. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** What ours took and what theirs took, one after the other. */
export interface Pair {
  readonly oursMs: number;
  readonly theirsMs: number;
}

/**
 * How a row compares: `slower` is ours in theirs (lower is better), `faster` theirs in ours (higher is better), `over` ours
 * less theirs in milliseconds (lower is better).
 */
export type Comparison = 'slower' | 'faster' | 'over';

/** The spread of the values; of an even number the median is the mean of the middle two. TypeError when there are none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [lowest] = sorted;
  const highest = sorted.at(-1);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  if (lowest === undefined || highest === undefined || low === undefined || high === undefined) {
    throw new TypeError('there is nothing to take the median of');
  }
  return { median: (low + high) / 2, lowest, highest };
}

/**
 * Compares within each pair, then takes the spread: what slows the machine down for a while slows down both halves of a
 * pair, and so leaves the ratio alone.
 */
export function comparePairs(pairs: readonly Pair[], comparison: Comparison): Spread {
  return spreadOf(
    pairs.map(({ oursMs, theirsMs }) => {
      if (comparison === 'over') return oursMs - theirsMs;
      return comparison === 'slower' ? oursMs / theirsMs : theirsMs / oursMs;
    }),
  );
}

/** Whether the median reaches the target. */
export function reaches({ median }: Spread, comparison: Comparison, target: number): boolean {
  return comparison === 'faster' ? median >= target : median <= target;
}
