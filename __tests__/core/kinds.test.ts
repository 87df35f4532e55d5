import { describe, expect, it } from 'vitest';
import { anyText, assignment, choice, duration, flag, listOf, optionalText, secretText } from '../../src/core/kinds.ts';
import { type Parsed, parsed, unparsable } from '../../src/core/parsed.ts';

function problemOf(result: Parsed<unknown>): string {
  return result.ok ? `no problem: ${JSON.stringify(result.value)}` : result.problem;
}

describe('text', () => {
  it.each([
    ['', undefined],
    [' \n', undefined],
    [' a b ', 'a b'],
  ])('%j is %j', (text, value) => {
    expect(optionalText(text)).toEqual(parsed(value));
  });

  it('that is secret is kept to the letter', () => {
    expect(secretText(' p\n')).toEqual(parsed(' p\n'));
    expect(secretText('')).toEqual(parsed(undefined));
  });
});

describe('a flag', () => {
  it.each([
    ['true', true],
    ['True', true],
    [' TRUE\n', true],
    ['false', false],
    ['False', false],
    ['FALSE', false],
  ])('%j is %s', (text, value) => {
    expect(flag(text)).toEqual(parsed(value));
  });

  it.each(['yes', 'no', '1', '0', 'on', '', 'tRUE', 'true false', 'true\0'])('%j is none', (text) => {
    expect(problemOf(flag(text))).toContain('is neither true nor false');
  });
});

describe('a choice', () => {
  const cache = choice('none', 'gha', 'registry');

  it('is one of its words', () => {
    expect(cache(' gha ')).toEqual(parsed('gha'));
  });

  it('names all words and the nearest', () => {
    expect(problemOf(cache('regsitry'))).toBe(
      '"regsitry" is not allowed: none, gha, registry are; did you mean registry?',
    );
    expect(problemOf(cache('something else'))).toBe('"something else" is not allowed: none, gha, registry are');
    expect(problemOf(cache('constructor'))).toContain('is not allowed');
  });
});

describe('a duration', () => {
  it.each([
    ['1s', 1000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
    ['2w', 1_209_600_000],
    [' 30d\n', 2_592_000_000],
    ['', undefined],
    ['  ', undefined],
  ])('%j is %j ms', (text, ms) => {
    expect(duration(text)).toEqual(parsed(ms));
  });

  it.each(['30', 'd', '0d', '000s', '-1d', '1.5h', '1 d', '30D', '1y', '1d2h', '1234567d', 'Infinityd', '１d'])(
    '%j is none',
    (text) => {
      expect(problemOf(duration(text))).toContain('is not a duration');
    },
  );
});

describe('a list', () => {
  const even = listOf((text) => (Number(text) % 2 === 0 ? parsed(Number(text)) : unparsable(`${text} is odd`)), {
    commas: true,
  });

  it('has its items parsed', () => {
    expect(even('2,4\n6')).toEqual(parsed([2, 4, 6]));
    expect(even('')).toEqual(parsed([]));
  });

  it('names every bad item', () => {
    expect(problemOf(even('1,2,3'))).toBe('1 is odd; 3 is odd');
  });

  it('names ten bad items of many', () => {
    const problem = problemOf(even(Array.from({ length: 100_000 }, () => '1').join(',')));
    expect(problem).toBe(`${'1 is odd; '.repeat(10)}and 99990 more`);
  });

  it('says when it is no list', () => {
    expect(problemOf(listOf(anyText)('"a'))).toContain('double quote');
  });
});

describe('an assignment', () => {
  const label = assignment('label');
  const buildArg = assignment('build arg', { bare: true });

  it.each(['KEY=VALUE', 'KEY=', 'KEY=a=b', 'index:org.x=1', 'K=line 1\nline 2'])('%j is one', (text) => {
    expect(label(text)).toEqual(parsed(text));
  });

  it.each(['KEY', '=VALUE', ' =VALUE', '', 'K=\0'])('%j is none', (text) => {
    expect(problemOf(label(text))).toContain('is no label: KEY=VALUE is allowed');
  });

  it('may be a bare key where that means something', () => {
    expect(buildArg('KEY')).toEqual(parsed('KEY'));
    expect(problemOf(buildArg('=x'))).toContain('is no build arg');
  });

  it('that is bad does not show its value', () => {
    expect(problemOf(label('=hunter2'))).not.toContain('hunter2');
    expect(problemOf(label('K=hunter2\0'))).not.toContain('hunter2');
  });

  it('of 1 MB is read, and refused in a short line', () => {
    expect(label(`K=${'x'.repeat(1_000_000)}`)).toMatchObject({ ok: true });
    expect(problemOf(label('x'.repeat(1_000_000))).length).toBeLessThan(300);
  });
});
