import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readFiles } from '../../src/bake/read-files.ts';
import { createFindings } from '../../src/core/bake/findings.ts';
import { resolveTargets } from '../../src/core/bake/resolve.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'bake-files-'));
const host = createTerminalHost({ cwd, env: {}, write: () => {} });
afterAll(async () => {
  await host.finish();
  fs.rmSync(cwd, { recursive: true });
});

const BAKE =
  '{"variable":{"A":{"default":"${B}"},"B":{}},"group":{"default":{"targets":["a"]}},"target":{"a":{"inherits":["b"],"args":{"x":"${A}"},"tags":["t"],"secret":[{"id":"x"}],"contexts":{"c":"target:b"}},"b":{"ssh":["default"]}}}';
const COMPOSE =
  'x: &x {args: {a: "${A:-b}"}}\nservices:\n  a:\n    image: "i:$T"\n    build:\n      <<: *x\n      tags: [t]\n      ulimits: {nproc: {soft: 1, hard: 2}}\n      secrets: [s]\n  b: {build: .}\nsecrets: {s: {file: f}}\n';
const PIECES = [
  '',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\n',
  '  ',
  '*x',
  '&x ',
  '<<',
  '${',
  '$',
  '%{',
  'null',
  '1',
  '0x1',
  '!a ',
  '---\n',
  '__proto__',
  '\u0000',
  '\u001b[31m',
  '\ud800',
  'default',
  '- ',
];

describe.each([
  ['a.json', BAKE],
  ['a.yaml', COMPOSE],
])('whatever stands in %s', (file, text) => {
  it('is read, or is told; it never ends in an error of ours', () => {
    const change = fc.record({ at: fc.nat(text.length), cut: fc.nat(6), piece: fc.constantFrom(...PIECES) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = changes.reduce(
          (before, { at, cut, piece }) => before.slice(0, at) + piece + before.slice(at + cut),
          text,
        );
        fs.writeFileSync(path.join(cwd, file), changed);
        const findings = createFindings();
        const { targets } = resolveTargets(readFiles(host, [file], findings), ['*']);
        expect(targets.every(({ name }) => typeof name === 'string')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

it('a compose file has one Dockerfile for a service', () => {
  fs.writeFileSync(
    path.join(cwd, 'b.yaml'),
    'services:\n  a:\n    build: {dockerfile: D, dockerfile_inline: FROM a}\n',
  );
  const findings = createFindings();
  readFiles(host, ['b.yaml'], findings);
  expect(findings.problems).toEqual([
    { file: 'b.yaml', line: 3, message: 'service "a": dockerfile and dockerfile_inline cannot be together' },
  ]);
});
