import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { partsOf } from '../../src/oci/links.ts';
import { parseManifest } from '../../src/oci/parse.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { isManifestMediaType, MEDIA_TYPES } from '../../src/oci/types.ts';
import { copyImage } from '../../src/registry/copy.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { type Fault, type FaultyRegistry, type Passing, serveFaulty } from './faulty-registry.ts';
import { MemoryRepository } from './memory-repository.ts';
import { openRepository } from './open-repository.ts';
import { onPlatform, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';
import { fakeClock, serve } from './scripted-server.ts';

const LAYER = randomLayer(3_000_000);
const NOW_MS = Date.UTC(2026, 10, 21, 8);

const answering =
  (status: number, code = '', headers: Record<string, string> = {}) =>
  (response: ServerResponse): unknown =>
    response.writeHead(status, headers).end(code === '' ? '' : JSON.stringify({ errors: [{ code, message: 'no' }] }));

/** An index of two platforms that share a large layer, in memory. */
async function makeImage(): Promise<{ from: MemoryRepository; root: Descriptor }> {
  const from = new MemoryRepository('source');
  const images = [sampleImage([LAYER]), sampleImage([LAYER, randomLayer()])];
  const index = sampleIndex(
    images.map(({ manifest }, i) => onPlatform(manifest.descriptor, { os: 'linux', architecture: `a${i}` })),
  );
  for (const { manifest, blobs } of images) {
    for (const { descriptor, bytes } of [...blobs, manifest]) await from.push(descriptor, bytes);
  }
  await from.push(index.descriptor, index.bytes);
  return { from, root: index.descriptor };
}

/** Reads everything below this manifest: each read checks size and digest. */
async function expectWhole(repository: Repository, descriptor: Descriptor): Promise<void> {
  const content = await repository.fetch(descriptor);
  if (content === undefined) throw new Error(`there is no ${descriptor.digest}`);
  const bytes = await content.bytes();
  if (!isManifestMediaType(descriptor.mediaType)) return;
  const manifest = parseManifest(bytes);
  for (const part of manifest.ok ? partsOf(manifest.value) : []) await expectWhole(repository, part);
}

/** Pushes a whole image and its tag through the faults, then looks at the registry without them. */
async function release(server: FaultyRegistry, clock = fakeClock(NOW_MS)): Promise<void> {
  const { from, root } = await makeImage();
  const repository = openRepository(server.host, { clock });
  await copyImage(from, repository, root);
  await repository.tag(root, '1.2.3');
  const sound = openRepository(server.sound.host);
  expect(await sound.resolve({ tag: '1.2.3' })).toMatchObject({ digest: root.digest });
  await expectWhole(sound, root);
}

const first =
  (kind: string, fault: Fault, times = 1) =>
  (request: Passing): Fault | undefined =>
    request.kind === kind && request.index < times ? fault : undefined;

describe('a release of an image arrives whole', () => {
  test.each<[string, (request: Passing) => Fault | undefined]>([
    [
      '500 three times, then 200, on every kind of request',
      ({ index }) => (index < 3 ? { answer: answering(500) } : undefined),
    ],
    ['an upload that is cut in the middle', first('PUT upload', { cutAfterBytes: 1_500_000 }, 2)],
    ['an upload that is cut before its first byte', first('PUT upload', { cutAfterBytes: 0 }, 2)],
    ['an upload whose answer is lost', first('PUT upload', { done: undefined }, 2)],
    ['an upload that the registry has lost', first('PUT upload', { answer: answering(404, 'BLOB_UPLOAD_UNKNOWN') }, 2)],
    ['an upload that is said to be out of range', first('PUT upload', { answer: answering(416) }, 2)],
    ['an upload that is said to be invalid', first('PUT upload', { answer: answering(400, 'BLOB_UPLOAD_INVALID') }, 2)],
    ['blobs that were taken (201) and are not there', first('PUT upload', { answer: answering(201) }, 3)],
    ['a manifest that was stored, said to have failed', first('PUT manifest', { done: answering(500) }, 2)],
    ['a manifest that was stored, its answer lost', first('PUT manifest', { done: undefined }, 2)],
    ['no Docker-Content-Digest', () => ({ without: ['docker-content-digest'] })],
    [
      '404 on what was just written',
      ({ method, index }) =>
        method === 'HEAD' && index > 0 && index % 2 === 0 ? { answer: answering(404) } : undefined,
    ],
    ['a connection that closes after each answer', ({ index }) => (index % 3 === 1 ? { cutAfterBytes: 0 } : undefined)],
  ])('through %s', async (_, faultOf) => {
    await release(await serveFaulty(faultOf));
  });

  test.each([
    ['in seconds', '7', 7000],
    ['as a date', new Date(NOW_MS + 9000).toUTCString(), 9000],
  ])('through 429 with Retry-After %s', async (_, value, waitMs) => {
    const limit = { answer: answering(429, 'TOOMANYREQUESTS', { 'retry-after': value }) };
    const clock = fakeClock(NOW_MS);
    await release(await serveFaulty(first('PUT manifest', limit)), clock);
    expect(clock.sleeps).toEqual([waitMs]);
  });

  test('and blobs that never stay are an error after one more time', async () => {
    const server = await serveFaulty(({ kind }) => (kind === 'PUT upload' ? { answer: answering(201) } : undefined));
    await expect(release(server)).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' });
    // Two configs of the same bytes, the shared layer and another one: three blobs, twice.
    expect(server.seen.filter(({ kind }) => kind === 'PUT upload')).toHaveLength(6);
  });
});

describe('a reader', () => {
  test('takes an image through downloads that are cut, and 500 three times', async () => {
    const { from, root } = await makeImage();
    const server = await serveFaulty(({ kind, index }) => {
      if (index < 3) return { answer: answering(500) };
      return kind === 'GET blob' && index % 2 === 0 ? { cutAnswerAfterBytes: 700_000 } : undefined;
    });
    await copyImage(from, openRepository(server.sound.host), root);
    await expectWhole(openRepository(server.host), root);
  });

  test('refuses a manifest of 100 MB without reading it', async () => {
    const sizeBytes = 100_000_000;
    const sent = { bytes: 0 };
    for (const headers of [{ 'content-length': String(sizeBytes) }, undefined]) {
      sent.bytes = 0;
      const server = await serve((_, response) => {
        response.writeHead(200, { 'content-type': MEDIA_TYPES.ociIndex, ...headers });
        const chunk = Buffer.alloc(100_000, ' ');
        const more = (): void => {
          while (!response.destroyed && sent.bytes < sizeBytes) {
            sent.bytes += chunk.length;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      });
      await expect(openRepository(server.host).fetch({ tag: '1' })).rejects.toMatchObject({ code: 'TOO_LARGE' });
      expect(server.seen).toHaveLength(1);
      // What fits into 4 MiB and the buffers of two sockets.
      expect(sent.bytes).toBeLessThan(sizeBytes / 4);
    }
  });

  test('sees a tag that the registry shows only after a while as absent, not as an error', async () => {
    const server = await serveFaulty(first('HEAD manifest', { answer: answering(404) }));
    expect(await openRepository(server.host).resolve({ tag: '1' })).toBeUndefined();
  });
});

describe('a page for people with status 200 is no success', () => {
  const page = (response: ServerResponse): unknown =>
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Sign in</html>');
  const image = sampleImage();
  const [config] = image.blobs;
  const { descriptor, bytes } = image.manifest;

  test.each<[string, (repository: ReturnType<typeof openRepository>) => Promise<unknown>]>([
    ['reading a tag', (repository) => repository.fetch({ tag: '1' })],
    ['resolving a tag', (repository) => repository.resolve({ tag: '1' })],
    ['looking for a blob', (repository) => repository.push(config.descriptor, config.bytes)],
    ['reading a blob', async (repository) => (await repository.fetch(config.descriptor))?.bytes()],
    ['pushing a manifest', (repository) => repository.push(descriptor, bytes)],
    ['deleting a manifest', (repository) => repository.delete(descriptor.digest)],
    ['deleting a tag', (repository) => repository.deleteTag('1')],
    ['looking whether this run may push', (repository) => repository.checkPushAccess()],
  ])('%s', async (_, act) => {
    const server = await serve((_seen, response) => page(response));
    await expect(act(openRepository(server.host))).rejects.toMatchObject({
      code: expect.stringMatching(/^(UNEXPECTED_ANSWER|SIZE_INVALID|DIGEST_INVALID)$/),
    });
  });
});

describe('a body that is too large for a proxy', () => {
  test('is one error that says what, how large, and what to change', async () => {
    const server = await serveFaulty(first('PUT upload', { answer: answering(413) }, 100));
    const push = openRepository(server.host).push(LAYER.descriptor, LAYER.bytes);
    await expect(push).rejects.toMatchObject({
      code: 'TOO_LARGE',
      status: 413,
      message: expect.stringContaining('a body of 3000000 bytes is too large'),
      hint: expect.stringContaining('client_max_body_size'),
    });
    expect(server.seen.filter(({ kind }) => kind === 'PUT upload')).toHaveLength(1);
  });
});

test('nothing that is told of a run holds a password, a token or a signed address', async () => {
  const storage = await serve((_, response, index) => response.writeHead(index < 2 ? 503 : 403).end());
  const home = await serve(({ method, path, headers }, response) => {
    const realm = `Bearer realm="http://${home.host}/token?key=SECRET1",service="x"`;
    if (path.startsWith('/token')) response.end('{"token":"SECRET2"}');
    else if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': realm }).end();
    else if (method === 'HEAD') response.writeHead(404).end();
    else response.writeHead(202, { location: `http://${storage.host}/put?signature=SECRET3` }).end();
  });
  const told: string[] = [];
  const repository = openRepository(home.host, {
    explicit: { registry: home.host, username: 'kim', password: 'SECRET4' },
    onRequest: (request) => told.push(JSON.stringify(request)),
    onRetry: (notice) => told.push(JSON.stringify(notice)),
  });
  const error: unknown = await repository.push(LAYER.descriptor, LAYER.bytes).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ status: 403, code: 'DENIED' });
  told.push(JSON.stringify(error), String(error), String(error instanceof Error ? error.stack : ''));
  const basic = Buffer.from('kim:SECRET4').toString('base64');
  expect(told.filter((text) => text.includes('SECRET') || text.includes(basic))).toEqual([]);
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, undefined]);
});
