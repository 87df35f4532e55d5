import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RegistryRepository } from '../../src/registry/open.ts';
import { startRegistry } from '../../src/registry/server.ts';
import type { RequestRecord } from '../../src/registry/transport.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import { listen } from '../support/listen.ts';
import { openRepository } from './open-repository.ts';
import { failureOf } from './open-transport.ts';
import { pushImage, sampleImage } from './sample-image.ts';

const TLS_RECORD = 0x16;
const LOGIN = { username: 'kim', password: 'secret' };
const authority = hasOpenssl ? makeAuthority() : { cert: '', issue: () => ({ key: '', cert: '' }) };

interface Opened {
  readonly repository: RegistryRepository;
  /** What was asked, one a request: `http GET 401`. */
  readonly asked: string[];
}

function open(host: string, authorities: string | undefined): Opened {
  const asked: string[] = [];
  const registry = host.replace('127.0.0.1', 'localhost');
  const onRequest = ({ method, url, status }: RequestRecord): void => {
    asked.push(`${url.split(':')[0]} ${method} ${status ?? 'cut'}`);
  };
  return { repository: openRepository(registry, { authorities, onRequest, explicit: { registry, ...LOGIN } }), asked };
}

describe.skipIf(!hasOpenssl)('a registry of this machine over TLS', () => {
  test('is asked over https once plain http was cut, and takes a push there', async () => {
    const auth = { kind: 'bearer', users: [{ name: 'kim', password: 'secret' }] } as const;
    const registry = await startRegistry({ host: 'localhost', tls: authority.issue('localhost'), auth });
    onTestFinished(() => registry.close());
    const { repository, asked } = open(registry.host, authority.cert);
    await pushImage(repository, sampleImage());
    expect(asked[0]).toMatch(/^http [A-Z]+ cut$/);
    expect(asked.slice(1).filter((line) => !line.startsWith('https '))).toEqual([]);
  });

  test.each([
    ['fetch', 'Client sent an HTTP request to an HTTPS server.'],
    ['fetch', '<center>The plain HTTP request was sent to HTTPS port</center>'],
    ['resolve', 'what a HEAD does not bring'],
  ] as const)('is asked over https once it refused to %s: %s', async (operation, text) => {
    const secure = createTlsServer(authority.issue('localhost'), (_, response) => response.writeHead(404).end());
    const server = createServer((socket) => {
      socket.once('readable', () => {
        const first: Buffer | null = socket.read();
        if (first === null) return;
        socket.unshift(first);
        if (first[0] === TLS_RECORD) secure.emit('connection', socket);
        else socket.end(`HTTP/1.0 400 Bad Request\r\n\r\n${text}`);
      });
    });
    onTestFinished(() => void server.close());
    const { repository, asked } = open(await listen(server), authority.cert);
    await repository[operation]({ tag: '1' });
    await repository[operation]({ tag: '2' });
    const method = operation === 'fetch' ? 'GET' : 'HEAD';
    expect(asked).toEqual([`http ${method} 400`, `https ${method} 404`, `https ${method} 404`]);
  });

  test('needs a certificate that is trusted', async () => {
    const registry = await startRegistry({ host: 'localhost', tls: authority.issue('localhost') });
    onTestFinished(() => registry.close());
    const { repository, asked } = open(registry.host, undefined);
    expect(await failureOf(repository.resolve({ tag: '1' }))).toMatchObject({
      hint: expect.stringContaining('registry-ca'),
    });
    expect(asked).toEqual(['http HEAD cut', 'https HEAD cut']);
  });
});

test('a registry of this machine in plain http whose first connection is cut is asked so again', async () => {
  const registry = await startRegistry({ faults: [{ action: { kind: 'drop' }, times: 1 }] });
  onTestFinished(() => registry.close());
  const { repository, asked } = open(registry.host, undefined);
  expect(await repository.resolve({ tag: '1' })).toBeUndefined();
  expect(asked).toEqual(['http HEAD cut', 'https HEAD cut', 'http HEAD 404']);
});
