import { describe, expect, onTestFinished, test } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { Inventory } from '../../src/core/retention/inventory.ts';
import type { PlannedManifest } from '../../src/core/retention/plan.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { openDockerHubStore } from '../../src/retention/docker-hub-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';
import { type FakeClock, fakeClock } from '../registry/scripted-server.ts';
import { hasOpenssl } from '../support/certificates.ts';
import { type DockerHub, type DockerHubSettings, startDockerHub } from '../support/docker-hub.ts';

const NAME = { registry: 'docker.io', path: 'acme/app' };

interface Shop {
  readonly hub: DockerHub;
  readonly store: ImageStore;
  /** Through Docker Hub, so that it knows when. */
  readonly repository: RegistryRepository;
  readonly clock: FakeClock;
  readonly nowMs: () => number;
  readonly wait: (durationMs: number) => void;
}

async function openShop(
  settings: Omit<DockerHubSettings, 'now'> = {},
  { path = NAME.path, login = true } = {},
): Promise<Shop> {
  const state = { nowMs: Date.UTC(2026, 10, 1) };
  const hub = await startDockerHub({ ...settings, now: () => state.nowMs });
  const clock = fakeClock();
  const common = { env: hub.env, authorities: hub.authorities, clock };
  const registries = openRegistries({ ...common, ...(login ? { explicit: hub.login } : {}) });
  const name = { ...NAME, path };
  const repository = registries.open(name, 'push');
  const transport = createTransport(common);
  const store = openDockerHubStore({
    repository,
    transport,
    credentials: () => registries.credentials(name),
    now: () => 1,
  });
  onTestFinished(async () => {
    await store.close();
    transport.close();
    registries.close();
  });
  return {
    hub,
    store,
    repository,
    clock,
    nowMs: () => state.nowMs,
    wait: (durationMs) => {
      state.nowMs += durationMs;
    },
  };
}

async function pushIndex(repository: RegistryRepository, ...tags: readonly string[]) {
  const children = [await pushImage(repository, sampleImage()), await pushImage(repository, sampleImage())] as const;
  const piece = sampleIndex(children);
  await repository.push(piece.descriptor, piece.bytes);
  for (const tag of tags) await repository.tag(piece.descriptor, tag);
  return { index: piece.descriptor, children };
}

function planned({ digest }: Pick<Descriptor, 'digest'>, ...tags: string[]): PlannedManifest {
  return { id: digest, digest, tags };
}

function entryOf({ entries }: Inventory, digest: Digest) {
  return entries.find((entry) => entry.digest === digest);
}

function linesSince(hub: DockerHub, start: number): readonly string[] {
  return hub.requests.slice(start).map(({ line }) => line);
}

describe.skipIf(!hasOpenssl)('a repository on Docker Hub', () => {
  test('is listed with the times of its pushes and pulls, and no manifest is pulled for that', async () => {
    const { hub, store, repository, nowMs, wait } = await openShop();
    const pushedAtMs = nowMs();
    const { index, children } = await pushIndex(repository, '1.0.0', 'latest');
    wait(1000);
    const single = await pushImage(repository, sampleImage());
    await repository.tag(single, 'single');
    wait(1000);
    await (await repository.fetch({ tag: '1.0.0' }))?.bytes();
    const start = hub.requests.length;
    const inventory = await store.list();
    expect(linesSince(hub, start).filter((line) => /registry GET .*\/manifests\//.test(line))).toEqual([]);
    expect(inventory).toMatchObject({ repository: 'acme/app', isComplete: true });
    expect(entryOf(inventory, index.digest)).toEqual({
      id: index.digest,
      digest: index.digest,
      tags: ['1.0.0', 'latest'],
      pushedAtMs,
      updatedAtMs: pushedAtMs,
      usedAtMs: pushedAtMs + 2000,
      sizeBytes: 2000,
    });
    expect(entryOf(inventory, children[0].digest)).toMatchObject({ tags: [], pushedAtMs, usedAtMs: undefined });
    expect(entryOf(inventory, single.digest)).toMatchObject({ tags: ['single'], pushedAtMs: pushedAtMs + 1000 });
    expect(inventory.entries).toHaveLength(4);
    expect(inventory.listedAtMs).toBeGreaterThan(Date.UTC(2025));
    expect(await store.read(index.digest)).toMatchObject({
      kind: 'index',
      children: children.map(({ digest }) => ({ digest, type: 'manifest' })),
    });
    expect(await store.read(single.digest)).toMatchObject({ kind: 'manifest', subject: undefined });
    expect(store.abilities).toEqual({
      listsUntagged: false,
      deletesTags: true,
      reportsPulls: true,
      keepsLastTagged: false,
    });
  });

  test('is listed page by page, and by digests that only the registry knows', async () => {
    const { store, repository } = await openShop({ pageSize: 2, withoutDigest: ['b'] });
    const tags = ['a', 'b', 'c', 'd', 'e'];
    const pushed = new Map<string, Digest>();
    for (const tag of tags) pushed.set(tag, (await pushIndex(repository, tag)).index.digest);
    const inventory = await store.list();
    for (const tag of tags) {
      const digest = pushed.get(tag) ?? digestOf('');
      expect(entryOf(inventory, digest)?.tags).toEqual([tag]);
      expect(await store.read(digest)).toMatchObject({ kind: 'index', children: [{}, {}] });
    }
    expect(inventory.isComplete).toBe(true);
  });

  test('is listed again when a tag went while its pages were read, so that none is missed (cases 36, 39)', async () => {
    const state = { isQuiet: false };
    const { store, repository } = await openShop({
      pageSize: 2,
      before: async (line, registry) => {
        if (!line.includes('page=2') || state.isQuiet) return;
        state.isQuiet = true;
        await registry.deleteTag('a');
      },
    });
    for (const tag of ['a', 'b', 'c']) await pushIndex(repository, tag);
    const { entries, isComplete } = await store.list();
    expect(entries.flatMap(({ tags }) => tags)).toEqual(['b', 'c']);
    expect(isComplete).toBe(true);
  });

  test('is not whole when it never stands still (case 36)', async () => {
    const { store, repository } = await openShop({
      pageSize: 2,
      before: async (line, registry) => {
        if (line.includes('page=2')) await registry.tag(await pushImage(registry, sampleImage()), `z-${Math.random()}`);
      },
    });
    for (const tag of ['a', 'b', 'c']) await pushIndex(repository, tag);
    expect((await store.list()).isComplete).toBe(false);
  });

  test('has what belongs to images by subject', async () => {
    const { store, repository } = await openShop();
    const { index } = await pushIndex(repository, '1.0.0');
    const signature = await pushImage(repository, sampleImage([], { subject: index, artifactType: 'application/x.s' }));
    const inventory = await store.list();
    expect(entryOf(inventory, signature.digest)).toMatchObject({ tags: [] });
    expect(await store.read(signature.digest)).toMatchObject({ kind: 'manifest', subject: index.digest });
    expect(await store.read(digestOf('nothing'))).toMatchObject({ kind: 'unreadable' });
  });

  test('that is not there is an error (case 55)', async () => {
    const { store } = await openShop({}, { path: 'acme/other' });
    await expect(store.list()).rejects.toMatchObject({
      code: 'REPOSITORY_UNKNOWN',
      message: 'there is no repository acme/other on Docker Hub, or this run may not see it',
    });
  });

  test('is read without a login, and not deleted from', async () => {
    const { store, hub, repository } = await openShop({}, { login: false });
    await pushIndex(repository, '1');
    expect((await store.list()).entries).toHaveLength(3);
    const start = hub.requests.length;
    await expect(store.checkDeletion()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(linesSince(hub, start)).toEqual([]);
  });

  test('says before the first deletion that the login may not delete', async () => {
    const { store, repository } = await openShop({
      fault: (line) => (line.startsWith('hub DELETE') ? { status: 403 } : undefined),
    });
    await pushIndex(repository, '1');
    await expect(store.checkDeletion()).rejects.toMatchObject({
      code: 'DENIED',
      hint: expect.stringContaining('Read, Write, Delete'),
    });
  });

  test('refuses another password, and shows none', async () => {
    const { store } = await openShop({
      fault: (line) => (line.endsWith('/v2/auth/token') ? { status: 401 } : undefined),
    });
    const error: unknown = await store.checkDeletion().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
  });

  test('gets a new token when the old one is refused (case 44)', async () => {
    const { store, repository, hub } = await openShop();
    const { index } = await pushIndex(repository, '1');
    await store.checkDeletion();
    hub.expireTokens();
    expect(await store.remove(planned(index, '1'))).toMatchObject({ outcome: 'deleted' });
    const logins = hub.requests.filter(({ line }) => line.endsWith('/v2/auth/token'));
    expect(logins).toHaveLength(2);
    expect(
      hub.requests.filter(({ line }) => line.startsWith('hub')).every(({ line }) => !line.includes('s3cret')),
    ).toBe(true);
  });

  test('waits as long as it asks for, and ends the run when that does not help (case 46)', async () => {
    const until = String(Date.UTC(2026, 10, 21) / 1000 + 20);
    const state = { refusals: 1 };
    const { store, repository, clock } = await openShop({
      fault: (line) => {
        if (!line.startsWith('hub GET') || state.refusals === 0) return undefined;
        state.refusals -= 1;
        return { status: 429, headers: { 'x-retry-after': until } };
      },
    });
    await pushIndex(repository, '1');
    const start = clock.sleeps.length;
    expect((await store.list()).entries).toHaveLength(3);
    expect(clock.sleeps.slice(start)).toEqual([20_000]);
    state.refusals = 1000;
    await expect(store.list()).rejects.toMatchObject({ code: 'RETENTION_SPENT' });
  });

  test('loses an image: its tags, its manifest, then its platforms', async () => {
    const { store, repository, hub } = await openShop();
    const { index, children } = await pushIndex(repository, '1.0', '1.0.0');
    await pushIndex(repository, 'kept');
    expect(await store.remove(planned(children[0]))).toMatchObject({ outcome: 'refused', isFinal: true });
    expect(await store.remove(planned(index, '1.0', '1.0.0'))).toMatchObject({ outcome: 'deleted' });
    expect(await store.remove(planned(children[0]))).toMatchObject({ outcome: 'deleted' });
    expect(await store.remove(planned(children[0]))).toMatchObject({ outcome: 'gone' });
    expect(await store.look(planned(index, '1.0', '1.0.0'))).toBeUndefined();
    expect(await hub.registry.integrity()).toEqual([]);
  });

  test('loses an image whose manifest it keeps for something else', async () => {
    const { store, repository } = await openShop();
    const { children } = await pushIndex(repository, '1.0.0');
    await repository.tag(children[0], '1.0.0-amd64');
    expect(await store.remove(planned(children[0], '1.0.0-amd64'))).toMatchObject({ outcome: 'deleted' });
    expect(await repository.resolve({ tag: '1.0.0-amd64' })).toBeUndefined();
    expect(await repository.resolve({ digest: children[0].digest })).toBeDefined();
  });

  test('gets the other tags back when one of them is refused', async () => {
    const { store, repository } = await openShop({
      fault: (line) => (/^hub DELETE .*\/b$/.test(line) ? { status: 403 } : undefined),
    });
    const { index } = await pushIndex(repository, 'a', 'b');
    expect(await store.remove(planned(index, 'a', 'b'))).toMatchObject({ outcome: 'refused', isFinal: false });
    expect((await store.look(planned(index, 'a', 'b')))?.tags).toEqual(['a', 'b']);
  });

  test('loses one tag of an image that stays', async () => {
    const { store, repository } = await openShop();
    const { index } = await pushIndex(repository, 'keep', 'go');
    expect(await store.removeTag(planned(index, 'keep', 'go'), 'go')).toMatchObject({ outcome: 'deleted' });
    expect(await store.removeTag(planned(index, 'keep', 'go'), 'go')).toMatchObject({ outcome: 'gone' });
    expect((await store.look(planned(index, 'keep', 'go')))?.tags).toEqual(['keep']);
  });

  test('gets back what was deleted (case 58)', async () => {
    const { store, repository, hub } = await openShop();
    const { index, children } = await pushIndex(repository, '1.0.0');
    const steps = [];
    for (const manifest of [planned(index, '1.0.0'), ...children.map((child) => planned(child))]) {
      steps.push({ manifest, saved: await store.save(manifest) });
      await store.remove(manifest);
    }
    expect((await store.list()).entries).toEqual([]);
    for (const { manifest, saved } of steps.toReversed())
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'restored', tags: manifest.tags });
    expect(await repository.resolve({ tag: '1.0.0' })).toMatchObject({ digest: index.digest });
    expect(await hub.registry.integrity()).toEqual([]);
  });

  test('tells what came since, and reads no more pages than have news', async () => {
    const { store, repository, hub, wait } = await openShop({ pageSize: 2 });
    for (const tag of ['a', 'b', 'c', 'd', 'e']) await pushIndex(repository, tag);
    const inventory = await store.list();
    let start = hub.requests.length;
    expect(await store.changes(inventory)).toEqual([]);
    expect(linesSince(hub, start)).toHaveLength(1);
    wait(1000);
    const moved = await pushIndex(repository, 'c');
    const added = await pushIndex(repository, 'f');
    start = hub.requests.length;
    const changes = (await store.changes(inventory)) ?? [];
    expect(new Set(changes.map(({ digest }) => digest))).toEqual(
      new Set([moved, added].flatMap(({ index, children }) => [index, ...children]).map(({ digest }) => digest)),
    );
    expect(linesSince(hub, start).filter((line) => line.startsWith('hub GET'))).toHaveLength(2);
  });
});
