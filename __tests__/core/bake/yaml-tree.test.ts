import { describe, expect, it } from 'vitest';
import { createFindings } from '../../../src/core/bake/findings.ts';
import type { Tree } from '../../../src/core/bake/tree.ts';
import { readYamlTree } from '../../../src/core/bake/yaml-tree.ts';

function read(text: string): { tree: Tree | undefined; problems: readonly string[]; beyond: readonly string[] } {
  const findings = createFindings();
  const tree = readYamlTree(text, findings.in('compose.yaml'));
  const texts = (list: typeof findings.problems) => list.map(({ line, message }) => `${line ?? ''}: ${message}`);
  return { tree, problems: texts(findings.problems), beyond: texts(findings.beyond) };
}

function kindOf(scalar: string): string | undefined {
  const { tree } = read(`- ${scalar}`);
  return tree?.kind === 'list' ? tree.items[0]?.kind : undefined;
}

describe('a scalar', () => {
  it.each([
    'a',
    'linux/amd64',
    '1.2.3',
    '3.20-alpine',
    '10.0.0.1',
    'yes',
    'on',
    '"1"',
    "'true'",
    '"0x10"',
    '1:30',
    '1a',
    '.env',
  ])('%s is a text', (text) => expect(kindOf(text)).toBe('text'));
  it.each(['0', '7', '-3', '65535'])('%s is a number', (text) => expect(kindOf(text)).toBe('number'));
  it.each([
    '1.10',
    '0x10',
    '0o7',
    '010',
    '1_000',
    '1e3',
    '+1',
    '.5',
    '-.inf',
    '.nan',
    '2001-12-14',
    '12345678901234567890',
  ])('%s is rewritten by bake', (text) => expect(kindOf(text)).toBe('other'));
  it.each([
    ['true', 'boolean'],
    ['False', 'boolean'],
    ['~', 'null'],
    ['null', 'null'],
    ['', 'null'],
  ])('%s is %s', (text, kind) => expect(kindOf(text)).toBe(kind));
});

describe('is refused', () => {
  const laughs = Array.from(
    { length: 30 },
    (_, index) => `a${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}*a${index}]`,
  );

  it.each([
    ['a: 1\na: 2', '2: the key "a" stands twice'],
    ['a: *b', '1: the alias "*b" has no anchor before it'],
    ['a: &a [*a]', '1: the alias "*a" leads back to itself'],
    ['a: {<<: 3}', '1: "<<" needs a map, or a list of maps'],
    [`a0: &a0 [x]\n${laughs.join('\n')}`, ': the YAML holds more than 400000 values, its aliases followed'],
    [
      '['.repeat(50_000),
      ': the YAML is too long or nests too deep: 1048576 characters, 400000 parts and 64 levels are allowed',
    ],
    [
      '- '.repeat(50_000),
      ': the YAML is too long or nests too deep: 1048576 characters, 400000 parts and 64 levels are allowed',
    ],
    [
      'a'.repeat(2_000_000),
      ': the YAML is too long or nests too deep: 1048576 characters, 400000 parts and 64 levels are allowed',
    ],
  ])('%.30j', (text, problem) => expect(read(text).problems[0]).toBe(problem));

  it('several documents, since what they come to together only buildx knows', () =>
    expect(read('a: 1\n---\nb: 2').problems).toEqual([': several YAML documents in one file: one is allowed']));

  it('what is no YAML, with its line', () =>
    expect(read('a: b\nc: [').problems[0]).toMatch(/^[23]: this is no YAML: /));
});

it.each([
  ['a: !reset []', '1: the YAML tag "!reset"'],
  ['[a]: b', '1: a key that is no text'],
])('%j is for buildx', (text, what) => expect(read(text).beyond).toEqual([what]));

it('a merged key stands behind the own ones', () => {
  const { tree } = read('x: &x {a: 1, b: 2}\ny: {b: 3, <<: *x, __proto__: 4}');
  const y = tree?.kind === 'map' ? tree.entries[1]?.value : undefined;
  const entries =
    y?.kind === 'map' ? y.entries.map(({ key, value }) => [key, value.kind === 'number' ? value.text : '']) : [];
  expect(entries).toEqual([
    ['b', '3'],
    ['__proto__', '4'],
    ['a', '1'],
  ]);
});
