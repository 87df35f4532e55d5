import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { retry, systemClock } from '../../src/registry/retry.ts';
import { createTransport, type RequestRecord } from '../../src/registry/transport.ts';
import { listen } from '../support/listen.ts';
import { failureOf, get, openTransport } from './open-transport.ts';
import { serve } from './scripted-server.ts';

describe('redirects', () => {
  test('are followed with the authorisation on the same origin', async () => {
    const server = await serve(({ path }, response) => {
      if (path === '/b?x=1') response.end('there');
      else response.writeHead(307, { location: '/b?x=1' }).end('moved');
    });
    const answer = await openTransport().send({ ...get(server.host, '/a'), authorization: 'Bearer secret' });
    expect(Buffer.from(answer.body).toString()).toBe('there');
    expect(answer.url.pathname).toBe('/b');
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
  });

  test('lose the authorisation when they leave the origin, also when they come back', async () => {
    const other = await serve((_, response) => response.writeHead(302, { location: `http://${home.host}/end` }).end());
    const home = await serve(({ path }, response) => {
      if (path === '/end') response.end('back');
      else response.writeHead(302, { location: `http://user:pw@${other.host}/away` }).end();
    });
    await openTransport().send({ ...get(home.host, '/start'), authorization: 'Bearer secret' });
    expect(other.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(home.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', undefined]);
  });

  test('end after five', async () => {
    const server = await serve((_, response, index) => response.writeHead(302, { location: `/${index}` }).end());
    expect((await failureOf(openTransport().send(get(server.host)))).message).toContain('redirected more than 5 times');
    expect(server.seen).toHaveLength(6);
  });

  test.each([
    ['plain http to another machine', 'http://registry.example/x', 'PLAIN_HTTP_REFUSED'],
    ['a file', 'file:///etc/passwd', 'PLAIN_HTTP_REFUSED'],
    ['no URL', 'http://[', 'UNEXPECTED_ANSWER'],
  ])('to %s are refused', async (_, location, code) => {
    const server = await serve((_, response) => response.writeHead(302, { location }).end());
    expect(await failureOf(openTransport().send(get(server.host)))).toMatchObject({ code });
  });

  test.each([
    [301, 'PUT', ['PUT']],
    [303, 'PUT', ['PUT']],
    [307, 'PUT', ['PUT', 'PUT']],
    [308, 'PUT', ['PUT', 'PUT']],
    [303, 'HEAD', ['HEAD', 'HEAD']],
  ] as const)('of status %i let a %s go on as %j', async (status, method, methods) => {
    const server = await serve(({ path }, response) =>
      path === '/end' ? response.end() : response.writeHead(status, { location: '/end' }).end(),
    );
    const payload = method === 'PUT' ? { payload: { content: Buffer.from('x'), sizeBytes: 1 } } : {};
    await openTransport().send({ ...get(server.host), method, ...payload });
    expect(server.seen.map((request) => request.method)).toEqual(methods);
  });

  test('never carry a form, which may hold a refresh token, to another origin', async () => {
    const thief = await serve((_, response) => response.end());
    const server = await serve((_, response) => response.writeHead(307, { location: `http://${thief.host}/` }).end());
    const payload = { content: Buffer.from('refresh_token=x'), sizeBytes: 15 };
    await failureOf(openTransport().send({ ...get(server.host), method: 'POST', payload }));
    expect(thief.seen).toEqual([]);
  });
});

describe('limits', () => {
  test.each([
    ['announced', { 'content-length': '2000' }],
    ['not announced', { 'transfer-encoding': 'chunked' }],
  ])('refuses an answer that is too large, %s', async (_, headers) => {
    const server = await serve((_, response) => response.writeHead(200, headers).end('x'.repeat(2000)));
    const { send } = openTransport();
    expect(await failureOf(send({ ...get(server.host), limitBytes: 1999 }))).toMatchObject({ code: 'TOO_LARGE' });
    expect((await send({ ...get(server.host), limitBytes: 2000 })).body).toHaveLength(2000);
  });

  test('reads 64 KiB of an error, and does not wait for its end', async () => {
    const server = await serve((_, response) => response.writeHead(400).write('x'.repeat(200_000)));
    expect((await openTransport().send(get(server.host))).body).toHaveLength(64 * 1024);
  });

  test('gives up on a silent registry', async () => {
    const server = await serve(() => undefined);
    const error = await failureOf(openTransport({ idleTimeoutMs: 30, attempts: 2 }).send(get(server.host)));
    expect(error).toMatchObject({ code: 'TIMED_OUT' });
    expect(server.seen).toHaveLength(2);
  });

  test('gives up on a registry that falls silent inside its answer', async () => {
    const server = await serve((_, response) => response.writeHead(200, { 'content-length': '10' }).write('half'));
    expect(await failureOf(openTransport({ idleTimeoutMs: 30, attempts: 1 }).send(get(server.host)))).toMatchObject({
      code: 'TIMED_OUT',
    });
  });
});

describe('a registry that sends a byte now and then', () => {
  const drip = (sizeBytes: number, status = 200) =>
    serve((_, response) => {
      response.writeHead(status, { 'content-length': String(sizeBytes), location: '/elsewhere' });
      const timer = setInterval(() => response.write('x'), 10);
      response.on('close', () => clearInterval(timer));
    });

  test('is cut when its answer is not whole in time', async () => {
    const server = await drip(1_000_000);
    const sending = openTransport({ answerTimeoutMs: 60, attempts: 1 }).send(get(server.host));
    expect(await failureOf(sending)).toMatchObject({ code: 'TIMED_OUT' });
  });

  test('may take its time for content', async () => {
    const server = await drip(20);
    const { stream } = await openTransport({ answerTimeoutMs: 60 }).send({ ...get(server.host), streamed: true });
    let sizeBytes = 0;
    for await (const chunk of stream ?? []) sizeBytes += chunk.length;
    expect(sizeBytes).toBe(20);
  });

  test.each([404, 307])('but not for what comes with an answer %d where content was asked for', async (status) => {
    const server = await drip(1_000_000, status);
    const { send } = openTransport({ answerTimeoutMs: 60, attempts: 1 });
    const sending = send({ ...get(server.host), streamed: true });
    expect(await failureOf(sending)).toMatchObject({ code: 'TIMED_OUT' });
  });
});

describe('payloads', () => {
  async function* pieces(count: number, onPiece: () => void = () => undefined): AsyncIterable<Uint8Array> {
    for (let index = 0; index < count; index += 1) {
      onPiece();
      yield Buffer.alloc(64 * 1024);
    }
  }

  test('shorter than promised are an error, not a broken upload', async () => {
    const server = await serve((_, response) => response.writeHead(201).end());
    const payload = { content: () => pieces(2), sizeBytes: 3 * 64 * 1024 };
    const sending = openTransport().send({ ...get(server.host), method: 'PUT', payload });
    expect(await failureOf(sending)).toMatchObject({ code: 'SIZE_INVALID' });
    expect(server.seen).toEqual([]);
  });

  test('longer than promised are an error as soon as that shows', async () => {
    const server = await serve(() => undefined);
    let pulled = 0;
    const payload = { content: () => pieces(100, () => (pulled += 1)), sizeBytes: 2 * 64 * 1024 };
    const sending = openTransport().send({ ...get(server.host), method: 'PUT', payload });
    expect(await failureOf(sending)).toMatchObject({ code: 'SIZE_INVALID' });
    expect(pulled).toBe(3);
  });

  test('hand the error of their source through', async () => {
    const server = await serve((_, response) => response.end());
    const content = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from('x');
      throw new Error('the disk is gone');
    };
    const sending = openTransport().send({ ...get(server.host), method: 'PUT', payload: { content, sizeBytes: 100 } });
    await expect(sending).rejects.toThrow('the disk is gone');
  });

  test('stop when the answer is there before their end', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'));
      socket.resume();
    });
    const host = await listen(server);
    onTestFinished(() => void server.close());
    let pulled = 0;
    let markEnded = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      markEnded = resolve;
    });
    const content = async function* (): AsyncIterable<Uint8Array> {
      try {
        for await (const piece of pieces(10_000, () => (pulled += 1))) {
          yield piece;
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        markEnded();
      }
    };
    const payload = { content, sizeBytes: 10_000 * 64 * 1024 };
    const answer = await openTransport().send({ ...get(host), method: 'PUT', payload });
    expect(answer.status).toBe(413);
    expect(Buffer.from(answer.body).toString()).toBe('no');
    await ended;
    expect(pulled).toBeLessThan(10_000);
  });
});

test('keeps one connection open, and closes it when told', async () => {
  const server = await serve((_, response) => response.end('ok'));
  const { send, transport } = openTransport();
  for (let count = 0; count < 3; count += 1) await send(get(server.host));
  expect(server.sockets.size).toBe(1);
  const closed = new Promise((resolve) => [...server.sockets][0]?.once('close', resolve));
  transport.close();
  await closed;
  expect(server.sockets.size).toBe(0);
});

test('makes no other attempt once it is closed, and tells of none', async () => {
  const notices: unknown[] = [];
  const { send, transport } = openTransport({ onRetry: (notice) => notices.push(notice) });
  const server = await serve(() => transport.close());
  expect(await failureOf(send(get(server.host)))).toMatchObject({ code: 'ABORTED' });
  expect(notices).toEqual([]);
});

test('takes content as it is, without decompression', async () => {
  const server = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip'));
  expect(Buffer.from((await openTransport().send(get(server.host))).body).toString()).toBe('not gzip');
  expect(server.seen[0]?.headers['accept-encoding']).toBeUndefined();
});

test('tells of every request, without credentials and query', async () => {
  const server = await serve(({ path }, response, index) => {
    if (path.startsWith('/end')) response.end();
    else if (index === 0) response.writeHead(500).end();
    else response.writeHead(307, { location: '/end?signature=secret' }).end();
  });
  const records: RequestRecord[] = [];
  await openTransport({ onRequest: (record) => records.push(record) }).send(get(server.host, '/start?token=secret'));
  await failureOf(openTransport({ attempts: 1, onRequest: (record) => records.push(record) }).send(get('127.0.0.1:1')));
  expect(records).toEqual([
    { method: 'GET', url: `http://${server.host}/start`, status: 500 },
    { method: 'GET', url: `http://${server.host}/start`, status: 307 },
    { method: 'GET', url: `http://${server.host}/end`, status: 200 },
    { method: 'GET', url: 'http://127.0.0.1:1/v2/', status: undefined },
  ]);
});

describe('an answer that is none', () => {
  test.each([
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['ends before it begins', ''],
  ])('since the registry %s is a failure, after the attempts', async (_, text) => {
    let asked = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        asked += 1;
        socket.end(text);
      });
    });
    onTestFinished(() => void server.close());
    const host = await listen(server);
    expect(await failureOf(openTransport({ attempts: 2 }).send(get(host)))).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('the connection was cut'),
    });
    expect(asked).toBe(2);
  });
});

describe('an interruption', () => {
  test('cuts a request that runs', async () => {
    const controller = new AbortController();
    const server = await serve(() => controller.abort());
    expect(await failureOf(openTransport({ signal: controller.signal }).send(get(server.host)))).toMatchObject({
      code: 'ABORTED',
    });
    expect(server.seen).toHaveLength(1);
  });

  test('makes none after it', async () => {
    const server = await serve((_, response) => response.end());
    const error = await failureOf(openTransport({ signal: AbortSignal.abort() }).send(get(server.host)));
    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(server.seen).toEqual([]);
  });

  test('ends the wait for another attempt', async () => {
    const controller = new AbortController();
    const server = await serve((_, response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end();
      setTimeout(() => controller.abort(), 20);
    });
    const transport = createTransport({ signal: controller.signal });
    onTestFinished(() => transport.close());
    const waiting = retry(transport.rules, () => transport.attempt(get(server.host)));
    expect(await failureOf(waiting)).toMatchObject({ code: 'ABORTED' });
  });

  test('leaves no listener on the signal', async () => {
    const server = await serve((_, response) => response.end());
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => ((listeners += 1), add(...args)),
      removeEventListener: (...args: Parameters<typeof remove>) => ((listeners -= 1), remove(...args)),
    });
    const { send } = openTransport({ signal });
    for (let count = 0; count < 3; count += 1) await send(get(server.host));
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners).toBe(0);
  });
});

test('many requests may wait at once without a warning of Node', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const { transport } = openTransport({ signal: new AbortController().signal });
  const { signal } = transport.rules;
  await Promise.all(Array.from({ length: 16 }, () => systemClock.sleep(1, signal)));
  expect(warnings).toEqual([]);
});
