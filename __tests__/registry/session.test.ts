import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Credentials, Secret } from '../../src/registry/credentials.ts';
import { Endpoint } from '../../src/registry/endpoint.ts';
import { repositoryScope } from '../../src/registry/scope.ts';
import { type Access, Session } from '../../src/registry/session.ts';
import { createTransport, type HttpRequest } from '../../src/registry/transport.ts';
import { type FakeClock, fakeClock, type Seen, serve } from './scripted-server.ts';
import { serveTokens } from './token-registry.ts';

const PASSWORD: Credentials = { username: 'kim', password: new Secret('pässword') };
const READ: Access = { scopes: [repositoryScope('acme/app', ['pull'])], hint: 'log in' };
const WRITE: Access = { scopes: [repositoryScope('acme/app', ['pull', 'push'])], hint: 'log in' };

interface Open {
  readonly session: Session;
  readonly clock: FakeClock;
  readonly transport: ReturnType<typeof createTransport>;
}

function open(host: string, credentials?: Credentials): Open {
  const clock = fakeClock();
  const transport = createTransport({ clock });
  onTestFinished(() => transport.close());
  return {
    session: new Session(new URL(`http://${host}`), transport, () => Promise.resolve(credentials)),
    clock,
    transport,
  };
}

function request(host: string, method: HttpRequest['method'] = 'GET', path = '/v2/acme/app/manifests/1'): HttpRequest {
  return { method, url: new URL(`http://${host}${path}`) };
}

describe('tokens', () => {
  test('are fetched when the registry asks for them, then kept', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect(server.lines()).toEqual([
      'GET /v2/acme/app/manifests/1',
      'GET /token?service=reg&scope=repository%3Aacme%2Fapp%3Apull',
      'GET /v2/acme/app/manifests/1',
      'GET /v2/acme/app/manifests/1',
    ]);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      `Basic ${Buffer.from('kim:pässword').toString('base64')}`,
      'Bearer t1',
      'Bearer t1',
    ]);
  });

  test('are there for the first request after a greeting', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    await session.greet(READ);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect(server.lines()).toEqual([
      'GET /v2/',
      'GET /token?service=reg&scope=repository%3Aacme%2Fapp%3Apull',
      'GET /v2/acme/app/manifests/1',
    ]);
  });

  test('that a greeting does not get are asked for again by who needs them', async () => {
    const answers = [undefined, { token: 'late', expires_in: 300 }];
    const server = await serveTokens({ grant: () => answers.shift() });
    const { session } = open(server.host, PASSWORD);
    await session.greet(READ);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    server.revoke();
  });

  test('are fetched without credentials when there are none', async () => {
    const server = await serveTokens();
    await open(server.host).session.send(request(server.host), READ);
    expect(server.seen[1]?.headers.authorization).toBeUndefined();
  });

  test('of one kind are fetched once by requests that run at the same time', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    await Promise.all(Array.from({ length: 8 }, () => session.send(request(server.host), READ)));
    expect(server.lines().filter((line) => line.startsWith('GET /token'))).toHaveLength(1);
  });

  test('for pushing do for reading too', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    await session.send(request(server.host, 'PUT'), WRITE);
    await session.send(request(server.host), READ);
    expect(server.lines().filter((line) => line.startsWith('GET /token'))).toEqual([
      'GET /token?service=reg&scope=repository%3Aacme%2Fapp%3Apull%2Cpush',
    ]);
  });

  test('for reading are not tried for pushing', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    await session.send(request(server.host), READ);
    await session.send(request(server.host, 'PUT'), WRITE);
    expect(server.seen.slice(3).map(({ method }) => method)).toEqual(['GET', 'PUT']);
    expect(server.lines()[3]).toContain('pull%2Cpush');
  });

  test('are renewed a little before they expire', async () => {
    const server = await serveTokens();
    const { session, clock } = open(server.host, PASSWORD);
    await session.send(request(server.host), READ);
    clock.advance(289_000);
    await session.send(request(server.host), READ);
    expect(server.seen).toHaveLength(4);
    clock.advance(2000);
    await session.send(request(server.host), READ);
    expect(server.lines().slice(4)).toEqual([expect.stringContaining('/token'), 'GET /v2/acme/app/manifests/1']);
  });

  test('live a minute when the registry does not say', async () => {
    const server = await serveTokens({ grant: () => ({ access_token: 'abc' }) });
    const { session, clock } = open(server.host, PASSWORD);
    await session.send(request(server.host), READ);
    clock.advance(49_000);
    await session.send(request(server.host), READ);
    expect(server.seen).toHaveLength(4);
    clock.advance(2000);
    await session.send(request(server.host), READ);
    expect(server.seen).toHaveLength(6);
  });

  test('that are refused in the middle of a run are renewed once', async () => {
    const server = await serveTokens();
    const { session } = open(server.host, PASSWORD);
    await session.send(request(server.host), READ);
    server.revoke();
    const answers = await Promise.all(Array.from({ length: 4 }, () => session.send(request(server.host), READ)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(server.lines().filter((line) => line.startsWith('GET /token'))).toHaveLength(2);
  });

  test.each([2, 3, 5])('that are good for %i requests do for four at a time', async (uses) => {
    const server = await serveTokens({ uses });
    const { session } = open(server.host, PASSWORD);
    const statuses: number[] = [];
    const upload = async (): Promise<void> => {
      for (let sent = 0; sent < 15; sent += 1)
        statuses.push((await session.send(request(server.host, 'PUT'), WRITE)).status);
    };
    await Promise.all([upload(), upload(), upload(), upload()]);
    expect(statuses).toEqual(Array.from({ length: 60 }, () => 200));
  });

  test('that never suffice, though each is another, are not asked for again', async () => {
    const server = await serve(({ path }, response, index) => {
      if (path.startsWith('/token')) response.end(`{"token":"t${index}"}`);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${server.host}/token"` }).end();
    });
    const { session } = open(server.host, PASSWORD);
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(3);
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(6);
    const all = await Promise.all(Array.from({ length: 4 }, () => session.send(request(server.host), READ)));
    expect(all.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    expect(server.seen.length).toBeLessThan(6 + 4 * 12);
  });

  test('that never suffice end in the 401, without a loop', async () => {
    const server = await serve(({ path }, response) => {
      if (path.startsWith('/token')) response.end('{"token":"never-good"}');
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${server.host}/token"` }).end();
    });
    const { session } = open(server.host, PASSWORD);
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(3);
    // The same token again is not tried twice.
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(5);
  });

  test('for reading are asked for alone when those for pushing are refused', async () => {
    const server = await serveTokens({
      grant: (_, scopes) =>
        scopes.some((scope) => scope.includes('push')) ? undefined : { token: 'read', expires_in: 1 },
    });
    const { session, clock } = open(server.host, PASSWORD);
    expect((await session.send(request(server.host), WRITE)).status).toBe(200);
    clock.advance(10_000);
    expect((await session.send(request(server.host), WRITE)).status).toBe(200);
    // The second read does not ask again for what it did not get.
    expect(server.lines().map((line) => (line.includes('/token') ? line.split('%3A').at(-1) : line))).toEqual([
      'GET /v2/acme/app/manifests/1',
      'pull%2Cpush',
      'pull',
      'GET /v2/acme/app/manifests/1',
      'pull',
      'GET /v2/acme/app/manifests/1',
    ]);
    await expect(session.send(request(server.host, 'PUT'), WRITE)).rejects.toMatchObject({
      code: 'DENIED',
      status: 403,
      hint: 'log in',
      entries: [{ code: 'DENIED', message: 'no' }],
    });
  });

  test('are asked for with what the challenge names besides', async () => {
    const server = await serve(({ path, headers }, response) => {
      if (path.startsWith('/token')) response.end('{"token":"t"}');
      else if (headers.authorization !== undefined) response.end();
      else {
        const scope = 'repository:acme/app:delete repository:b:pull \u00e9vil';
        response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://${server.host}/token",scope="${scope}"` })
          .end();
      }
    });
    await open(server.host).session.send(request(server.host), READ);
    expect(decodeURIComponent(server.seen[1]?.path ?? '')).toBe(
      '/token?scope=repository:acme/app:delete,pull&scope=repository:b:pull',
    );
  });

  test('come from a POST when there is an identity token', async () => {
    const server = await serveTokens({ grant: () => ({ access_token: 'fresh' }) });
    const answer = await open(server.host, { identityToken: new Secret('re&fresh') }).session.send(
      request(server.host),
      READ,
    );
    expect(answer.status).toBe(200);
    expect(server.seen[1]).toMatchObject({ method: 'POST', path: '/token' });
    expect(Object.fromEntries(new URLSearchParams(server.seen[1]?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'build-once',
      service: 'reg',
      scope: 'repository:acme/app:pull',
      refresh_token: 're&fresh',
    });
  });

  test('of the user go as they are', async () => {
    const server = await serve(({ headers }, response) =>
      headers.authorization === 'Bearer mine'
        ? response.end()
        : response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' }).end(),
    );
    const { session } = open(server.host, { registryToken: new Secret('mine') });
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect(server.seen).toHaveLength(3);
  });
});

describe('a token service', () => {
  test('that is busy is asked again', async () => {
    let asked = 0;
    const server = await serve(({ path, headers }, response) => {
      if (path.startsWith('/token')) {
        asked += 1;
        if (asked < 3) response.writeHead(503).end();
        else response.end('{"token":"t"}');
      } else if (headers.authorization === 'Bearer t') response.end();
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${server.host}/token"` }).end();
    });
    expect((await open(server.host).session.send(request(server.host), READ)).status).toBe(200);
  });

  test.each([
    ['a page for people', '<html>'],
    ['no token', '{}'],
    ['a token with a line feed', '{"token":"a\\nX-Evil: 1"}'],
    ['a token that is no text', '{"token":{"a":1}}'],
  ])('that answers with %s is an error', async (_, body) => {
    const server = await serve(({ path }, response) => {
      if (path.startsWith('/token')) response.end(body);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${server.host}/token"` }).end();
    });
    const work = open(server.host, PASSWORD).session.send(request(server.host), READ);
    await expect(work).rejects.toMatchObject({
      code: 'UNEXPECTED_ANSWER',
      message: expect.stringContaining('holds no token'),
    });
  });

  test.each([
    ['http to another machine', 'http://auth.example/token', 'PLAIN_HTTP_REFUSED'],
    ['no URL', '/token', 'UNEXPECTED_ANSWER'],
    ['a file', 'file:///token', 'UNEXPECTED_ANSWER'],
    ['nothing', '', 'UNEXPECTED_ANSWER'],
  ])('at %s gets no credentials', async (_, realm, code) => {
    const server = await serveTokens({ realm: () => realm });
    const work = open(server.host, PASSWORD).session.send(request(server.host), READ);
    await expect(work).rejects.toMatchObject({ code });
    expect(server.seen).toHaveLength(1);
  });

  test('keeps the query of its address', async () => {
    const server = await serveTokens({ realm: (host) => `http://${host}/token?tenant=a%20b` });
    await open(server.host).session.send(request(server.host), READ);
    expect(server.lines()[1]).toMatch(/^GET \/token\?tenant=a(?:%20|\+)b&service=reg&scope=/);
  });
});

describe('basic authentication', () => {
  const AUTHORIZATION = `Basic ${Buffer.from('kim:pässword').toString('base64')}`;
  const script = ({ headers }: Seen, response: ServerResponse): unknown =>
    headers.authorization === AUTHORIZATION
      ? response.end()
      : response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();

  test('is learned from the first answer', async () => {
    const server = await serve(script);
    const { session } = open(server.host, PASSWORD);
    await session.send(request(server.host), READ);
    expect((await session.send(request(server.host), READ)).status).toBe(200);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, AUTHORIZATION, AUTHORIZATION]);
  });

  test.each<[string, Credentials | undefined, number]>([
    ['no credentials', undefined, 1],
    ['the wrong password', { username: 'kim', password: new Secret('wrong') }, 2],
    ['an identity token', { identityToken: new Secret('x') }, 1],
  ])('ends in the 401 with %s', async (_, credentials, requests) => {
    const server = await serve(script);
    const { session } = open(server.host, credentials);
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(requests);
    expect((await session.send(request(server.host), READ)).status).toBe(401);
    expect(server.seen).toHaveLength(requests + 1);
  });

  test('gives way to tokens where both are offered', async () => {
    const server = await serve(({ path, headers }, response) => {
      if (path.startsWith('/token')) response.end('{"token":"t"}');
      else if (headers.authorization === 'Bearer t') response.end();
      else
        response
          .writeHead(401, { 'www-authenticate': [`Basic realm="a"`, `Bearer realm="http://${server.host}/token"`] })
          .end();
    });
    expect((await open(server.host, PASSWORD).session.send(request(server.host), READ)).status).toBe(200);
  });
});

describe('a refusal', () => {
  const repository = (host: string, credentials: Credentials | undefined): Endpoint =>
    new Endpoint({ registry: host, path: 'acme/app' }, open(host, credentials).session, { pushes: false });
  const messageOf = async (endpoint: Endpoint): Promise<string> => {
    try {
      return endpoint.failure(await endpoint.send({ method: 'GET', url: endpoint.url('manifests/1') })).message;
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  const none = /^(?!.*given)/;

  test.each<[string, Credentials | undefined, RegExp]>([
    ['a password', PASSWORD, /answered 401.*: the given user and password were refused$/],
    ['no credentials', undefined, none],
  ])('by a registry with basic authentication names %s', async (_, credentials, expected) => {
    const server = await serve((_seen, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end(),
    );
    const message = await messageOf(repository(server.host, credentials));
    expect(message).toMatch(expected);
    expect(message).not.toMatch(/kim|pässword/);
  });

  test.each<[string, Credentials | undefined, RegExp]>([
    ['a password', PASSWORD, /\/token: .*answered 403.*: the given user and password were refused$/],
    ['an identity token', { identityToken: new Secret('re') }, /: the given identity token was refused$/],
    ['no credentials', undefined, none],
  ])('by a token service names %s', async (_, credentials, expected) => {
    const server = await serveTokens({ grant: () => undefined });
    expect(await messageOf(repository(server.host, credentials))).toMatch(expected);
  });

  test('with 403 blames the rights, not the password', async () => {
    const server = await serve(({ headers }, response) =>
      headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
        : response.writeHead(403).end(),
    );
    expect(await messageOf(repository(server.host, PASSWORD))).toMatch(none);
  });

  test('that is none says nothing of them', async () => {
    const server = await serveTokens({ answer: (_, response) => response.writeHead(404).end() });
    expect(await messageOf(repository(server.host, PASSWORD))).toMatch(none);
  });
});

describe('credentials stay home', () => {
  test('when a request goes to another origin', async () => {
    const other = await serve((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end(),
    );
    const home = await serve((_, response) => response.end());
    expect((await open(home.host, PASSWORD).session.send(request(other.host), READ)).status).toBe(401);
    expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('when a redirect leads to a server that asks for them', async () => {
    const thief = await serve((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end(),
    );
    const home = await serve((_, response) => response.writeHead(307, { location: `http://${thief.host}/blob` }).end());
    expect((await open(home.host, PASSWORD).session.send(request(home.host), READ)).status).toBe(401);
    expect(thief.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});
