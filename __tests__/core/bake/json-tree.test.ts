import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFindings } from '../../../src/core/bake/findings.ts';
import { readJsonTree } from '../../../src/core/bake/json-tree.ts';
import type { Tree } from '../../../src/core/bake/tree.ts';

function read(text: string): { tree: Tree | undefined; problems: readonly string[] } {
  const findings = createFindings();
  const tree = readJsonTree(text, findings.in('a.json'));
  return { tree, problems: findings.problems.map(({ line, message }) => `${line ?? ''}: ${message}`) };
}

/** What `JSON.parse` would make of it, numbers as they are written. */
function plain(tree: Tree): unknown {
  if (tree.kind === 'list') return tree.items.map(plain);
  if (tree.kind === 'map') return new Map(tree.entries.map(({ key, value }) => [key, plain(value)]));
  return tree.text;
}

function expected(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(expected);
  if (typeof json === 'object' && json !== null)
    return new Map(Object.entries(json).map(([key, value]) => [key, expected(value)]));
  return typeof json === 'string' ? json : JSON.stringify(json);
}

it('reads all JSON', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
      const json: unknown = JSON.parse(text);
      const { tree } = read(JSON.stringify(json, undefined, indent));
      expect(tree && plain(tree)).toEqual(expected(json));
    }),
    { numRuns: 500 },
  );
});

it('keeps the lines, the keys that stand twice and __proto__', () => {
  const { tree } = read('\ufeff{\n "a": 1,\r\n "a": [\n2], "__proto__": {}}');
  expect(tree).toEqual({
    kind: 'map',
    line: 1,
    entries: [
      { key: 'a', line: 2, value: { kind: 'number', text: '1', line: 2 } },
      { key: 'a', line: 3, value: { kind: 'list', line: 3, items: [{ kind: 'number', text: '2', line: 4 }] } },
      { key: '__proto__', line: 4, value: { kind: 'map', line: 4, entries: [] } },
    ],
  });
});

it.each(['1.0', '1e3', '9007199254740993', '-0'])('leaves %s to those who know how it is written', (text) => {
  expect(read(text).tree?.kind).toBe('other');
});

describe('names the line of', () => {
  it.each([
    ['{\n"a" 1}', '2: this is no JSON: a colon must follow the key "a"'],
    ['{\n\n"a": 1 "b"', '3: this is no JSON: a comma or "}" is missing'],
    ['[1,]', '1: this is no JSON: a value cannot begin with "]"'],
    ['{a: 1}', '1: this is no JSON: a key must stand in double quotes'],
    ['"a\nb"', '1: this is no JSON: a text is not closed on its line, or holds a bad escape'],
    ['{} {}', '1: this is no JSON: something follows the end of the document'],
    ['', '1: this is no JSON: it ends too early'],
    ["'\u001b[31m'", '1: this is no JSON: a value cannot begin with "\'"'],
    ['['.repeat(100_000), '1: this is no JSON: it nests deeper than 64 levels'],
    [`[${'1,'.repeat(500_000)}1]`, '1: this is no JSON: it holds more than 400000 values'],
  ])('%.20j', (text, problem) => expect(read(text).problems).toEqual([problem]));
});
