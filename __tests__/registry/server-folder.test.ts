import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRegistries, type Registries, type RegistryRepository } from '../../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { all, pushImage, sampleImage } from './sample-image.ts';

describe('a folder', () => {
  let directory: string;
  let kept: RunningRegistry;
  let repository: RegistryRepository;
  let registries: Registries;
  beforeEach(async () => {
    registries = openRegistries({ env: {} });
    directory = await mkdtemp(path.join(os.tmpdir(), 'registry-'));
    await open();
  });
  afterEach(async () => {
    registries.close();
    await kept.close();
    await rm(directory, { recursive: true });
  });

  async function open(): Promise<void> {
    kept = await startRegistry({ directory });
    repository = registries.open({ registry: kept.host, path: 'acme/app' });
  }

  async function restart(): Promise<void> {
    await kept.close();
    await open();
  }

  it('keeps content, tags and referrers over a restart, and what was deleted stays deleted', async () => {
    const image = sampleImage();
    const descriptor = await pushImage(repository, image);
    await repository.tag(descriptor, 'kept');
    await repository.tag(descriptor, 'gone');
    await repository.deleteTag('gone');
    const removed = await pushImage(repository, sampleImage());
    await repository.tag(removed, 'removed');
    await repository.delete(removed.digest);
    const referrer = await pushImage(repository, sampleImage([], { subject: descriptor, artifactType: 'a/b' }));
    await restart();
    expect(await all(repository.tags())).toEqual(['kept']);
    expect(await repository.resolve({ tag: 'kept' })).toEqual(descriptor);
    expect(await repository.resolve({ digest: removed.digest })).toBeUndefined();
    expect(await all(repository.referrers(descriptor))).toEqual([{ ...referrer, artifactType: 'a/b' }]);
    for (const { descriptor: blob, bytes } of image.blobs) {
      expect(Buffer.from((await (await repository.fetch(blob))?.bytes()) ?? [])).toEqual(bytes);
    }
  });

  it('survives a journal that was cut in the middle of a line', async () => {
    const descriptor = await pushImage(repository, sampleImage());
    await repository.tag(descriptor, 'before');
    await appendFile(path.join(directory, 'journal.jsonl'), '{"kind":"tag-set","repository":"acme/app","tag":"hal');
    await restart();
    expect(await all(repository.tags())).toEqual(['before']);
    await repository.deleteTag('before');
    await restart();
    expect(await all(repository.tags())).toEqual([]);
  });

  it('forgets a manifest whose content is gone', async () => {
    const descriptor = await pushImage(repository, sampleImage());
    await repository.tag(descriptor, 'lost');
    await rm(path.join(directory, 'blobs', ...descriptor.digest.split(':')));
    await restart();
    expect(await repository.resolve({ tag: 'lost' })).toBeUndefined();
    expect(await all(repository.tags())).toEqual([]);
  });

  it('removes what a process that was killed had begun', async () => {
    await writeFile(path.join(directory, '.staged-1234'), 'half a blob');
    await restart();
    expect(await readdir(directory)).toEqual([]);
  });

  it('holds no unfinished upload after it was closed', async () => {
    const response = await fetch(`http://${kept.host}/v2/acme/app/blobs/uploads/`, { method: 'POST' });
    await fetch(`http://${kept.host}${response.headers.get('location')}`, { method: 'PATCH', body: 'unfinished' });
    expect(await readdir(directory)).toHaveLength(1);
    await kept.close();
    expect(await readdir(directory)).toEqual([]);
  });
});
