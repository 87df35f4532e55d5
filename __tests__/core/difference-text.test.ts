import { describe, expect, it } from 'vitest';
import type { Difference } from '../../src/core/difference.ts';
import { countDifferences, describeDifference, listDifferences } from '../../src/core/difference-text.ts';
import { digestOf } from '../../src/core/digest.ts';

const files = (count: number): readonly Difference[] =>
  Array.from({ length: count }, (_, index) => ({ subject: 'file', kind: 'added', name: `f${index}` }));
const image: Difference = {
  subject: 'image',
  kind: 'changed',
  name: 'node:22',
  before: digestOf('a'),
  after: digestOf('b'),
};
const arg: Difference = { subject: 'arg', kind: 'removed', name: 'A', before: '1' };

describe('differences', () => {
  it('are counted by what they are about, the most first', () => {
    expect(countDifferences([image, ...files(2), arg])).toBe('2 files, 1 base image, 1 build arg');
    expect(countDifferences([])).toBe('');
  });

  it('are listed with a few lines for each group', () => {
    expect(listDifferences([arg, ...files(100)])).toEqual([
      '100 files',
      ...files(8).map(({ name }) => `  + ${name}`),
      '  … and 92 more',
      '1 build arg',
      '  - A: 1',
    ]);
    expect(listDifferences(files(100), true)).toHaveLength(101);
    expect(listDifferences([])).toEqual([]);
  });

  it('say that an image counts by its tag on one side', () => {
    const byTag = { ...image, after: 'tag' };
    expect(describeDifference(byTag)).toMatch(/^~ node:22: sha256:[0-9a-f]{12} → its tag \(base: tag\)$/);
    expect(describeDifference({ ...arg, before: 'tag' })).toBe('- A: tag');
  });

  it('say no "1 more" where that line can be shown', () => {
    expect(listDifferences(files(17)).at(-1)).toBe('  + f16');
    expect(listDifferences(files(18)).at(-1)).toBe('  … and 2 more');
  });

  it('fit a screen, whatever there is', () => {
    const subjects = ['file', 'image', 'arg', 'instruction', 'option', 'context', 'hash-file', 'rule'] as const;
    const all = subjects.flatMap((subject) => files(50).map((one): Difference => ({ ...one, subject })));
    expect(listDifferences(all).length).toBeLessThanOrEqual(32);
  });
});

describe('a difference is one printable line', () => {
  it.each<[Difference, string]>([
    [image, `~ node:22: ${digestOf('a').slice(0, 19)} → ${digestOf('b').slice(0, 19)}`],
    [arg, '- A: 1'],
    [{ subject: 'arg', kind: 'changed', name: 'A', before: '', after: ' x ' }, '~ A: "" → "x"'],
    [{ subject: 'arg', kind: 'changed', name: 'A', before: '1', where: 'linux/arm64' }, '~ A (linux/arm64): 1'],
    [
      { subject: 'file', kind: 'changed', name: 'a', where: 'docs', note: 'executable now' },
      '~ a (context docs): executable now',
    ],
    [{ subject: 'instruction', kind: 'added', name: 'RUN x', after: 'RUN x' }, '+ RUN x'],
    [{ subject: 'instruction', kind: 'changed', name: 'RUN y', before: 'RUN x', after: 'RUN y' }, '~ RUN x → RUN y'],
    [{ subject: 'file', kind: 'added', name: 'a\nb' }, '+ "a b"'],
    [{ subject: 'file', kind: 'added', name: '\u001b[31mred' }, '+ "red"'],
    [{ subject: 'file', kind: 'added', name: '' }, '+ ""'],
  ])('%o', (difference, expected) => {
    expect(describeDifference(difference)).toBe(expected);
  });

  it('of a bounded length', () => {
    const long = 'x'.repeat(1_000_000);
    const line = describeDifference({
      subject: 'option',
      kind: 'changed',
      name: long,
      where: long,
      before: long,
      after: long,
      note: long,
    });
    expect(line.length).toBeLessThan(600);
  });
});
