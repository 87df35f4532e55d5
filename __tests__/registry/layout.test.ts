import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, parseDigest } from '../../src/core/digest.ts';
import { openLayout } from '../../src/registry/layout.ts';
import { describeRepositoryContract } from './contract.ts';
import {
  all,
  inPieces,
  onPlatform,
  pieceOf,
  pushImage,
  randomLayer,
  sampleImage,
  sampleIndex,
} from './sample-image.ts';

describeRepositoryContract('a layout folder', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'layout-'));
  return {
    repository: openLayout(path.join(directory, 'made/by/the/first/push')),
    close: () => rm(directory, { recursive: true }),
  };
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'layout-'));
});
afterEach(() => rm(directory, { recursive: true }));

const readJson = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(path.join(directory, name), 'utf8'));
const fileOf = (digest: string): string => path.join(directory, 'blobs', ...digest.split(':'));

/** A folder as another program leaves it: content, and an `index.json` of its own words. */
async function writeLayout(
  manifests: readonly object[],
  pieces: readonly { descriptor: { digest: string }; bytes: Uint8Array }[],
): Promise<void> {
  const layout = openLayout(directory);
  for (const piece of pieces) {
    const digest = parseDigest(piece.descriptor.digest) ?? digestOf('');
    const descriptor = { mediaType: 'application/octet-stream', digest, sizeBytes: piece.bytes.length };
    await layout.push(descriptor, piece.bytes);
  }
  await writeFile(path.join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0","more":1}');
  await writeFile(
    path.join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests, annotations: { kept: 'yes' } }),
  );
}

describe('what it writes', () => {
  it('is a layout: version file, index.json and blobs by digest, with no leftovers', async () => {
    const layout = openLayout(directory);
    const image = sampleImage();
    await layout.tag(await pushImage(layout, image), '1.2.3');
    expect((await readdir(directory)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(await readJson('oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' });
    const { mediaType, digest, sizeBytes: size } = image.manifest.descriptor;
    expect(await readJson('index.json')).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ mediaType, digest, size, annotations: { 'org.opencontainers.image.ref.name': '1.2.3' } }],
    });
    for (const piece of [...image.blobs, image.manifest]) {
      expect(await readFile(fileOf(piece.descriptor.digest))).toEqual(piece.bytes);
    }
  });

  it('lists manifests until an index that names them comes', async () => {
    const layout = openLayout(directory);
    const [one, two] = [await pushImage(layout, sampleImage()), await pushImage(layout, sampleImage())];
    expect(await layout.roots()).toEqual([one, two]);
    await layout.tag(two, 'two');
    const index = sampleIndex([one, two]);
    await layout.push(index.descriptor, index.bytes);
    expect(await layout.roots()).toEqual([two, index.descriptor]);
  });

  it('keeps content of sha512 beside that of sha256', async () => {
    const layout = openLayout(directory);
    const sha512 = digestOf('', parseDigest(`sha512:${'0'.repeat(128)}`));
    const layer = pieceOf('content', undefined, sha512);
    await layout.push(layer.descriptor, () => inPieces(layer.bytes, 2));
    expect(await readFile(fileOf(layer.descriptor.digest), 'utf8')).toBe('content');
    expect(Buffer.from((await (await layout.fetch(layer.descriptor))?.bytes()) ?? []).toString()).toBe('content');
  });

  it('writes every tag when they are set at once', async () => {
    const layout = openLayout(directory);
    const image = await pushImage(layout, sampleImage());
    const tags = Array.from({ length: 20 }, (_, number) => `t${number}`);
    await Promise.all(tags.map((tag) => layout.tag(image, tag)));
    expect((await all(openLayout(directory).tags())).toSorted()).toEqual(tags.toSorted());
  });

  it('takes a tag away and keeps the manifest', async () => {
    const layout = openLayout(directory);
    const image = await pushImage(layout, sampleImage());
    await layout.tag(image, 'one');
    expect(await layout.deleteTag('one')).toBe(true);
    expect(await layout.deleteTag('one')).toBe(false);
    expect(await layout.roots()).toEqual([image]);
    expect(await layout.resolve({ digest: image.digest })).toEqual(image);
  });

  it('takes a configuration for what it is: no manifest', async () => {
    const layout = openLayout(directory);
    const config = pieceOf('{"os":"linux","architecture":"amd64"}');
    await layout.push(config.descriptor, config.bytes);
    expect(await layout.resolve({ digest: config.descriptor.digest })).toBeUndefined();
    expect(await layout.delete(config.descriptor.digest)).toBe(false);
  });

  it('refuses a manifest that is none, and lists nothing', async () => {
    const layout = openLayout(directory);
    const nonsense = pieceOf('{"schemaVersion":2}', 'application/vnd.oci.image.manifest.v1+json');
    await expect(layout.push(nonsense.descriptor, nonsense.bytes)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    expect(await layout.roots()).toEqual([]);
  });
});

describe('what others write', () => {
  it('has one root when a build left one index, whatever its entry is called', async () => {
    const image = sampleImage();
    const index = sampleIndex([onPlatform(image.manifest.descriptor, { os: 'linux', architecture: 'arm64' })]);
    const { mediaType, digest, sizeBytes: size } = index.descriptor;
    const annotations = {
      'org.opencontainers.image.ref.name': 'latest',
      'io.containerd.image.name': '127.0.0.1:1/a/b:latest',
    };
    await writeLayout([{ mediaType, digest, size, annotations }], [...image.blobs, image.manifest, index]);
    const layout = openLayout(directory);
    expect(await layout.roots()).toEqual([index.descriptor]);
    expect(await layout.resolve({ tag: 'latest' })).toEqual(index.descriptor);
    expect(await layout.resolve({ digest: image.manifest.descriptor.digest })).toEqual(image.manifest.descriptor);
  });

  it('keeps entries and fields that it does not understand', async () => {
    const stranger = { mediaType: 'application/xml', digest: 'md5:abc', size: 1, annotations: { a: 'b' } };
    await writeLayout([stranger], []);
    const layout = openLayout(directory);
    await layout.tag(await pushImage(layout, sampleImage()), 'mine');
    expect(await readJson('index.json')).toMatchObject({ manifests: [stranger, {}], annotations: { kept: 'yes' } });
  });

  it('passes over names that are no tags, and names a tag once', async () => {
    const image = sampleImage();
    const { mediaType, digest, sizeBytes: size } = image.manifest.descriptor;
    const named = (name: string): object => ({
      mediaType,
      digest,
      size,
      annotations: { 'org.opencontainers.image.ref.name': name },
    });
    await writeLayout([named('example.com/app:1'), named('ok'), named('ok')], [...image.blobs, image.manifest]);
    expect(await all(openLayout(directory).tags())).toEqual(['ok']);
    expect(await openLayout(directory).roots()).toHaveLength(1);
  });

  it.each([
    ['no version file', undefined, 'has no oci-layout file'],
    ['another version', '{"imageLayoutVersion":"2.0.0\\u001b[31m"}', 'has the version "2.0.0"'],
    ['a version file that is no JSON', '<html>', 'has no oci-layout file'],
  ])('refuses a folder with %s', async (_what, version, message) => {
    await writeLayout([], []);
    if (version === undefined) await rm(path.join(directory, 'oci-layout'));
    else await writeFile(path.join(directory, 'oci-layout'), version);
    const error = await openLayout(directory)
      .roots()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'LAYOUT_INVALID', message: expect.stringContaining(message) });
    expect(String(error)).not.toContain('\u001b');
  });

  it.each(['', '[]', '{"manifests":{}}', '<html>'])('refuses the index.json %j', async (text) => {
    await writeLayout([], []);
    await writeFile(path.join(directory, 'index.json'), text);
    await expect(openLayout(directory).resolve({ tag: 'a' })).rejects.toMatchObject({ code: 'LAYOUT_INVALID' });
  });
});

describe('damage', () => {
  it.each([
    ['changed', 'DIGEST_INVALID', async (file: string) => writeFile(file, Buffer.alloc(1000))],
    ['cut', 'SIZE_INVALID', async (file: string) => truncate(file, 999)],
    ['grown', 'SIZE_INVALID', async (file: string) => writeFile(file, Buffer.alloc(1001))],
  ])('is found when content was %s', async (_what, code, damage) => {
    const layout = openLayout(directory);
    const layer = randomLayer(1000);
    await layout.push(layer.descriptor, layer.bytes);
    await damage(fileOf(layer.descriptor.digest));
    const content = await layout.fetch(layer.descriptor);
    await expect(content?.bytes()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(layer.descriptor.digest),
    });
  });

  it('is mended by pushing the content again when its size is wrong', async () => {
    const layout = openLayout(directory);
    const layer = randomLayer(1000);
    await layout.push(layer.descriptor, layer.bytes);
    await truncate(fileOf(layer.descriptor.digest), 10);
    await layout.push(layer.descriptor, layer.bytes);
    expect(await readFile(fileOf(layer.descriptor.digest))).toEqual(layer.bytes);
  });

  it('leaves no file behind when the source of a push fails', async () => {
    const layout = openLayout(directory);
    const layer = randomLayer(1000);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield layer.bytes.subarray(0, 500);
      throw new Error('the source broke');
    };
    await expect(layout.push(layer.descriptor, failing)).rejects.toThrow('the source broke');
    expect(await readdir(directory, { recursive: true })).toEqual([]);
  });
});
