import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseRetryAfter, type RetryNotice } from '../../src/registry/retry.ts';
import { listen } from '../support/listen.ts';
import { failureOf, get, openTransport } from './open-transport.ts';
import { fakeClock, serve } from './scripted-server.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 8);

describe('repetition', () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 520])('asks again after %i', async (status) => {
    const server = await serve((_, response, index) => response.writeHead(index < 3 ? status : 200).end('ok'));
    const answer = await openTransport().send(get(server.host));
    expect(answer.status).toBe(200);
    expect(server.seen).toHaveLength(4);
  });

  test.each([400, 401, 403, 404, 409, 501, 505])('gives %i back at once', async (status) => {
    const server = await serve((_, response) => response.writeHead(status).end());
    expect((await openTransport().send(get(server.host))).status).toBe(status);
    expect(server.seen).toHaveLength(1);
  });

  test('waits longer each time, less a part by chance', async () => {
    const server = await serve((_, response) => response.writeHead(500).end());
    const clock = fakeClock();
    await failureOf(openTransport({ clock: { ...clock, random: () => 0.5 } }).send(get(server.host)));
    expect(clock.sleeps).toEqual([375, 750, 1500, 3000]);
  });

  test('says how long it waits, why and which attempt failed', async () => {
    const server = await serve((_, response, index) =>
      response.writeHead(index < 2 ? 503 : 200, { 'retry-after': '7' }).end(),
    );
    const waits: RetryNotice[] = [];
    await openTransport({ onRetry: (wait) => waits.push(wait) }).send(get(server.host, '/v2/?token=secret'));
    const reason = `GET http://${server.host}/v2/: the registry answered 503`;
    expect(waits).toEqual([
      { waitMs: 7000, reason, attempt: 1 },
      { waitMs: 7000, reason, attempt: 2 },
    ]);
  });

  test.each([
    ['seconds', '7', 7000],
    ['an HTTP date', new Date(NOW_MS + 9000).toUTCString(), 9000],
    ['a date in the past, as no time', new Date(NOW_MS - 9000).toUTCString(), 500],
    ['what is neither, as nothing', '-5', 500],
    ['more than a minute, as a minute', '86400', 60_000],
  ])('honours Retry-After in %s', async (_, value, waitedMs) => {
    const server = await serve((_, response, index) =>
      response.writeHead(index === 0 ? 429 : 200, { 'retry-after': value }).end(),
    );
    const clock = fakeClock(NOW_MS);
    await openTransport({ clock }).send(get(server.host));
    expect(clock.sleeps).toEqual([waitedMs]);
  });

  test('ends with the last answer: its status, codes and words', async () => {
    const entry = { code: 'TOOMANYREQUESTS', message: 'slow\u001b[31m down\n::error::x' };
    const server = await serve((_, response) => response.writeHead(429).end(JSON.stringify({ errors: [entry] })));
    const error = await failureOf(openTransport().send(get(server.host, '/v2/x?token=secret')));
    expect(server.seen).toHaveLength(5);
    expect(error).toMatchObject({
      code: 'TOOMANYREQUESTS',
      status: 429,
      method: 'GET',
      url: `http://${server.host}/v2/x`,
    });
    expect(error.entries).toEqual([{ code: 'TOOMANYREQUESTS', message: 'slow down ::error::x' }]);
    expect(error.message).toBe(
      `GET http://${server.host}/v2/x: the registry answered 429, TOOMANYREQUESTS "slow down ::error::x"`,
    );
  });

  test.each([
    ['before the answer', (write: (text: string) => void, cut: () => void) => (write(''), cut())],
    [
      'inside the answer',
      (write: (text: string) => void, cut: () => void) => {
        write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":');
        setTimeout(cut, 20);
      },
    ],
  ])('asks again when the connection is cut %s', async (_, answer) => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => undefined);
      socket.once('data', () => {
        if (connections < 3)
          answer(
            (text) => socket.write(text),
            () => socket.destroy(),
          );
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const host = await listen(server);
    onTestFinished(() => void server.close());
    expect(Buffer.from((await openTransport().send(get(host))).body).toString()).toBe('ok');
    expect(connections).toBe(3);
  });

  test('says so when nobody listens', async () => {
    const error = await failureOf(openTransport({ attempts: 2 }).send(get('127.0.0.1:1')));
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', status: undefined });
    expect(error.message).toContain('the connection was refused (ECONNREFUSED)');
  });

  test('sends the same payload again, from a fresh stream', async () => {
    const server = await serve((_, response, index) => response.writeHead(index < 2 ? 503 : 201).end());
    let opened = 0;
    const content = async function* (): AsyncIterable<Uint8Array> {
      opened += 1;
      yield Buffer.from('hello ');
      yield Buffer.from('world');
    };
    await openTransport().send({ ...get(server.host), method: 'PUT', payload: { content, sizeBytes: 11 } });
    expect(opened).toBe(3);
    expect(server.seen.map(({ body, headers }) => [body, headers['content-length']])).toEqual(
      Array.from({ length: 3 }, () => ['hello world', '11']),
    );
  });
});

test.each([
  ['5', 5000],
  [' 5 ', 5000],
  ['', undefined],
  [undefined, undefined],
  ['1e9', undefined],
  ['2027', 2_027_000],
  ['99999999999', undefined],
  ['Sat, 21 Nov 2026 08:00:10 GMT', 10_000],
  ['Saturday', undefined],
])('parseRetryAfter(%j) is %j', (value, expected) => {
  expect(parseRetryAfter(value, NOW_MS)).toBe(expected);
});
