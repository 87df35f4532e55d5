import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { catalogOf } from '../../src/retention/docker-hub-catalog.ts';
import { type DockerHubTag, parseDockerHubPage } from '../../src/retention/docker-hub-tags.ts';

const [INDEX, AMD64, ARM64] = ['index', 'amd64', 'arm64'].map((name) => digestOf(name));

function tagOf(fields: Readonly<Record<string, unknown>>): DockerHubTag {
  const page = parseDockerHubPage({ count: 1, results: [{ name: '1.0.0', ...fields }] });
  const tag = page.ok ? page.value.tags[0] : undefined;
  if (tag === undefined) throw new Error('no tag');
  return tag;
}

describe('a page of Docker Hub’s tags', () => {
  test.each([
    ['nothing', undefined],
    ['no list', { count: 1, results: {} }],
    ['no count', { results: [] }],
    ['a name that is no tag', { count: 1, results: [{ name: 'a b\u001B[2J' }] }],
    ['no name', { count: 1, results: [{}] }],
    ['a very long name', { count: 1, results: [{ name: 'x'.repeat(1_000_000) }] }],
  ])('is none with %s', (_, json) => {
    const page = parseDockerHubPage(json);
    expect(page.ok).toBe(false);
    if (!page.ok) expect(page.problem).toMatch(/^[\x20-\x7e…]{1,300}$/);
  });

  test('says what it says, and leaves the rest open', () => {
    expect(tagOf({ digest: 7, images: [null, { digest: 'sha256:zz' }, { digest: AMD64 }] })).toEqual({
      name: '1.0.0',
      digest: undefined,
      isIndex: true,
      pushedAtMs: undefined,
      updatedAtMs: undefined,
      pulledAtMs: undefined,
      images: [{ digest: AMD64, sizeBytes: 0, pushedAtMs: undefined, pulledAtMs: undefined }],
    });
    expect(tagOf({ last_updated: '2026-01-01T00:00:00.123456Z' })).toMatchObject({
      pushedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 123),
      updatedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 123),
    });
    expect(tagOf({ tag_last_pulled: '0001-01-01T00:00:00Z' })).toMatchObject({ pulledAtMs: undefined });
  });

  test.each([
    [{ digest: INDEX, media_type: MEDIA_TYPES.ociIndex, images: [] }, true],
    [{ digest: INDEX, media_type: MEDIA_TYPES.dockerIndex, images: [] }, true],
    [{ digest: AMD64, media_type: MEDIA_TYPES.ociManifest, images: [{ digest: AMD64 }] }, false],
    [{ digest: AMD64, images: [{ digest: AMD64 }] }, false],
    [{ digest: INDEX, images: [{ digest: AMD64 }, { digest: ARM64 }] }, true],
  ])('tells an index from a manifest: %j', (fields, isIndex) => {
    expect(tagOf(fields).isIndex).toBe(isIndex);
  });
});

describe('several tags of one image', () => {
  const on = (name: string, pushed: string, pulled: string | null) => ({
    ...tagOf({
      name,
      media_type: MEDIA_TYPES.ociIndex,
      tag_last_pushed: pushed,
      last_updated: pushed,
      tag_last_pulled: pulled,
      images: [{ digest: AMD64, size: 10, last_pulled: pulled }],
    }),
    digest: digestOf('index'),
  });
  const [january, march, june] = [0, 2, 5].map((month) => Date.UTC(2026, month));
  const tags = [
    on('1.0', '2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z'),
    on('latest', '2026-03-01T00:00:00Z', null),
    on('1', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'),
  ];

  test('are one entry, as young and as much in use as the youngest', () => {
    const { entries } = catalogOf(tags, new Map());
    expect(entries).toEqual([
      {
        id: INDEX,
        digest: INDEX,
        tags: ['1', '1.0', 'latest'],
        pushedAtMs: march,
        updatedAtMs: march,
        usedAtMs: june,
        sizeBytes: 10,
      },
      {
        id: AMD64,
        digest: AMD64,
        tags: [],
        pushedAtMs: march,
        updatedAtMs: march,
        usedAtMs: june,
        sizeBytes: undefined,
      },
    ]);
    expect(january).toBeLessThan(march ?? 0);
  });
});
