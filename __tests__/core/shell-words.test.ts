import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandWord, splitWords } from '../../src/core/shell-words.ts';

const VARIABLES = new Map([
  ['V', 'value'],
  ['EMPTY', ''],
  ['FILE', 'dir/app.tar.gz'],
  ['SPACED', ' a  b '],
  ['LINES', 'ab\nab'],
  ['STARS', 'a*b?c'],
  ['X', 'aXbXXc'],
  ['ünï', 'letters'],
]);
const lookup = (name: string) => VARIABLES.get(name);

describe('expandWord', () => {
  it.each([
    ['no variable', 'plain', 'plain'],
    ['$V', 'a$V.b', 'avalue.b'],
    ['${V}', 'a${V}b', 'avalueb'],
    ['an unset variable', 'a${NO}b', 'ab'],
    ['a name of letters of any script', '$ünï', 'letters'],
    ['a lone dollar', 'a$ b$', 'a$ b$'],
    ['a positional parameter, read whole', '$123x', 'x'],
    ['a special parameter', 'a$@b', 'ab'],
    ['${V:-w} unset', '${NO:-w}', 'w'],
    ['${V:-w} empty', '${EMPTY:-w}', 'w'],
    ['${V-w} unset', '${NO-w}', 'w'],
    ['${V-w} empty', '${EMPTY-w}', ''],
    ['${V:+w} set', '${V:+w}', 'w'],
    ['${V:+w} empty', '${EMPTY:+w}', ''],
    ['${V+w} empty', '${EMPTY+w}', 'w'],
    ['${V+w} unset', '${NO+w}', ''],
    ['${V:?w} set', '${V:?w}', 'value'],
    ['${V?w} empty', '${EMPTY?w}', ''],
    ['${V#p}', '${FILE#*/}', 'app.tar.gz'],
    ['${V#p} without match', '${FILE#x}', 'dir/app.tar.gz'],
    ['${V#p} is the shortest', '${FILE#*a}', 'pp.tar.gz'],
    ['${V##p} is the longest', '${FILE##*a}', 'r.gz'],
    ['${V%p} is the shortest', '${FILE%.*}', 'dir/app.tar'],
    ['${V%%p} is the longest', '${FILE%%.*}', 'dir/app'],
    ['? in a pattern', '${FILE#???/}', 'app.tar.gz'],
    ['an escaped star', '${STARS#a\\*}', 'b?c'],
    ['no brackets in patterns', '${V#[v]}', 'value'],
    ['a star that ends at a line feed', '${LINES##*b}', '\nab'],
    ['${V/p/r} is the first', '${X/X/-}', 'a-bXXc'],
    ['${V/p/r} is the longest', '${FILE/.*/!}', 'dir/app!'],
    ['${V//p/r} is all', '${X//X/-}', 'a-b--c'],
    ['${V//p/r} with nothing to match', '${V///-}', '-v-a-l-u-e-'],
    ['${V//p/r} with all of it at once', '${V//*/x}', 'x'],
    ['${V//p/r} with a template', "${X//X/'<$0>'}", 'a<X>b<X><X>c'],
    ['${V/p/r} without a template', "${X/X/'$0'}", 'a$0bXXc'],
    ['an escaped slash in a pattern', '${FILE/\\//-}', 'dir-app.tar.gz'],
    ['nesting', '${NO:-${EMPTY:-$V}}', 'value'],
    ['nesting in a pattern', '${V%${NO:-ue}}', 'val'],
    ['single quotes', "'$V \\n'", '$V \\n'],
    ['double quotes', '"$V  x"', 'value  x'],
    ['an escaped dollar', '\\$V', '$V'],
    ['an escaped dollar in double quotes', '"\\$V"', '$V'],
    ['another escape in double quotes', '"\\n"', '\\n'],
    ['an escape at the end', 'a\\', 'a'],
    ['blanks', ' a  $SPACED', ' a   a  b '],
    ['adjacent pieces', 'a"b"\'c\'$V', 'abcvalue'],
  ])('expands %s', (_, word, expected) => {
    expect(expandWord(word, lookup, '\\')).toEqual({ ok: true, value: expected });
  });

  it('escapes with a backtick when told so', () => {
    expect(expandWord('`$V\\$V', lookup, '`')).toEqual({ ok: true, value: '$V\\value' });
  });

  it.each([
    ['an open brace', '${V', '}'],
    ['an open operator', '${V:-x', '}'],
    ['no name', '${}', 'names no variable'],
    ['a nested brace', '${{V}}', 'names no variable'],
    ['an unknown operator', '${V^^}', 'not an operator'],
    ['a pattern after a colon', '${V:#x}', 'not an operator'],
    ['an open single quote', "'a", 'single quote'],
    ['an open double quote', '"a', 'double quote'],
    ['an unknown escape in a pattern', '${V#\\a}', 'escape'],
    ['a required variable that is unset', '${NO?missing}', 'NO: "missing"'],
    ['a required variable that is empty', '${EMPTY:?}', 'EMPTY: a value is required'],
    ['a replacement without an end', '${V/a}', '/'],
  ])('refuses %s', (_, word, reason) => {
    const result = expandWord(word, lookup, '\\');
    expect(result.ok ? result : result.problem).toContain(reason);
  });

  it('answers on patterns that make a backtracking matcher hang', () => {
    const long = 'a'.repeat(5000);
    const pattern = `${'*a'.repeat(200)}*b`;
    expect(expandWord(`\${L#${pattern}}`, () => long, '\\')).toEqual({ ok: true, value: long });
    expect(expandWord(`\${L%%${pattern}}`, () => long, '\\')).toEqual({ ok: true, value: long });
    expect(expandWord(`\${L//${pattern}/x}`, () => long, '\\')).toEqual({ ok: true, value: long });
  });

  it.each([
    ['a pattern and a value that are both huge', `\${L#${'*a'.repeat(5_000)}}`, 'too long'],
    ['nesting without end', '${A:-'.repeat(100_000), 'nests'],
    ['a result without end', '$L'.repeat(1000), 'longer'],
  ])('refuses %s', (_, word, reason) => {
    const result = expandWord(word, (name) => (name === 'L' ? 'a'.repeat(10_000) : undefined), '\\');
    expect(result.ok ? 'expanded' : result.problem).toContain(reason);
  });

  it('answers for any text, and never with a control character in a problem', () => {
    const piece = fc.constantFrom(
      '$V',
      '${',
      '}',
      ':-',
      '%%',
      '#',
      '//',
      '"',
      "'",
      '\\',
      '*',
      ' ',
      'a',
      '<<',
      '\u001b',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const result = expandWord(pieces.join(''), lookup, '\\');
        expect(result.ok || !result.problem.includes('\u001b')).toBe(true);
      }),
    );
  });
});

describe('splitWords', () => {
  it.each([
    ['blanks', ' a  b\tc ', ['a', 'b', 'c']],
    ['blanks that came out of a variable', 'x$SPACED', ['x', 'a', 'b']],
    ['quoted and escaped blanks', '"a b" c\\ d \'e f\'', ['a b', 'c d', 'e f']],
    ['empty quotes', 'a "" b', ['a', 'b']],
    ['a heredoc with blanks before its name', 'cat <<  EOF >x', ['cat', '<<  EOF', '>x']],
    ['a non-breaking space', 'a\u00a0b', ['a', 'b']],
  ])('divides at %s', (_, text, words) => {
    expect(splitWords(text, lookup, { escape: '\\' })).toEqual({ ok: true, value: words });
  });

  it('keeps quotes, escapes and unset variables when told so', () => {
    const keep = { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true } as const;
    expect(splitWords('"a b" \\x $NO ${NO:-y}', lookup, keep)).toEqual({
      ok: true,
      value: ['"a b"', '\\x', '$NO', '${NO:-y}'],
    });
  });
});
