import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { toLegalTag } from '../../src/core/legal-tag.ts';
import { isTag } from '../../src/core/reference.ts';

it.each([
  ['my/branch', 'my-branch'],
  ['a  //b', 'a-b'],
  ['-lead', '_lead'],
  ['.x', '_x'],
  ['Ünicode', '_nicode'],
  ['1.2.3+b5', '1.2.3_b5'],
  ['x'.repeat(128), 'x'.repeat(128)],
])('%s becomes %s', (text, expected) => {
  expect(toLegalTag(text)).toBe(expected);
});

it.each([['x'.repeat(129)], ['日本'], [''], ['...'], ['x'.repeat(1_000_000)]])('marks %.20s with a hash', (text) => {
  expect(toLegalTag(text)).toMatch(/^[x._-]{0,119}-[0-9a-f]{8}$/);
});

it('is always legal, and leaves legal tags alone', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,140}$/)),
      (text) => {
        expect(isTag(toLegalTag(text))).toBe(true);
        if (isTag(text) && /[A-Za-z0-9]/.test(text)) expect(toLegalTag(text)).toBe(text);
      },
    ),
  );
});
