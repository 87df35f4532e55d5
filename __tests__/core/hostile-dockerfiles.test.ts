import { describe, expect, it } from 'vitest';
import { remoteAdds } from '../../src/core/build-inputs.ts';
import { resolveUse } from '../../src/core/context-resolver.ts';
import { contextTree } from '../../src/core/context-tree.ts';
import { parseDockerfile } from '../../src/core/dockerfile.ts';
import type { ContextEntry } from '../../src/core/dockerignore.ts';
import { readTarget, type TargetReads } from '../../src/core/target-reads.ts';
import { buildScope } from '../support/build-scope.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };

type Answer = TargetReads | { readonly problem: string; readonly line: number };

function read(text: string): Answer {
  const parsed = parseDockerfile(text);
  if (!parsed.ok) return parsed;
  remoteAdds(parsed.value, buildScope());
  const reads = readTarget(parsed.value, buildScope(), AMD64);
  return reads.ok ? reads.value : reads;
}

/** So many lines or words. */
function many(count: number, write: (index: number) => string, separator = '\n'): string {
  return Array.from({ length: count }, (_, index) => write(index)).join(separator);
}

const COUNT = 30_000;

// An algorithm that takes the square of these sizes would not end within the time that a test has.
describe('a large Dockerfile is read', { timeout: 60_000 }, () => {
  it.each([
    ['30,000 ENV lines', `FROM scratch\n${many(COUNT, (n) => `ENV A${n + 1}=$A${n}`)}\nCOPY a$A30000 /`, ['/a']],
    ['30,000 ARG lines', `FROM scratch\n${many(COUNT, (n) => `ARG A${n}=${n}`)}\nCOPY a$A29999 /`, ['/a29999']],
    [
      '30,000 variables on one line',
      `FROM scratch\nENV ${many(COUNT, (n) => `A${n}=${n}`, ' \\\n')}\nCOPY $A7 /`,
      ['/7'],
    ],
    ['30,000 RUN lines', `FROM scratch\n${many(COUNT, (n) => `RUN ${n}`)}\nCOPY a /`, ['/a']],
    ['30,000 sources', `FROM scratch\nCOPY ${many(COUNT, () => 'a', ' \\\n')} /x/`, COUNT],
    ['30,000 COPY lines', `FROM scratch\n${many(COUNT, (n) => `COPY a${n} /`)}`, COUNT],
    [
      '30,000 heredocs of one COPY',
      `FROM scratch\nCOPY ${many(COUNT, (n) => `<<E${n}`, ' \\\n')} /x/\n${many(COUNT, (n) => `E${n}`)}`,
      0,
    ],
    [
      '20,000 mounts of one RUN',
      `${many(20_000, (n) => `FROM scratch AS s${n}\nCOPY f /`)}\nFROM scratch\nRUN ${many(20_000, (n) => `--mount=from=s${n},target=/${n}`, ' \\\n')} x`,
      20_000,
    ],
    [
      '10,000 stages, each on the one before, each with variables',
      `FROM scratch AS s0\n${many(10_000, (n) => `FROM s${n} AS s${n + 1}\nENV A${n}=1\nARG A${n}=2`)}\nCOPY a$A9999 b$A9998 /x/`,
      ['/a2', '/b1'],
    ],
    [
      '2,000 stages that copy',
      `FROM scratch AS s0\n${many(2_000, (n) => `FROM s${n} AS s${n + 1}\nCOPY f${n} /`)}`,
      2_000,
    ],
    [
      '10 MB of one line, continued',
      `FROM scratch\nRUN ${many(200_000, () => 'x'.repeat(50), ' \\\n')}\nCOPY a /`,
      ['/a'],
    ],
    ['10 MB of comments', `${many(500_000, () => '# a comment, long')}\nFROM scratch\nCOPY a /`, ['/a']],
    [
      '3 MB of one heredoc',
      `FROM scratch\nCOPY <<E /x\n${many(100_000, () => `$A \${B:-x} ' " and so on`)}\nE\nCOPY a /`,
      ['/a'],
    ],
    ['blanks', `FROM scratch\n${many(100, () => `ENV${' '.repeat(60_000)}A=b`)}\nCOPY a /`, ['/a']],
  ])('%s', (_, text, expected) => {
    const answer = read(text);
    expect(answer).not.toHaveProperty('problem');
    const sources = 'problem' in answer ? [] : answer.uses.map(({ source }) => source);
    if (typeof expected === 'number') expect(sources).toHaveLength(expected);
    else expect(sources).toEqual(expected);
  });
});

describe('what would grow without end is refused, with the line', { timeout: 60_000 }, () => {
  const doubled = many(64, () => 'ENV A=$A$A');
  const long = many(16, () => 'ENV A=$A$A');
  it.each([
    ['a variable that doubles', `FROM scratch\nENV A=xxxxxxxx\n${doubled}`, 20, 'the result is longer'],
    ['a global one', `ARG A=xxxxxxxx\n${doubled.replaceAll('ENV', 'ARG')}\nFROM scratch`, 19, 'the result is longer'],
    [
      'a long value in many places',
      `FROM scratch\nENV A=xxxxxxxx\n${long}\n${many(COUNT, () => 'LABEL x=$A')}`,
      0,
      'all together',
    ],
    [
      'a long value in many names',
      `ARG A=xxxxxxxx\n${long.replaceAll('ENV', 'ARG')}\n${many(COUNT, (n) => `FROM x:$A AS s${n}`)}`,
      0,
      'all together',
    ],
    [
      'replacements in a value',
      `FROM scratch\nENV A=${'a'.repeat(60_000)}\nENV B=${'b'.repeat(60_000)}\nCOPY \${A//?/$B} /`,
      4,
      'the result is longer',
    ],
    [
      'patterns that match at every place',
      `FROM scratch\nENV A=${'a'.repeat(60_000)}\n${many(5_000, () => `COPY \${A//${'*a'.repeat(30)}b/x} /`)}`,
      0,
      'all together',
    ],
    [
      'patterns from both ends',
      `FROM scratch\nENV A=${'a'.repeat(3_000)}\n${many(5_000, () => `COPY \${A##${'*a'.repeat(600)}b} /`)}`,
      0,
      'all together',
    ],
    [
      'nesting, 10,000 deep',
      `FROM scratch\nCOPY ${'${A:-'.repeat(10_000)}x${'}'.repeat(10_000)} /`,
      2,
      'it nests deeper than 200 levels',
    ],
    [
      'nesting of other kinds',
      `FROM scratch\nCOPY ${'${A//${A#${A:+'.repeat(3_000)} /`,
      2,
      'it nests deeper than 200 levels',
    ],
    ['ONBUILD in ONBUILD', `FROM scratch\nONBUILD ${'ONBUILD '.repeat(7_000)}RUN x`, 2, 'ONBUILD'],
    [
      'triggers in many stages',
      `FROM scratch AS p\n${many(5_000, () => 'ONBUILD RUN x')}\n${many(5_000, () => 'FROM p')}`,
      5_202,
      'ONBUILD triggers',
    ],
    ['a line of 10 MB', `FROM scratch\nRUN ${'x'.repeat(10_000_000)}`, 2, 'longer than 65535 bytes'],
  ])('%s', (_, text, line, problem) => {
    const answer = read(text);
    expect(answer).toMatchObject({ problem: expect.stringContaining(problem) });
    if (line > 0) expect(answer).toMatchObject({ line });
    if ('problem' in answer) expect(answer.problem.length).toBeLessThan(1_000);
  });
});

it('takes a value that is long and no more than that', () => {
  const text = `FROM scratch\nENV A=xxxxxxxx\n${many(12, () => 'ENV A=$A$A')}\n${many(1_000, () => 'LABEL x=$A')}\nCOPY \${A%%x*}a /`;
  expect(read(text)).toMatchObject({ uses: [{ source: '/a' }] });
});

it('names a few stages where the target is none of many', () => {
  const parsed = parseDockerfile(many(COUNT, (n) => `FROM scratch AS s${n}`));
  const reads = parsed.ok && readTarget(parsed.value, buildScope({ target: 'other' }), AMD64);
  expect(reads && !reads.ok && reads.problem).toMatch(
    /^the target "other" is no stage; stages with a name: s0, s1, .{50,150}, …$/,
  );
});

/** How many entries a COPY takes of these. */
function taken(
  copy: string,
  entries: readonly ContextEntry[],
  readLink: (path: string) => string = () => '',
): number | string {
  const answer = read(`FROM scratch\nCOPY ${copy} /x/\n`);
  if ('problem' in answer) return answer.problem;
  const tree = contextTree(entries, readLink);
  const resolved = answer.uses.map((use) => resolveUse(tree, use));
  const bad = resolved.find((one) => !one.ok);
  return bad?.ok === false ? bad.problem : resolved.reduce((sum, one) => sum + (one.ok ? one.value.length : 0), 0);
}

describe('patterns that make a backtracking matcher hang', { timeout: 60_000 }, () => {
  const files = many(2_000, (n) => `${'a'.repeat(200)}${n}`)
    .split('\n')
    .sort()
    .map((path): ContextEntry => ({ path, kind: 'file' }));
  it.each([
    [`${'a*'.repeat(60)}b`, 0],
    [`${'*a'.repeat(60)}*`, 2_000],
    ['?*'.repeat(100), 2_000],
    ['[a-z]'.repeat(12_000), 0],
    ['*[a-z]'.repeat(10_000), 0],
    [`--exclude=${'*a'.repeat(200)}z .`, 2_000],
    [`--exclude=${'**/'.repeat(100)}*z .`, 2_000],
    [`--exclude=${'*a'.repeat(100)}* .`, 1],
    [`--parents ${'**/'.repeat(100)}a*`, 2_000],
    [`--parents ${'a*'.repeat(100)}/${'*b'.repeat(100)}`, 1],
  ])('case %#', (copy, count) => {
    expect(taken(copy, files)).toBe(count);
  });
});

describe('links and depth', { timeout: 60_000 }, () => {
  const deep = Array.from({ length: 2_000 }, (_, depth) => Array.from({ length: depth + 1 }, () => 'd').join('/'));
  const nested = deep.map((path, index): ContextEntry => ({ path, kind: index === 1_999 ? 'file' : 'directory' }));

  it.each([
    'd',
    '.',
    '--parents d/d',
    deep[1_999] ?? '',
    `${'d/'.repeat(1_998)}*`,
    `${'*/'.repeat(1_998)}*`,
    '/d/../d/./d',
  ])('reads a tree 2,000 deep, case %#', (copy) => {
    expect(taken(copy, nested)).toBe(1);
  });

  it.each([
    ['one that is its own target', 'loop', { loop: 'loop' }],
    ['two in a circle', 'a/x', { a: 'b', b: 'a' }],
    ['one that grows with each turn', 'a', { a: `a/${'x/'.repeat(2_000)}y` }],
    ['one that climbs and comes back', 'a', { a: `${'../'.repeat(200)}a/b` }],
    ['a chain of 300', 'l0', Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`l${n}`, `l${n + 1}`]))],
    [
      'a ladder of doubles',
      'l0',
      Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`l${n}`, `l${n + 1}/../l${n + 1}`])),
    ],
  ])('refuses %s', (_, copy, links) => {
    const targets = new Map(Object.entries(links));
    const entries = [...targets.keys()].sort().map((path): ContextEntry => ({ path, kind: 'symlink' }));
    expect(taken(copy, entries, (path) => targets.get(path) ?? '')).toMatch(
      /links lead in circles|is not in the context/,
    );
  });
});
