import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import {
  canonicalJson,
  canonicalPieces,
  hashTag,
  type InputManifest,
  sealInputs,
} from '../../src/core/input-manifest.ts';
import { isTag } from '../../src/core/reference.ts';

const contentHash = (inputs: InputManifest): string => sealInputs(inputs).hash;

const manifest: InputManifest = {
  scheme: 3,
  form: 'inputs',
  scope: 'inputs',
  uses: [
    {
      op: 'copy',
      source: '/',
      entries: [
        ['a', '00-'],
        ['b', '@a'],
      ],
    },
  ],
  targets: [{ platform: 'linux/amd64', instructions: ['FROM node:22', 'COPY . .'], uses: [0] }],
  dockerfile: ['FROM node:22', 'COPY . .'],
  context: [
    ['a', '00-'],
    ['b', '@a'],
  ],
  namedContexts: { assets: { entries: [['x', '11x']] }, base: { source: 'docker-image://node' } },
  images: { 'node:22': digestOf('node') },
  buildArgs: { A: '1' },
  options: { target: 'prod', platforms: ['linux/amd64'] },
  files: [],
  salt: '',
  unique: '',
};

describe('the content hash', () => {
  it('is this one for this manifest, as an independent program computes it, in every release of scheme 3', () => {
    expect(contentHash(manifest)).toBe('e7d48cd5421d20f116530ca26acd41e053f9ca8c0213de6157359817092de6b8');
  });

  it.each<[string, Partial<InputManifest>]>([
    ['an instruction', { dockerfile: ['FROM node:22', 'COPY . /'] }],
    ['the order of instructions', { dockerfile: ['COPY . .', 'FROM node:22'] }],
    ['two instructions run together', { dockerfile: ['FROM node:22,COPY . .'] }],
    ['what the target reads', { uses: [] }],
    ['a target', { targets: [] }],
    ['the scope', { scope: 'manifests' }],
    ['the form', { form: 'context' }],
    ['a raw Dockerfile', { dockerfile: { raw: 'FROM node:22' } }],
    ['a file', { context: [['a', '01-']] }],
    [
      'an exec bit',
      {
        context: [
          ['a', '00x'],
          ['b', '@a'],
        ],
      },
    ],
    [
      'a link',
      {
        context: [
          ['a', '00-'],
          ['b', '@c'],
        ],
      },
    ],
    [
      'a name',
      {
        context: [
          ['A', '00-'],
          ['b', '@a'],
        ],
      },
    ],
    ['a named context', { namedContexts: {} }],
    ['a base image', { images: { 'node:22': digestOf('other') } }],
    ['a build arg', { buildArgs: { A: '2' } }],
    ['an option', { options: { target: 'dev', platforms: ['linux/amd64'] } }],
    ['one option for a list of one', { options: { target: ['prod'], platforms: ['linux/amd64'] } }],
    ['hash-files', { files: [['a', '00-']] }],
    ['the salt', { salt: 'x' }],
    ['what cannot be pinned', { unique: 'x' }],
  ])('changes with %s', (_, change) => {
    expect(contentHash({ ...manifest, ...change })).not.toBe(contentHash(manifest));
  });

  it('does not change with the order in which things were found', () => {
    const { images, options, ...rest } = manifest;
    const reordered = { images: { z: digestOf('z'), ...images }, options, ...rest };
    const ordered = { ...manifest, images: { ...images, z: digestOf('z') } };
    expect(contentHash(reordered)).toBe(contentHash(ordered));
  });

  it('95 is another one in another scheme', () => {
    const older = canonicalJson(manifest).replace('"scheme":3', '"scheme":2');
    expect(createHash('sha256').update(canonicalJson(manifest)).digest('hex')).toBe(contentHash(manifest));
    expect(createHash('sha256').update(older).digest('hex')).not.toBe(contentHash(manifest));
  });

  it('has a tag of 128 bits', () => {
    expect(hashTag('0123456789abcdef'.repeat(4))).toBe('hash-0123456789abcdef0123456789abcdef');
    expect(isTag(hashTag(contentHash(manifest)))).toBe(true);
  });
});

describe('canonical JSON', () => {
  it.each([
    [{ b: 1, a: [{ d: 1, c: undefined }] }, '{"a":[{"d":1}],"b":1}'],
    [{ '\u{1f600}': 1, '\uff01': 2 }, '{"\uff01":2,"\u{1f600}":1}'],
    [['\ud800', '\u0000', '"', '\\'], '["\\ud800","\\u0000","\\"","\\\\"]'],
    [{}, '{}'],
    [[], '[]'],
    [null, 'null'],
  ])('of %j is %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('is the same in pieces of any size', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(5), (value, depth) => {
        expect([...canonicalPieces(value, depth)].join('')).toBe(canonicalJson(value));
      }),
    );
    expect([...canonicalPieces({ b: undefined, a: [{ d: 1, c: 2 }] }, 2)]).toEqual([
      '{',
      '"a":',
      '[',
      '',
      '{"c":2,"d":1}',
      ']',
      '}',
    ]);
  });

  it('says the same as the value, and nothing else says it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(JSON.parse(canonicalJson(a))).toEqual(again(a));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(isDeepStrictEqual(again(a), again(b)));
      }),
    );
  });
});

function again(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('a large manifest', () => {
  it.each([0, 1, 499, 500, 501, 1_000, 1_001, 30_000])('of %i files is hashed as its text', (count) => {
    const name = (at: number) => `src/${at % 7 === 0 ? '\udc80"' : '\u{1f600}'}/file-${at}`;
    const entries = Array.from({ length: count }, (_, at) => [name(at), `${'0'.repeat(64)}-`] as const);
    const uses = [...manifest.uses, { op: 'copy', source: '/src', entries } as const];
    const large = { ...manifest, uses, context: entries, namedContexts: { assets: { entries } }, files: entries };
    const { hash, text } = sealInputs(large);
    expect(hash).toBe(createHash('sha256').update(text()).digest('hex'));
    expect(isDeepStrictEqual(JSON.parse(text()), large)).toBe(true);
  });
});
