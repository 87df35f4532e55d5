import { createServer, type ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { accessHint } from '../../src/registry/access-hint.ts';
import { openRegistries, originOf, type Registries, type RegistriesSettings } from '../../src/registry/open.ts';
import type { RequestRecord } from '../../src/registry/transport.ts';
import { listen } from '../support/listen.ts';
import { sampleImage } from './sample-image.ts';
import { fakeClock, type ScriptedServer, type Seen, serve } from './scripted-server.ts';

const { descriptor: MANIFEST, bytes: MANIFEST_BYTES } = sampleImage().manifest;

function open(settings: Partial<RegistriesSettings> = {}): Registries {
  const registries = openRegistries({ env: { DOCKER_CONFIG: '/nonexistent' }, clock: fakeClock(), ...settings });
  onTestFinished(() => registries.close());
  return registries;
}

/** A registry that has one manifest under every name, and asks for tokens like ghcr.io. */
async function serveImage(grant: (scope: string) => boolean = () => true): Promise<ScriptedServer> {
  const server: ScriptedServer = await serve(({ method, path, headers }: Seen, response: ServerResponse) => {
    const url = new URL(path, 'http://x');
    const scope = url.searchParams.get('scope') ?? '';
    if (url.pathname === '/token') {
      if (grant(scope)) response.end(JSON.stringify({ token: scope, expires_in: 300 }));
      else response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"denied"}]}');
      return;
    }
    const needed = `repository:${url.pathname.split('/').slice(2, 4).join('/')}:pull${method === 'GET' ? '' : ',push'}`;
    if (!headers.authorization?.startsWith(`Bearer ${needed}`)) {
      const challenge = `Bearer realm="http://${server.host}/token",service="x",scope="${needed}"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    } else if (method === 'GET') response.writeHead(200, { 'content-type': MANIFEST.mediaType }).end(MANIFEST_BYTES);
    else response.writeHead(201).end();
  });
  return server;
}

const isToken = (line: string): boolean => line.includes('/token');

test.each([
  ['docker.io', 'https://registry-1.docker.io'],
  ['ghcr.io', 'https://ghcr.io'],
  ['registry.example:8443', 'https://registry.example:8443'],
  ['localhost', 'http://localhost'],
  ['localhost:5000', 'http://localhost:5000'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000'],
  ['[::1]:5000', 'http://[::1]:5000'],
  ['localhost.example:5000', 'https://localhost.example:5000'],
  ['127.0.0.1.example', 'https://127.0.0.1.example'],
])('%s answers at %s', (registry, origin) => {
  expect(originOf(registry).origin).toBe(origin);
});

test('registries that may speak plain http are spoken to so', () => {
  const insecure = new Set(['registry.lan:5000']);
  expect(originOf('registry.lan:5000', insecure).origin).toBe('http://registry.lan:5000');
  expect(originOf('registry.lan', insecure).origin).toBe('https://registry.lan');
  expect(originOf('docker.io', new Set(['docker.io'])).protocol).toBe('https:');
});

test('a registry is greeted once, over TLS only, and whatever comes of it is no error', async () => {
  const asked: string[] = [];
  const proxy = createServer().on('connect', ({ url }, socket) => {
    asked.push(url ?? '');
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  onTestFinished(() => void proxy.close());
  const near = await serveImage();
  const env = { DOCKER_CONFIG: '/nonexistent', HTTPS_PROXY: `http://${await listen(proxy)}` };
  const registries = open({ env });
  await registries.greet({ registry: 'registry.example', path: 'a/b' }, 'push');
  await registries.greet({ registry: 'registry.example', path: 'c/d' }, 'pull');
  await registries.greet({ registry: near.host, path: 'a/b' }, 'pull');
  expect(asked).toEqual(['registry.example:443']);
  expect(near.seen).toEqual([]);
});

test('opening makes no request', async () => {
  const server = await serveImage();
  open().open({ registry: server.host, path: 'acme/app' }, 'push');
  expect(server.sockets.size).toBe(0);
});

test('what is asked once is not asked again when it fails, unlike anything else', async () => {
  const server = await serve((_, response) => response.writeHead(503).end());
  const name = { registry: server.host, path: 'acme/app' };
  const waits: unknown[] = [];
  const registries = open({ onRetry: (notice) => waits.push(notice) });
  await expect(registries.open(name, 'pull', 'once').resolve({ tag: 'x' })).rejects.toMatchObject({ status: 503 });
  expect([server.lines().length, waits.length]).toEqual([1, 0]);
  await expect(registries.open(name).resolve({ tag: 'x' })).rejects.toMatchObject({ status: 503 });
  expect([server.lines().length, waits.length]).toEqual([6, 4]);
});

test('a hit is one request where no login is needed', async () => {
  const server = await serve((_, response) =>
    response.writeHead(200, { 'content-type': MANIFEST.mediaType }).end(MANIFEST_BYTES),
  );
  await open().open({ registry: server.host, path: 'acme/app' }).fetch({ tag: 'hash-0' });
  expect(server.lines()).toEqual(['GET /v2/acme/app/manifests/hash-0']);
});

describe('tokens', () => {
  test('of a run that pushes are fetched once, for reads and writes', async () => {
    const server = await serveImage();
    const registries = open();
    const name = { registry: server.host, path: 'acme/app' };
    await registries.open(name, 'push').fetch({ tag: 'hash-0' });
    await registries.open(name, 'push').tag(MANIFEST, '1');
    await registries.open(name).fetch({ tag: '1' });
    expect(server.lines().map((line) => (isToken(line) ? 'token' : line))).toEqual([
      'GET /v2/acme/app/manifests/hash-0',
      'token',
      'GET /v2/acme/app/manifests/hash-0',
      'PUT /v2/acme/app/manifests/1',
      'GET /v2/acme/app/manifests/1',
    ]);
    expect(decodeURIComponent(server.lines().find(isToken) ?? '')).toContain('scope=repository:acme/app:pull,push');
  });

  test('of a run that reads are for reading only', async () => {
    const server = await serveImage();
    await open().open({ registry: server.host, path: 'acme/app' }).fetch({ tag: '1' });
    expect(decodeURIComponent(server.lines().find(isToken) ?? '')).toMatch(/scope=repository:acme\/app:pull$/);
  });

  test('that may not push still read; pushing is then the error', async () => {
    const server = await serveImage((scope) => !scope.includes('push'));
    const repository = open().open({ registry: server.host, path: 'acme/app' }, 'push');
    expect((await repository.fetch({ tag: '1' }))?.descriptor).toEqual(MANIFEST);
    await expect(repository.checkPushAccess()).rejects.toMatchObject({
      code: 'DENIED',
      status: 403,
      hint: expect.stringContaining('credentials that may push to acme/app'),
    });
  });

  test('of one repository are not sent for another', async () => {
    const server = await serveImage();
    const registries = open();
    for (const path of ['acme/app', 'acme/other'])
      await registries.open({ registry: server.host, path }).fetch({ tag: '1' });
    expect(server.lines().filter(isToken)).toHaveLength(2);
  });
});

test('a manifest that one fetched, another tags, in the same repository only', async () => {
  const server = await serve(({ method }, response) =>
    response
      .writeHead(method === 'GET' ? 200 : 201, { 'content-type': MANIFEST.mediaType })
      .end(method === 'GET' ? MANIFEST_BYTES : ''),
  );
  const registries = open();
  const name = { registry: server.host, path: 'acme/app' };
  await registries.open(name).fetch({ tag: '1' });
  await registries.open(name, 'push').tag(MANIFEST, '2');
  await registries.open({ ...name, path: 'acme/other' }, 'push').tag(MANIFEST, '2');
  expect(server.lines()).toEqual([
    'GET /v2/acme/app/manifests/1',
    'PUT /v2/acme/app/manifests/2',
    `GET /v2/acme/other/manifests/${MANIFEST.digest}`,
    'PUT /v2/acme/other/manifests/2',
  ]);
});

test('credentials go to their registry and to no other', async () => {
  const script = ({ headers }: Seen, response: ServerResponse): unknown =>
    headers.authorization === undefined
      ? response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      : response.writeHead(404).end();
  const [mine, other] = [await serve(script), await serve(script)];
  const registries = open({
    explicit: { registry: mine.host, username: 'kim', password: 'secret' },
    githubToken: 'ghs_x',
  });
  expect(await registries.open({ registry: mine.host, path: 'a/b' }).fetch({ tag: '1' })).toBeUndefined();
  await expect(registries.open({ registry: other.host, path: 'a/b' }).fetch({ tag: '1' })).rejects.toMatchObject({
    status: 401,
  });
  expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  expect(await registries.addition(mine.host)).toMatchObject({ username: 'kim' });
  expect(await registries.addition('ghcr.io')).toMatchObject({ username: 'x-access-token' });
  expect(await registries.addition(other.host)).toBeUndefined();
});

test('tells of its requests, and closes its connections', async () => {
  const server = await serve((_, response) => response.writeHead(404).end());
  const records: RequestRecord[] = [];
  const registries = open({ onRequest: (record) => records.push(record) });
  await registries.open({ registry: server.host, path: 'acme/app' }).resolve({ tag: '1' });
  expect(records).toEqual([{ method: 'HEAD', url: `http://${server.host}/v2/acme/app/manifests/1`, status: 404 }]);
  const [socket] = server.sockets;
  const closed = new Promise((resolve) => socket?.once('close', resolve));
  registries.close();
  await closed;
});

describe('the hint of a refusal', () => {
  test('names the permission and the page of a package on ghcr.io', () => {
    const hint = accessHint({ registry: 'ghcr.io', path: 'acme/app/cli' }, true);
    expect(hint).toContain('"packages: write"');
    expect(hint).toContain('https://github.com/orgs/acme/packages/container/app%2Fcli/settings');
    expect(hint).toContain('https://github.com/users/acme/packages/container/app%2Fcli/settings');
    expect(accessHint({ registry: 'ghcr.io', path: 'acme/app' }, false)).toContain('"packages: read"');
  });

  test('names the registry and the login elsewhere', () => {
    expect(accessHint({ registry: 'registry.acme.example', path: 'acme/app' }, true)).toMatch(
      /^Log in to registry\.acme\.example .* push to acme\/app/,
    );
  });
});
