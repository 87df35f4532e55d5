import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import {
  MAX_MANIFEST_BYTES,
  parseDescriptor,
  parseErrorEntries,
  parseImageConfig,
  parseManifest,
  parseTagList,
} from '../../src/oci/parse.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';

const DIGEST = digestOf('content');
const LAYER = { mediaType: MEDIA_TYPES.ociLayerGzip, digest: DIGEST, size: 7 };
const CONFIG = { mediaType: MEDIA_TYPES.ociConfig, digest: DIGEST, size: 7 };
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config: CONFIG, layers: [LAYER] };
const INDEX = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPES.ociIndex,
  manifests: [{ ...LAYER, mediaType: MEDIA_TYPES.ociManifest }],
};

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

describe('parseManifest', () => {
  test('reads a manifest', () => {
    const subject = { ...LAYER, mediaType: MEDIA_TYPES.ociManifest };
    const document = { ...MANIFEST, artifactType: 'application/x', subject, annotations: { a: 'b' } };
    expect(parseManifest(bytes(document))).toEqual({
      ok: true,
      value: {
        kind: 'manifest',
        mediaType: MEDIA_TYPES.ociManifest,
        artifactType: 'application/x',
        config: { mediaType: MEDIA_TYPES.ociConfig, digest: DIGEST, sizeBytes: 7 },
        layers: [{ mediaType: MEDIA_TYPES.ociLayerGzip, digest: DIGEST, sizeBytes: 7 }],
        subject: { mediaType: MEDIA_TYPES.ociManifest, digest: DIGEST, sizeBytes: 7 },
        annotations: { a: 'b' },
      },
    });
  });

  test('reads an index and normalises its platforms', () => {
    const platforms = [
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
      { os: 'linux', architecture: 'arm' },
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
      { os: 'unknown', architecture: 'unknown' },
      { os: '', architecture: '' },
    ];
    const manifests = platforms.map((platform) => ({ ...LAYER, mediaType: MEDIA_TYPES.ociManifest, platform }));
    const index = parseManifest(bytes({ ...INDEX, manifests }));
    expect(index.ok && index.value.kind === 'index' && index.value.manifests.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
      { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.1' },
      { os: 'unknown', architecture: 'unknown' },
      undefined,
    ]);
  });

  test.each([
    [
      'the type it was served with',
      { ...MANIFEST, mediaType: undefined },
      MEDIA_TYPES.ociManifest,
      MEDIA_TYPES.ociManifest,
    ],
    ['its own type', MANIFEST, undefined, MEDIA_TYPES.ociManifest],
    ['its own type when it came as plain JSON', INDEX, 'application/json', MEDIA_TYPES.ociIndex],
    ['its fields when nothing names it', { schemaVersion: 2, manifests: [] }, undefined, MEDIA_TYPES.ociIndex],
    [
      "Docker's list",
      { ...INDEX, mediaType: MEDIA_TYPES.dockerIndex },
      MEDIA_TYPES.dockerIndex,
      MEDIA_TYPES.dockerIndex,
    ],
    [
      "Docker's schema 2",
      { ...MANIFEST, mediaType: MEDIA_TYPES.dockerManifest },
      undefined,
      MEDIA_TYPES.dockerManifest,
    ],
  ])('knows a document by %s', (_, document, served, mediaType) => {
    expect(parseManifest(bytes(document), served)).toMatchObject({ ok: true, value: { mediaType } });
  });

  test('takes null, as Go writes an empty list, for no members', () => {
    expect(parseManifest(bytes({ ...INDEX, manifests: null }), MEDIA_TYPES.ociIndex)).toMatchObject({
      value: { manifests: [] },
    });
    expect(parseManifest(bytes({ ...MANIFEST, layers: null, annotations: null }))).toMatchObject({
      value: { layers: [], annotations: {} },
    });
  });

  test.each<[string, unknown, RegExp]>([
    ['nothing', '', /empty, not JSON/],
    ['a page for people', '<html>\u001b[31m', /not JSON: it begins with "<html>"/],
    ['truncated JSON', JSON.stringify(MANIFEST).slice(0, 80), /not JSON/],
    ['a list', [], /schemaVersion/],
    ['schema 1', { schemaVersion: 1, name: 'a', fsLayers: [] }, /schemaVersion is not 2/],
    ['an index that is a manifest too', { ...INDEX, layers: [] }, /at once/],
    [
      'a manifest with the fields of an index',
      { ...INDEX, mediaType: MEDIA_TYPES.ociManifest },
      /its fields are not those/,
    ],
    ['an unknown type', { ...MANIFEST, mediaType: 'text/html' }, /"text\/html" is no type/],
    ['no config', { ...MANIFEST, config: undefined }, /config has no valid mediaType/],
    ['no layers', { ...MANIFEST, layers: undefined }, /layers is not a list/],
    [
      'a bad digest',
      { ...MANIFEST, layers: [{ ...LAYER, digest: 'sha256:../..' }] },
      /layers\[0\] has no valid digest: "sha256:/,
    ],
    [
      'an upper-case digest',
      { ...MANIFEST, config: { ...CONFIG, digest: DIGEST.toUpperCase() } },
      /config has no valid digest/,
    ],
    ['a negative size', { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, /no valid size: -1/],
    ['half a byte', { ...MANIFEST, layers: [{ ...LAYER, size: 0.5 }] }, /no valid size: 0.5/],
    ['an unsafe size', { ...MANIFEST, layers: [{ ...LAYER, size: 2 ** 60 }] }, /no valid size/],
    ['a size as text', { ...MANIFEST, layers: [{ ...LAYER, size: '7' }] }, /no valid size: "7"/],
    [
      'a media type with a line feed',
      { ...MANIFEST, layers: [{ ...LAYER, mediaType: 'a/b\n::set-output' }] },
      /no valid mediaType/,
    ],
    ['an artifact type with a line feed', { ...MANIFEST, artifactType: 'a/b\nc' }, /no valid artifactType/],
    [
      'annotations that are no texts',
      { ...MANIFEST, annotations: { a: 1 } },
      /annotations has a value that is no text/,
    ],
    ['a list of annotations', { ...MANIFEST, annotations: ['a'] }, /annotations is not an object/],
    ['half a platform', { ...INDEX, manifests: [{ ...LAYER, platform: { os: 'linux' } }] }, /half a platform/],
    [
      'a platform of two lines',
      { ...INDEX, manifests: [{ ...LAYER, platform: { os: 'a\nb', architecture: 'c' } }] },
      /no valid platform/,
    ],
    ['too many members', { ...INDEX, manifests: Array.from({ length: 10_001 }, () => 0) }, /more than 10000/],
  ])('refuses %s', (_, document, problem) => {
    const parsed = parseManifest(bytes(document));
    expect(parsed).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
    expect(!parsed.ok && /[\u0000-\u001f]/.test(parsed.problem)).toBe(false);
  });

  test('refuses a document whose own type is not the one it was served with', () => {
    expect(parseManifest(bytes(MANIFEST), MEDIA_TYPES.dockerManifest)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('it came as'),
    });
    expect(parseManifest(bytes(INDEX), MEDIA_TYPES.ociManifest).ok).toBe(false);
  });

  test('refuses more than registries must take, and bytes that are no UTF-8', () => {
    expect(parseManifest(Buffer.alloc(MAX_MANIFEST_BYTES + 1, ' ')).ok).toBe(false);
    expect(parseManifest(Buffer.from([0x7b, 0xff, 0x7d])).ok).toBe(false);
  });

  test('never throws, whatever comes', () => {
    const key = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'subject',
      'platform',
      'annotations',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(2, LAYER, [LAYER], MEDIA_TYPES.ociIndex, MEDIA_TYPES.ociManifest),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value), fc.uint8Array(), (document, noise) => {
        parseManifest(JSON.stringify(document));
        parseManifest(noise);
        parseImageConfig(JSON.stringify(document));
        parseDescriptor(document);
        parseTagList(noise);
        parseErrorEntries(noise);
      }),
    );
  });

  test('is not fooled by names of JavaScript objects', () => {
    const document = `{"schemaVersion":2,"__proto__":{"layers":[]},"manifests":[],"annotations":{"__proto__":"x"}}`;
    expect(parseManifest(document)).toMatchObject({ ok: true, value: { kind: 'index' } });
  });
});

describe('parseImageConfig', () => {
  test('reads platform, time, labels, layers and triggers', () => {
    const config = {
      os: 'linux',
      architecture: 'arm64',
      variant: 'v8',
      created: '2026-11-21T08:00:00.123456789Z',
      config: { Labels: { a: 'b' }, Env: ['A=b=c'], WorkingDir: '/srv', OnBuild: ['COPY . /app'] },
      rootfs: { type: 'layers', diff_ids: [DIGEST] },
    };
    expect(parseImageConfig(bytes(config))).toEqual({
      ok: true,
      value: {
        platform: { os: 'linux', architecture: 'arm64' },
        created: config.created,
        labels: { a: 'b' },
        diffIds: [DIGEST],
        env: ['A=b=c'],
        workingDirectory: '/srv',
        onBuild: ['COPY . /app'],
      },
    });
  });

  test.each<[string, object]>([
    ["an artifact's empty config", {}],
    ['a time that is none', { os: 'linux', architecture: 'amd64', created: 'yesterday', rootfs: { diff_ids: [] } }],
    ['layers that are no digests', { os: 'linux', architecture: 'amd64', rootfs: { diff_ids: ['x'] } }],
    [
      'labels that are no texts',
      { os: 'linux', architecture: 'amd64', config: { Labels: { a: {} } }, rootfs: { diff_ids: [] } },
    ],
    [
      'triggers that are no texts',
      { os: 'linux', architecture: 'amd64', config: { OnBuild: [1] }, rootfs: { diff_ids: [] } },
    ],
  ])('refuses %s', (_, config) => {
    expect(parseImageConfig(bytes(config)).ok).toBe(false);
  });

  test('takes a config without labels', () => {
    const config = { os: 'linux', architecture: 'amd64', config: { Labels: null }, rootfs: { diff_ids: null } };
    expect(parseImageConfig(bytes(config))).toMatchObject({
      ok: true,
      value: { labels: {}, diffIds: [], env: [], workingDirectory: '', onBuild: [] },
    });
  });
});

test('parseDescriptor reads one descriptor', () => {
  expect(parseDescriptor({ ...LAYER, annotations: {} })).toEqual({
    ok: true,
    value: { mediaType: LAYER.mediaType, digest: DIGEST, sizeBytes: 7, annotations: {} },
  });
  expect(parseDescriptor('x').ok).toBe(false);
});

test.each<[unknown, object]>([
  [
    { name: 'a', tags: ['1', 'latest'] },
    { ok: true, value: ['1', 'latest'] },
  ],
  [
    { name: 'a', tags: null },
    { ok: true, value: [] },
  ],
  [{ name: 'a' }, { ok: false }],
  [{ tags: {} }, { ok: false }],
  [{ tags: ['ok', '-x'] }, { ok: false, problem: expect.stringContaining('"-x" is not a tag') }],
  [{ tags: ['a\n::error'] }, { ok: false }],
  [{ tags: [1] }, { ok: false }],
  ['<html>', { ok: false }],
])('parseTagList(%j)', (page, expected) => {
  expect(parseTagList(bytes(page))).toMatchObject(expected);
});

test.each<[unknown, unknown]>([
  [{ errors: [{ code: 'DENIED', message: 'no' }] }, [{ code: 'DENIED', message: 'no' }]],
  [{ errors: [{ code: 'DENIED' }, { message: 'no code' }] }, [{ code: 'DENIED', message: '' }]],
  [{ errors: [{ code: 'A\nB', message: 'x' }] }, []],
  [{ errors: 'x' }, []],
  [[], []],
  ['not JSON', []],
])('parseErrorEntries(%j)', (answer, expected) => {
  expect(parseErrorEntries(bytes(answer))).toEqual(expected);
});
