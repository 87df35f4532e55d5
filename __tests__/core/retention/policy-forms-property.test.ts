import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';
import type { RetentionPolicies } from '../../../src/core/retention/policy.ts';

/** `keep`, `20 by semver`: the key and the value in YAML; with a blank between them, the clause in a line. */
type Phrase = readonly [key: string, value: string];

interface Model {
  readonly protect: readonly string[];
  readonly rules: readonly { readonly match: string; readonly clauses: readonly Phrase[] }[];
  readonly limits: readonly Phrase[];
}

const count = fc.integer({ min: 1, max: 1_000_000 }).map(String);
const age = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.constantFrom('s', 'm', 'h', 'd', 'w', 'mo', 'y')), {
    minLength: 1,
    maxLength: 4,
    selector: ([, unit]) => unit,
  })
  .map((parts) => parts.map((part) => part.join('')).join(''))
  .filter((text) => !/\d{2}y/.test(text));

const glob = fc
  .tuple(
    fc.constantFrom('a', 'v1', '_', 'n?', '[a-z]', '[^0-9]', '*-'),
    fc.array(fc.constantFrom('b', '.', '-', '*', '?', '[0-9]', '7'), { maxLength: 4 }),
  )
  .map(([first, rest]) => [first, ...rest].join(''));
const regex = fc.constantFrom(
  '/^n\\d+$/',
  '/a|b, c/i',
  '/x #y: z/',
  '/[/]\\//',
  '/a except b/',
  "/it's/",
  '/"q"/',
  '/a?/',
  '/\\[/',
  '/ü{2}/u',
);
const pattern = fc.oneof(glob, regex);
const optional = fc.constantFrom('', '?');
const selector = fc
  .tuple(
    fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
    fc.array(fc.tuple(pattern.filter(isNotOptional), optional).map(join), { maxLength: 2 }),
  )
  .map(([picked, left]) => `${picked.join(' | ')}${left.length === 0 ? '' : ` except ${left.join(', ')}`}`);
const protectItem = fc
  .tuple(
    fc.oneof(
      pattern.filter(isNotOptional),
      fc.constantFrom(
        `sha256:${'0a'.repeat(32)}`,
        '@releases',
        '@git-tags',
        '@in-use',
        '@in-use(files)',
        '@file(a, #b|c)',
      ),
    ),
    optional,
  )
  .map(join);

const plainClauses = [
  fc.tuple(fc.constant('keep'), fc.tuple(count, fc.constantFrom('', ' by updated', ' by pushed')).map(join)),
  fc.tuple(fc.constant('for'), fc.tuple(age, fc.constantFrom('', ' since updated', ' since pushed')).map(join)),
  fc.tuple(fc.constant('used'), age),
  ...['hourly', 'daily', 'weekly', 'monthly', 'yearly'].map((period) => fc.tuple(fc.constant(period), count)),
];
const levels = fc
  .uniqueArray(
    fc.record({
      level: fc.constantFrom('majors', 'minors', 'patches', 'prereleases'),
      count,
      age: fc.option(age, { nil: undefined }),
      isNumberFirst: fc.boolean(),
    }),
    { minLength: 1, selector: ({ level }) => level },
  )
  .map((all) =>
    all
      .map(({ level, count, age, isNumberFirst }) => {
        const words = isNumberFirst ? `${count} ${level}` : `${level} ${count}`;
        return age === undefined ? words : `${words} for ${age}`;
      })
      .join(', '),
  );
const tagClauses = [
  ...plainClauses,
  fc.tuple(fc.constant('semver'), levels),
  fc.tuple(fc.constant('while'), fc.constantFrom('open', 'branch', 'tag')),
];
const actions = fc.constantFrom<readonly Phrase[]>([['keep', 'all']], [['delete', '']], [['report', '']]);
const clausesOf = (all: readonly fc.Arbitrary<[string, string]>[]): fc.Arbitrary<readonly Phrase[]> =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.uniqueArray(fc.oneof(...all), { minLength: 1, maxLength: 5, selector: ([key]) => key }),
    },
    actions,
  );

const model: fc.Arbitrary<Model> = fc.record({
  protect: fc.array(protectItem, { maxLength: 4 }),
  rules: fc.uniqueArray(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ match: selector, clauses: clausesOf(tagClauses) }) },
      fc.record({ match: fc.constantFrom('untagged', 'orphans', 'broken'), clauses: clausesOf(plainClauses) }),
    ),
    { minLength: 1, maxLength: 5, selector: ({ match }) => match },
  ),
  limits: fc.uniqueArray(
    fc.oneof(
      fc.tuple(
        fc.constant('max-delete'),
        fc.oneof(
          count,
          fc.integer({ min: 0, max: 100 }).map((share) => `${share}%`),
        ),
      ),
      fc.tuple(fc.constantFrom('min-keep', 'reserve'), count),
      fc.tuple(fc.constantFrom('max-time', 'grace'), age),
      fc.tuple(fc.constant('tz'), fc.constantFrom('UTC', 'Europe/Athens')),
      fc.tuple(fc.constant('untag'), fc.constantFrom('off', 'safe')),
    ),
    { selector: ([key]) => key },
  ),
});
const blank = fc.constantFrom('', ' ', ' \t');

function join(parts: readonly string[]): string {
  return parts.join('');
}

/** A last `?` of a glob would be taken for the mark. */
function isNotOptional(text: string): boolean {
  return !text.endsWith('?');
}

function inLines({ protect, rules, limits }: Model, blank: string): string {
  const comma = `${blank},${blank}`;
  const phrases = (all: readonly Phrase[]) => all.map((phrase) => phrase.join(' ').trim()).join(comma);
  const lines = [
    ...rules.map(({ match, clauses }) => `${match}${blank}:${blank}${phrases(clauses)}`),
    ...(protect.length === 0 ? [] : [`protect ${protect.join(comma)} # what stays: a, b`]),
    ...(limits.length === 0 ? [] : [`limits${blank}:${phrases(limits)}`]),
  ];
  return lines.map((line) => `${blank}${line}${blank}\n`).join('\n');
}

/** A map of levels, unless that would change their words. */
function semverValue(value: string): unknown {
  const parts = value.split(', ').map((part) => /^(\d+) (\w+)(.*)$/.exec(part) ?? /^()(\w+) (.*)$/.exec(part));
  return Object.fromEntries(parts.map((part) => [part?.[2], `${part?.[1] ?? ''}${part?.[3] ?? ''}`]));
}

function yamlClauses(clauses: readonly Phrase[], asMap: boolean): unknown {
  return Object.fromEntries(
    clauses.map(([key, value]) => {
      if (value === '') return [key, true];
      return [key, key === 'semver' && asMap ? semverValue(value) : /^\d{1,6}$/.test(value) ? Number(value) : value];
    }),
  );
}

function inYaml({ protect, rules, limits }: Model, { asMap, flow }: { asMap: boolean; flow: boolean }): string {
  const policy = {
    ...(protect.length === 0 ? {} : { protect: asMap ? protect : protect.join(' , ') }),
    rules: rules.map(({ match, clauses }) => Object.assign({ match }, yamlClauses(clauses, asMap))),
    ...(limits.length === 0
      ? {}
      : { limits: asMap ? Object.fromEntries(limits) : limits.map((limit) => limit.join(' ')).join(',') }),
  };
  return stringify(policy, { collectionStyle: flow ? 'flow' : 'any', aliasDuplicateObjects: false });
}

function parse(text: string): RetentionPolicies {
  const parsed = parseRetention(text);
  if (!parsed.ok) throw new Error(`${parsed.problems.join('\n')}\n${text}`);
  if (parsed.value === 'off') throw new Error(text);
  return parsed.value;
}

/** All of it but the functions, which say no more than the texts. */
function dataOf({ general }: RetentionPolicies): unknown {
  return JSON.parse(JSON.stringify(general));
}

describe('any policy', { timeout: 60_000 }, () => {
  it('I10: is the same in lines and in YAML, and its one form is itself', () => {
    fc.assert(
      fc.property(model, blank, fc.boolean(), fc.boolean(), (model, blank, asMap, flow) => {
        const lines = parse(inLines(model, blank));
        expect(dataOf(parse(inYaml(model, { asMap, flow })))).toEqual(dataOf(lines));
        expect(dataOf(parse(lines.general?.text ?? ''))).toEqual(dataOf(lines));
        expect(lines.general?.rules).toHaveLength(model.rules.length);
      }),
      { numRuns: 500 },
    );
  });

  it('I11: with some characters changed is still one policy in its one form, or refused with a place in each problem', () => {
    const seen = { read: 0, refused: 0 };
    const inserted = fc.constantFrom(
      '',
      '',
      '0',
      'a',
      ' ',
      ',',
      ':',
      '|',
      '#',
      '/',
      '?',
      '*',
      '@',
      '\n',
      '\t',
      "'",
      '\u0000',
      'é',
    );
    const edit = fc.record({ at: fc.nat(), length: fc.nat({ max: 2 }), inserted });
    fc.assert(
      fc.property(model, fc.boolean(), fc.array(edit, { minLength: 1, maxLength: 2 }), (model, asLines, edits) => {
        let text = asLines ? inLines(model, ' ') : inYaml(model, { asMap: true, flow: false });
        for (const { at, length, inserted } of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + inserted + text.slice(start + length);
        }
        const parsed = parseRetention(text);
        seen[parsed.ok ? 'read' : 'refused'] += 1;
        if (parsed.ok) {
          const policies = parse(text);
          expect(dataOf(parse(policies.general?.text ?? ''))).toEqual(dataOf(policies));
          return;
        }
        expect(parsed.problems.length).toBeGreaterThan(0);
        for (const problem of parsed.problems)
          expect(problem).toMatch(/^line \d+, column \d+: [^\p{Cc}]+$|^and \d+ more$/u);
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(20);
  });
});
