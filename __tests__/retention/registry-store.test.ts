import { describe, expect, onTestFinished, test } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { Inventory, InventoryEntry } from '../../src/core/retention/inventory.ts';
import type { PlannedManifest } from '../../src/core/retention/plan.ts';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import type { RegistryRepository } from '../../src/registry/open.ts';
import { fallbackTag } from '../../src/registry/referrers.ts';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { canDeleteTags, openRegistryStore, type RegistryStoreSettings } from '../../src/retention/registry-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { openRepository } from '../registry/open-repository.ts';
import { all, onPlatform, type Piece, pieceOf, pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';
import { serve } from '../registry/scripted-server.ts';

const NOW_MS = Date.UTC(2026, 10, 21);
const CREATED = 'org.opencontainers.image.created';

interface Shop {
  readonly registry: RunningRegistry;
  readonly repository: RegistryRepository;
  readonly open: (settings?: Partial<RegistryStoreSettings>) => ImageStore;
}

async function openShop(options: RegistryOptions = {}): Promise<Shop> {
  const registry = await startRegistry(options);
  onTestFinished(() => registry.close());
  const repository = openRepository(registry.host);
  return { registry, repository, open: (settings) => storeOf(repository, settings) };
}

function storeOf(repository: RegistryRepository, settings: Partial<RegistryStoreSettings> = {}): ImageStore {
  return openRegistryStore({ repository, now: () => NOW_MS, ...settings });
}

/** An image whose config says when it was made. */
function madeAt(created: string | undefined, platform = 'linux/amd64') {
  const image = sampleImage();
  const [os, architecture] = platform.split('/');
  const config = pieceOf(JSON.stringify({ os, architecture, created }), MEDIA_TYPES.ociConfig);
  const layer = image.blobs[1] ?? config;
  const manifest = pieceOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: formatDescriptor(config.descriptor),
      layers: [formatDescriptor(layer.descriptor)],
    }),
    MEDIA_TYPES.ociManifest,
  );
  return { manifest, blobs: [config, layer] as const };
}

async function pushPiece(repository: RegistryRepository, { descriptor, bytes }: Piece, ...tags: string[]) {
  await repository.push(descriptor, bytes);
  for (const tag of tags) await repository.tag(descriptor, tag);
  return descriptor;
}

/** Two platforms behind the tags. */
async function pushIndex(repository: RegistryRepository, tags: readonly string[], created = '2026-10-01T00:00:00Z') {
  const amd64 = onPlatform(await pushImage(repository, madeAt(created)), { os: 'linux', architecture: 'amd64' });
  const arm64 = onPlatform(await pushImage(repository, madeAt(created, 'linux/arm64')), {
    os: 'linux',
    architecture: 'arm64',
  });
  const index = await pushPiece(repository, sampleIndex([amd64, arm64]), ...tags);
  return { index, children: [amd64, arm64] as const };
}

async function attach(repository: RegistryRepository, subject: Descriptor, type = 'application/x.sbom') {
  return pushImage(repository, sampleImage([], { subject, artifactType: type }));
}

function planned(descriptor: Pick<Descriptor, 'digest'>, ...tags: string[]): PlannedManifest {
  return { id: descriptor.digest, digest: descriptor.digest, tags };
}

function entryOf({ entries }: Inventory, digest: Digest): InventoryEntry | undefined {
  return entries.find((entry) => entry.digest === digest);
}

function digestsOf({ entries }: Inventory): readonly Digest[] {
  return entries.map(({ digest }) => digest).toSorted();
}

describe('the list', () => {
  test('has tags, platforms, and what belongs to any of them (cases 26, 27, 28)', async () => {
    const { repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, ['1.0.0', 'latest']);
    const signature = await attach(repository, index);
    const ofChild = await attach(repository, children[1]);
    const signedSignature = await attach(repository, signature);
    const inventory = await open().list();
    const all = [index, ...children, signature, ofChild, signedSignature];
    expect(digestsOf(inventory)).toEqual(all.map(({ digest }) => digest).toSorted());
    expect(entryOf(inventory, index.digest)?.tags).toEqual(['1.0.0', 'latest']);
    expect(inventory).toMatchObject({ repository: `${repository.name.registry}/acme/app`, isComplete: true });
  });

  test('has the fallback tags of a registry without the referrers API, which is asked for it once', async () => {
    const { registry, repository, open } = await openShop({ referrers: false });
    const { index, children } = await pushIndex(repository, ['1.0.0']);
    const signature = await attach(repository, index);
    await pushIndex(repository, ['2.0.0']);
    registry.forgetRequests();
    const inventory = await open().list();
    expect(entryOf(inventory, signature.digest)).toMatchObject({ tags: [] });
    expect(inventory.entries.find(({ tags }) => tags.includes(fallbackTag(index.digest)))).toBeDefined();
    expect(inventory.entries).toHaveLength(8);
    // Requests run side by side: those of the first level may all be on their way.
    const asked = registry.requests.filter(({ kind }) => kind === 'referrers');
    expect(asked.length).toBeLessThanOrEqual(3);
    expect(asked.some(({ path }) => path.endsWith(children[0].digest))).toBe(false);
  });

  test('asks no member for the time that its image has', async () => {
    const { registry, repository, open } = await openShop({ referrers: false });
    const { index, children } = await pushIndex(repository, ['1.0.0'], '2026-01-02T00:00:00Z');
    await repository.tag(children[1], '1.0.0-arm64');
    await attach(repository, index);
    const cosign = fallbackTag(children[0].digest);
    await pushPiece(repository, sampleImage([]).manifest, `${cosign}.sig`);
    registry.forgetRequests();
    const { entries } = await open().list();
    expect(entries).toHaveLength(6);
    expect(new Set(entries.map(({ pushedAtMs }) => pushedAtMs))).toEqual(new Set([Date.UTC(2026, 0, 2)]));
    expect(registry.requests.filter(({ kind }) => kind === 'blob')).toHaveLength(1);
  });

  test('reads an index in an index, and what it does not know', async () => {
    const { repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, []);
    const outer = await pushPiece(repository, sampleIndex([index]), 'nested');
    const inventory = await open().list();
    expect(digestsOf(inventory)).toEqual([outer, index, ...children].map(({ digest }) => digest).toSorted());
  });

  test('has no layers, which indexes of build caches name', async () => {
    const { repository, open } = await openShop();
    const image = sampleImage();
    await pushImage(repository, image);
    const layers = image.blobs.map(({ descriptor }) => descriptor);
    const cache = await pushPiece(repository, sampleIndex(layers), 'buildcache');
    expect(digestsOf(await open().list())).toEqual([cache.digest]);
  });

  test('looks for children only where it is to (case 32)', async () => {
    const { registry, repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, ['1.0.0']);
    await repository.delete(children[1].digest);
    registry.forgetRequests();
    expect(entryOf(await open().list(), children[1].digest)).toBeDefined();
    expect(registry.requests.some(({ path }) => path.endsWith(`manifests/${children[1].digest}`))).toBe(false);
    const thorough = await open({ findsMissing: true }).list();
    expect(digestsOf(thorough)).toEqual([index, children[0]].map(({ digest }) => digest).toSorted());
  });

  test('is as old as the images say, and all that belongs to one as old as it', async () => {
    const { repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, ['by-config'], '2026-01-02T03:04:05.123456789Z');
    const signature = await attach(repository, children[0]);
    const annotations = { [CREATED]: '2026-02-02T00:00:00Z' };
    const told = await pushPiece(repository, sampleIndex([children[0]], { annotations }), 'by-annotation');
    const reproducible = await pushImage(repository, madeAt('1970-01-01T00:00:00Z'));
    await repository.tag(reproducible, 'reproducible');
    const silent = await pushImage(repository, madeAt(undefined));
    await repository.tag(silent, 'silent');
    const inventory = await open().list();
    const timeOf = ({ digest }: Descriptor) => entryOf(inventory, digest)?.pushedAtMs;
    const january = Date.UTC(2026, 0, 2, 3, 4, 5, 123);
    const february = Date.UTC(2026, 1, 2);
    expect([index, children[1], told, children[0], signature].map(timeOf)).toEqual([
      january,
      january,
      february,
      february,
      february,
    ]);
    expect([reproducible, silent].map(timeOf)).toEqual([undefined, undefined]);
  });

  test('is of the registry’s time, not of this machine’s (case 59)', async () => {
    const date = 'Sat, 21 Nov 2026 10:00:00 GMT';
    const tagged = sampleImage([], { annotations: { [CREATED]: '2026-10-01T00:00:00Z' } }).manifest;
    const server = await serve(({ path }, response) => {
      if (path.includes('/tags/')) response.writeHead(200, { date }).end('{"tags":["1"]}');
      else if (path.includes('/referrers/')) response.writeHead(404, { date }).end();
      else response.writeHead(200, { date, 'content-type': MEDIA_TYPES.ociManifest }).end(tagged.bytes);
    });
    const inventory = await storeOf(openRepository(server.host)).list();
    expect(inventory.listedAtMs).toBe(Date.UTC(2026, 10, 21, 10));
  });

  test('of a registry that tells no time is of this machine’s', async () => {
    const server = await serve(({ path }, response) => {
      response.sendDate = false;
      if (path.includes('/tags/')) response.writeHead(200).end('{"tags":[]}');
      else response.writeHead(404).end();
    });
    expect(await storeOf(openRepository(server.host)).list()).toMatchObject({ listedAtMs: NOW_MS, entries: [] });
  });

  test.each([
    ['without n, without a link (case 64)', (all: readonly string[]) => all],
    [
      'cut at n, without a link (case 64)',
      (all: readonly string[], query: URLSearchParams) => {
        const last = query.get('last');
        const from = last === null ? 0 : all.indexOf(last) + 1;
        return all.slice(from, from + Number(query.get('n')));
      },
    ],
  ])('has 2,500 tags that come %s', async (_, page) => {
    const tags = Array.from({ length: 2500 }, (__, number) => `t${String(number).padStart(5, '0')}`);
    const one = sampleImage([], { annotations: { [CREATED]: '2026-10-01T00:00:00Z' } }).manifest;
    const server = await serve(({ path }, response) => {
      const url = new URL(path, 'http://registry');
      if (path.includes('/tags/')) response.end(JSON.stringify({ tags: page(tags, url.searchParams) }));
      else if (path.includes('/referrers/')) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': MEDIA_TYPES.ociManifest }).end(one.bytes);
    });
    const { entries, isComplete } = await storeOf(openRepository(server.host)).list();
    expect(entries.flatMap((entry) => entry.tags)).toEqual(tags);
    expect(isComplete).toBe(true);
  });

  test('has what is pushed meanwhile, and not what is deleted meanwhile (cases 36, 39)', async () => {
    const { repository } = await openShop();
    const old = await pushIndex(repository, ['old']);
    const kept = await pushIndex(repository, ['kept']);
    const late = await pushIndex(repository, ['late']);
    const events = [
      async () => {
        await repository.delete(old.index.digest);
        await pushIndex(repository, ['new']);
      },
      () => repository.delete(late.index.digest),
    ];
    const listing = watchTags(repository, async () => {
      await events.shift()?.();
    });
    const inventory = await storeOf(listing).list();
    expect(inventory.entries.flatMap(({ tags }) => tags).toSorted()).toEqual(['kept', 'new']);
    expect(entryOf(inventory, kept.index.digest)).toBeDefined();
    expect(entryOf(inventory, late.index.digest)).toBeUndefined();
    expect(inventory.isComplete).toBe(true);
  });

  test('is not whole when it never stands still', async () => {
    const { repository } = await openShop();
    await pushIndex(repository, ['first']);
    let pushed = 0;
    const listing = watchTags(repository, async () => {
      pushed += 1;
      await pushIndex(repository, [`more-${pushed}`]);
    });
    expect((await storeOf(listing).list()).isComplete).toBe(false);
  });

  test('of a repository that is not there is an error (case 55)', async () => {
    const { open } = await openShop();
    await expect(open().list()).rejects.toMatchObject({ code: 'REPOSITORY_UNKNOWN' });
  });

  test('of one that is empty is empty', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    await repository.delete(index.digest);
    expect((await open().list()).entries).toEqual([]);
  });

  test('that this run may not see is an error', async () => {
    const server = await serve((_, response) => response.writeHead(403).end());
    await expect(storeOf(openRepository(server.host)).list()).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('with a tag that leads nowhere is an error that names it (case 33)', async () => {
    const { registry, repository, open } = await openShop();
    await pushIndex(repository, ['1.0.0', 'lost']);
    registry.fail({ path: /manifests\/lost$/, action: { kind: 'status', status: 404 } });
    await expect(open().list()).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: expect.stringContaining('acme/app:lost is listed'),
    });
  });

  test.each([
    ['truncated', { kind: 'truncate' }],
    ['other content', { kind: 'wrongDigest', where: 'body' }],
    ['a page for people', { kind: 'html' }],
  ] as const)('names what cannot be read, as %s (case 35)', async (_, action) => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1.0.0']);
    registry.fail({ method: 'GET', path: /manifests\//, action });
    const store = open();
    expect(digestsOf(await store.list())).toEqual([index.digest]);
    expect(await store.read(index.digest)).toMatchObject({ kind: 'unreadable' });
  });

  test('is the same through a registry that fails now and then (case 34)', async () => {
    const { registry, repository, open } = await openShop();
    for (const tag of ['1', '2', '3', '4']) await pushIndex(repository, [tag], `2026-0${tag}-01T00:00:00Z`);
    const before = await open().list();
    registry.fail({ method: 'GET', probability: 0.3, seed: 5, action: { kind: 'status', status: 503 } });
    expect((await open().list()).entries).toEqual(before.entries);
  });
});

describe('before anything is deleted', () => {
  test('a registry that deletes says so, and is written nothing', async () => {
    const { registry, repository, open } = await openShop();
    await pushIndex(repository, ['1']);
    registry.forgetRequests();
    await open().checkDeletion();
    expect(registry.requests.filter(({ status }) => status !== 404)).toEqual([]);
  });

  test.each([405, 501])('a registry that does not (%i) is found out (case 62)', async (status) => {
    const server = await serve(({ method }, response) =>
      response.writeHead(method === 'DELETE' ? status : 404).end('{"errors":[{"code":"UNSUPPORTED"}]}'),
    );
    await expect(storeOf(openRepository(server.host)).checkDeletion()).rejects.toMatchObject({
      code: 'DELETE_UNSUPPORTED',
      exitCode: 2,
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED=true'),
    });
  });

  test.each([
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
  ])('a login that may not (%i) is found out', async (status, code) => {
    const server = await serve(({ method }, response) => response.writeHead(method === 'DELETE' ? status : 404).end());
    await expect(storeOf(openRepository(server.host)).checkDeletion()).rejects.toMatchObject({ code });
  });

  test('it is known whether tags can go alone, and no dummy is pushed to find out (case 61)', async () => {
    const able = await openShop();
    const unable = await openShop({ tagDeletion: false });
    for (const { repository } of [able, unable]) await pushIndex(repository, ['1']);
    for (const { registry } of [able, unable]) registry.forgetRequests();
    expect(await canDeleteTags(able.repository)).toBe(true);
    expect(await canDeleteTags(unable.repository)).toBe(false);
    expect([...able.registry.requests, ...unable.registry.requests].map(({ method }) => method)).toEqual([
      'DELETE',
      'DELETE',
    ]);
    expect(unable.open().abilities.deletesTags).toBe(false);
  });
});

describe('a deletion', () => {
  test('takes the manifest and its tags, and is no failure the second time', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1', '2']);
    const store = open();
    expect(await store.remove(planned(index, '1', '2'))).toMatchObject({ outcome: 'deleted' });
    expect(await store.remove(planned(index, '1', '2'))).toMatchObject({ outcome: 'gone' });
    expect(await store.look(planned(index, '1', '2'))).toBeUndefined();
  });

  test.each([403, 409, 412, 500])('that is refused (%i) is about this image only', async (status) => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    registry.fail({ method: 'DELETE', action: { kind: 'status', status } });
    expect(await open().remove(planned(index, '1'))).toMatchObject({
      outcome: 'refused',
      isFinal: false,
      reason: expect.stringContaining(String(status)),
    });
  });

  test('that no more requests are taken for is the end of the run', async () => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    registry.fail({ method: 'DELETE', action: { kind: 'status', status: 429 } });
    await expect(open().remove(planned(index))).rejects.toMatchObject({ code: 'RETENTION_SPENT' });
  });

  test('in a registry that is gone is the end of the run', async () => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    registry.fail({ action: { kind: 'drop' } });
    await expect(open().remove(planned(index))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('that is done though its answer says otherwise is done', async () => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    registry.fail({ method: 'DELETE', times: 1, action: { kind: 'storeThenFail', status: 403 } });
    expect(await open().remove(planned(index))).toMatchObject({ outcome: 'deleted' });
  });

  test('of a child before its parents is refused by Google, and after them it is not (case 63)', async () => {
    const { registry, repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, ['1']);
    const body = '{"errors":[{"code":"GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE","message":"still referenced"}]}';
    const path = new RegExp(`${children[0].digest}$`);
    registry.fail({ method: 'DELETE', path, action: { kind: 'status', status: 412, body } });
    const store = open();
    expect(await store.remove(planned(children[0]))).toMatchObject({ outcome: 'refused', isFinal: false });
    expect(await store.remove(planned(index))).toMatchObject({ outcome: 'deleted' });
    registry.repair();
    expect(await store.remove(planned(children[0]))).toMatchObject({ outcome: 'deleted' });
  });

  test('of a tagged manifest takes the tags first where Google asks for that (case 63)', async () => {
    const { registry, repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1', '2']);
    const body = '{"errors":[{"code":"GOOGLE_MANIFEST_DANGLING_TAG","message":"still referenced by tag: 1"}]}';
    registry.fail({ method: 'DELETE', path: /sha256:/, times: 1, action: { kind: 'status', status: 400, body } });
    registry.forgetRequests();
    expect(await open().remove(planned(index, '1', '2'))).toMatchObject({ outcome: 'deleted' });
    const deleted = registry.requests
      .filter(({ method }) => method === 'DELETE')
      .map(({ path }) => path.split('/').at(-1));
    expect(deleted).toEqual([index.digest, '1', '2', index.digest]);
  });

  test('of one of two referrers leaves the other in the fallback index (case 30)', async () => {
    const { registry, repository, open } = await openShop({ referrers: false });
    const { index } = await pushIndex(repository, ['1']);
    const gone = await attach(repository, index, 'application/x.one');
    const stays = await attach(repository, index, 'application/x.two');
    expect(await open().remove(planned(gone))).toMatchObject({ outcome: 'deleted' });
    const left = [];
    for await (const { digest } of repository.referrers(index)) left.push(digest);
    expect(left).toEqual([stays.digest]);
    expect(await registry.integrity()).toEqual([]);
  });
});

describe('a tag', () => {
  test('goes, and its image stays', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['keep', 'go']);
    expect(await open().removeTag(planned(index, 'keep', 'go'), 'go')).toMatchObject({ outcome: 'deleted' });
    expect(await repository.resolve({ tag: 'go' })).toBeUndefined();
    expect(await repository.resolve({ tag: 'keep' })).toMatchObject({ digest: index.digest });
  });

  test('that takes its image with it is put back, with all tags', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['keep', 'go']);
    const careless: RegistryRepository = new Proxy(repository, {
      get(target, key) {
        if (key === 'deleteTag') return () => target.delete(index.digest);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const store = storeOf(careless);
    expect(await store.removeTag(planned(index, 'keep', 'go'), 'go')).toMatchObject({
      outcome: 'refused',
      isFinal: true,
    });
    for (const tag of ['keep', 'go']) expect(await repository.resolve({ tag })).toMatchObject({ digest: index.digest });
    expect((await open().list()).isComplete).toBe(true);
  });
});

describe('what came since', () => {
  test('is new tags and tags that were moved, with all that they lead to', async () => {
    const { repository, open } = await openShop();
    const old = await pushIndex(repository, ['1', 'latest']);
    await pushIndex(repository, ['2']);
    const store = open();
    const inventory = await store.list();
    expect(await store.changes(inventory)).toEqual([]);
    const moved = await pushIndex(repository, ['latest']);
    await repository.tag(old.index, 'again');
    const changes = (await store.changes(inventory)) ?? [];
    const tags = new Map(changes.map((entry) => [entry.digest, entry.tags]));
    expect(tags.get(moved.index.digest)).toEqual(['latest']);
    expect(tags.get(old.index.digest)).toEqual(['again']);
    for (const { digest } of moved.children) expect(tags.get(digest)).toEqual([]);
    expect(changes).toHaveLength(6);
  });

  test('is not what this run has deleted', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1']);
    await pushIndex(repository, ['2']);
    const store = open();
    const inventory = await store.list();
    await store.remove(planned(index, '1'));
    expect(await store.changes(inventory)).toEqual([]);
  });

  test('is not known when a new tag cannot be followed', async () => {
    const { registry, repository, open } = await openShop();
    await pushIndex(repository, ['1']);
    const store = open();
    const inventory = await store.list();
    await pushIndex(repository, ['2']);
    registry.fail({ path: /manifests\/2$/, action: { kind: 'status', status: 404 } });
    expect(await store.changes(inventory)).toBeUndefined();
  });

  test('asks a long list for the tags that move only', async () => {
    const one = sampleImage([], { annotations: { [CREATED]: '2026-10-01T00:00:00Z' } }).manifest;
    const numbered = Array.from({ length: 1001 }, (_, number) => `1.0.${number}`);
    const server = await serve(({ path }, response) => {
      if (path.includes('/tags/')) response.end(JSON.stringify({ tags: ['1', '1.0', 'latest', ...numbered] }));
      else if (path.includes('/referrers/')) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': MEDIA_TYPES.ociManifest }).end(one.bytes);
    });
    const store = storeOf(openRepository(server.host));
    const inventory = await store.list();
    const before = server.seen.length;
    expect(await store.changes(inventory)).toEqual([]);
    const asked = server.seen.slice(before).filter(({ path }) => path.includes('/manifests/'));
    expect(new Set(asked.map(({ path }) => path.split('/').at(-1)))).toEqual(new Set(['1', '1.0', 'latest']));
  });
});

describe('a look', () => {
  test('tells which of its tags an image still has', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['stays', 'moves']);
    await pushIndex(repository, ['moves']);
    const store = open();
    expect(await store.look(planned(index, 'stays', 'moves'))).toMatchObject({ digest: index.digest, tags: ['stays'] });
    expect(await store.look(planned({ digest: digestOf('nothing') }, 'moves'))).toBeUndefined();
  });
});

describe('an undo', () => {
  test('brings everything back byte for byte, and nothing the second time (case 58)', async () => {
    const { registry, repository, open } = await openShop();
    const { index, children } = await pushIndex(repository, ['1.0.0', '1.0']);
    const signature = await attach(repository, index);
    const store = open();
    const before = await store.list();
    const steps = [];
    for (const manifest of [
      planned(index, '1.0', '1.0.0'),
      planned(signature),
      ...children.map((one) => planned(one)),
    ]) {
      steps.push({ manifest, saved: await store.save(manifest) });
      expect(await store.remove(manifest)).toMatchObject({ outcome: 'deleted' });
    }
    expect((await open().list()).entries).toEqual([]);
    for (const { manifest, saved } of steps.toReversed()) {
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'restored', tags: manifest.tags });
    }
    expect((await open().list()).entries).toEqual(before.entries);
    expect(await registry.integrity()).toEqual([]);
    registry.forgetRequests();
    for (const { manifest, saved } of steps.toReversed()) {
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'present', tags: manifest.tags });
    }
    expect(registry.requests.filter(({ method }) => method !== 'HEAD' && method !== 'GET')).toEqual([]);
  });

  test('takes no tag that is on something else by now (case 58)', async () => {
    const { repository, open } = await openShop();
    const { index } = await pushIndex(repository, ['1', 'latest']);
    const store = open();
    const manifest = planned(index, '1', 'latest');
    const saved = await store.save(manifest);
    await store.remove(manifest);
    const { index: newer } = await pushIndex(repository, ['latest']);
    expect(await store.restore(manifest, saved)).toEqual({ outcome: 'restored', tags: ['1'] });
    expect(await repository.resolve({ tag: 'latest' })).toMatchObject({ digest: newer.digest });
  });

  test('brings a fallback tag back to its own index, which another program wrote: 58', async () => {
    const { repository, open } = await openShop({ referrers: false });
    const { index } = await pushIndex(repository, ['1.0.0']);
    const signatures = [await attach(repository, index), await attach(repository, index, 'application/x.signature')];
    const tag = fallbackTag(index.digest);
    const list = await pushPiece(repository, sampleIndex(signatures, { annotations: { 'org.x': 'theirs' } }), tag);
    const store = open();
    const before = await store.list();
    const steps = [];
    for (const manifest of [planned(index, '1.0.0'), planned(list, tag), ...signatures.map((one) => planned(one))]) {
      steps.push({ manifest, saved: await store.save(manifest) });
      await store.remove(manifest);
    }
    for (const { manifest, saved } of steps.toReversed())
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'restored', tags: manifest.tags });
    expect((await open().list()).entries).toEqual(before.entries);
    for (const { manifest, saved } of steps.toReversed())
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'present', tags: manifest.tags });
  });

  test('leaves a fallback tag where it is when a referrer came meanwhile: 58', async () => {
    const { repository, open } = await openShop({ referrers: false });
    const { index } = await pushIndex(repository, ['1.0.0']);
    const tag = fallbackTag(index.digest);
    const list = await pushPiece(repository, sampleIndex([await attach(repository, index)]), tag);
    const store = open();
    const manifest = planned(list, tag);
    const saved = await store.save(manifest);
    await store.remove(manifest);
    const newer = await attach(repository, index, 'application/x.newer');
    expect(await store.restore(manifest, saved)).toEqual({ outcome: 'restored', tags: [] });
    expect(await all(repository.referrers(index))).toMatchObject([{ digest: newer.digest }]);
  });

  test('says what is lost: layers that were collected, content that was not saved, or was altered', async () => {
    const { registry, repository, open } = await openShop();
    const image = sampleImage();
    await pushImage(repository, image);
    const store = open();
    const manifest = planned(image.manifest.descriptor);
    const saved = await store.save(manifest);
    await store.remove(manifest);
    expect(await store.restore(manifest, undefined)).toMatchObject({ outcome: 'lost' });
    const altered = saved && { ...saved, content: Buffer.from('{}').toString('base64') };
    expect(await store.restore(manifest, altered)).toMatchObject({ outcome: 'lost' });
    const as = saved && { ...saved, mediaType: 'text/plain' };
    expect(await store.restore(manifest, as)).toMatchObject({
      outcome: 'lost',
      reason: expect.stringContaining('journal'),
    });
    const blob = image.blobs[0].descriptor.digest;
    await fetch(`${registry.url}/v2/acme/app/blobs/${blob}`, { method: 'DELETE' });
    expect(await store.restore(manifest, saved)).toMatchObject({
      outcome: 'lost',
      reason: expect.stringContaining('gone from the registry'),
    });
  });

  test('has nothing to save of what is gone', async () => {
    const { repository, open } = await openShop();
    await pushIndex(repository, ['1']);
    expect(await open().save(planned({ digest: digestOf('nothing') }))).toBeUndefined();
  });
});

/** The repository, where something happens after the tags were listed. */
function watchTags(repository: RegistryRepository, then: () => Promise<void>): RegistryRepository {
  return new Proxy(repository, {
    get(target, key) {
      if (key === 'tags') {
        return async function* () {
          const tags = [];
          for await (const tag of target.tags()) tags.push(tag);
          await then();
          // What was listed is as of before, of the next list as of after.
          yield* tags;
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('an image that says that it is of the future is of unknown age', async () => {
  const { repository, open } = await openShop();
  const { index: late } = await pushIndex(repository, ['late'], '9999-12-31T00:00:00Z');
  const { index: soon } = await pushIndex(repository, ['soon'], new Date(Date.now() + 60_000).toISOString());
  const inventory = await open().list();
  expect(entryOf(inventory, late.digest)).toMatchObject({ pushedAtMs: undefined, createdAtMs: undefined });
  expect(entryOf(inventory, soon.digest)?.pushedAtMs).toBeGreaterThan(Date.now());
});

test('an image that stays after its tags were taken off it, as Google asks, gets them back', async () => {
  const { registry, repository, open } = await openShop();
  const { index } = await pushIndex(repository, ['1', '2']);
  const body = '{"errors":[{"code":"GOOGLE_MANIFEST_DANGLING_TAG","message":"still referenced by tag: 1"}]}';
  registry.fail({ method: 'DELETE', path: /sha256:/, action: { kind: 'status', status: 400, body } });
  expect(await open().remove(planned(index, '1', '2'))).toMatchObject({ outcome: 'refused' });
  expect((await repository.resolve({ tag: '1' }))?.digest).toBe(index.digest);
  expect((await repository.resolve({ tag: '2' }))?.digest).toBe(index.digest);
});
