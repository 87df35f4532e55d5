import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatList, parseList } from '../../src/core/lists.ts';
import { parsed } from '../../src/core/parsed.ts';

describe('a list of lines', () => {
  it.each([
    ['', []],
    [' \n\t\n', []],
    ['a', ['a']],
    ['a\nb', ['a', 'b']],
    ['  a  \r\n\r\n b\rc ', ['a', 'b', 'c']],
    ['# all\na\n  # b\nc # no comment', ['a', 'c # no comment']],
    ['a,b', ['a,b']],
    ['"a\nb",c'.replace(',', '\n'), ['a\nb', 'c']],
    ['"a, b"', ['a, b']],
    ['"say ""hi"""', ['say "hi"']],
    ['""', ['']],
    ['a"b"', ['a"b"']],
    ['KEY="x"', ['KEY="x"']],
    ['"  kept  "', ['  kept  ']],
    ['"# kept"', ['# kept']],
    ['\u00a0a\u2003', ['a']],
    ['type=raw,value=a', ['type=raw,value=a']],
  ])('%j has the values %j', (text, values) => {
    expect(parseList(text)).toEqual(parsed(values));
  });

  it.each(['"a', '"a""', '"a"b', '"a",b', 'x\n"a\nb\nc'])(
    '%j has a quote that is not closed at the end of its value',
    (text) => {
      expect(parseList(text)).toEqual({ ok: false, problem: expect.stringContaining('must be closed') });
    },
  );
});

describe('a list with commas', () => {
  it.each([
    ['a,b\nc', ['a', 'b', 'c']],
    [' a , b ,, c,', ['a', 'b', 'c']],
    ['"a,b",c', ['a,b', 'c']],
    ['"a" , "b"\n"c"', ['a', 'b', 'c']],
    ['a,#b\n#c,d\ne', ['a', '#b', 'e']],
    ['#only, a comment', []],
    [',,,', []],
  ])('%j has the values %j', (text, values) => {
    expect(parseList(text, { commas: true })).toEqual(parsed(values));
  });
});

it('a value in quotes comes back to the letter', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'a",# \n\t=') })), fc.boolean(), (values, commas) => {
      const text = values.map((value) => `"${value.replaceAll('"', '""')}"`).join(commas ? ' ,' : ' \n');
      expect(parseList(text, { commas })).toEqual(parsed(values));
    }),
    { numRuns: 1000 },
  );
});

it.each(['"', '""', '"a"\n', '#', ',', '\n', ' ', ' \n', '\r', 'a', '#\n', '"x",', '\u00a0'])(
  'a list of 1 MB of %j is read in one pass',
  (piece) => {
    for (const commas of [true, false]) {
      const text = piece.repeat(1_000_000 / piece.length);
      expect(parseList(text, { commas })).toHaveProperty('ok');
      expect(parseList(`"${text}`, { commas })).toHaveProperty('ok');
    }
  },
);

it('values that are written as a list come back to the letter, whatever the rules', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'a",# \n\r\t=') })), fc.boolean(), (values, commas) => {
      const readBack = values.map((value) => value.replace(/\r\n?/g, '\n'));
      expect(parseList(formatList(values), { commas })).toEqual(parsed(readBack));
    }),
    { numRuns: 1000 },
  );
});

it('plain values are written as they are', () => expect(formatList(['a=b', 'c d', 'e"f'])).toBe('a=b\nc d\ne"f'));
