import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  canonicalJson,
  type InputManifest,
  MAX_INPUTS_BYTES,
  type SealedInputs,
} from '../../src/core/input-manifest.ts';
import { parseInputs } from '../../src/core/parse-inputs.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { parseOptions } from '../../src/options.ts';
import type { Run } from '../../src/stage.ts';
import { hashStage } from '../../src/stages/hash.ts';
import { changed } from '../support/changed-value.ts';
import { type Schema, valuesOf, violations } from '../support/json-schema.ts';
import { sampleRun } from '../support/sample-run.ts';
import { writeTree } from '../support/write-tree.ts';

const SCHEMA: Schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../schema/inputs.v1.schema.json'), 'utf8'),
);
const DIGEST = `sha256:${'ab'.repeat(32)}`;
const parse = (value: unknown) => parseInputs(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

/** Every field of every part, each of them with something in it; the types demand that none is left out. */
const FULL: { [field in keyof InputManifest]-?: unknown } = {
  scheme: 3,
  form: 'inputs',
  scope: 'manifests',
  uses: [
    {
      op: 'copy',
      context: 'assets',
      source: '/',
      entries: [
        ['a', `${'0'.repeat(64)}-`],
        ['b', '@a'],
      ],
    } satisfies { [field in keyof InputManifest['uses'][number]]-?: unknown },
  ],
  targets: [
    { platform: 'linux/amd64', instructions: ['FROM node:22'], uses: [0] } satisfies {
      [field in keyof InputManifest['targets'][number]]-?: unknown;
    },
  ],
  dockerfile: { raw: 'ab' },
  context: [
    ['d', '/'],
    ['s', '?'],
    ['.git', `#${'a'.repeat(40)}`],
  ],
  namedContexts: { assets: { entries: [['x', `${'1'.repeat(64)}x`]] }, base: { source: 'docker-image://node' } },
  images: { 'node:22': DIGEST, 'node:24': 'tag' },
  buildArgs: { A: '1' },
  options: { target: 'prod', platforms: ['linux/amd64'] },
  files: [['f', '@\n']],
  salt: 's',
  unique: 'u',
};

describe('an input manifest', () => {
  it('is read with everything in it, and the schema knows every field', () => {
    expect(parse(FULL)).toEqual({ ok: true, value: FULL });
    expect(violations(SCHEMA, FULL)).toEqual([]);
    const fields = Object.keys(FULL).sort();
    expect(Object.keys(JSON.parse(JSON.stringify(SCHEMA['properties']))).sort()).toEqual(fields);
    expect(new Set(JSON.parse(JSON.stringify(SCHEMA['required'])))).toEqual(new Set(fields));
  });

  it.each<[string, unknown, string]>([
    ['of another scheme', { ...FULL, scheme: 2 }, 'its scheme is 2; this release of build-once knows scheme 3'],
    ['without a scheme', {}, 'its scheme is none; this release of build-once knows scheme 3'],
    ['with a field that is not known', { ...FULL, evil: 1 }, 'it has "evil", which is not known'],
    ['that is a list', [], 'its scheme is none; this release of build-once knows scheme 3'],
    ['that is no JSON', '{', 'it is not JSON'],
    ['that nests deep', '['.repeat(9), 'it nests too deep, or holds too many lists and objects'],
    [
      'that nests deep behind quotes in a text',
      `{"a\\"":${'['.repeat(8)}`,
      'it nests too deep, or holds too many lists and objects',
    ],
    ['with brackets in a text only', `"${'['.repeat(9)}\\"${'{'.repeat(9)}`, 'it is not JSON'],
    [
      'with more objects than fit into memory',
      `[${'{},'.repeat(2_000_000)}{}]`,
      'it nests too deep, or holds too many lists and objects',
    ],
    ['that begins with a byte order mark', `\ufeff${JSON.stringify(FULL)}`, 'it is not JSON'],
    ['of a form that is not known', { ...FULL, form: 'x' }, 'form is none of inputs, context'],
    ['whose uses are no list', { ...FULL, uses: {} }, 'uses is no list'],
    [
      'with a use of a kind that is not known',
      { ...FULL, uses: [{ op: 'x', source: '/', entries: [] }] },
      'uses[0].op is none of copy, add, bind, from',
    ],
    ['whose target reads what is not there', { ...FULL, uses: [] }, 'targets[0].uses[0] is no position in uses'],
    ['with a digest that is none', { ...FULL, images: { 'a\n': 'x' } }, 'images["a"] is no digest'],
    ['with a file that is no pair', { ...FULL, files: [['a']] }, 'files[0] is no pair of a path and its content'],
    [
      'with a content that is none',
      { ...FULL, files: [['a', '\u001b[31m']] },
      'files[0] has a content that is none: "\ufffd"',
    ],
    ['with a build arg that is no text', { ...FULL, buildArgs: { A: 1 } }, 'buildArgs["A"] is no text'],
    ['with a named context that is both', { ...FULL, namedContexts: { a: { source: '', entries: [] } } }, 'not known'],
  ])('%s is refused, with the reason', (_, value, problem) => {
    expect(parse(value)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it.each([-1, 0.5, 1, '0', null])('whose target reads its use %j is refused', (position) => {
    const targets = [{ platform: 'linux/amd64', instructions: [], uses: [0, position] }];
    expect(parse({ ...FULL, targets })).toEqual({ ok: false, problem: 'targets[0].uses[1] is no position in uses' });
  });

  it.each(['0'.repeat(64), `${'0'.repeat(63)}-`, `${'A'.repeat(64)}x`, ` ${'0'.repeat(64)}x`, '/x', '??', '#', ''])(
    'with the content %j of a file is refused, and so does the schema',
    (leaf) => {
      const value = { ...FULL, files: [['a', leaf]] };
      expect(parse(value)).toMatchObject({ ok: false });
      expect(violations(SCHEMA, value)).not.toEqual([]);
    },
  );

  it('keeps a name that objects have of their own', () => {
    const text = JSON.stringify(FULL).replace('"A"', '"__proto__"');
    const read = parse(text);
    expect(read.ok && JSON.stringify(read.value)).toBe(text);
  });

  it('that is no UTF-8 is refused', () => {
    expect(parseInputs(Buffer.of(0x22, 0xff, 0x22))).toEqual({ ok: false, problem: 'it is not JSON' });
  });

  it('that is too large is not even looked into', () => {
    const problem = `larger than ${MAX_INPUTS_BYTES} bytes`;
    expect(parseInputs(new Uint8Array(MAX_INPUTS_BYTES + 1))).toEqual({ ok: false, problem });
  });

  it('nested as deep as it may be is refused like any other', () => {
    expect(parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)).toMatchObject({ ok: false });
  });

  it('is what the documentation shows', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/input-manifest.md'), 'utf8');
    const [, example = ''] = /^```json\n([^]*?)^```$/m.exec(page) ?? [];
    expect(violations(SCHEMA, JSON.parse(example))).toEqual([]);
    expect(parse(example)).toMatchObject({ ok: true });
    for (const field of Object.keys(FULL)) expect(page).toContain(`\`${field}\``);
  });

  it('is read to the letter when the schema allows it', () => {
    fc.assert(
      fc.property(valuesOf(SCHEMA), (value) => {
        fc.pre(hasItsUses(value));
        const read = parse(value);
        expect(read.ok ? canonicalJson(read.value) : read.problem).toBe(canonicalJson(again(value)));
      }),
    );
  });

  it('is refused when the schema refuses it', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), fc.jsonValue(), (picks, other) => {
        const value = changed(FULL, (count) => (picks.next().value ?? 0) % count, other);
        fc.pre(hasItsUses(value));
        expect(parse(value).ok).toBe(violations(SCHEMA, value).length === 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the input manifest of a run', () => {
  let context: string;
  beforeAll(() => {
    context = mkdtempSync(join(tmpdir(), 'build-once-inputs-'));
    const files = {
      'plain/Dockerfile': `FROM --platform=$BUILDPLATFORM x@${DIGEST} AS a\nARG V=1\nADD src/ /\nRUN --mount=target=/c x\nFROM scratch\nCOPY --from=a /o /\n`,
      'plain/src/a': '1',
      'plain/empty/.keep': '',
      'named/Dockerfile': 'FROM scratch\nCOPY --from=assets . /\nCOPY --from=other . /o/\n',
      'foreign/Dockerfile': `# syntax=foreign/frontend@${DIGEST}\nANYTHING\n`,
      'assets/logo': '1',
    };
    writeTree(context, files);
    symlinkSync('a', join(context, 'plain/src/link'));
  });
  afterAll(() => rmSync(context, { recursive: true }));

  const inputsOf = async (
    options: Readonly<Record<string, string>>,
    more: Partial<Run> = {},
  ): Promise<SealedInputs> => {
    const host = createTerminalHost({ env: {}, cwd: context, write: () => {} });
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const run = sampleRun({
      host,
      platforms,
      options: parseOptions({ images: 'r.example/a', ...options }).options,
      ...more,
    });
    const plan = hashStage.plan(run);
    if ('skip' in plan) throw new Error(plan.skip);
    return hashStage.apply(plan, run);
  };
  const named = 'assets=./assets\nother=docker-image://x.example/y@' + DIGEST;
  const main = { pinned: '', remote: '', commit: 'a'.repeat(40), file: 'Dockerfile', keepsGitDirectory: true };

  it.each<[string, 'inputs' | 'context', Readonly<Record<string, string>>, Partial<Run>?]>([
    ['with files, links, args and options', 'inputs', { context: './plain', 'build-args': 'V=2', labels: 'a=b' }],
    ['with hash-files and a salt', 'inputs', { context: './plain', 'hash-files': 'plain', 'hash-salt': 'x' }],
    ['with named contexts', 'inputs', { context: './named', 'build-contexts': named }],
    ['with what cannot be pinned', 'inputs', { context: './plain', 'build-contexts': 'u=https://x.example/x.tar' }],
    ['over the whole context', 'context', { context: './foreign', 'build-contexts': named }],
    ['of a foreign frontend', 'context', { context: './foreign' }],
    ['of a git context', 'context', { context: './plain' }, { git: { main, secrets: [] } }],
  ])('%s is what the schema says, and is read to the letter', async (_, form, options, more) => {
    const { manifest, text: write } = await inputsOf(options, more);
    const text = write();
    expect(manifest.form).toBe(form);
    expect(violations(SCHEMA, JSON.parse(text))).toEqual([]);
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });
});

/** What no schema can say. */
function hasItsUses(value: unknown): boolean {
  const read = parse(value);
  return read.ok || !read.problem.endsWith('is no position in uses');
}

function again(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
