import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { collect } from '../../src/registry/content-store.ts';
import { type FaultAction, type FaultRule, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { openRepository } from './open-repository.ts';
import { requestsTo } from './registry-requests.ts';
import { all, type Piece, pushImage, randomLayer, sampleImage } from './sample-image.ts';

let registry: RunningRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry.close());

const { ask, pushBlob, pushTagged, putManifest } = requestsTo(() => registry);
const statuses = (): (number | undefined)[] => registry.requests.map(({ status }) => status);

/** The status that the client sees; `undefined` when no answer came. */
function statusOf(answer: Promise<Response>): Promise<number | undefined> {
  return answer.then(
    (response) => response.status,
    () => undefined,
  );
}

/** Adds a rule, and forgets the requests before it. */
function fail(action: FaultAction, rule: Omit<FaultRule, 'action'> = {}): void {
  registry.forgetRequests();
  registry.fail({ ...rule, action });
}

describe('a rule', () => {
  const action = { kind: 'status', status: 503 } as const;

  it.each<[string, Omit<FaultRule, 'action'>, number[]]>([
    ['everything when it says nothing', {}, [503, 503, 503, 503]],
    ['a method', { method: 'HEAD' }, [404, 503, 404, 404]],
    ['one of several methods', { method: ['HEAD', 'DELETE'] }, [404, 503, 404, 503]],
    ['a kind of request', { kind: 'blob' }, [404, 404, 503, 404]],
    ['one of several kinds', { kind: ['blob', 'tags'] }, [404, 404, 503, 404]],
    ['a path', { path: /manifests\/[ab]/g }, [503, 503, 404, 404]],
    ['all that it says at once', { method: 'GET', kind: 'manifest' }, [503, 404, 404, 404]],
    ['the first ones', { times: 2 }, [503, 503, 404, 404]],
    ['those after the first ones', { skip: 3 }, [404, 404, 404, 503]],
    ['one in the middle', { skip: 1, times: 1 }, [404, 503, 404, 404]],
    ['the second of a kind', { kind: 'manifest', skip: 1 }, [404, 503, 404, 503]],
    ['nothing with the probability 0', { probability: 0 }, [404, 404, 404, 404]],
  ])('hits %s', async (_, rule, expected) => {
    fail(action, rule);
    await ask('GET', 'manifests/a');
    await ask('HEAD', 'manifests/b');
    await ask('GET', `blobs/${digestOf('x')}`);
    await ask('DELETE', 'manifests/c');
    expect(statuses()).toEqual(expected);
  });

  it('comes before those that were added later, and ends with all others', async () => {
    fail(action, { times: 1 });
    registry.fail({ action: { kind: 'status', status: 502 } });
    await ask('GET', '/v2/');
    await ask('GET', '/v2/');
    registry.repair();
    await ask('GET', '/v2/');
    expect(statuses()).toEqual([503, 502, 200]);
    expect(registry.requests.map(({ fault }) => fault)).toEqual(['status', 'status', undefined]);
  });

  it('can be there from the start', async () => {
    await registry.close();
    registry = await startRegistry({ faults: [{ action }] });
    expect((await ask('GET', '/v2/')).status).toBe(503);
  });

  it('chooses by its seed: the same again, about as often as it says', async () => {
    const choices = async (seed: number): Promise<string> => {
      registry.repair();
      fail(action, { probability: 0.3, seed });
      for (let count = 0; count < 100; count += 1) await ask('GET', '/v2/');
      return statuses().join();
    };
    const first = await choices(7);
    expect(await choices(7)).toBe(first);
    expect(await choices(8)).not.toBe(first);
    const hits = first.split(',').filter((status) => status === '503').length;
    expect(hits).toBeGreaterThan(15);
    expect(hits).toBeLessThan(50);
  });
});

describe('a fault', () => {
  const layer = randomLayer(5000);
  const { digest } = layer.descriptor;
  let manifest: Piece;
  beforeEach(async () => {
    manifest = await pushTagged('1');
    await pushBlob(layer);
  });

  /** What arrives of a body, and whether it was whole. */
  async function read(where: string): Promise<{ sizeBytes: number; whole: boolean }> {
    const response = await ask('GET', where);
    const pieces: Uint8Array[] = [];
    const sizeBytes = (): number => Buffer.concat(pieces).length;
    try {
      for await (const piece of response.body ?? []) pieces.push(piece);
      return { sizeBytes: sizeBytes(), whole: true };
    } catch {
      return { sizeBytes: sizeBytes(), whole: false };
    }
  }

  it('answers a status with headers and a body', async () => {
    fail({ kind: 'status', status: 429, headers: { 'Retry-After': '7' }, body: 'slow down' });
    const response = await ask('GET', 'manifests/1');
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.text()).toBe('slow down');
  });

  it('answers a status with an error document where no body is given', async () => {
    fail({ kind: 'status', status: 429 });
    const body: unknown = await (await ask('GET', 'manifests/1')).json();
    expect(body).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] });
  });

  it.each<[string, FaultAction]>([
    ['a status', { kind: 'status', status: 500 }],
    ['a dropped connection', { kind: 'drop' }],
    ['a cut request', { kind: 'cutRequest', afterBytes: 10 }],
    ['HTML', { kind: 'html' }],
  ])('leaves the request undone with %s', async (_, action) => {
    const other = sampleImage();
    for (const blob of other.blobs) await pushBlob(blob);
    fail(action, { times: 1 });
    const status = await statusOf(putManifest(other.manifest, '1'));
    await expect.poll(() => registry.requests).toMatchObject([{ method: 'PUT', status, fault: action.kind }]);
    expect((await ask('GET', 'manifests/1')).headers.get('docker-content-digest')).toBe(manifest.descriptor.digest);
    expect((await ask('HEAD', `manifests/${other.manifest.descriptor.digest}`)).status).toBe(404);
  });

  it('drops the connection before an answer, and says so in the log', async () => {
    fail({ kind: 'drop' });
    await expect(ask('GET', 'manifests/1')).rejects.toThrow('fetch failed');
    expect(registry.requests).toEqual([
      { method: 'GET', path: '/v2/acme/app/manifests/1', status: undefined, kind: 'manifest', fault: 'drop' },
    ]);
  });

  describe('of an answer that waits for the one before', () => {
    /** Asks for both at once, on one connection. */
    async function askBehind(where: string, rule: FaultRule): Promise<Socket> {
      await registry.close();
      registry = await startRegistry({ latencyMs: { base: 200 }, faults: [rule] });
      const socket = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
      for (const path of ['/v2/', where]) socket.write(`GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\n\r\n`);
      return socket.setEncoding('latin1');
    }

    it.each<[string, FaultAction, RegExp]>([
      ['drops the connection at once', { kind: 'drop' }, /^$/],
      [
        'cuts it when its turn has come',
        { kind: 'cutBody', afterBytes: 0 },
        /^HTTP\/1\.1 200 .*HTTP\/1\.1 404 [^{]*$/s,
      ],
    ])('%s', { timeout: 10_000 }, async (_, action, read) => {
      const socket = await askBehind('/v2/acme/app/manifests/1', { kind: 'manifest', action });
      let text = '';
      socket.on('data', (piece: string) => (text += piece));
      await once(socket, 'close');
      expect(text).toMatch(read);
      expect(registry.requests.map(({ fault }) => fault)).toContain(action.kind);
    });

    it('is forgotten when the client goes', { timeout: 10_000 }, async () => {
      const socket = await askBehind('/v2/acme/app/manifests/1', { action: { kind: 'slow', bytesPerSecond: 100 } });
      await expect.poll(() => registry.requests.map(({ kind }) => kind)).toContain('manifest');
      socket.destroy();
      // It waits for all that is under way.
      await registry.close();
    });
  });

  it.each([0, 1, 1234])('cuts the answer after %d bytes', async (afterBytes) => {
    fail({ kind: 'cutBody', afterBytes });
    expect(await read(`blobs/${digest}`)).toEqual({ sizeBytes: afterBytes, whole: false });
  });

  it('cuts no answer that is shorter', async () => {
    fail({ kind: 'cutBody', afterBytes: 5001 });
    expect(await read(`blobs/${digest}`)).toEqual({ sizeBytes: 5000, whole: true });
  });

  it('cuts an upload in its middle and keeps what came, so that it can go on', async () => {
    const location = (await ask('POST', 'blobs/uploads/')).headers.get('location') ?? '';
    const big = randomLayer(300_000);
    fail({ kind: 'cutRequest', afterBytes: 100_000 }, { method: 'PATCH', times: 1 });
    await expect(ask('PATCH', location, { body: big.bytes })).rejects.toThrow('fetch failed');
    expect((await ask('GET', location)).headers.get('range')).toBe('0-99999');
    await ask('PATCH', location, { body: big.bytes.subarray(100_000) });
    expect((await ask('PUT', `${location}?digest=${big.descriptor.digest}`)).status).toBe(201);
  });

  it('cuts a request that came in one piece, too', async () => {
    fail({ kind: 'cutRequest', afterBytes: 10 });
    const [hostname, port] = registry.host.split(':');
    const socket = connect(Number(port), hostname);
    socket.end(`PUT /v2/acme/app/manifests/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n${'x'.repeat(20)}`);
    await expect(collect(socket)).resolves.toHaveLength(0);
    expect(registry.requests).toMatchObject([{ status: undefined, fault: 'cutRequest' }]);
  });

  it('sends slowly, all of it', async () => {
    fail({ kind: 'slow', bytesPerSecond: 100_000 });
    const response = await ask('GET', `blobs/${digest}`);
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(digest);
  });

  it('sends other bytes under the same headers', async () => {
    fail({ kind: 'wrongDigest', where: 'body' });
    const response = await ask('GET', 'manifests/1');
    expect(response.headers.get('docker-content-digest')).toBe(manifest.descriptor.digest);
    const body = new Uint8Array(await response.arrayBuffer());
    expect(body).toHaveLength(manifest.bytes.length);
    expect(digestOf(body)).not.toBe(manifest.descriptor.digest);
  });

  it('sends another digest with the same bytes', async () => {
    fail({ kind: 'wrongDigest', where: 'header' });
    const response = await ask('GET', 'manifests/1');
    expect(response.headers.get('docker-content-digest')).not.toBe(manifest.descriptor.digest);
    expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(manifest.descriptor.digest);
  });

  it('sends a page of HTML as if all were well', async () => {
    fail({ kind: 'html' });
    const response = await ask('GET', 'manifests/1');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await response.text()).toContain('<!doctype html>');
  });

  it('sends half a document with a length that agrees', async () => {
    fail({ kind: 'truncate' });
    const half = Math.floor(manifest.bytes.length / 2);
    const response = await ask('GET', 'manifests/1');
    expect(response.headers.get('content-length')).toBe(String(half));
    expect(await response.text()).toHaveLength(half);
  });

  it('leaves out a header', async () => {
    fail({ kind: 'omitHeader', name: 'docker-content-digest' });
    const response = await ask('GET', 'manifests/1');
    expect([response.status, response.headers.has('docker-content-digest')]).toEqual([200, false]);
  });

  it.each<[string, FaultAction]>([
    ['before the answer', { kind: 'stall' }],
    ['in the answer', { kind: 'stall', afterBytes: 10 }],
  ])('keeps the client waiting %s until it leaves', async (_, action) => {
    fail(action, { times: 1 });
    const patience = new AbortController();
    const waiting = fetch(`${registry.url}/v2/acme/app/blobs/${digest}`, { signal: patience.signal }).then(
      async (response) => {
        const first = await response.body?.getReader().read();
        expect(first?.value).toHaveLength(10);
        patience.abort();
        return response.arrayBuffer();
      },
    );
    if (action.kind === 'stall' && action.afterBytes === undefined) {
      await expect.poll(() => registry.requests).toHaveLength(1);
      patience.abort();
    }
    await expect(waiting).rejects.toThrow();
    expect((await ask('HEAD', `blobs/${digest}`)).status).toBe(200);
  });

  it('does not keep the registry from closing', async () => {
    fail({ kind: 'stall' });
    const waiting = ask('GET', 'manifests/1');
    waiting.catch(() => undefined);
    await expect.poll(() => registry.requests).toHaveLength(1);
    await registry.close();
    await expect(waiting).rejects.toThrow('fetch failed');
  });

  it.each([
    ['a status', { kind: 'storeThenFail', status: 500 }],
    ['a cut connection', { kind: 'storeThenFail' }],
  ] as const)('does the write and then answers %s', async (_, action) => {
    const other = sampleImage();
    for (const blob of other.blobs) await pushBlob(blob);
    fail(action, { times: 1 });
    const status = await statusOf(putManifest(other.manifest, '1'));
    expect(status).toBe('status' in action ? action.status : undefined);
    const stored = await ask('HEAD', 'manifests/1');
    expect(stored.headers.get('docker-content-digest')).toBe(other.manifest.descriptor.digest);
  });

  it('lets a refusal through where there was no write', async () => {
    fail({ kind: 'storeThenFail', status: 500 });
    expect((await putManifest(sampleImage().manifest, '1')).status).toBe(400);
  });
});

describe('our client', () => {
  it('gets an image in whole through failures that pass', async () => {
    const repository = openRepository(registry.host);
    registry.fail({ kind: 'upload', times: 2, action: { kind: 'status', status: 503 } });
    registry.fail({ kind: 'blob', method: 'HEAD', times: 1, action: { kind: 'drop' } });
    registry.fail({ kind: 'manifest', method: 'PUT', times: 1, action: { kind: 'storeThenFail' } });
    const image = await pushImage(repository, sampleImage());
    await repository.tag(image, 'kept');
    expect(await all(repository.tags())).toEqual(['kept']);
    expect(await registry.integrity()).toEqual([]);
  });
});

describe('latency', () => {
  it('of a kind leaves the others alone; the registry closes during a wait', async () => {
    await registry.close();
    registry = await startRegistry({ latencyMs: { tags: 600_000 } });
    expect((await ask('GET', '/v2/')).status).toBe(200);
    const waiting = ask('GET', 'tags/list');
    waiting.catch(() => undefined);
    await ask('GET', '/v2/');
    expect(registry.requests.map(({ kind }) => kind)).toEqual(['base', 'base']);
    await registry.close();
    await expect(waiting).rejects.toThrow('fetch failed');
    await expect.poll(() => registry.requests.at(-1)).toMatchObject({ kind: 'tags', status: undefined });
  });

  it('of every request lets them through in the end', async () => {
    await registry.close();
    registry = await startRegistry({ latencyMs: 5 });
    expect((await ask('GET', '/v2/')).status).toBe(200);
  });
});
