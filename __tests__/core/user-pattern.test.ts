import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUserPattern } from '../../src/core/user-pattern.ts';

describe('patterns that people write', () => {
  it.each([
    ['v(.*)', 'v1.2.3', ['v1.2.3', '1.2.3']],
    ['\\d.\\d.\\d', 'v1.2.3', ['1.2.3']],
    ['^release\\d{1,2}', 'release12', ['release12']],
    ['v(\\d+)\\.(\\d+)\\.(\\d+)(-.*)?', 'v1.2.3', ['v1.2.3', '1', '2', '3', undefined]],
    ['^app/v(\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.-]+)?)$', 'app/v1.2.3-rc.1', ['app/v1.2.3-rc.1', '1.2.3-rc.1']],
    ['(?<name>\\w+)-(\\d{8})', 'nightly-20200110', ['nightly-20200110', 'nightly', '20200110']],
    ['/^V(.*)$/i', 'v1', ['v1', '1']],
    ['^(stable|beta|rc)-[a-z]{2,10}$', 'rc-x', undefined],
    ['(?:ab){3}', 'ababab', ['ababab']],
    ['[\\]a+*({]+', 'x]a', [']a']],
    ['(?:a|b)?c', 'bc', ['bc']],
  ])('%s on %s', (pattern, text, expected) => {
    const result = parseUserPattern(pattern);
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && result.value.match(text)?.slice()).toEqual(expected);
  });

  it('matches no text that is longer than a ref name can be', () => {
    const result = parseUserPattern('.*');
    expect(result.ok && result.value.match('a'.repeat(256))).toBeUndefined();
  });
});

describe('patterns that are refused', () => {
  it.each([
    ['(a+)+$', 'could take forever'],
    ['(a|aa)*$', 'could take forever'],
    ['(?:a?){30}a{30}', 'too many open repetitions'],
    ['((a{1,5}){1,5}){1,5}', 'could take forever'],
    ['(?:(?:x+x+)y)+', 'could take forever'],
    ['.*.*.*.*.*x', 'too many open repetitions'],
    ['a?'.repeat(40), 'too many open repetitions'],
    ['(a)\\1', 'back-reference'],
    ['(?<n>a)\\k<n>', 'back-reference'],
    ['(?=a)a', 'look-around'],
    ['(?<!a)b', 'look-around'],
    ['[a', 'is not a regular expression'],
    ['(', 'is not a regular expression'],
    ['*', 'is not a regular expression'],
    ['/a/gy', 'flags'],
    ['a'.repeat(600), '512'],
  ])('%s', (pattern, expected) => {
    expect(parseUserPattern(pattern)).toMatchObject({ ok: false, problem: expect.stringContaining(expected) });
  });

  it('leaves none that keeps the engine busy', () => {
    const atom = fc.constantFrom('a', 'b', '.', '\\d', '[ab]', '(a|b)', '(?:ab)', '(a', ')', '|', '(', '^', '$', '\\.');
    const times = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '+?', '{0,255}', '{2,}');
    const pattern = fc
      .array(fc.tuple(atom, times), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.flat().join(''));
    const text = fc.constantFrom('a'.repeat(255), `${'ab'.repeat(127)}!`, `${'a'.repeat(254)}!`);
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const result = parseUserPattern(source);
        if (result.ok) result.value.match(subject);
      }),
      { numRuns: 500 },
    );
  });
});
