import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf, parseDigest } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import type { RegistryRepository } from '../../src/registry/open.ts';
import { startRegistry } from '../../src/registry/server.ts';
import { openRepository } from './open-repository.ts';
import { pushImage, sampleImage } from './sample-image.ts';
import { type Seen, serve } from './scripted-server.ts';

const IMAGE = sampleImage();
const { descriptor: MANIFEST, bytes: MANIFEST_BYTES } = IMAGE.manifest;
const AS_MANIFEST = { 'content-type': MEDIA_TYPES.ociManifest };

describe('a manifest', () => {
  test('is fetched in one request that takes all four types', async () => {
    const server = await serve((_, response) => response.writeHead(200, AS_MANIFEST).end(MANIFEST_BYTES));
    const content = await openRepository(server.host).fetch({ tag: '1.2.3' });
    expect(content?.descriptor).toEqual(MANIFEST);
    expect(server.lines()).toEqual(['GET /v2/acme/app/manifests/1.2.3']);
    expect(server.seen[0]?.headers.accept?.split(', ')).toEqual([
      MEDIA_TYPES.ociIndex,
      MEDIA_TYPES.ociManifest,
      MEDIA_TYPES.dockerIndex,
      MEDIA_TYPES.dockerManifest,
    ]);
  });

  test.each<[string, number, Record<string, string>]>([
    ['without digest', 200, { ...AS_MANIFEST, 'content-length': String(MANIFEST.sizeBytes) }],
    [
      'without length',
      200,
      { ...AS_MANIFEST, 'docker-content-digest': MANIFEST.digest, 'transfer-encoding': 'chunked' },
    ],
    [
      'with another type',
      200,
      { 'content-type': 'text/html', 'docker-content-digest': MANIFEST.digest, 'content-length': '1' },
    ],
    ['that is not allowed', 405, {}],
  ])('is resolved by GET after a HEAD %s', async (_, status, headers) => {
    const server = await serve(({ method }, response) =>
      method === 'HEAD'
        ? response.writeHead(status, headers).end()
        : response.writeHead(200, AS_MANIFEST).end(MANIFEST_BYTES),
    );
    expect(await openRepository(server.host).resolve({ tag: '1' })).toEqual(MANIFEST);
    expect(server.lines()).toEqual(['HEAD /v2/acme/app/manifests/1', 'GET /v2/acme/app/manifests/1']);
  });

  test('is resolved by HEAD alone where that says all', async () => {
    const headers = { ...AS_MANIFEST, 'docker-content-digest': MANIFEST.digest, 'content-length': MANIFEST.sizeBytes };
    const server = await serve((_, response) => response.writeHead(200, headers).end());
    expect(await openRepository(server.host).resolve({ tag: '1' })).toEqual(MANIFEST);
    expect(server.seen).toHaveLength(1);
    await expect(openRepository(server.host).resolve({ digest: digestOf('other') })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
  });

  const other = digestOf('other');
  test.each<[string, Parameters<RegistryRepository['fetch']>[0], Record<string, string>, Uint8Array | string, string]>([
    ['other content than asked', { digest: other }, AS_MANIFEST, MANIFEST_BYTES, 'DIGEST_INVALID'],
    [
      'other content than it says',
      { tag: '1' },
      { ...AS_MANIFEST, 'docker-content-digest': other },
      MANIFEST_BYTES,
      'DIGEST_INVALID',
    ],
    ['another size than the descriptor', { ...MANIFEST, sizeBytes: 7 }, AS_MANIFEST, MANIFEST_BYTES, 'SIZE_INVALID'],
    ['a page for people', { tag: '1' }, { 'content-type': 'text/html' }, '<html>Sign in</html>', 'UNEXPECTED_ANSWER'],
    [
      'truncated JSON',
      { tag: '1' },
      { 'content-type': 'application/json' },
      MANIFEST_BYTES.subarray(0, 50),
      'UNEXPECTED_ANSWER',
    ],
    [
      "Docker's schema 1",
      { tag: '1' },
      { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
      '{"schemaVersion":1}',
      'UNEXPECTED_ANSWER',
    ],
    ['more than a manifest may have', { tag: '1' }, AS_MANIFEST, Buffer.alloc(4 * 1024 * 1024 + 1), 'TOO_LARGE'],
  ])('with %s is an error', async (...[, target, headers, body, code]) => {
    const server = await serve((_seen, response) => response.writeHead(200, headers).end(body));
    await expect(openRepository(server.host).fetch(target)).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(1);
  });

  test('served as plain JSON is known by what it says itself', async () => {
    const server = await serve((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(MANIFEST_BYTES),
    );
    expect((await openRepository(server.host).fetch({ tag: '1' }))?.descriptor).toEqual(MANIFEST);
  });

  test('by sha512 is checked by sha512', async () => {
    const digest = digestOf(MANIFEST_BYTES, parseDigest(`sha512:${'0'.repeat(128)}`));
    const server = await serve((_, response) =>
      response.writeHead(200, { ...AS_MANIFEST, 'docker-content-digest': MANIFEST.digest }).end(MANIFEST_BYTES),
    );
    expect((await openRepository(server.host).fetch({ digest }))?.descriptor.digest).toBe(digest);
  });

  test('that was just fetched or pushed is tagged without another download', async () => {
    const server = await serve(({ method }, response) =>
      method === 'GET' ? response.writeHead(200, AS_MANIFEST).end(MANIFEST_BYTES) : response.writeHead(201).end(),
    );
    const repository = openRepository(server.host);
    await repository.fetch({ tag: '1.2.3' });
    await repository.tag(MANIFEST, '1.2');
    await repository.tag(MANIFEST, '1');
    expect(server.lines()).toEqual([
      'GET /v2/acme/app/manifests/1.2.3',
      'PUT /v2/acme/app/manifests/1.2',
      'PUT /v2/acme/app/manifests/1',
    ]);
    expect(server.seen[1]).toMatchObject({ body: MANIFEST_BYTES.toString(), headers: AS_MANIFEST });
  });

  test('may be known to the registry by a digest of another algorithm', async () => {
    const sha512 = digestOf(MANIFEST_BYTES, parseDigest(`sha512:${'0'.repeat(128)}`));
    const server = await serve((_, response) => response.writeHead(201, { 'docker-content-digest': sha512 }).end());
    await openRepository(server.host).push(MANIFEST, MANIFEST_BYTES);
    expect(server.lines()).toEqual([`PUT /v2/acme/app/manifests/${MANIFEST.digest}`]);
  });

  test('that the registry stored as something else is an error', async () => {
    const server = await serve((_, response) =>
      response.writeHead(201, { 'docker-content-digest': digestOf('other') }).end(),
    );
    await expect(openRepository(server.host).push(MANIFEST, MANIFEST_BYTES)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
  });
});

describe('a refusal', () => {
  const refuse = (status: number) => (_: Seen, response: ServerResponse) =>
    response.writeHead(status).end('{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}');

  test.each([401, 403])('of status %i says how to log in', async (status) => {
    const server = await serve(refuse(status));
    await expect(openRepository(server.host).fetch({ tag: '1' })).rejects.toMatchObject({
      code: 'DENIED',
      status,
      hint: expect.stringContaining('credentials that may read acme/app'),
    });
    await expect(openRepository(server.host).push(MANIFEST, MANIFEST_BYTES)).rejects.toMatchObject({
      hint: expect.stringContaining('credentials that may push to acme/app'),
    });
  });

  test('to start an upload is found before any work', async () => {
    const server = await serve(refuse(403));
    await expect(openRepository(server.host).checkPushAccess()).rejects.toMatchObject({
      code: 'DENIED',
      status: 403,
      entries: [{ code: 'DENIED', message: 'permission_denied: write_package' }],
      message: expect.stringContaining(
        '/v2/acme/app/blobs/uploads/: the registry answered 403, DENIED "permission_denied: write_package"',
      ),
    });
  });

  test.each([500, 404, 400])('of status %i is no matter of rights', async (status) => {
    const server = await serve((_, response) => response.writeHead(status).end());
    await expect(openRepository(server.host).checkPushAccess()).rejects.toMatchObject({ status, hint: undefined });
  });

  test('with words of a stranger stays one printable line', async () => {
    const message = `\u001b[2J\n::set-output name=x::y\r${'x'.repeat(100_000)}`;
    const server = await serve((_, response) =>
      response.writeHead(400).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] })),
    );
    const error: unknown = await openRepository(server.host)
      .checkPushAccess()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.not.stringMatching(/[\u0000-\u001f]/) });
    expect(error instanceof Error && error.message.length).toBeLessThan(600);
  });
});

test('checkPushAccess starts an upload and cancels it', async () => {
  const server = await serve(({ method }, response) =>
    method === 'POST'
      ? response.writeHead(202, { location: '/v2/acme/app/blobs/uploads/1?state=a%20b' }).end()
      : response.writeHead(500).end(),
  );
  await openRepository(server.host, { attempts: 1 }).checkPushAccess();
  expect(server.lines()).toEqual([
    'POST /v2/acme/app/blobs/uploads/',
    'DELETE /v2/acme/app/blobs/uploads/1?state=a%20b',
  ]);
});

describe('deleting', () => {
  test.each([
    [202, true],
    [200, true],
    [404, false],
  ])('answers %i as %j', async (status, deleted) => {
    const server = await serve(({ method }, response) =>
      method === 'GET' ? response.writeHead(404).end() : response.writeHead(status).end(),
    );
    expect(await openRepository(server.host).delete(MANIFEST.digest)).toBe(deleted);
    expect(await openRepository(server.host).deleteTag('1')).toBe(deleted);
    expect(server.lines()).toEqual([
      `GET /v2/acme/app/manifests/${MANIFEST.digest}`,
      `DELETE /v2/acme/app/manifests/${MANIFEST.digest}`,
      'DELETE /v2/acme/app/manifests/1',
    ]);
  });

  test('where the registry cannot is UNSUPPORTED', async () => {
    const server = await serve(({ method }, response) => response.writeHead(method === 'GET' ? 404 : 405).end());
    await expect(openRepository(server.host).delete(MANIFEST.digest)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      status: 405,
    });
    const old = await serve(({ method }, response) =>
      method === 'GET'
        ? response.writeHead(404).end()
        : response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}'),
    );
    await expect(openRepository(old.host).deleteTag('1')).rejects.toMatchObject({ code: 'UNSUPPORTED', status: 400 });
    await expect(openRepository(old.host).delete(MANIFEST.digest)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      status: 400,
    });
  });

  test.each([
    ['that is damaged', 200, MANIFEST_BYTES.subarray(0, 50)],
    ['that is a page for people', 200, '<html>'],
  ])('takes away a manifest %s too', async (_, status, body) => {
    const server = await serve(({ method }, response) =>
      method === 'GET' ? response.writeHead(status, AS_MANIFEST).end(body) : response.writeHead(202).end(),
    );
    expect(await openRepository(server.host).delete(MANIFEST.digest)).toBe(true);
  });

  test('and pushing again works: nothing is remembered of what is gone', async () => {
    const server = await startRegistry();
    onTestFinished(() => server.close());
    const repository = openRepository(server.host);
    const image = await pushImage(repository, IMAGE);
    await repository.delete(image.digest);
    await expect(repository.tag(image, '1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });
});

test.each(['', '-x', 'a/../../../b', 'a?b', 'a b', 'x'.repeat(129)])(
  'asks nothing about %j, which is no tag',
  async (tag) => {
    const server = await serve((_, response) => response.end());
    await expect(openRepository(server.host).resolve({ tag })).rejects.toMatchObject({ code: 'TAG_INVALID' });
    await expect(openRepository(server.host).deleteTag(tag)).rejects.toMatchObject({ code: 'TAG_INVALID' });
    expect(server.seen).toEqual([]);
  },
);
