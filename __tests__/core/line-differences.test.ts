import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareLines } from '../../src/core/line-differences.ts';

const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });

/** How many lines two texts have in common, in order: the definition, with nothing clever in it. */
function common(a: readonly string[], b: readonly string[]): number {
  const [first, ...rest] = a;
  if (first === undefined) return 0;
  const at = b.indexOf(first);
  const without = common(rest, b);
  return at < 0 ? without : Math.max(without, 1 + common(rest, b.slice(at + 1)));
}

describe('the hunks between two texts', () => {
  it.each<[string, string, ReturnType<typeof compareLines>]>([
    ['', '', []],
    ['abc', 'abc', []],
    ['abc', 'ac', [{ removed: ['b'], added: [] }]],
    ['ac', 'abc', [{ removed: [], added: ['b'] }]],
    ['abc', 'axc', [{ removed: ['b'], added: ['x'] }]],
    [
      'abcde',
      'xbcdy',
      [
        { removed: ['a'], added: ['x'] },
        { removed: ['e'], added: ['y'] },
      ],
    ],
    ['aa', 'a', [{ removed: ['a'], added: [] }]],
  ])('of %j and %j', (before, after, expected) => {
    expect(compareLines(before.split(''), after.split(''))).toEqual(expected);
  });

  it('are no more than are needed', () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const hunks = compareLines(before, after);
        const same = common(before, after);
        expect(hunks.flatMap(({ removed }) => removed)).toHaveLength(before.length - same);
        expect(hunks.flatMap(({ added }) => added)).toHaveLength(after.length - same);
      }),
    );
  });

  it('are one for texts that are too long to compare line by line', () => {
    const text = (start: number) => Array.from({ length: 2000 }, (_, index) => `${start + index}`);
    expect(compareLines(text(0), text(1))).toEqual([{ removed: text(0), added: text(1) }]);
  });
});
