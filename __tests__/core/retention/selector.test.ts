import { describe, expect, it } from 'vitest';
import { parseSubject } from '../../../src/core/retention/selector.ts';

function parse(text: string) {
  const problems: string[] = [];
  const piece = { text, line: 1, column: 1, isVerbatim: true };
  const subject = parseSubject(piece, ({ column }, problem) => problems.push(`${column}: ${problem}`));
  return { subject, problems };
}

function selectorOf(text: string) {
  const { subject } = parse(text);
  if (subject?.kind !== 'tags') throw new Error(`${text} is no selector`);
  return subject.selector;
}

describe('a selector', () => {
  it.each([
    ['sha-*', ['sha-', 'sha-1'], ['sha', 'asha-1', 'SHA-1']],
    ['v?', ['v1', 'vx'], ['v', 'v12']],
    ['v[0-9]*', ['v1', 'v1.2'], ['vx', 'v']],
    ['[^0-9]*', ['v1', '_'], ['1']],
    ['1.0', ['1.0'], ['1x0', '11.0', '1.0.0']],
    ['*', ['a', 'x'.repeat(128)], []],
    ['/^n\\d+$/', ['n1'], ['n', 'an1']],
    ['/rc/', ['1.0-rc.1', 'rc'], ['1.0-RC']],
    ['/rc/i', ['1.0-RC'], ['1.0']],
    ['a* | /^b|c$/ | d', ['ax', 'bx', 'xc', 'd'], ['x', 'dx']],
    ['nightly-* except nightly-keep, /-lts$/', ['nightly-1'], ['nightly-keep', 'nightly-1-lts']],
    ['latest?', ['latest1'], ['latest']],
    ['/^untagged$/', ['untagged'], ['untagged1']],
    ['sha256-*', ['sha256-abc'], ['sha256']],
    ['_*', ['_x', '_'], ['x_']],
    ['/^except$/', ['except'], ['x']],
  ])('%s picks %j and not %j', (text, picked, others) => {
    const selector = selectorOf(text);
    expect(picked.filter((tag) => selector.match(tag) === undefined)).toEqual([]);
    expect(others.filter((tag) => selector.match(tag) !== undefined)).toEqual([]);
  });

  it.each([
    ['pr-*', 'pr-12', '12'],
    ['pr-*-amd64', 'pr-12-amd64', '12'],
    ['br-*-*', 'br-fix-it-1a2b', 'fix-it'],
    ['br-**', 'br-main', 'main'],
    ['*-pr-[0-9]', 'x-pr-1', 'x'],
    ['*', 'main', 'main'],
    ['[a-z]?-*', 'br-main', 'main'],
    ['main', 'main', 'main'],
    ['v?', 'v1', 'v1'],
    ['/^pr-(\\d+)/', 'pr-12-x', '12'],
    ['/^pr-\\d+/', 'pr-12-x', 'pr-12-x'],
    ['/^(?:pr-(\\d+)|x)/', 'x', 'x'],
    ['a-* | *-b', 'a-b', 'b'],
  ])('%s on %s varies by %j', (text, tag, variable) => {
    expect(selectorOf(text).match(tag)).toEqual({ variable });
  });

  it('is written in one form', () => {
    expect(selectorOf('  a*|/b | c/   except\tx?,y ').text).toBe('a* | /b | c/ except x?, y');
  });

  it('tells what it leaves out, and what may be missing', () => {
    const { exceptions } = selectorOf('a* except ab?, ac');
    expect(exceptions?.map(({ selector, optional }) => [selector.text, optional])).toEqual([
      ['ab', true],
      ['ac', false],
    ]);
  });

  it.each(['untagged', 'orphans', 'broken'])('%s speaks of no tag', (kind) => {
    expect(parse(kind)).toEqual({ subject: { kind }, problems: [] });
  });

  it.each([
    ['', '1: a tag, a glob or /a regular expression/ is missing'],
    ['a |', '4: a tag, a glob or /a regular expression/ is missing'],
    ['a except', '9: a tag, a glob or /a regular expression/ is missing'],
    ['except b', '1: a tag, a glob or /a regular expression/ is missing'],
    ['a except b except c', '19: "a except b except c" says except twice'],
    ['a except @releases', '10: "@releases" cannot stand after except'],
    [`a except sha256:${'a'.repeat(64)}`, `10: "sha256:${'a'.repeat(64)}" cannot stand after except`],
    ['a | untagged', '5: "untagged" is a keyword, which stands alone: for a tag of that name write /^untagged$/'],
    ['limits | a', '1: "limits" is a keyword'],
    ['a except protect', '10: "protect" is a keyword'],
    ['a b', '1: "a b" is no tag or glob: a comma or "|" is missing where it has a blank'],
    ['.*', '1: ".*" can match no tag: no tag begins with "." or "-"'],
    ['-x', '1: "-x" can match no tag'],
    ['[.-]x', '1: "[.-]x" can match no tag'],
    ['..', '1: ".." can match no tag'],
    ['a'.repeat(129), `1: "${'a'.repeat(119)}…" can match no tag: a tag has 128 characters at most`],
    ['*a'.repeat(200), 'has more than 256 characters'],
    ['[z-a]', '1: "[z-a]" can match no tag: nothing is in "[z-a]"'],
    ['[a', '1: "[a" is no tag or glob: after "["'],
    ['[!a]', '1: "[!a]" is no tag or glob: after "["'],
    [
      '{a,b}',
      '1: "{a,b}" is no tag or glob: letters, digits, "_", ".", "-", "*", "?" and "[a-z]" are allowed, "{" is not',
    ],
    ['a\\*', '"\\" is not'],
    ['tag-ü', '"ü" is not'],
    ['a/b', '"/" is not'],
    ['v*:', '":" is not'],
    ['//', '1: "//" is an empty regular expression'],
    ['//i', '1: "//i" is an empty regular expression'],
    ['/a', '1: "/a" is no regular expression'],
    ['/a/b/', '1: "/a/b/" is no regular expression'],
    ['/[/', '1: "/[/" is no regular expression'],
    ['/a/x', '1: "/a/x" has the flags "x": i, m, s, u are allowed'],
    ['/(a/', '1: "/(a/" is not a regular expression'],
    ['/(a+)+$/', '1: "/(a+)+$/" repeats something that can itself match in several ways'],
    ['/(?=a)/', 'look-around'],
    ['/(a)\\1/', 'back-reference'],
    ['/a\u202e/', 'has characters that cannot be seen'],
    ['/a\u0001/', 'has characters that cannot be seen'],
  ])('%j is refused', (text, why) => {
    const { subject, problems } = parse(text);
    expect(subject).toBeUndefined();
    expect(problems.join('\n')).toContain(why);
  });

  it('case 18: takes no regular expression that could run for ever, and others without going back in the tag', () => {
    const tag = `${'a'.repeat(127)}!`;
    for (const text of ['/(a+)+$/', '/(a|a)*$/', '/(a*)*b/', '/^(\\w+\\s?)*$/'])
      expect(parse(text).subject).toBeUndefined();
    for (const text of ['/a+$/', '/^a*a*a*$/']) expect(selectorOf(text).match(tag)).toBeUndefined();
    expect(selectorOf('/^(a+)!$/').match(tag)).toEqual({ variable: tag.slice(0, -1) });
  });
});
