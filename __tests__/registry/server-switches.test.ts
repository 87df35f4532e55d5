import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { request as requestPlain } from 'node:http';
import { request } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { fallbackTag } from '../../src/registry/referrers.ts';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { findProgram, mustRun } from '../support/programs.ts';
import { openRepository } from './open-repository.ts';
import { ABSENT, codeOf, requestsTo } from './registry-requests.ts';
import { all, nestedImage, onPlatform, type Piece, pushImage, sampleImage, sampleIndex } from './sample-image.ts';

let registry: RunningRegistry;
afterEach(() => registry.close());
const { ask, pushBlob, putManifest, pushTagged } = requestsTo(() => registry);

async function start(options: RegistryOptions = {}): Promise<void> {
  registry = await startRegistry(options);
}

describe('without the referrers API', () => {
  it('answers 404, and says nothing of a subject', async () => {
    await start({ referrers: false });
    const subject = await pushTagged('1');
    const { manifest, blobs } = sampleImage([], { subject: subject.descriptor });
    for (const blob of blobs) await pushBlob(blob);
    const response = await putManifest(manifest, 'sig');
    expect([response.status, response.headers.has('oci-subject')]).toEqual([201, false]);
    expect((await ask('GET', `referrers/${subject.descriptor.digest}`)).status).toBe(404);
  });

  it('leaves our client with the fallback tag', async () => {
    await start({ referrers: false });
    const repository = openRepository(registry.host);
    const subject = await pushImage(repository, sampleImage());
    const referrer = await pushImage(repository, sampleImage([], { subject, artifactType: 'a/b' }));
    expect(await all(repository.tags())).toEqual([fallbackTag(subject.digest)]);
    expect((await all(repository.referrers(subject))).map(({ digest }) => digest)).toEqual([referrer.digest]);
  });
});

describe('without the deletion of tags', () => {
  it('refuses it, and deletes manifests all the same', async () => {
    await start({ tagDeletion: false });
    const { descriptor } = await pushTagged('1');
    const refused = await ask('DELETE', 'manifests/1');
    expect([refused.status, await codeOf(refused)]).toEqual([405, 'UNSUPPORTED']);
    expect((await ask('HEAD', 'manifests/1')).status).toBe(200);
    expect((await ask('DELETE', `manifests/${descriptor.digest}`)).status).toBe(202);
  });
});

describe('immutable tags', () => {
  async function push(): Promise<Piece> {
    const { manifest, blobs } = sampleImage();
    for (const blob of blobs) await pushBlob(blob);
    return manifest;
  }

  it.each([
    [true, 400, 'TAG_INVALID'],
    [{}, 400, 'TAG_INVALID'],
    [{ status: 409 }, 409, 'CONFLICT'],
    [{ status: 412 }, 412, 'PRECONDITION'],
  ] as const)('are set once, with %o', async (immutableTags, status, code) => {
    await start({ immutableTags });
    const first = await pushTagged('1');
    for (const again of [await push(), first]) {
      const refused = await putManifest(again, '1');
      expect([refused.status, await codeOf(refused)]).toEqual([status, code]);
    }
    expect((await ask('HEAD', 'manifests/1')).headers.get('docker-content-digest')).toBe(first.descriptor.digest);
    expect((await putManifest(first, first.descriptor.digest)).status).toBe(201);
    expect((await putManifest(first, `${first.descriptor.digest}?tag=2&tag=1`)).status).toBe(status);
    expect((await putManifest(first, '2')).status).toBe(201);
  });

  it('are those that match', async () => {
    await start({ immutableTags: { tags: /^\d+\.\d+\.\d+$/g } });
    for (const [tag, status] of [
      ['1.2.3', 400],
      ['latest', 201],
    ] as const) {
      await pushTagged(tag);
      expect((await putManifest(await push(), tag)).status).toBe(status);
    }
  });

  it('go to one of two that come at once', async () => {
    await start({ immutableTags: true });
    const pushes = await Promise.all([beginPut(await push(), '1'), beginPut(await push(), '1')]);
    const statuses = await Promise.all(pushes.map((finish) => finish()));
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(1);
  });

  /** Resolves when the registry has begun with it; the function sends the body. */
  function beginPut({ bytes, descriptor }: Piece, tag: string): Promise<() => Promise<number | undefined>> {
    const headers = { expect: '100-continue', 'content-type': descriptor.mediaType, 'content-length': bytes.length };
    const put = requestPlain(`${registry.url}/v2/acme/app/manifests/${tag}`, { method: 'PUT', headers });
    const status = new Promise<number | undefined>((resolve, reject) => {
      put.on('error', reject).on('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    put.flushHeaders();
    return new Promise((resolve) => {
      put.once('continue', () =>
        resolve(() => {
          put.end(bytes);
          return status;
        }),
      );
    });
  }

  it('can be deleted and set again', async () => {
    await start({ immutableTags: true });
    await pushTagged('1');
    expect((await ask('DELETE', 'manifests/1')).status).toBe(202);
    expect((await putManifest(await push(), '1')).status).toBe(201);
  });
});

describe('the log of requests', () => {
  it('keeps the newest', async () => {
    await start({ keepRequests: 2 });
    for (const tag of ['a', 'b', 'c']) await ask('GET', `manifests/${tag}`);
    expect(registry.requests.map(({ path }) => path.at(-1))).toEqual(['b', 'c']);
  });
});

describe('integrity', () => {
  let directory: string;
  async function open(): Promise<void> {
    directory = mkdtempSync(path.join(os.tmpdir(), 'integrity-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    await start({ directory });
  }
  const fileOf = (digest: Digest): string => path.join(directory, 'blobs', ...digest.split(':'));

  it('finds nothing wrong with what was pushed: nested, untagged, shared', async () => {
    await open();
    const repository = openRepository(registry.host);
    const { pieces, root } = nestedImage();
    for (const { descriptor, bytes } of pieces) await repository.push(descriptor, bytes);
    await repository.tag(root.descriptor, '1');
    await repository.tag(root.descriptor, '2');
    expect(await registry.integrity()).toEqual([]);
  });

  it('finds what a tag leads to and is not there, through indexes', async () => {
    await open();
    const repository = openRepository(registry.host);
    const { pieces, root, images, inner } = nestedImage();
    for (const { descriptor, bytes } of pieces) await repository.push(descriptor, bytes);
    await repository.tag(root.descriptor, '1');
    // A layer that both images share, one of them reached in two ways.
    const layer = images[1].blobs[1]?.descriptor.digest ?? ABSENT;
    await ask('DELETE', `blobs/${layer}`);
    const about = { repository: 'acme/app', reference: '1', problem: 'missing' };
    expect(await registry.integrity()).toEqual([{ ...about, digest: layer }]);
    await repository.push((images[1].blobs[1] ?? root).descriptor, (images[1].blobs[1] ?? root).bytes);
    expect(await registry.integrity()).toEqual([]);
    await ask('DELETE', `manifests/${inner.descriptor.digest}`);
    expect(await registry.integrity()).toEqual([{ ...about, digest: inner.descriptor.digest }]);
  });

  it.each<[string, (file: string, bytes: Uint8Array) => Promise<void>, string]>([
    ['is gone', (file) => rm(file), 'missing'],
    ['was cut', (file) => truncate(file, 3), 'wrong-size'],
    [
      'was altered',
      (file, bytes) =>
        writeFile(
          file,
          bytes.map((byte) => byte ^ 1),
        ),
      'wrong-digest',
    ],
  ])('finds a layer that %s', async (_, damage, problem) => {
    await open();
    const { manifest, blobs } = sampleImage();
    for (const blob of blobs) await pushBlob(blob);
    await putManifest(manifest, '1');
    const { digest } = (blobs[1] ?? blobs[0]).descriptor;
    await damage(fileOf(digest), await readFile(fileOf(digest)));
    expect(await registry.integrity()).toEqual([{ repository: 'acme/app', reference: '1', digest, problem }]);
  });

  it('finds a manifest that was altered, under each of its tags', async () => {
    await open();
    const manifest = await pushTagged('1');
    await putManifest(manifest, '2');
    const { digest } = manifest.descriptor;
    await writeFile(fileOf(digest), '{}');
    const about = { repository: 'acme/app', digest, problem: 'wrong-digest' };
    expect(await registry.integrity()).toEqual([
      { ...about, reference: '1' },
      { ...about, reference: '2' },
    ]);
  });

  it('finds an index with another size for its manifest, and one whose manifest never came', async () => {
    await open();
    const { descriptor } = await pushTagged('1');
    const platform = { os: 'linux', architecture: 'amd64' };
    const lie = sampleIndex([onPlatform({ ...descriptor, sizeBytes: 7 }, platform)]);
    const sparse = sampleIndex([{ ...descriptor, digest: ABSENT }]);
    await putManifest(lie, 'lie');
    await putManifest(sparse, 'sparse');
    expect(await registry.integrity()).toEqual([
      { repository: 'acme/app', reference: 'lie', digest: descriptor.digest, problem: 'wrong-size' },
      { repository: 'acme/app', reference: 'sparse', digest: ABSENT, problem: 'missing' },
    ]);
  });

  it('lists referrers whose subject is not there', async () => {
    await open();
    const { descriptor: subject } = await pushTagged('1');
    const { manifest, blobs } = sampleImage([], { subject });
    for (const blob of blobs) await pushBlob(blob);
    await putManifest(manifest, 'sig');
    expect(await registry.integrity()).toEqual([]);
    await ask('DELETE', `manifests/${subject.digest}`);
    const reference = manifest.descriptor.digest;
    expect(await registry.integrity()).toEqual([
      { repository: 'acme/app', reference, digest: subject.digest, problem: 'subject-missing' },
    ]);
  });
});

describe.skipIf(findProgram('openssl', process.env['PATH'] ?? '') === undefined)('TLS', () => {
  it('speaks https, names it in its challenge, and says when the certificate is none', async () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'tls-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const make =
      'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
    const files = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'key.pem', '-out', 'cert.pem'];
    await mustRun(['openssl', ...make.split(' ').slice(1), ...files], { cwd: directory });
    const key = await readFile(path.join(directory, 'key.pem'), 'utf8');
    const cert = await readFile(path.join(directory, 'cert.pem'), 'utf8');
    await start({ tls: { key, cert }, auth: { kind: 'bearer', users: [] } });
    expect(registry.url).toBe(`https://${registry.host}`);
    const challenge = await new Promise((resolve, reject) => {
      request(`${registry.url}/v2/`, { ca: cert }, (response) => {
        response.resume();
        resolve(response.headers['www-authenticate']);
      })
        .on('error', reject)
        .end();
    });
    expect(challenge).toContain(`realm="${registry.url}/token"`);
    await expect(startRegistry({ tls: { key, cert: 'none' } })).rejects.toThrow();
  });
});
