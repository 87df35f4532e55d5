import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { answerFailure } from '../../src/registry/failure.ts';
import type { HttpRequest, TransportSettings } from '../../src/registry/transport.ts';
import { openTrust, parseAuthorities } from '../../src/registry/trust.ts';
import { source, startScript } from '../hosts/script.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import { listen } from '../support/listen.ts';
import { failureOf, openTransport } from './open-transport.ts';
import { serve } from './scripted-server.ts';

const authority = hasOpenssl ? makeAuthority() : { cert: '', issue: () => ({ key: '', cert: '' }) };
const other = hasOpenssl ? makeAuthority() : authority;

/** By the name that the certificate has. */
async function listenAsLocalhost(server: Server): Promise<string> {
  onTestFinished(() => void server.close());
  return (await listen(server)).replace('127.0.0.1', 'localhost');
}

/** A registry over TLS on `localhost`. */
function serveTls(options: ServerOptions = {}): Promise<string> {
  const server = createTlsServer({ ...authority.issue('localhost'), ...options }, (_, response) => response.end());
  onTestFinished(() => server.closeAllConnections());
  return listenAsLocalhost(server);
}

function home(files: Readonly<Record<string, string>> = {}): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'build-once-trust-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), text);
  }
  return directory;
}

const toRoot = (host: string): HttpRequest => ({ method: 'GET', url: new URL(`https://${host}/v2/`) });
const ask = (host: string, settings: TransportSettings = {}) => openTransport(settings).send(toRoot(host));

describe.skipIf(!hasOpenssl)('a certificate', () => {
  test('of an unknown authority is refused, with what to do', async () => {
    const error = await failureOf(ask(await serveTls()));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('registry-ca') });
  });

  test.each<[string, () => TransportSettings]>([
    ['registry-ca', () => ({ authorities: authority.cert })],
    ['registry-ca, among others', () => ({ authorities: `# ours\n${other.cert}\n# theirs\n${authority.cert}` })],
    ['SSL_CERT_FILE', () => ({ env: { SSL_CERT_FILE: path.join(home({ 'ca.pem': authority.cert }), 'ca.pem') } })],
  ])('of an authority in %s is taken', async (_, settings) => {
    expect((await ask(await serveTls(), settings())).status).toBe(200);
  });

  test.each<[string, (host: string) => Record<string, string>]>([
    ['HOME', (host) => ({ HOME: home({ [`.config/docker/certs.d/${host}/ca.crt`]: authority.cert }) })],
    ['XDG_CONFIG_HOME', (host) => ({ XDG_CONFIG_HOME: home({ [`docker/certs.d/${host}/x.crt`]: authority.cert }) })],
  ])("of an authority in Docker's certs.d below %s is taken, for that host only", async (_, env) => {
    const [host, stranger] = [await serveTls(), await serveTls()];
    const { send } = openTransport({ env: env(host) });
    expect((await send(toRoot(host))).status).toBe(200);
    expect(await failureOf(send(toRoot(stranger)))).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('of an authority that Node trusts is taken, with a registry-ca for others', async () => {
    const usual = tls.getCACertificates('default');
    onTestFinished(() => tls.setDefaultCACertificates(usual));
    tls.setDefaultCACertificates([authority.cert]);
    expect((await ask(await serveTls(), { authorities: other.cert })).status).toBe(200);
  });

  test('of an authority that is not that one is refused', async () => {
    const error = await failureOf(ask(await serveTls(), { authorities: other.cert }));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('for other names is refused, with what to do', async () => {
    const host = await serveTls(authority.issue('registry.test'));
    const error = await failureOf(ask(host, { authorities: authority.cert }));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('other names') });
  });

  test('of our own is shown to a registry that wants one', async () => {
    const wants = { requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    const host = await serveTls(wants);
    const refused = await failureOf(ask(host, { authorities: authority.cert, attempts: 1 }));
    expect(refused).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('certs.d') });
    const { cert, key } = authority.issue('client.test');
    const folder = `.config/docker/certs.d/${host}`;
    const env = { HOME: home({ [`${folder}/client.cert`]: cert, [`${folder}/client.key`]: key }) };
    expect((await ask(host, { authorities: authority.cert, env })).status).toBe(200);
  });

  test.each([
    ['without its key', { 'client.cert': 'x' }, '"client.cert" has no "client.key"'],
    ['that is none', { 'client.cert': 'x', 'client.key': 'y' }, 'the certificates in'],
    ['of an authority that is a folder', { 'ca.crt/x': '' }, '"ca.crt" is a directory'],
  ])('in certs.d %s is an error that names the folder', async (_, files, expected) => {
    const directory = home();
    const host = await serveTls();
    const folder = path.join(directory, '.config/docker/certs.d', host);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
    await expect(ask(host, { env: { HOME: directory } })).rejects.toMatchObject({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringMatching(new RegExp(`${folder}.*|${expected}`)),
    });
    await expect(ask(host, { env: { HOME: directory } })).rejects.toThrow(expected);
  });
});

test.skipIf(process.getuid?.() !== 0)('in a certs.d of another user is nothing, and no error', async () => {
  const folder = path.join(home({ '.config/docker/certs.d/registry.test/ca.crt': 'not a certificate' }));
  const ask = (uid: number) =>
    startScript(
      `import { openTrust } from '${source('registry/trust.ts')}';
       process.setuid(${uid});
       try {
         const context = openTrust({ env: { HOME: ${JSON.stringify(folder)} } }).contextFor(new URL('https://registry.test'));
         console.log(context === undefined ? 'defaults' : 'own');
       } catch (error) {
         console.log(error.code);
       }`,
    ).ended;
  expect(await ask(0)).toMatchObject({ stdout: 'own\n' });
  expect(await ask(65_534)).toMatchObject({ stdout: 'defaults\n', stderr: '' });
});

describe('a file of authorities', () => {
  test.each([
    ['', 'holds no certificate'],
    ['-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----', 'holds no certificate'],
    ['\u0000\u0001binary', 'holds no certificate'],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'cannot be read, number 1'],
  ])('%j is none', (text, expected) => {
    expect(parseAuthorities(text)).toMatchObject({ ok: false, problem: expect.stringContaining(expected) });
  });

  test('of beginnings only is none, at once', () => {
    expect(parseAuthorities('-----BEGIN CERTIFICATE-----\n'.repeat(200_000))).toMatchObject({ ok: false });
  });

  test.skipIf(!hasOpenssl)('may hold several, and remarks', () => {
    expect(parseAuthorities(`a remark\n${authority.cert}\n${other.cert}`)).toMatchObject({ ok: true });
    const broken = `${authority.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`;
    expect(parseAuthorities(broken)).toMatchObject({ problem: expect.stringContaining('number 2') });
  });
});

test.each(['..', '.', '..:5000'])('the host https://%s has no folder in certs.d', (host) => {
  const env = { HOME: home({ '.config/docker/ours.cert': 'x', '.config/docker/certs.d/ours.cert': 'x' }) };
  mkdirSync(path.join(env.HOME, '.config/docker/certs.d/..:5000'), { recursive: true });
  writeFileSync(path.join(env.HOME, '.config/docker/certs.d/..:5000/ours.cert'), 'x');
  expect(openTrust({ env }).contextFor(new URL(`https://${host}/v2/`))).toBeUndefined();
});

describe('a registry that should speak plain http', () => {
  test.each(['Client sent an HTTP request to an HTTPS server.', 'The plain HTTP request was sent to HTTPS port'])(
    'and says %j is an error that names registry-insecure',
    (said) => {
      const url = new URL('http://registry.lan:5000/v2/');
      const error = answerFailure({ method: 'GET', url, status: 400, body: Buffer.from(said) });
      expect(error).toMatchObject({ code: 'UNEXPECTED_ANSWER', hint: expect.stringContaining('registry-insecure') });
    },
  );
});

describe('a registry that should speak TLS', () => {
  test('and speaks plain http is an error that names registry-insecure', async () => {
    const server = await serve((_, response) => response.end());
    const error = await failureOf(ask(server.host));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', hint: expect.stringContaining('registry-insecure') });
  });

  test('and is silent is given up', async () => {
    const sockets = new Set<unknown>();
    const host = await listenAsLocalhost(
      createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume())),
    );
    const error = await failureOf(ask(host, { attempts: 2, connectTimeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'TIMED_OUT' });
    // The server is told of a connection later than the client.
    await expect.poll(() => sockets.size).toBe(2);
  });
});
