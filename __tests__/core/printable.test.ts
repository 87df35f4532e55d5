import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote, toLine, toPrintable } from '../../src/core/printable.ts';

/** What must never reach a terminal, a log or a summary. */
const UNPRINTABLE = /[^\P{Cc}\t\n]|[\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;
const MEGABYTE = 1_000_000;

describe('text made printable', () => {
  it.each([
    ['plain äöü 漢字 😀', 'plain äöü 漢字 😀', 'stays'],
    ['a\tb\nc', 'a\tb\nc', 'tabs and line feeds stay'],
    ['a\r\nb\rc', 'a\nb\nc', 'carriage returns end lines'],
    ['\u001b[31mred\u001b[0m', 'red', 'colours go'],
    ['\u001b[?25l\u001b[2J\u001b[1;1Hx', 'x', 'cursor movements go'],
    ['\u001b[>4;1m\u001b[=1cx', 'x', 'private parameters go'],
    ['\u001b[38:2::1:2:3mx', 'x', 'colours with colons go'],
    ['\u001b]0;title\u0007x', 'x', 'window titles go'],
    ['\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\', 'link', 'hyperlinks go'],
    ['a\u001b]0;never closed\nb', 'a0;never closed\nb', 'what is not closed on its line hides nothing'],
    ['\u001bM\u001bcx', '\ufffdcx', 'other escapes lose what makes them one'],
    ['\u001b\u001b[0m[31mx', '\ufffd[31mx', 'no sequence is put together by taking one out'],
    ['a\u0000b\u0007c\u007fd', 'a\ufffdb\ufffdc\ufffdd', 'control characters are replaced'],
    ['\u009b31mx', '\ufffd31mx', 'C1 introducers are replaced'],
    ['a\u0085b\u2028c\u2029d', 'a\ufffdb\ufffdc\ufffdd', 'other line breaks are replaced'],
    ['a\u202eb\u2066c\u2069\u200f\u061c', 'a\ufffdb\ufffdc\ufffd\ufffd\ufffd', 'changes of direction are replaced'],
    ['a\ud800b\udc00c', 'a\ufffdb\ufffdc', 'halves of surrogate pairs are replaced'],
  ])('%j becomes %j: %s', (text, printable) => {
    expect(toPrintable(text)).toBe(printable);
  });

  it('holds nothing unprintable, whatever it is made from, and stays as it is when done again', () => {
    const piece = fc.constantFrom(
      '\u001b',
      '[',
      ']',
      '0',
      ';',
      'm',
      '\u0007',
      '\\',
      '\n',
      '\r',
      '\u202e',
      'x',
      '\ud83d',
      '\ude00',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece).map((all) => all.join('')),
        ),
        (text) => {
          const printable = toPrintable(text);
          expect(printable).not.toMatch(UNPRINTABLE);
          expect(toPrintable(printable)).toBe(printable);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    '\u001b',
    '\u001b[',
    '\u001b[1',
    '\u001b]',
    '\u001b]x',
    '\u001b[ ',
    '[',
    '\r',
    '\n',
    ' ',
    '\u202e',
    '\ud800',
  ])('is made from 1 MB of %j in one pass', (piece) => {
    expect(toPrintable(piece.repeat(MEGABYTE))).not.toMatch(UNPRINTABLE);
    expect(toPrintable(`\u001b]${piece.repeat(MEGABYTE)}`)).not.toMatch(UNPRINTABLE);
    expect(toPrintable(`\u001b[${piece.repeat(MEGABYTE)}`)).not.toMatch(UNPRINTABLE);
  });
});

describe('a line', () => {
  it.each([
    ['  a \n\t b  ', 'a b'],
    ['', ''],
    ['\n\n', ''],
    ['1234567890', '1234567890'],
    ['12345678901', '123456789…'],
    ['a' + ' '.repeat(100) + 'b', 'a…'],
    ['12345678😀 and more', '12345678…'],
    ['\u001b[31m' + 'x'.repeat(5), 'xxxxx'],
  ])('of at most 10 characters from %j is %j', (text, line) => {
    expect(toLine(text, 10)).toBe(line);
  });

  it('is one, short and printable, and says when it was cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (text, maxLength) => {
        const line = toLine(text, maxLength);
        expect(line.length).toBeLessThanOrEqual(maxLength);
        expect(line).not.toMatch(UNPRINTABLE);
        expect(line).not.toMatch(/[\n\t]/);
        const whole = toPrintable(text).replace(/\s+/g, ' ').trim();
        if (whole !== line) expect(line.endsWith('…')).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('that quotes a value stands in double quotes and is short', () => {
    expect(quote('a\nb')).toBe('"a b"');
    expect(quote('')).toBe('""');
    expect(quote('\u001b[31m')).toBe('"\ufffd"');
    expect(quote('x'.repeat(MEGABYTE))).toBe(`"${'x'.repeat(119)}…"`);
    expect(quote('\n::set-output name=x::y')).toBe('"::set-output name=x::y"');
  });
});
