import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { onBranch, onTag, plan, problemsOf, tagsOf } from '../support/tag-runs.ts';

const LEGAL = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

describe('problems', () => {
  it.each([
    [
      'acceptance 15: an unknown attribute',
      'type=raw,value=x,enabled=false',
      '"enabled" is no attribute of type=raw; did you mean enable?',
    ],
    ['an unknown type', 'type=semvar,pattern={{version}}', 'type="semvar" is not known; did you mean semver?'],
    ['an attribute of another type', 'type=sha,pattern=x', '"pattern" is no attribute of type=sha'],
    ['a bad enable', 'type=sha,enable=yes', 'enable="yes" is neither true nor false'],
    ['a bad enable that is rendered', 'type=sha,enable={{sha}}', 'enable="860c190" is neither true nor false'],
    ['a bad priority', 'type=sha,priority=high', 'priority="high" is not a whole number'],
    ['an attribute twice', 'type=sha,format=long,format=short', 'format is given twice'],
    ['a missing pattern', 'type=semver', 'type=semver needs a pattern'],
    ['a missing regular expression', 'type=match', 'type=match needs a pattern'],
    ['a missing event', 'type=ref', 'type=ref needs an event'],
    ['a bad event', 'type=ref,event=branhc', 'event="branhc" is not allowed; did you mean branch?'],
    ['a bad format', 'type=sha,format=medium', 'format="medium" is not allowed'],
    ['a missing value', 'type=raw', 'type=raw needs a value'],
    ['a bad group', 'type=match,pattern=x,group=one', 'is not the number of a group'],
    ['an unknown expression', 'type=raw,value={{brnch}}', 'the expression "brnch" is not known; did you mean branch?'],
    [
      'a version where there is none',
      'type=raw,value={{version}}',
      '{{version}} is known in the pattern of type=semver',
    ],
    ['an open expression', 'type=raw,value={{branch', 'never closed'],
    [
      'a comma in an expression without quotes',
      "type=raw,value={{date 'dddd, MMMM'}}",
      'needs "double quotes" around it',
    ],
    ['a date without format', 'type=raw,value={{date}}', '{{date}} needs a format'],
    ['an unknown time zone', "type=raw,value={{date 'Y' tz='Mars/Base'}}", '"Mars/Base" is not a time zone'],
    ['a block', 'type=raw,value={{#if branch}}x{{/if}}', 'is not known'],
    ['a bad regular expression', 'type=match,pattern=[a', 'is not a regular expression'],
    ['a regular expression that could hang', 'type=match,pattern=(a+)+$', 'could take forever'],
    ['a tag that is none', '-x', '"-x" is no tag'],
    ['a reference without tag', 'ghcr.io/acme/app', 'names no tag'],
    ['a reference with a digest', `ghcr.io/acme/app:1@sha256:${'0'.repeat(64)}`, 'a digest'],
    ['an open quote', 'type=match,"pattern=x', 'must be closed'],
  ])('%s', (_, rule, expected) => {
    expect(problemsOf([rule])).toEqual([expect.stringContaining(expected)]);
  });

  it('are all named at once', () => {
    const found = problemsOf(['type=semvar', 'type=sha,enable=yes,priority=x', 'ok', '-x'], {
      flavor: ['latest=maybe', 'onlatest=true'],
      version: 'banana',
      tagPrefix: 'a b',
      immutableTags: '(',
    });
    expect(found.map((text) => text.split(':')[0])).toEqual([
      'flavor',
      'immutable-tags',
      'tags',
      'tags',
      'tags',
      'tag-prefix',
      'version',
    ]);
    expect(found.join('\n')).toContain('enable="yes" is neither true nor false; priority="x"');
  });

  it('takes a version by PEP 440 when rules say what to do with it', () => {
    expect(problemsOf([], { version: '1.2rc1' })).toHaveLength(1);
    expect(tagsOf(['type=pep440,pattern={{version}}'], onBranch('x'), { version: '1.2rc1' })).toEqual(['1.2rc1']);
  });
});

describe('notices', () => {
  it.each([
    ['type=semver,pattern={{version}}', onTag('sometag'), '"sometag" is no semantic version'],
    ['type=pep440,pattern={{version}}', onTag('sometag'), '"sometag" is no version by PEP 440'],
    ['type=match,pattern=x', onTag('v1'), '"v1" is not what the pattern looks for'],
    ['type=ref,event=branch', onBranch('gh-readonly-queue/main/pr-1-a'), 'merge queue'],
  ])('%s says why there is no tag', (rule, event, expected) => {
    expect(plan([rule], event).notices).toEqual([expect.stringContaining(expected)]);
  });
});

describe('hostile names', () => {
  const hostile = [
    'x\n::set-output name=a::b',
    'x%0A::warning::',
    '`id`$(id)',
    ']]>\u001b[31m',
    '🚀',
    '日本',
    'ab\u202egnp.exe',
    '-lead',
    '.x',
    '..',
    'a'.repeat(1_000_000),
    '\ud800',
    '\u0000',
  ];
  it.each(hostile.map((name) => [name.slice(0, 20), name]))(
    'acceptance 14: %j becomes a legal tag everywhere',
    (_, name) => {
      const rules = [
        'type=ref,event=branch',
        'type=ref,event=tag',
        'a{{branch}}',
        '{{tag}}',
        'type=sha,prefix={{branch}}-',
        'type=match,pattern=.*',
      ];
      for (const event of [onBranch(name), onTag(name)]) {
        const { candidates, notices } = plan(rules, event, {
          flavor: ['suffix=-{{branch}}{{tag}},onlatest=true', 'latest=true'],
        });
        for (const { tag } of candidates) expect(tag).toMatch(LEGAL);
        expect(candidates.length).toBeGreaterThan(0);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        for (const notice of notices) expect(notice).not.toMatch(/[\u0000-\u001f\u202e]|.{600}/);
      }
    },
  );

  it('acceptance 13: a long branch gives a tag of 128 characters that ends in its hash', () => {
    const [tag = ''] = tagsOf([], onBranch('x'.repeat(200)));
    expect(tag).toMatch(/^x{119}-[0-9a-f]{8}$/);
  });

  it('keeps two branches apart that have no letter a tag can hold', () => {
    expect(tagsOf([], onBranch('日本'))).not.toEqual(tagsOf([], onBranch('中国')));
  });

  it('keeps problems printable', () => {
    for (const name of hostile) {
      for (const text of problemsOf([`type=${name}`, `${name}=1`], { version: name, tagPrefix: name })) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      }
    }
  });
});

describe('properties', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ maxLength: 300 }),
    fc.stringMatching(/^v?[0-9]{1,3}(\.[0-9]{1,3}){2}(-[a-z0-9.]{1,8})?$/),
  );
  it('every tag is legal, none comes twice, and lines belong to version lines only', () => {
    const rules = [
      'type=ref,event=branch',
      'type=ref,event=tag',
      'type=semver,pattern={{major}}',
      'type=pep440,pattern={{raw}}',
      'type=raw,value={{branch}}{{tag}}',
      'type=sha',
    ];
    fc.assert(
      fc.property(anyName, anyName, fc.boolean(), (name, affix, isTag) => {
        const event = isTag ? onTag(name) : onBranch(name);
        const flavor = [`prefix=${affix.replace(/[",\n\r{}]/g, '')},onlatest=true`, 'latest=true'];
        const { candidates } = plan(rules, event, { flavor });
        for (const { tag, kind, line } of candidates) {
          expect(tag).toMatch(LEGAL);
          expect(line !== undefined).toBe(kind === 'version-line');
        }
        expect(new Set(candidates.map(({ tag }) => tag)).size).toBe(candidates.length);
      }),
    );
  });

  it('distinct long branches stay distinct', () => {
    const long = fc.stringMatching(/^[a-z]{150,200}$/);
    fc.assert(
      fc.property(long, fc.string(), fc.string(), (stem, a, b) => {
        fc.pre(a !== b);
        expect(tagsOf([], onBranch(stem + a))).not.toEqual(tagsOf([], onBranch(stem + b)));
      }),
    );
  });
});
