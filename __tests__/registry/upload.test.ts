import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/registry/retry.ts';
import { openRepository } from './open-repository.ts';
import { inPieces, randomLayer } from './sample-image.ts';
import { type Seen, serve } from './scripted-server.ts';
import { serveTokens } from './token-registry.ts';

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
    await openRepository(server.host).push(blob.descriptor, () => inPieces(blob.bytes, 1000));
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
    await openRepository(server.host).push(blob.descriptor, () => ((opened += 1), inPieces(blob.bytes, 1000)));
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
    await expect(openRepository(server.host).push(blob.descriptor, blob.bytes)).rejects.toMatchObject({
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
    await expect(openRepository(server.host).push(blob.descriptor, blob.bytes)).rejects.toMatchObject({
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
    await openRepository(home.host, { explicit }).push(blob.descriptor, blob.bytes);
    expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('follows a redirect to another server without credentials, and sends the body there whole', async () => {
    const storage = await serve((_, response) => response.writeHead(201).end());
    const home = await serve(({ method, headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (method === 'HEAD') response.writeHead(404).end();
      else if (method === 'POST') response.writeHead(202, { location: '/up/1' }).end();
      else response.writeHead(307, { location: `http://${storage.host}/put?signature=x` }).end();
    });
    const explicit = { registry: home.host, username: 'kim', password: 'secret' };
    await openRepository(home.host, { explicit }).push(blob.descriptor, () => inPieces(blob.bytes, 1000));
    expect(storage.seen.map(({ headers }) => [headers.authorization, headers['content-length']])).toEqual([
      [undefined, '100000'],
    ]);
  });

  describe('whose token expires on the way', () => {
    /** Takes back every token when an upload has begun, `times` times; without its upload when `forgets`. */
    async function serveExpiring(times: number, forgets: boolean) {
      let begun = 0;
      let lost = 0;
      const server = await serveTokens({
        answer: ({ method, path }, response) => {
          if (method === 'HEAD') return response.writeHead(404).end();
          if (method === 'PUT') return response.writeHead(forgets && path.startsWith(`/up/${lost}?`) ? 404 : 201).end();
          begun += 1;
          if (begun <= times) {
            lost = begun;
            server.revoke();
          }
          return response.writeHead(202, { location: `/up/${begun}` }).end();
        },
      });
      return server;
    }

    test('goes on with a new one', async () => {
      const server = await serveExpiring(1, false);
      await openRepository(server.host).push(blob.descriptor, () => inPieces(blob.bytes, 1000));
      const puts = server.seen.filter(({ method }) => method === 'PUT');
      expect(puts.map(({ path, body }) => [path.split('?')[0], body.length > 0])).toEqual([
        ['/up/1', true],
        ['/up/1', true],
      ]);
      expect(new Set(puts.map(({ headers }) => headers.authorization)).size).toBe(2);
    });

    test('starts again with a new one where the upload is lost with it', async () => {
      const server = await serveExpiring(2, true);
      await openRepository(server.host).push(blob.descriptor, () => inPieces(blob.bytes, 1000));
      const puts = server.seen.filter(({ method }) => method === 'PUT').map(({ path }) => path.split('?')[0]);
      expect(puts).toEqual(['/up/1', '/up/1', '/up/2', '/up/2', '/up/3']);
    });
  });

  test('waits no longer than the run', async () => {
    const controller = new AbortController();
    const { script } = uploads(
      () => '/up/1',
      (_seen, response) => {
        setImmediate(() => controller.abort());
        return response.writeHead(503, { 'retry-after': '60' }).end();
      },
    );
    const server = await serve(script);
    const repository = openRepository(server.host, { signal: controller.signal, clock: systemClock });
    await expect(repository.push(blob.descriptor, blob.bytes)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('mounts what another repository of the registry has', async () => {
    const server = await serve(({ method }, response) => response.writeHead(method === 'HEAD' ? 404 : 201).end());
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
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
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT']);
  });

  test('uploads where there is no token for the other repository', async () => {
    const server = await serveTokens({
      grant: (_, scopes) => (scopes.length > 1 ? undefined : { token: scopes[0] }),
      answer: ({ method }, response) =>
        response.writeHead(method === 'HEAD' ? 404 : method === 'POST' ? 202 : 201, { location: '/up/1' }).end(),
    });
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.lines().filter((line) => line.startsWith('PUT'))).toHaveLength(1);
  });

  test('uploads where the registry fails at mounting', async () => {
    const server = await serve(({ method, path }, response) => {
      if (method === 'HEAD') response.writeHead(404).end();
      else if (path.includes('mount=')) response.writeHead(500).end();
      else response.writeHead(method === 'PUT' ? 201 : 202, { location: '/up/1' }).end();
    });
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.seen.slice(-2).map(({ method }) => method)).toEqual(['POST', 'PUT']);
  });

  test('uploads where mounting is refused, or the other repository is elsewhere', async () => {
    const server = await serve(({ method, path }, response) => {
      if (method === 'HEAD') response.writeHead(404).end();
      else if (path.includes('mount=')) response.writeHead(403).end();
      else response.writeHead(method === 'PUT' ? 201 : 202, { location: '/up/1' }).end();
    });
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: server.host, path: 'acme/base' });
    expect(server.seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'POST', 'PUT']);
    await openRepository(server.host).push(blob.descriptor, blob.bytes, { registry: 'quay.io', path: 'acme/base' });
    expect(server.seen.slice(4).map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT']);
  });
});
