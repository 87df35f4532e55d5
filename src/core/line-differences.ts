/** Lines that were taken out at one place, and those that came in for them. */
export interface Hunk {
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** Above this, what lies between the equal beginning and the equal end counts as replaced. */
const MAX_TABLE_CELLS = 1_000_000;

/** A shortest set of hunks that makes `after` of `before`; not always the shortest one for texts of many thousand lines. */
export function compareLines(before: readonly string[], after: readonly string[]): readonly Hunk[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const rest = Math.min(before.length, after.length) - start;
  while (end < rest && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const removed = before.slice(start, before.length - end);
  const added = after.slice(start, after.length - end);
  if (removed.length === 0 && added.length === 0) return [];
  const isSmall = (removed.length + 1) * (added.length + 1) <= MAX_TABLE_CELLS;
  return isSmall ? walk(removed, added) : [{ removed, added }];
}

function walk(before: readonly string[], after: readonly string[]): readonly Hunk[] {
  const width = after.length + 1;
  const common = commonLengths(before, after);
  const hunks: Hunk[] = [];
  let removed: string[] = [];
  let added: string[] = [];
  for (let left = 0, right = 0; left < before.length || right < after.length; ) {
    const [old, next] = [before[left], after[right]];
    if (old !== undefined && old === next) {
      if (removed.length + added.length > 0) hunks.push({ removed, added });
      removed = [];
      added = [];
      left += 1;
      right += 1;
    } else if (
      next === undefined ||
      (old !== undefined && at(common, (left + 1) * width + right) >= at(common, left * width + right + 1))
    ) {
      removed.push(old ?? '');
      left += 1;
    } else {
      added.push(next);
      right += 1;
    }
  }
  return removed.length + added.length > 0 ? [...hunks, { removed, added }] : hunks;
}

/** For each pair of positions, how many lines the rests have in common, in order. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let left = before.length - 1; left >= 0; left -= 1) {
    for (let right = after.length - 1; right >= 0; right -= 1) {
      const here = left * width + right;
      lengths[here] =
        before[left] === after[right]
          ? at(lengths, here + width + 1) + 1
          : Math.max(at(lengths, here + width), at(lengths, here + 1));
    }
  }
  return lengths;
}

function at(numbers: Uint32Array, index: number): number {
  return numbers[index] ?? 0;
}
