import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyTagPolicy, findForbiddenTags, matchesTagPattern, parseTagPattern } from '../../src/core/policy.ts';

describe('patterns', () => {
  it.each([
    ['latest', 'latest', true],
    ['latest-alpine', 'latest', false],
    ['Latest', 'latest', false],
    ['latest-alpine', 'latest*', true],
    ['latest', 'latest*', true],
    ['1.2.3', '*', true],
    ['1.2.3-rc.1', '*-rc.*', true],
    ['1.2.3-rc1', '*-rc.*', false],
    ['abcab', 'ab*ab', true],
    ['aba', 'ab*ba', false],
    ['xayaz', 'x*a*a*z', true],
    ['xayz', 'x*a*a*z', false],
    ['aab', '*ab', true],
    ['a.b', 'a?b', false],
    ['axb', 'a.b', false],
    ['x', 'x**', true],
  ])('%s and %s: %s', (tag, pattern, expected) => {
    expect(matchesTagPattern(tag, pattern)).toBe(expected);
  });

  it('says the same as a regular expression', () => {
    const text = fc.stringMatching(/^[ab]{0,8}$/);
    const pattern = fc.stringMatching(/^[ab*]{0,6}$/);
    fc.assert(
      fc.property(text, pattern, (tag, glob) => {
        expect(matchesTagPattern(tag, glob)).toBe(new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(tag));
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['latest', '*-rc.*', '*'])('takes %s', (text) => {
    expect(parseTagPattern(text)).toEqual({ ok: true, value: text });
  });

  it.each(['', 'ghcr.io/acme/app:latest', 'la test', 'lat[e]st', 'a'.repeat(129), 'x\n'])('refuses %j', (text) => {
    expect(parseTagPattern(text)).toMatchObject({ ok: false, problem: expect.stringContaining('can match no tag') });
  });
});

describe('forbidden tags', () => {
  it('names each with the first pattern that forbids it', () => {
    expect(findForbiddenTags(['1.0.0', 'latest', '1.0.0-rc.1'], ['latest', '*-rc.*', 'la*'])).toEqual([
      { tag: 'latest', pattern: 'latest' },
      { tag: '1.0.0-rc.1', pattern: '*-rc.*' },
    ]);
  });

  it('acceptance 20: refuses what the user wrote, naming the tag and the pattern', () => {
    const tags = [
      { tag: '1.0.0', implicit: false },
      { tag: 'latest', implicit: false },
    ];
    expect(applyTagPolicy(tags, ['la*'])).toEqual({
      allowed: [{ tag: '1.0.0', implicit: false }],
      problems: [{ input: 'tags', message: 'the tag "latest" is forbidden by "la*" in forbid-tags' }],
      notices: [],
    });
  });

  it('leaves out what only a default makes, and says so', () => {
    const tags = [
      { tag: '1.0.0', implicit: true },
      { tag: 'latest', implicit: true },
    ];
    expect(applyTagPolicy(tags, ['latest'])).toEqual({
      allowed: [{ tag: '1.0.0', implicit: true }],
      problems: [],
      notices: ['latest is left out: forbid-tags has "latest"'],
    });
  });
});
