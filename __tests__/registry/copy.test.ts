import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { type Descriptor, isManifestMediaType, MEDIA_TYPES } from '../../src/oci/types.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { openLayout } from '../../src/registry/layout.ts';
import { openRegistries, type Registries } from '../../src/registry/open.ts';
import type { Content, Repository } from '../../src/registry/repository.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { describeRepositoryContract } from './contract.ts';
import { MemoryRepository } from './memory-repository.ts';
import {
  type Nested,
  nestedImage,
  type Piece,
  pieceOf,
  pushImage,
  randomLayer,
  sampleImage,
  sampleIndex,
} from './sample-image.ts';

describeRepositoryContract('the stand-in of these tests', async () => ({
  repository: new MemoryRepository('contract'),
}));

async function pushAll(repository: Repository, pieces: readonly Piece[]): Promise<void> {
  for (const { descriptor, bytes } of pieces) await repository.push(descriptor, bytes);
}

async function holds(repository: Repository, { descriptor, bytes }: Piece): Promise<boolean> {
  const content = await repository.fetch(descriptor);
  return content !== undefined && Buffer.compare(await content.bytes(), bytes) === 0;
}

describe('between a layout, and repositories of a registry', () => {
  let registry: RunningRegistry;
  let registries: Registries;
  let directory: string;
  beforeEach(async () => {
    registry = await startRegistry();
    registries = openRegistries({ env: {} });
    directory = await mkdtemp(path.join(os.tmpdir(), 'copy-'));
  });
  afterEach(async () => {
    registries.close();
    await registry.close();
    await rm(directory, { recursive: true });
  });
  const repository = (name: string): Repository => registries.open({ registry: registry.host, path: name });

  it('brings a build from its layout into a registry, and back', async () => {
    const image = nestedImage();
    const layout = openLayout(path.join(directory, 'built'));
    await pushAll(layout, image.pieces);
    const [root] = await layout.roots();
    expect(root).toEqual(image.root.descriptor);
    await copyImage(layout, repository('acme/app'), image.root.descriptor);
    const back = openLayout(path.join(directory, 'back'));
    await copyImage(repository('acme/app'), back, image.root.descriptor);
    for (const piece of image.pieces) expect(await holds(back, piece)).toBe(true);
    expect(await back.roots()).toEqual([image.root.descriptor]);
  });

  it('never completes an upload of content that is found wrong, whether the registry would notice or not', async () => {
    const image = sampleImage([randomLayer(2_000_000)]);
    const source = openLayout(directory);
    await pushImage(source, image);
    const [, layer] = image.blobs;
    if (layer === undefined) throw new Error('the sample has two blobs');
    const file = path.join(directory, 'blobs', ...layer.descriptor.digest.split(':'));
    await writeFile(
      file,
      layer.bytes.map((byte) => byte ^ 1),
    );
    const copy = copyImage(source, repository('acme/app'), image.manifest.descriptor);
    await expect(copy).rejects.toMatchObject({ code: 'DIGEST_INVALID', message: expect.stringContaining(directory) });
    expect(
      registry.requests.filter(({ method, path: asked }) => method === 'PUT' && asked.includes('manifests')),
    ).toEqual([]);
    expect(registry.requests.filter(({ method }) => method === 'PUT').every(({ status }) => status === 201)).toBe(true);
  });

  it('sends no layer twice within one registry: it mounts', async () => {
    const image = nestedImage();
    await pushAll(repository('acme/app'), image.pieces);
    registry.forgetRequests();
    const result = await copyImage(repository('acme/app'), repository('acme/other'), image.root.descriptor);
    const sizesBytes = image.pieces.slice(0, -4).map(({ bytes }) => bytes.length);
    const reusedBytes = sizesBytes.reduce((sum, size) => sum + size, 0);
    expect(result.blobs).toEqual({ copied: 0, copiedBytes: 0, reused: 4, reusedBytes });
    const uploads = registry.requests.filter(({ kind }) => kind === 'upload');
    expect(uploads).toHaveLength(4);
    expect(uploads.map(({ method, status }) => [method, status])).toEqual(uploads.map(() => ['POST', 201]));
    expect(await holds(repository('acme/other'), image.root)).toBe(true);
  });

  it('says through the registry what the source lacks', async () => {
    const image = sampleImage();
    const source = openLayout(directory);
    await pushImage(source, image);
    const [, lost] = image.blobs;
    if (lost === undefined) throw new Error('the sample has two blobs');
    await rm(path.join(directory, 'blobs', ...lost.descriptor.digest.split(':')));
    const copy = copyImage(source, repository('acme/app'), image.manifest.descriptor);
    await expect(copy).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', message: expect.stringContaining(directory) });
  });

  it('moves nothing when it is repeated', async () => {
    const image = nestedImage();
    const source = openLayout(directory);
    await pushAll(source, image.pieces);
    const first = await copyImage(source, repository('acme/app'), image.root.descriptor);
    expect([first.manifests.copied, first.blobs.copied]).toEqual([4, 4]);
    registry.forgetRequests();
    const second = await copyImage(source, repository('acme/app'), image.root.descriptor);
    expect([second.manifests.copied, second.blobs.copied]).toEqual([0, 0]);
    expect([second.manifests.reused, second.blobs.reused]).toEqual([4, 4]);
    expect(registry.requests.filter(({ method }) => method !== 'HEAD')).toEqual([]);
  });
});

describe('what it does not copy', () => {
  it('is a layer that nobody may hand on, present or not', async () => {
    const foreign = pieceOf('foreign', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip');
    const image = sampleImage([foreign, randomLayer()]);
    const [from, to] = [new MemoryRepository('from'), new MemoryRepository('to')];
    await pushImage(from, image);
    await copyImage(from, to, image.manifest.descriptor);
    expect(await to.fetch(foreign.descriptor)).toBeUndefined();
    expect(await holds(to, image.manifest)).toBe(true);
  });

  it('is the subject of what is copied', async () => {
    const [from, to] = [new MemoryRepository('from'), new MemoryRepository('to')];
    const subject = await pushImage(from, sampleImage());
    const referrer = await pushImage(from, sampleImage([], { subject }));
    await copyImage(from, to, referrer);
    expect(await to.resolve(subject)).toBeUndefined();
  });
});

describe('a source', () => {
  const without = async (image: Nested, lost: Piece): Promise<unknown> => {
    const [from, to] = [new MemoryRepository('from'), new MemoryRepository('to')];
    await pushAll(
      from,
      image.pieces.filter((piece) => piece !== lost),
    );
    const error: unknown = await copyImage(from, to, image.root.descriptor).catch((caught: unknown) => caught);
    expect(await to.resolve(image.root.descriptor)).toBeUndefined();
    return error;
  };

  it('that lacks a layer is named, with the layer and the manifest that needs it', async () => {
    const image = nestedImage();
    const [, , lost] = image.images[1].blobs;
    if (lost === undefined) throw new Error('the sample has three blobs');
    const error = await without(image, lost);
    expect(error).toMatchObject({ code: 'BLOB_UNKNOWN' });
    const { digest } = image.images[1].manifest.descriptor;
    expect(String(error)).toContain(
      `the source from.memory/from lacks the blob ${lost.descriptor.digest}, which ${digest} names`,
    );
  });

  it('that lacks a manifest is named, with the manifest and the index that needs it', async () => {
    const image = nestedImage();
    const error = await without(image, image.inner);
    expect(error).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    const [lost, parent] = [image.inner.descriptor.digest, image.root.descriptor.digest];
    expect(String(error)).toContain(`lacks the manifest ${lost}, which ${parent} names`);
  });

  it('that lacks the root is named', async () => {
    const image = nestedImage();
    expect(await without(image, image.root)).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  it('that gives a layer wrongly is found out, and the destination has none of it', async () => {
    const image = sampleImage();
    const [from, to] = [new MemoryRepository('from'), new MemoryRepository('to')];
    await pushImage(from, image);
    const [config] = image.blobs;
    from.held.set(config.descriptor.digest, {
      descriptor: config.descriptor,
      bytes: config.bytes.map((byte) => byte ^ 1),
    });
    await expect(copyImage(from, to, image.manifest.descriptor)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(await to.fetch(config.descriptor)).toBeUndefined();
    expect(await to.resolve(image.manifest.descriptor)).toBeUndefined();
  });

  it('that calls something an image which is none is told so', async () => {
    const nonsense = pieceOf('{"schemaVersion":2}', MEDIA_TYPES.ociManifest);
    const from = new MemoryRepository('from');
    await pushAll(from, [nonsense]);
    const copy = copyImage(from, new MemoryRepository('to'), nonsense.descriptor);
    await expect(copy).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });

  it('may nest eight deep and no deeper', async () => {
    const from = new MemoryRepository('from');
    let { descriptor } = sampleIndex([]);
    await from.push(descriptor, sampleIndex([]).bytes);
    for (let depth = 2; depth <= 9; depth += 1) {
      const outer = sampleIndex([descriptor]);
      await from.push(outer.descriptor, outer.bytes);
      const copy = copyImage(from, new MemoryRepository('to'), outer.descriptor);
      if (depth <= 8) await copy;
      else
        await expect(copy).rejects.toMatchObject({
          code: 'MANIFEST_INVALID',
          message: expect.stringContaining('deeper'),
        });
      descriptor = outer.descriptor;
    }
  });

  it('whose index names itself does not keep us forever', async () => {
    const liar = new (class extends MemoryRepository {
      override async fetch(): Promise<Content> {
        const { bytes } = sampleIndex([root]);
        return { descriptor: root, bytes: async () => bytes, stream: async function* () {} };
      }
    })('liar');
    const root = sampleIndex([]).descriptor;
    const copy = copyImage(liar, new MemoryRepository('to'), root);
    await expect(copy).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringContaining('names itself'),
    });
  });
});

describe('on the way', () => {
  it('pushes at most four blobs at once, and starts none after a failure', async () => {
    const image = sampleImage(Array.from({ length: 20 }, () => randomLayer()));
    const from = new MemoryRepository('from');
    await pushImage(from, image);
    const state = { running: 0, most: 0, started: 0 };
    const to = new MemoryRepository('to', async () => {
      state.started += 1;
      state.running += 1;
      state.most = Math.max(state.most, state.running);
      await new Promise((resolve) => setImmediate(resolve));
      state.running -= 1;
      if (state.started >= 8) throw new Error('full');
    });
    await expect(copyImage(from, to, image.manifest.descriptor)).rejects.toThrow('full');
    expect(state.most).toBe(4);
    expect(state.running).toBe(0);
    expect(state.started).toBeLessThan(13);
  });

  it('reads each manifest once, however often it is named', async () => {
    const { images, inner, root, pieces } = nestedImage();
    const fetched: Digest[] = [];
    const from = new (class extends MemoryRepository {
      override fetch(target: Descriptor): Promise<Content | undefined> {
        if (isManifestMediaType(target.mediaType)) fetched.push(target.digest);
        return super.fetch(target);
      }
    })('from');
    await pushAll(from, pieces);
    await copyImage(from, new MemoryRepository('to'), root.descriptor);
    const all = [root, inner, ...images.map(({ manifest }) => manifest)];
    expect(fetched).toEqual(all.map(({ descriptor }) => descriptor.digest));
  });

  it('hands a layer on piece by piece', async () => {
    const image = sampleImage();
    const from = new MemoryRepository('from');
    await pushImage(from, image);
    const sent: number[] = [];
    const streaming: Repository = Object.assign(Object.create(from), {
      async fetch(target: Descriptor): Promise<Content | undefined> {
        const content = await from.fetch(target);
        if (content === undefined || isManifestMediaType(target.mediaType)) return content;
        const bytes = await content.bytes();
        const stream = async function* (): AsyncGenerator<Uint8Array> {
          for (let start = 0; start < bytes.length; start += 10) {
            sent.push(start);
            yield bytes.subarray(start, start + 10);
          }
        };
        return { ...content, stream };
      },
    });
    const seen: number[] = [];
    const to: Repository = Object.assign(Object.create(from), {
      name: { registry: 'to.memory', path: 'to' },
      resolve: async () => undefined,
      async push(content: Descriptor, body: Uint8Array | (() => AsyncIterable<Uint8Array>)) {
        if (content.digest !== image.blobs[1]?.descriptor.digest || body instanceof Uint8Array) return;
        for await (const _piece of body()) seen.push(sent.length);
      },
    });
    await copyImage(streaming, to, image.manifest.descriptor);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, piece) => piece + 1));
  });
});
