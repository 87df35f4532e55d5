import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { openRegistries, type RegistriesSettings, type RegistryRepository } from '../../src/registry/open.ts';
import { startRegistry } from '../../src/registry/server.ts';
import { all, inPieces, pieceOf, pushImage, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';
import { fakeClock, type Seen, serve } from './scripted-server.ts';

const NO_CONFIG = { DOCKER_CONFIG: '/nonexistent' };
const toolchain = inject('toolchain');

// That it is a repository in all, contract.ts says, in server.test.ts and in e2e/embedded-registry.test.ts.
describe.skipIf(!toolchain.layers.registry)('a real registry that asks for a login', () => {
  const openReal = (password: string): RegistryRepository => {
    const { host, username } = toolchain.authRegistry;
    const registries = openRegistries({ env: NO_CONFIG, explicit: { registry: host, username, password } });
    onTestFinished(() => registries.close());
    return registries.open({ registry: host, path: `distribution-test/${randomUUID()}` }, 'push');
  };

  test('takes images and gives them back', async () => {
    const repository = openReal(toolchain.authRegistry.password);
    await repository.checkPushAccess();
    const image = await pushImage(repository, sampleImage());
    await repository.tag(image, '1.2.3');
    expect(await repository.resolve({ tag: '1.2.3' })).toEqual(image);
    expect(await all(repository.tags())).toEqual(['1.2.3']);
  });

  test('refuses the wrong password with a hint', async () => {
    await expect(openReal('wrong').checkPushAccess()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      hint: expect.stringContaining(`Log in to ${toolchain.authRegistry.host}`),
    });
  });
});

/** The repository acme/app of a registry at this address. */
function open(host: string, settings: Partial<RegistriesSettings> = {}): RegistryRepository {
  const registries = openRegistries({ env: NO_CONFIG, clock: fakeClock(), ...settings });
  onTestFinished(() => registries.close());
  return registries.open({ registry: host, path: 'acme/app' });
}

const IMAGE = sampleImage();
const { descriptor: MANIFEST, bytes: MANIFEST_BYTES } = IMAGE.manifest;
const AS_MANIFEST = { 'content-type': MEDIA_TYPES.ociManifest };

describe('a manifest', () => {
  test('is fetched in one request that takes all four types', async () => {
    const server = await serve((_, response) => response.writeHead(200, AS_MANIFEST).end(MANIFEST_BYTES));
    const content = await open(server.host).fetch({ tag: '1.2.3' });
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
    expect(await open(server.host).resolve({ tag: '1' })).toEqual(MANIFEST);
    expect(server.lines()).toEqual(['HEAD /v2/acme/app/manifests/1', 'GET /v2/acme/app/manifests/1']);
  });

  test('is resolved by HEAD alone where that says all', async () => {
    const headers = { ...AS_MANIFEST, 'docker-content-digest': MANIFEST.digest, 'content-length': MANIFEST.sizeBytes };
    const server = await serve((_, response) => response.writeHead(200, headers).end());
    expect(await open(server.host).resolve({ tag: '1' })).toEqual(MANIFEST);
    expect(server.seen).toHaveLength(1);
    await expect(open(server.host).resolve({ digest: digestOf('other') })).rejects.toMatchObject({
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
  ])('with %s is an error', async (_, target, headers, body, code) => {
    const server = await serve((_seen, response) => response.writeHead(200, headers).end(body));
    await expect(open(server.host).fetch(target)).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(1);
  });

  test('served as plain JSON is known by what it says itself', async () => {
    const server = await serve((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(MANIFEST_BYTES),
    );
    expect((await open(server.host).fetch({ tag: '1' }))?.descriptor).toEqual(MANIFEST);
  });

  test('by sha512 is checked by sha512', async () => {
    const digest = digestOf(MANIFEST_BYTES, digestOf('', `sha512:${'0'.repeat(128)}` as typeof MANIFEST.digest));
    const server = await serve((_, response) =>
      response.writeHead(200, { ...AS_MANIFEST, 'docker-content-digest': MANIFEST.digest }).end(MANIFEST_BYTES),
    );
    expect((await open(server.host).fetch({ digest }))?.descriptor.digest).toBe(digest);
  });

  test('that was just fetched or pushed is tagged without another download', async () => {
    const server = await serve(({ method }, response) =>
      method === 'GET' ? response.writeHead(200, AS_MANIFEST).end(MANIFEST_BYTES) : response.writeHead(201).end(),
    );
    const repository = open(server.host);
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

  test('that the registry stored as something else is an error', async () => {
    const server = await serve((_, response) =>
      response.writeHead(201, { 'docker-content-digest': digestOf('other') }).end(),
    );
    await expect(open(server.host).push(MANIFEST, MANIFEST_BYTES)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });
});

describe('a refusal', () => {
  const refuse = (status: number) => (_: Seen, response: ServerResponse) =>
    response.writeHead(status).end('{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}');

  test.each([401, 403])('of status %i says how to log in', async (status) => {
    const server = await serve(refuse(status));
    await expect(open(server.host).fetch({ tag: '1' })).rejects.toMatchObject({
      code: 'DENIED',
      status,
      hint: expect.stringContaining('credentials that may read acme/app'),
    });
    await expect(open(server.host).push(MANIFEST, MANIFEST_BYTES)).rejects.toMatchObject({
      hint: expect.stringContaining('credentials that may push to acme/app'),
    });
  });

  test('to start an upload is found before any work', async () => {
    const server = await serve(refuse(403));
    await expect(open(server.host).checkPushAccess()).rejects.toMatchObject({
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
    await expect(open(server.host).checkPushAccess()).rejects.toMatchObject({ status, hint: undefined });
  });

  test('with words of a stranger stays one printable line', async () => {
    const message = `\u001b[2J\n::set-output name=x::y\r${'x'.repeat(100_000)}`;
    const server = await serve((_, response) =>
      response.writeHead(400).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] })),
    );
    const error: unknown = await open(server.host)
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
  await open(server.host, { attempts: 1 }).checkPushAccess();
  expect(server.lines()).toEqual([
    'POST /v2/acme/app/blobs/uploads/',
    'DELETE /v2/acme/app/blobs/uploads/1?state=a%20b',
  ]);
});

describe('pushing a blob', () => {
  const blob = randomLayer(100_000);

  /** A registry that has no blobs and takes uploads at `location`. */
  const uploads = (location: (host: string) => string, put: (seen: Seen, response: ServerResponse) => unknown) => {
    const host = { text: '' };
    return {
      host,
      script: (seen: Seen, response: ServerResponse): unknown => {
        if (seen.method === 'HEAD') return response.writeHead(404).end();
        if (seen.method === 'POST') return response.writeHead(202, { location: location(host.text) }).end();
        return put(seen, response);
      },
    };
  };

  test.each<[string, (host: string) => string, string]>([
    ['a path', () => '/up/1', '/up/1?digest='],
    ['a path with a query', () => '/up/1?_state=a%2Fb+c~&x', '/up/1?_state=a%2Fb+c~&x&digest='],
    ['a URL', (host) => `http://${host}/up/1?a=b`, '/up/1?a=b&digest='],
    ['a relative path', () => '1', '/v2/acme/app/blobs/uploads/1?digest='],
  ])('goes to the location as it is: %s', async (_, location, path) => {
    const { host, script } = uploads(location, (_seen, response) => response.writeHead(201).end());
    const server = await serve(script);
    host.text = server.host;
    await open(server.host).push(blob.descriptor, () => inPieces(blob.bytes, 1000));
    expect(server.lines()).toEqual([
      `HEAD /v2/acme/app/blobs/${blob.descriptor.digest}`,
      'POST /v2/acme/app/blobs/uploads/',
      `PUT ${path}${encodeURIComponent(blob.descriptor.digest)}`,
    ]);
    expect(server.seen[2]?.headers).toMatchObject({
      'content-length': '100000',
      'content-type': 'application/octet-stream',
    });
    expect(server.seen[2]?.headers['transfer-encoding']).toBeUndefined();
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['the connection is cut', (response) => response.socket?.destroy()],
    ['the registry has a hiccup', (response) => response.writeHead(502).end()],
    [
      'the upload is forgotten',
      (response) => response.writeHead(404).end('{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'),
    ],
  ])('starts again from the beginning when %s', async (_, fail) => {
    let puts = 0;
    let starts = 0;
    const { script } = uploads(
      () => `/up/${(starts += 1)}`,
      (_seen, response) => ((puts += 1) < 3 ? fail(response) : response.writeHead(201).end()),
    );
    const server = await serve(script);
    let opened = 0;
    await open(server.host).push(blob.descriptor, () => ((opened += 1), inPieces(blob.bytes, 1000)));
    expect(opened).toBe(3);
    expect(
      server
        .lines()
        .slice(1)
        .map((line) => line.split('?')[0]),
    ).toEqual([
      'POST /v2/acme/app/blobs/uploads/',
      'PUT /up/1',
      'POST /v2/acme/app/blobs/uploads/',
      'PUT /up/2',
      'POST /v2/acme/app/blobs/uploads/',
      'PUT /up/3',
    ]);
  });

  test('gives up when it is told that the content is wrong', async () => {
    const { script } = uploads(
      () => '/up/1',
      (_seen, response) => response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}'),
    );
    const server = await serve(script);
    await expect(open(server.host).push(blob.descriptor, blob.bytes)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      status: 400,
    });
    expect(server.seen).toHaveLength(3);
  });

  test.each([
    ['elsewhere in plain http', 'http://169.254.169.254/latest'],
    ['nowhere', undefined],
  ])('refuses a location %s', async (_, location) => {
    const server = await serve(({ method }, response) =>
      response.writeHead(method === 'HEAD' ? 404 : 202, location === undefined ? {} : { location }).end(),
    );
    await expect(open(server.host).push(blob.descriptor, blob.bytes)).rejects.toMatchObject({
      code: location === undefined ? 'UNEXPECTED_ANSWER' : 'PLAIN_HTTP_REFUSED',
    });
  });

  test('sends no credentials to a location on another server', async () => {
    const storage = await serve((_, response) => response.writeHead(201).end());
    const home = await serve(({ method, headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (method === 'HEAD') response.writeHead(404).end();
      else response.writeHead(202, { location: `http://${storage.host}/put?signature=x` }).end();
    });
    const explicit = { registry: home.host, username: 'kim', password: 'secret' };
    await open(home.host, { explicit }).push(blob.descriptor, blob.bytes);
    expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('mounts what another repository of the registry has', async () => {
    const server = await serve(({ method }, response) => response.writeHead(method === 'HEAD' ? 404 : 201).end());
    await open(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.lines()[1]).toBe(
      `POST /v2/acme/app/blobs/uploads/?mount=${encodeURIComponent(blob.descriptor.digest)}&from=acme%2Fbase`,
    );
    expect(server.seen).toHaveLength(2);
  });

  test('goes on with the upload that a registry begins instead of mounting', async () => {
    const { script } = uploads(
      () => '/up/1',
      (_seen, response) => response.writeHead(201).end(),
    );
    const server = await serve(script);
    await open(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT']);
  });

  test('uploads where mounting is refused, or the other repository is elsewhere', async () => {
    const server = await serve(({ method, path }, response) => {
      if (method === 'HEAD') response.writeHead(404).end();
      else if (path.includes('mount=')) response.writeHead(403).end();
      else response.writeHead(method === 'PUT' ? 201 : 202, { location: '/up/1' }).end();
    });
    await open(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'POST', 'PUT']);
    await open(server.host).push(blob.descriptor, blob.bytes, { registry: 'quay.io', path: 'acme/base' });
    expect(server.seen.slice(4).map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT']);
  });
});

describe('reading a blob', () => {
  const blob = randomLayer(300_000);
  const read = async (repository: RegistryRepository, descriptor: Descriptor = blob.descriptor): Promise<Buffer> =>
    Buffer.concat(await all((await repository.fetch(descriptor))?.stream() ?? inPieces(Buffer.of())));

  test('goes on where the connection was cut', async () => {
    const server = await serve(({ headers }, response, index) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      const rest = blob.bytes.subarray(start);
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': rest.length,
        ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${blob.bytes.length - 1}/${blob.bytes.length}` }),
      });
      if (index === 2) response.end(rest);
      else response.write(rest.subarray(0, 100_000), () => response.destroy());
    });
    expect(await read(open(server.host))).toEqual(blob.bytes);
    expect(server.seen).toHaveLength(3);
    expect(server.seen[0]?.headers.range).toBeUndefined();
  });

  test('fails when the registry cannot go on', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': blob.bytes.length });
      response.write(blob.bytes.subarray(0, 1000), () => response.destroy());
    });
    await expect(read(open(server.host))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    expect(server.seen).toHaveLength(2);
  });

  test('fails when the connection is cut again and again', async () => {
    const server = await serve(({ headers }, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': 5000,
        'content-range': `bytes ${start}-299999/300000`,
      });
      response.write(blob.bytes.subarray(start, start + 10), () => response.destroy());
    });
    await expect(read(open(server.host))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    expect(server.seen).toHaveLength(6);
  });

  test.each<[string, Uint8Array, string]>([
    ['other', blob.bytes.map((byte) => byte ^ 1), 'DIGEST_INVALID'],
    ['less', blob.bytes.subarray(1), 'SIZE_INVALID'],
    ['more', Buffer.concat([blob.bytes, Buffer.of(0)]), 'SIZE_INVALID'],
  ])('notices %s content', async (_, bytes, code) => {
    const server = await serve((_seen, response) => response.writeHead(200).end(bytes));
    await expect(read(open(server.host))).rejects.toMatchObject({ code });
  });

  test('follows to a storage without taking the credentials along', async () => {
    const storage = await serve((_, response) => response.end(blob.bytes));
    const home = await serve(({ headers }, response) =>
      headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        : response.writeHead(307, { location: `http://${storage.host}/blob?signature=x` }).end(),
    );
    const explicit = { registry: home.host, username: 'kim', password: 'secret' };
    expect(await read(open(home.host, { explicit }))).toEqual(blob.bytes);
    expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('ends with the run', async () => {
    const controller = new AbortController();
    const server = await serve((_, response) =>
      response.writeHead(200, { 'content-length': 300_000 }).write(blob.bytes.subarray(0, 10)),
    );
    const content = await open(server.host, { signal: controller.signal }).fetch(blob.descriptor);
    controller.abort();
    await expect(content?.bytes()).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('tags', () => {
  const list = (tags: readonly string[]): string => JSON.stringify({ name: 'acme/app', tags });

  test.each<[string, (host: string) => string]>([
    ['relative', () => '</v2/acme/app/tags/list?n=1000&last=2>; rel="next"'],
    ['absolute', (host) => `<http://${host}/v2/acme/app/tags/list?n=1000&last=2>;rel=next`],
    ['beside others', () => '<https://example.org/>; rel="help", <?last=2>; title="x"; rel="last next"'],
  ])('follow links that are %s', async (_, link) => {
    const server = await serve(({ path }, response) =>
      path.includes('last=2')
        ? response.end(list(['3']))
        : response.writeHead(200, { link: link(server.host) }).end(list(['1', '2'])),
    );
    expect(await all(open(server.host).tags())).toEqual(['1', '2', '3']);
    expect(server.lines()[0]).toBe('GET /v2/acme/app/tags/list?n=1000');
  });

  test('are none where there is no repository', async () => {
    const server = await serve((_, response) => response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}'));
    expect(await all(open(server.host).tags())).toEqual([]);
  });

  test.each<[string, string]>([
    ['in a circle', '</v2/acme/app/tags/list?n=1000>; rel="next"'],
    ['to another server', '<https://example.org/v2/acme/app/tags/list>; rel="next"'],
    ['to plain http', '<http://example.org/v2/acme/app/tags/list>; rel="next"'],
  ])('do not follow links that lead %s', async (_, link) => {
    const server = await serve((_seen, response) => response.writeHead(200, { link }).end(list(['1'])));
    await expect(all(open(server.host).tags())).rejects.toMatchObject({
      code: expect.stringMatching(/UNEXPECTED_ANSWER|PLAIN_HTTP_REFUSED/),
    });
    expect(server.seen).toHaveLength(1);
  });

  test('that are no list are an error', async () => {
    const server = await serve((_, response) => response.end('<html>'));
    await expect(all(open(server.host).tags())).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });
});

describe('referrers', () => {
  const referrer = (name: string): Descriptor => ({
    ...pieceOf(name, MEDIA_TYPES.ociManifest).descriptor,
    artifactType: `application/${name}`,
  });
  const index = (...names: readonly string[]): Uint8Array => sampleIndex(names.map(referrer)).bytes;
  const asIndex = { 'content-type': MEDIA_TYPES.ociIndex };
  const tagPath = `/v2/acme/app/manifests/${MANIFEST.digest.replace(':', '-')}`;

  test('come from the API page by page and from the fallback tag, each once', async () => {
    const server = await serve(({ path }, response) => {
      if (path === tagPath) response.writeHead(200, asIndex).end(index('b', 'c'));
      else if (path.includes('page=2')) response.writeHead(200, asIndex).end(index('b'));
      else response.writeHead(200, { ...asIndex, link: '<?page=2>; rel="next"' }).end(index('a'));
    });
    expect(await all(open(server.host).referrers(MANIFEST))).toEqual(['a', 'b', 'c'].map(referrer));
  });

  test('are filtered by type, whether the registry does it or not', async () => {
    const server = await serve((_, response) => response.writeHead(200, asIndex).end(index('a', 'b')));
    expect(await all(open(server.host).referrers(MANIFEST, 'application/b'))).toEqual([referrer('b')]);
    expect(server.lines()[0]).toBe(`GET /v2/acme/app/referrers/${MANIFEST.digest}?artifactType=application%2Fb`);
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['404', (response) => response.writeHead(404).end()],
    ['405', (response) => response.writeHead(405).end()],
    ['a page for people', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
  ])('come from the fallback tag alone where the API answers %s', async (_, answer) => {
    const server = await serve(({ path }, response) =>
      path === tagPath ? response.writeHead(200, asIndex).end(index('a')) : answer(response),
    );
    expect(await all(open(server.host).referrers(MANIFEST))).toEqual([referrer('a')]);
  });

  test('that cannot be read are an error, not none', async () => {
    const server = await serve((_, response) => response.writeHead(200, asIndex).end(index('a').subarray(0, 40)));
    await expect(all(open(server.host).referrers(MANIFEST))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });

  test('of a registry that refuses to say are an error', async () => {
    const server = await serve((_, response) => response.writeHead(403).end());
    await expect(all(open(server.host).referrers(MANIFEST))).rejects.toMatchObject({ code: 'DENIED' });
  });

  describe('that are pushed', () => {
    const pushed = sampleImage([], {
      subject: MANIFEST,
      artifactType: 'application/sig',
      annotations: { a: 'b' },
    }).manifest;
    const entry = { ...formatDescriptor(pushed.descriptor), annotations: { a: 'b' }, artifactType: 'application/sig' };

    /** A registry that keeps one tag, with the API or without. */
    async function serveTag(
      api: boolean,
      onPut: (write: number, body: string) => string | undefined = (_, body) => body,
    ) {
      const kept: { body: string | undefined } = { body: undefined };
      let writes = 0;
      const server = await serve(({ method, path, body }, response) => {
        if (method === 'PUT' && path === tagPath) kept.body = onPut((writes += 1), body);
        if (method === 'PUT') response.writeHead(201, api ? { 'oci-subject': MANIFEST.digest } : {}).end();
        else if (path === tagPath && kept.body !== undefined) response.writeHead(200, asIndex).end(kept.body);
        else if (api && path.includes('/referrers/')) response.writeHead(200, asIndex).end(index());
        else response.writeHead(404).end();
      });
      return { server, members: (): unknown[] => JSON.parse(kept.body ?? '{"manifests":[]}').manifests };
    }

    test('need nothing more where the registry has the API', async () => {
      const { server, members } = await serveTag(true);
      await open(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([]);
    });

    test('are entered under the fallback tag where it has not', async () => {
      const { server, members } = await serveTag(false);
      await open(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([entry]);
      await open(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([entry]);
    });

    test('are entered again when another writer removed them, whose entries stay as they are', async () => {
      const foreign = { ...formatDescriptor(referrer('x')), data: 'eA==' };
      const { server, members } = await serveTag(false, (write, body) =>
        write === 1
          ? JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [foreign] })
          : body,
      );
      await open(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([foreign, entry]);
    });

    test('and never stay are an error', async () => {
      const { server } = await serveTag(false, () => undefined);
      await expect(open(server.host).push(pushed.descriptor, pushed.bytes)).rejects.toMatchObject({
        code: 'UNEXPECTED_ANSWER',
      });
    });
  });
});

describe('deleting', () => {
  test.each([
    [202, true],
    [200, true],
    [404, false],
  ])('answers %i as %j', async (status, deleted) => {
    const server = await serve((_, response) => response.writeHead(status).end());
    expect(await open(server.host).delete(MANIFEST.digest)).toBe(deleted);
    expect(await open(server.host).deleteTag('1')).toBe(deleted);
    expect(server.lines()).toEqual([
      `DELETE /v2/acme/app/manifests/${MANIFEST.digest}`,
      'DELETE /v2/acme/app/manifests/1',
    ]);
  });

  test('where the registry cannot is UNSUPPORTED', async () => {
    const server = await serve((_, response) => response.writeHead(405).end());
    await expect(open(server.host).delete(MANIFEST.digest)).rejects.toMatchObject({ code: 'UNSUPPORTED', status: 405 });
    const old = await serve((_, response) => response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}'));
    await expect(open(old.host).deleteTag('1')).rejects.toMatchObject({ code: 'UNSUPPORTED', status: 400 });
    await expect(open(old.host).delete(MANIFEST.digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID', status: 400 });
  });

  test('and pushing again works: nothing is remembered of what is gone', async () => {
    const server = await startRegistry();
    onTestFinished(() => server.close());
    const repository = open(server.host);
    const image = await pushImage(repository, IMAGE);
    await repository.delete(image.digest);
    await expect(repository.tag(image, '1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });
});

test.each(['', '-x', 'a/../../../b', 'a?b', 'a b', 'x'.repeat(129)])(
  'asks nothing about %j, which is no tag',
  async (tag) => {
    const server = await serve((_, response) => response.end());
    await expect(open(server.host).resolve({ tag })).rejects.toMatchObject({ code: 'TAG_INVALID' });
    await expect(open(server.host).deleteTag(tag)).rejects.toMatchObject({ code: 'TAG_INVALID' });
    expect(server.seen).toEqual([]);
  },
);
