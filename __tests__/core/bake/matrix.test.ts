import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MissingImage, matrixOf } from '../../../src/core/bake/matrix.ts';
import { parseList } from '../../../src/core/lists.ts';

const image = (name: string, ...needs: readonly string[]): MissingImage => ({
  name,
  hash: `${name}-hash`,
  reason: 'not-found',
  needs,
});
const FILES = { files: 'docker-bake.json', images: 'ghcr.io/acme/{{name}}' };

describe('the matrix of what is missing', () => {
  it('has an entry for each image, which names it and what the plan has seen of it', () => {
    expect(matrixOf([image('api'), image('web')], FILES, 256).entries).toEqual([
      { ...FILES, name: 'api', targets: 'api', hash: 'api-hash', reason: 'not-found' },
      { ...FILES, name: 'web', targets: 'web', hash: 'web-hash', reason: 'not-found' },
    ]);
  });

  it('is empty when nothing is missing', () => {
    expect(matrixOf([], FILES, 256)).toEqual({ entries: [], waves: [] });
  });

  it('has several images in an entry where there are more than jobs', () => {
    const images = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => image(name));
    const { entries } = matrixOf(images, FILES, 2);
    expect(entries.map(({ name }) => name)).toEqual(['a, b, c', 'd, e, f, g']);
    expect(entries.map(({ targets }) => targets)).toEqual(['a\nb\nc', 'd\ne\nf\ng']);
    expect(entries[0]?.hash).toBe('a-hash\nb-hash\nc-hash');
  });

  it('names the first images of an entry and counts the others', () => {
    const images = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => image(name));
    expect(matrixOf(images, FILES, 1).entries[0]?.name).toBe('a, b, c, d, 2 more');
  });

  it('has waves, each of which needs nothing but those before it', () => {
    const images = [image('base'), image('tools', 'base'), image('lone'), image('app', 'base', 'tools')];
    const { entries, waves } = matrixOf(images, FILES, 256);
    expect(waves.map((wave) => wave.map(({ name }) => name))).toEqual([['base', 'lone'], ['tools'], ['app']]);
    expect(entries.map(({ name }) => name)).toEqual(['base', 'tools', 'lone', 'app']);
  });

  it('keeps to the number of jobs, holds every image once and in order, and shares them out evenly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 256 }), (count, maxJobs) => {
        const images = Array.from({ length: count }, (_, position) => image(`i${position}`));
        const { entries } = matrixOf(images, {}, maxJobs);
        expect(entries.length).toBe(Math.min(count, maxJobs));
        expect(entries.flatMap(({ targets }) => targets.split('\n'))).toEqual(images.map(({ name }) => name));
        const sizes = entries.map(({ targets }) => targets.split('\n').length);
        expect(Math.max(0, ...sizes) - Math.min(...sizes, Math.max(0, ...sizes))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('writes names so that the list of targets reads them', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^\n\r\0]+$/), { minLength: 1, maxLength: 5 }), (names) => {
        const [entry] = matrixOf(
          names.map((name) => image(name)),
          {},
          1,
        ).entries;
        expect(parseList(entry?.targets ?? '', { commas: true })).toEqual({ ok: true, value: names });
      }),
    );
  });
});

it('has fewer jobs where a list would be longer than GitHub takes', () => {
  const missing = Array.from({ length: 256 }, (_, index) => ({
    name: `image-${index}`,
    hash: 'f'.repeat(64),
    reason: 'not-found',
    needs: [],
  }));
  const { entries, waves } = matrixOf(missing, { files: 'services/some/where/Dockerfile\n'.repeat(200) }, 256);
  expect(entries).toHaveLength(32);
  expect(JSON.stringify(entries).length).toBeLessThan(250_000);
  expect(JSON.stringify(waves).length).toBeLessThan(250_000);
  expect(entries.flatMap(({ targets }) => targets.split('\n'))).toEqual(missing.map(({ name }) => name));
});
