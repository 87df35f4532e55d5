import { expect, it } from 'vitest';
import { parseBuildCheck } from '../../src/core/build-check.ts';

/** As buildx 0.29.1 prints it, without `sources`. */
function warning(change: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    ruleName: 'StageNameCasing',
    description: 'Stage names should be lowercase',
    url: 'https://docs.docker.com/go/dockerfile/rule/stage-name-casing/',
    detail: "Stage name 'Build' should be lowercase",
    location: { ranges: [{ start: { line: 2 }, end: { line: 3 } }] },
    ...change,
  };
}

const PROBLEM = {
  rule: 'StageNameCasing',
  message: "Stage name 'Build' should be lowercase",
  url: 'https://docs.docker.com/go/dockerfile/rule/stage-name-casing/',
  line: 2,
  severity: undefined,
  source: 'buildx',
};

it('says the rule, what is wrong and the first line of it', () => {
  expect(parseBuildCheck({ warnings: [warning()] })).toEqual({ problems: [PROBLEM], stop: undefined });
});

it('says where the check ended', () => {
  const buildError = { message: 'invalid containerPort:\n70000', location: { ranges: [{ start: { line: 14 } }] } };
  expect(parseBuildCheck({ warnings: null, buildError })).toEqual({
    problems: [],
    stop: 'invalid containerPort: 70000',
  });
});

it.each<[string, Readonly<Record<string, unknown>>, object | undefined]>([
  ['a rule without a detail', { detail: '' }, { message: 'Stage names should be lowercase' }],
  ['no line', { location: {} }, { line: undefined }],
  ['no range', { location: { ranges: [] } }, { line: undefined }],
  ['ranges that are none', { location: { ranges: 'all' } }, { line: undefined }],
  ['line 0', { location: { ranges: [{ start: { line: 0 } }] } }, { line: undefined }],
  ['half a line', { location: { ranges: [{ start: { line: 1.5 } }] } }, { line: undefined }],
  ['an address that runs', { url: 'javascript:alert(1)' }, { url: undefined }],
  ['what steers a terminal', { detail: '\u001b[31mred\u0007\n::error::x' }, { message: 'red\ufffd ::error::x' }],
  ['a rule of two lines', { ruleName: 'a\nb' }, { rule: 'a b' }],
  ['no rule', { ruleName: undefined }, undefined],
  ['nothing that is wrong', { detail: 1, description: null }, undefined],
])('takes %s for what it is', (_, change, expected) => {
  const problems = expected === undefined ? [] : [{ ...PROBLEM, ...expected }];
  expect(parseBuildCheck({ warnings: [warning(change)] })?.problems).toEqual(problems);
});

it.each([
  ['nothing', undefined],
  ['an object', {}],
  ['a list', []],
  ['a text', 'warnings'],
  ['warnings that are no list', { warnings: 'all' }],
])('is none: %s', (_, json) => {
  expect(parseBuildCheck(json)).toBeUndefined();
});

it('passes over what is no warning', () => {
  expect(parseBuildCheck({ warnings: [null, 1, 'x', [], {}] })?.problems).toEqual([]);
});

it('bounds what a stranger says', () => {
  const warnings = Array.from({ length: 5000 }, () => warning({ detail: 'x'.repeat(1 << 10) }));
  const problems = parseBuildCheck({ warnings })?.problems ?? [];
  expect(problems).toHaveLength(1000);
  expect(problems[0]?.message).toMatch(/^x{399}…$/);
});
