import { describe, expect, it } from 'vitest';
import { contextTree } from '../../src/core/context-tree.ts';
import { type ListedEntry, NOTHING_IGNORED, walkContext } from '../../src/core/dockerignore.ts';

/** Names that stand before and behind `/` in the order of characters, bytes that are no text, and beginnings of others. */
const NAMES = [
  'a',
  'a-b',
  'a b',
  'a.b',
  'a0',
  'ab',
  'A',
  '!',
  '~',
  '\u{1f600}',
  '\uff01',
  '\udc80',
  '\udcff',
  'a\udcff',
];

/** Every name is a directory with every name in it: a directory that is empty, but for the first one. */
function list(directory: string): readonly ListedEntry[] {
  const depth = directory === '' ? 0 : directory.split('/').length;
  const isFull = depth === 0 || (depth === 1 && directory !== '~') || directory === 'a/a';
  return isFull ? NAMES.map((name) => ({ name, kind: 'directory' })) : [];
}

describe('the tree of a context', () => {
  const walked = walkContext({ list, matcher: NOTHING_IGNORED });
  if (!walked.ok) throw new Error(walked.problem);
  const entries = walked.value;
  const tree = contextTree(entries, () => '');

  it('knows each of its paths and what is below it, and nothing else', () => {
    expect(entries.length).toBe(NAMES.length * (NAMES.length + 1));
    for (const { path } of entries) {
      expect(tree.kindOf(path)).toBe('directory');
      expect(tree.below(path)).toEqual(entries.filter((one) => one.path.startsWith(`${path}/`)));
      for (const other of ['/', '/0', '-', '\0', '\udfff']) expect(tree.kindOf(path + other)).toBeUndefined();
      expect(tree.below(`${path}\0`)).toEqual([]);
    }
  });

  it('is a directory itself', () => {
    expect(tree.kindOf('')).toBe('directory');
    expect(tree.below('')).toBe(entries);
    expect(contextTree([], () => '').below('a')).toEqual([]);
    expect(contextTree([], () => '').kindOf('a')).toBeUndefined();
  });
});
