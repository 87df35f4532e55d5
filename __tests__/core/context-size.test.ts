import { describe, expect, it } from 'vitest';
import { findOversize } from '../../src/core/context-size.ts';

type Sizes = Readonly<Record<string, number>>;

/** A context of these files, and of so many empty ones in directories; lines are those of the files' first names. */
function contextOf(sizes: Sizes, counts: Sizes = {}, lines: Sizes = {}): Parameters<typeof findOversize>[0] {
  const empty = Object.entries(counts).flatMap(([directory, count]) =>
    Array.from({ length: count }, (_, index): [string, number] => [`${directory}/${index}`, 0]),
  );
  const files = [...Object.entries(sizes), ...empty];
  return {
    read: new Map(files.map(([path, sizeBytes]) => [path, { sizeBytes, isLfsPointer: false }])),
    lines: new Map(files.map(([path]) => [path, lines[path.split('/')[0] ?? ''] ?? 1])),
  };
}

const blamed = (sizes: Sizes, counts: Sizes = {}) =>
  findOversize(contextOf(sizes, counts))?.largest.map(({ path }) => path);

describe('a context is too big', () => {
  it.each([
    ['above 500 MB', { a: 500_000_001 }, {}, true],
    ['and not at 500 MB', { a: 499_999_999, b: 1 }, {}, false],
    ['above 20,000 files', {}, { a: 20_001 }, true],
    ['and not at 20,000 files', {}, { a: 19_999, b: 1 }, false],
    ['and not when nothing is read', {}, {}, false],
  ])('%s', (_, sizes, counts, isOver) => {
    expect(findOversize(contextOf(sizes, counts)) !== undefined).toBe(isOver);
  });

  it('by both sums, on the line that reads the biggest part', () => {
    const context = contextOf({ 'small/a': 1, 'big/b': 600_000_000 }, { many: 3 }, { small: 2, big: 3, many: 4 });
    expect(findOversize(context)).toEqual({
      sizeBytes: 600_000_001,
      fileCount: 5,
      largest: [{ path: 'big/b', sizeBytes: 600_000_000, fileCount: 1 }],
      line: 3,
    });
  });
});

describe('to blame is', () => {
  it.each<[string, Sizes, Sizes, readonly string[]]>([
    ['the directory furthest down that holds nearly all', { 'a/b/c/x': 3e8, 'a/b/c/y': 3e8, 'a/z': 9 }, {}, ['a/b/c']],
    ['the biggest first, three at most', { 'a/x': 1e8, 'b/x': 4e8, 'c/x': 3e8, 'd/x': 2e8 }, {}, ['b/x', 'c/x', 'd/x']],
    ['nothing below a tenth', { 'a/x': 1e9, 'b/x': 9e7 }, {}, ['a/x']],
    ['a file in no directory', { x: 6e8, 'a/y': 1 }, {}, ['x']],
    ['by their number, when only that is too high', { 'a/x': 4e8 }, { 'b/c': 20_000 }, ['b/c']],
    ['nobody in particular', {}, Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`d${at}`, 201])), []],
  ])('%s', (_, sizes, counts, paths) => {
    expect(blamed(sizes, counts)).toEqual(paths);
  });

  it('told in time, however deep and many the directories are', () => {
    const deep = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`${'d/'.repeat(at)}x`, 1e7]));
    expect(blamed(deep)).toHaveLength(1);
  });
});
