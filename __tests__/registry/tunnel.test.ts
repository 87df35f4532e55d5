import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Proxy } from '../../src/registry/proxies.ts';
import type { RequestRecord, TransportSettings } from '../../src/registry/transport.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import { type ForwardProxy, type ForwardProxySettings, startForwardProxy } from '../support/forward-proxy.ts';
import { listen } from '../support/listen.ts';
import { openRepository } from './open-repository.ts';
import { failureOf, openTransport } from './open-transport.ts';
import { all, inPieces, randomLayer } from './sample-image.ts';
import { serve } from './scripted-server.ts';

const KIM = `Basic ${Buffer.from('kim:p@ss').toString('base64')}`;
const withKim = (url: string): string => url.replace('//', '//kim:p%40ss@');
const PLAIN = { method: 'GET', url: new URL('http://registry.test:5000/v2/?n=1') } as const;
const SECURE = { method: 'GET', url: new URL('https://registry.test/v2/') } as const;

async function startProxy(settings: ForwardProxySettings): Promise<ForwardProxy> {
  const proxy = await startForwardProxy(settings);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Requests through this proxy. */
function through(url: string, settings: TransportSettings = {}) {
  return openTransport({ env: { HTTP_PROXY: url, HTTPS_PROXY: url }, ...settings });
}

function listenHere(server: Server): Promise<string> {
  onTestFinished(() => void server.close());
  return listen(server);
}

describe('plain http through a proxy', () => {
  test('names the whole URL, and leaves the name of the registry to the proxy', async () => {
    const registry = await serve((_, response) => response.end('there'));
    const proxy = await startProxy({ routes: { 'registry.test:5000': registry.host } });
    const answer = await through(proxy.url).send({ ...PLAIN, authorization: 'Bearer t' });
    expect(Buffer.from(answer.body).toString()).toBe('there');
    expect(proxy.requests).toEqual([
      { method: 'GET', target: 'http://registry.test:5000/v2/?n=1', authorization: undefined },
    ]);
    expect(registry.seen[0]).toMatchObject({
      path: '/v2/?n=1',
      headers: { host: 'registry.test:5000', authorization: 'Bearer t' },
    });
  });

  test('carries content, follows redirects and keeps its connection', async () => {
    const registry = await serve(({ path }, response) =>
      path === '/end' ? response.end() : response.writeHead(307, { location: '/end' }).end(),
    );
    const proxy = await startProxy({ routes: { 'registry.test:5000': registry.host } });
    const payload = { content: Buffer.from('abc'), sizeBytes: 3 };
    const settings = { plainRegistries: ['registry.test:5000'] };
    expect((await through(proxy.url, settings).send({ ...PLAIN, method: 'PUT', payload })).status).toBe(200);
    expect(registry.seen.map(({ body }) => body)).toEqual(['abc', 'abc']);
  });

  test('gives the credentials to the proxy and to nobody else', async () => {
    const registry = await serve((_, response) => response.end());
    const proxy = await startProxy({ routes: { 'registry.test:5000': registry.host }, authorization: KIM });
    await through(withKim(proxy.url)).send(PLAIN);
    expect(proxy.requests[0]?.authorization).toBe(KIM);
    expect(JSON.stringify(registry.seen)).not.toContain(KIM);
  });

  test('goes straight to this machine, and to what NO_PROXY names', async () => {
    const registry = await serve((_, response) => response.end());
    const proxy = await startProxy({ routes: {} });
    await through(proxy.url).send({ ...PLAIN, url: new URL(`http://${registry.host}/`) });
    expect(proxy.requests).toEqual([]);
    const env = { HTTP_PROXY: proxy.url, NO_PROXY: '.test' };
    const error = await failureOf(openTransport({ env, attempts: 1 }).send(PLAIN));
    expect(error.message).not.toContain('proxy');
    expect(proxy.requests).toEqual([]);
  });

  test('tells of the proxy once, without its credentials', async () => {
    const registry = await serve((_, response) => response.end());
    const proxy = await startProxy({ routes: { 'registry.test:5000': registry.host } });
    const [told, records]: [Proxy[], RequestRecord[]] = [[], []];
    const settings = {
      onProxy: (one: Proxy) => void told.push(one),
      onRequest: (one: RequestRecord) => void records.push(one),
    };
    const { send } = through(withKim(proxy.url), settings);
    await send(PLAIN);
    await send(PLAIN);
    expect(told.map(({ url, variable }) => [url.href, variable])).toEqual([[`${proxy.url}/`, 'HTTP_PROXY']]);
    expect(records.map(({ url }) => url)).toEqual(['http://registry.test:5000/v2/', 'http://registry.test:5000/v2/']);
  });
});

describe('an answer that is cut behind a proxy', () => {
  /** A proxy that answers everything itself, with less than it promises. */
  const startCutting = (): Promise<string> =>
    listenHere(
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nless'));
      }),
    );

  test('names the proxy', async () => {
    const proxy = `http://${await startCutting()}`;
    const error = await failureOf(through(proxy, { attempts: 1 }).send(PLAIN));
    expect(error.message).toContain(`through the proxy ${proxy} (HTTP_PROXY): `);
  });

  test('names it for the content of a blob too', async () => {
    const proxy = `http://${await startCutting()}`;
    const settings = { env: { DOCKER_CONFIG: '/nonexistent', HTTP_PROXY: proxy }, plainRegistries: ['registry.test'] };
    const { descriptor } = randomLayer(9);
    const content = await openRepository('registry.test', settings).fetch(descriptor);
    const error = await failureOf(all(content?.stream() ?? inPieces(Buffer.of())));
    expect(error.message).toContain(`through the proxy ${proxy} (HTTP_PROXY): `);
  });
});

describe('a proxy that makes no sense', () => {
  test('is bad input, with the name of its variable', () => {
    expect(() => openTransport({ env: { HTTPS_PROXY: 'foo' } })).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', exitCode: 2, message: expect.stringMatching(/^HTTPS_PROXY: /) }),
    );
  });
});

describe.each([
  ['plain http', PLAIN, 'HTTP_PROXY'],
  ['https', SECURE, 'HTTPS_PROXY'],
] as const)('%s through a proxy that fails', (_, request, variable) => {
  test.each([
    [undefined, 'wants credentials, and it got none'],
    [KIM, 'wants credentials, and it does not take those that it got'],
  ])('to know us with %s', async (given, expected) => {
    const proxy = await startProxy({ routes: {}, authorization: 'Basic other' });
    const error = await failureOf(through(given === undefined ? proxy.url : withKim(proxy.url)).send(request));
    expect(error).toMatchObject({ code: 'PROXY_REFUSED', hint: expect.stringContaining(`Put them into ${variable}`) });
    expect(error.message).toContain(`the proxy ${proxy.url} (${variable}) ${expected}: it answered 407`);
    expect(`${error.message}${error.hint}${String(error.cause)}`).not.toMatch(/kim|p@ss|p%40ss/);
    expect(proxy.requests).toHaveLength(1);
  });

  test('by a cut is tried again', async () => {
    const proxy = await startProxy({ routes: {}, fault: () => 'cut' });
    const error = await failureOf(through(proxy.url, { attempts: 3 }).send(request));
    expect(error.message).toMatch(
      new RegExp(`through the proxy ${proxy.url} \\(${variable}\\): the connection was cut`),
    );
    expect(proxy.requests).toHaveLength(3);
  });

  test('by silence is given up', async () => {
    const proxy = await startProxy({ routes: {}, fault: () => 'silent' });
    const settings = { attempts: 2, connectTimeoutMs: 40, idleTimeoutMs: 40 };
    expect(await failureOf(through(proxy.url, settings).send(request))).toMatchObject({ code: 'TIMED_OUT' });
    expect(proxy.requests).toHaveLength(2);
  });

  test('by silence is left at an interrupt', async () => {
    const controller = new AbortController();
    const fault = () => {
      controller.abort();
      return 'silent' as const;
    };
    const proxy = await startProxy({ routes: {}, fault });
    const error = await failureOf(through(proxy.url, { signal: controller.signal }).send(request));
    expect(error).toMatchObject({ code: 'ABORTED' });
  });

  test('to be there is named', async () => {
    const error = await failureOf(through('http://127.0.0.1:1', { attempts: 1 }).send(request));
    expect(error.message).toContain(`through the proxy http://127.0.0.1:1 (${variable}): the connection was refused`);
  });
});

describe('https through a proxy', () => {
  test('that has no way there tells what it answered', async () => {
    const proxy = await startProxy({ routes: {}, fault: () => 403 });
    const error = await failureOf(through(proxy.url).send(SECURE));
    expect(error).toMatchObject({ code: 'PROXY_REFUSED', hint: expect.stringContaining('NO_PROXY') });
    expect(error.message).toContain('does not let the request pass: it answered 403');
    expect(proxy.requests).toHaveLength(1);
  });

  test('that is too busy is tried again', async () => {
    const proxy = await startProxy({ routes: {} });
    expect(await failureOf(through(proxy.url, { attempts: 3 }).send(SECURE))).toMatchObject({ code: 'PROXY_REFUSED' });
    expect(proxy.requests).toHaveLength(3);
  });

  test('is not tried with certificates that make no sense', async () => {
    const proxy = await startProxy({ routes: {} });
    const home = mkdtempSync(path.join(tmpdir(), 'build-once-tunnel-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    const folder = path.join(home, '.config/docker/certs.d/registry.test');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'client.cert'), 'x');
    const sending = through(proxy.url, { env: { HTTPS_PROXY: proxy.url, HOME: home } }).send(SECURE);
    await expect(sending).rejects.toMatchObject({ code: 'CERTIFICATES_INVALID' });
    expect(proxy.requests).toEqual([]);
  });

  test('ends when the target never speaks TLS', async () => {
    const host = await listenHere(createServer((socket) => void socket.on('error', () => undefined).resume()));
    const proxy = await startProxy({ routes: { 'registry.test:443': host } });
    const error = await failureOf(through(proxy.url, { attempts: 1, connectTimeoutMs: 40 }).send(SECURE));
    expect(error).toMatchObject({ code: 'TIMED_OUT' });
  });
});

describe.skipIf(!hasOpenssl)('TLS inside of a tunnel', () => {
  const authority = hasOpenssl ? makeAuthority() : { cert: '', issue: () => ({ key: '', cert: '' }) };

  /** Answers with the name that the client asked for. */
  async function serveTls(options: ServerOptions): Promise<string> {
    const server = createTlsServer(options, (request, response) => {
      const { socket } = request;
      response.end('servername' in socket ? String(socket.servername) : '');
    });
    onTestFinished(() => server.closeAllConnections());
    return listenHere(server);
  }

  test('is with the registry, by its name, on one connection', async () => {
    const host = await serveTls(authority.issue('registry.test'));
    const proxy = await startProxy({ routes: { 'registry.test:443': host }, authorization: KIM });
    const { send } = through(withKim(proxy.url), { authorities: authority.cert });
    expect(Buffer.from((await send(SECURE)).body).toString()).toBe('registry.test');
    expect((await send(SECURE)).status).toBe(200);
    expect(proxy.requests).toEqual([{ method: 'CONNECT', target: 'registry.test:443', authorization: KIM }]);
  });

  test('is refused without trust in its certificate', async () => {
    const host = await serveTls(authority.issue('registry.test'));
    const proxy = await startProxy({ routes: { 'registry.test:443': host } });
    const error = await failureOf(through(proxy.url).send(SECURE));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('registry-ca') });
    expect(proxy.requests).toHaveLength(1);
  });

  test('is refused when the certificate is for another name', async () => {
    const host = await serveTls(authority.issue('other.test'));
    const proxy = await startProxy({ routes: { 'registry.test:443': host } });
    const error = await failureOf(through(proxy.url, { authorities: authority.cert }).send(SECURE));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('other names') });
  });

  test('works with an address for a name', async () => {
    const host = await serveTls(authority.issue('192.0.2.7'));
    const proxy = await startProxy({ routes: { '192.0.2.7:8443': host } });
    const request = { ...SECURE, url: new URL('https://192.0.2.7:8443/') };
    expect((await through(proxy.url, { authorities: authority.cert }).send(request)).status).toBe(200);
  });

  test.each([
    ['plain http', PLAIN],
    ['https', SECURE],
  ])('works through a proxy that itself speaks TLS, for %s', async (_, request) => {
    const plain = await serve((_, response) => response.end());
    const host = await serveTls(authority.issue('registry.test'));
    const tls = authority.issue('127.0.0.1');
    const proxy = await startProxy({ routes: { 'registry.test:443': host, 'registry.test:5000': plain.host }, tls });
    expect((await through(proxy.url, { authorities: authority.cert }).send(request)).status).toBe(200);
    expect(await failureOf(through(proxy.url).send(request))).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('closes its connections when told', async () => {
    const proxy = await startProxy({
      routes: { 'registry.test:443': await serveTls(authority.issue('registry.test')) },
    });
    const { send, transport } = through(proxy.url, { authorities: authority.cert });
    await send(SECURE);
    expect(proxy.tunnels.size).toBe(1);
    const closed = new Promise((resolve) => [...proxy.tunnels][0]?.once('close', resolve));
    transport.close();
    await closed;
  });
});
