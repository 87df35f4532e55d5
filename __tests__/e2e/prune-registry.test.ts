import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { parseManifest } from '../../src/oci/parse.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import { fallbackTag } from '../../src/registry/referrers.ts';
import { canDeleteTags, openRegistryStore } from '../../src/retention/registry-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { all, onPlatform, pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';
import { listen } from '../support/listen.ts';
import { findProgram } from '../support/programs.ts';

const toolchain = inject('toolchain');

interface Shop {
  readonly repository: RegistryRepository;
  readonly store: ImageStore;
  /** `METHOD part`, of all requests since the last call. */
  readonly requests: () => readonly string[];
}

function openShop(host: string, login?: { readonly username: string; readonly password: string }): Shop {
  const seen: string[] = [];
  const registries = openRegistries({
    env: { DOCKER_CONFIG: '/nonexistent' },
    explicit: login && { registry: host, username: login.username, password: login.password },
    onRequest: ({ method, url }) => seen.push(`${method} ${url.split('/').slice(-2).join('/')}`),
  });
  onTestFinished(() => registries.close());
  const repository = registries.open({ registry: host, path: `prune/${randomUUID()}` }, 'push');
  const store = openRegistryStore({ repository, now: Date.now, findsMissing: true });
  return { repository, store, requests: () => seen.splice(0) };
}

/** An index of two platforms, signed. */
async function publish(repository: RegistryRepository, ...tags: readonly string[]) {
  const amd64 = onPlatform(await pushImage(repository, sampleImage()), { os: 'linux', architecture: 'amd64' });
  const arm64 = onPlatform(await pushImage(repository, sampleImage()), { os: 'linux', architecture: 'arm64' });
  const piece = sampleIndex([amd64, arm64], {
    annotations: { 'org.opencontainers.image.created': '2026-10-01T00:00:00Z' },
  });
  await repository.push(piece.descriptor, piece.bytes);
  for (const tag of tags) await repository.tag(piece.descriptor, tag);
  const subject = piece.descriptor;
  const signature = await pushImage(repository, sampleImage([], { subject, artifactType: 'application/x.signature' }));
  return { index: subject, children: [amd64, arm64], signature };
}

/** Reads the whole image, as a pull of every platform does. */
async function pull(repository: RegistryRepository, tag: string): Promise<number> {
  const read = async (descriptor: Descriptor): Promise<number> => {
    const content = await repository.fetch(descriptor);
    if (content === undefined) throw new Error(`${descriptor.digest} is not there`);
    const bytes = await content.bytes();
    const manifest = parseManifest(bytes, descriptor.mediaType);
    if (!manifest.ok) return bytes.length;
    const { value } = manifest;
    const parts = value.kind === 'index' ? value.manifests : [value.config, ...value.layers];
    const sizes = await Promise.all(parts.map(read));
    return sizes.reduce((sum, size) => sum + size, bytes.length);
  };
  const descriptor = await repository.resolve({ tag });
  if (descriptor === undefined) throw new Error(`${tag} is not there`);
  return read(descriptor);
}

function planned(digest: Digest, ...tags: string[]) {
  return { id: digest, digest, tags };
}

describe.skipIf(!toolchain.layers.registry).each([
  ['plain', () => openShop(toolchain.registry)],
  ['that asks for a login', () => openShop(toolchain.authRegistry.host, toolchain.authRegistry)],
])('a real docker-registry, %s,', (_, open) => {
  test('lists images, platforms and signatures, by the fallback tag', async () => {
    const { repository, store } = open();
    const { index, children, signature } = await publish(repository, '1.0.0', 'latest');
    const { entries, isComplete, listedAtMs } = await store.list();
    const tags = new Map(entries.map((entry) => [entry.digest, entry.tags]));
    expect(tags.get(index.digest)).toEqual(['1.0.0', 'latest']);
    for (const { digest } of [...children, signature]) expect(tags.get(digest)).toEqual([]);
    expect(entries.find((entry) => entry.tags.includes(fallbackTag(index.digest)))).toBeDefined();
    expect(entries).toHaveLength(5);
    expect(new Set(entries.map(({ pushedAtMs }) => pushedAtMs))).toEqual(new Set([Date.UTC(2026, 9, 1)]));
    expect(isComplete).toBe(true);
    expect(listedAtMs).toBeGreaterThan(0);
  });

  test('is empty when its last image went, and unknown before its first one came (case 55)', async () => {
    const { repository, store } = open();
    await expect(store.list()).rejects.toMatchObject({ code: 'REPOSITORY_UNKNOWN' });
    const image = await pushImage(repository, sampleImage());
    await repository.tag(image, '1');
    expect(await store.remove(planned(image.digest, '1'))).toMatchObject({ outcome: 'deleted' });
    expect((await store.list()).entries).toEqual([]);
  });

  test('cannot delete a tag alone: nothing is pushed to do it, and the other tags stay (case 61)', async () => {
    const { repository, store, requests } = open();
    const { index } = await publish(repository, 'keep', 'expired');
    requests();
    expect(await canDeleteTags(repository)).toBe(false);
    expect(store.abilities.deletesTags).toBe(false);
    expect(await store.removeTag(planned(index.digest, 'expired', 'keep'), 'expired')).toMatchObject({
      outcome: 'refused',
      isFinal: true,
    });
    expect(requests().filter((line) => /^(?:PUT|POST|PATCH)/.test(line))).toEqual([]);
    for (const tag of ['keep', 'expired']) expect(await pull(repository, tag)).toBeGreaterThan(2000);
  });

  test('loses an image with its platforms and signature, and gets all of it back byte for byte', async () => {
    const { repository, store } = open();
    const kept = await publish(repository, 'kept');
    const { index, children, signature } = await publish(repository, '1.0', '1.0.0');
    await store.checkDeletion();
    const before = await store.list();
    const fallback = before.entries.find(({ tags }) => tags.includes(fallbackTag(index.digest)));
    if (fallback === undefined) throw new Error('there is no fallback tag');
    const steps = [];
    for (const manifest of [
      planned(index.digest, '1.0', '1.0.0'),
      planned(fallback.digest, ...fallback.tags),
      planned(signature.digest),
      ...children.map(({ digest }) => planned(digest)),
    ]) {
      steps.push({ manifest, saved: await store.save(manifest) });
      expect(await store.remove(manifest)).toMatchObject({ outcome: 'deleted' });
      expect(await store.remove(manifest)).toMatchObject({ outcome: 'gone' });
    }
    const left = (await store.list()).entries.flatMap(({ tags }) => tags);
    expect(left.toSorted()).toEqual(['kept', fallbackTag(kept.index.digest)]);
    expect(await pull(repository, 'kept')).toBeGreaterThan(2000);
    expect((await all(repository.referrers(kept.index))).map(({ digest }) => digest)).toEqual([kept.signature.digest]);

    for (const { manifest, saved } of steps.toReversed())
      expect(await store.restore(manifest, saved)).toMatchObject({ tags: manifest.tags });
    const after = await store.list();
    const byDigest = (entries: typeof after.entries) => [...entries].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    expect(byDigest(after.entries)).toEqual(byDigest(before.entries));
    expect(await pull(repository, '1.0.0')).toBeGreaterThan(2000);
    for (const { manifest, saved } of steps)
      expect(await store.restore(manifest, saved)).toEqual({ outcome: 'present', tags: manifest.tags });
  });
});

describe.skipIf(!toolchain.layers.registry)('a real docker-registry as it comes', () => {
  test('deletes nothing, which is found out before the first deletion (case 62)', async () => {
    const { repository, store } = openShop(await startAsItComes());
    const { index } = await publish(repository, '1.0.0');
    await expect(store.checkDeletion()).rejects.toMatchObject({ code: 'DELETE_UNSUPPORTED', exitCode: 2 });
    expect(await store.remove(planned(index.digest, '1.0.0'))).toMatchObject({ outcome: 'refused', isFinal: true });
    expect(await pull(repository, '1.0.0')).toBeGreaterThan(2000);
  });
});

/** A registry whose configuration says nothing of deletion; answers its address. */
async function startAsItComes(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'docker-registry-'));
  const reserved = createServer();
  const host = await listen(reserved);
  await new Promise((resolve) => reserved.close(resolve));
  const config = `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${directory}}}\nhttp: {addr: '${host}'}\n`;
  writeFileSync(join(directory, 'config.yml'), config);
  const program = findProgram('docker-registry', toolchain.env['PATH'] ?? '') ?? '';
  const registry = spawn(program, ['serve', join(directory, 'config.yml')], { stdio: 'ignore', env: {} });
  onTestFinished(async () => {
    if (registry.exitCode === null && registry.kill()) await once(registry, 'exit');
    rmSync(directory, { recursive: true, force: true });
  });
  await answers(host, registry);
  return host;
}

async function answers(host: string, registry: ChildProcess): Promise<void> {
  while (registry.exitCode === null) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer?.status === 200) return;
    await wait(20);
  }
  throw new Error('docker-registry did not start');
}
