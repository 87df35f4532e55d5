import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { ContentFolder } from '../../src/registry/content-folder.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { clientOf, locationOf, withQuery } from './conformance/client.ts';
import { codeOf, requestsTo, SHA512 } from './registry-requests.ts';
import { pieceOf, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';

let directory: string;
let registry: RunningRegistry;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'misuse-'));
  registry = await startRegistry({ directory });
});
afterEach(async () => {
  await registry.close();
  await rm(directory, { recursive: true });
});

const { ask, pushBlob, putManifest, startUpload } = requestsTo(() => registry);
const send = clientOf(() => registry);

/** The status line of the answer to these bytes; empty when the connection was closed without one. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const [host = '', port = ''] = registry.host.split(':');
    const socket = net.connect(Number(port), host, () => socket.write(text));
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      answer += piece;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
  });
}

/** Sends the head and a part of the body, waits until `arrived`, and goes. */
async function abort(method: string, where: string, arrived: () => Promise<void>): Promise<void> {
  const headers = { 'content-length': 1_000_000, 'content-type': MEDIA_TYPES.ociIndex };
  const request = http.request(new URL(where, `http://${registry.host}`), { method, headers });
  const gone = new Promise<void>((resolve) => request.on('error', () => resolve()));
  request.write(randomBytes(100_000));
  await arrived();
  request.destroy(new Error('gone'));
  await gone;
}

async function expectAlive(): Promise<void> {
  expect((await ask('GET', '/v2/')).status).toBe(200);
}

const stagedBytes = async (): Promise<number> => {
  const [name] = await staged();
  return name === undefined ? 0 : (await stat(path.join(directory, name))).size;
};
const staged = async (): Promise<string[]> => (await readdir(directory)).filter((name) => name.startsWith('.staged-'));

describe('requests that are no requests', () => {
  it.each([
    ['two lengths of one body', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody'],
    ['a length that is none', 'Content-Length: -1\r\n\r\n'],
    ['a line break in a header', 'X-A: b\rc: d\r\n\r\n'],
    ['headers of 1 MB', `X-A: ${'a'.repeat(1_000_000)}\r\n\r\n`],
  ])('refuses %s', async (_what, rest) => {
    expect(await raw(`PUT /v2/acme/app/manifests/1 HTTP/1.1\r\nHost: x\r\n${rest}`)).toMatch(/^(?:HTTP\/1\.1 4|$)/);
    await expectAlive();
  });

  it('refuses a query of 1 MB', async () => {
    expect(await raw(`GET /v2/acme/app/tags/list?last=${'a'.repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(
      /^(?:HTTP\/1\.1 431|$)/,
    );
    await expectAlive();
  });

  it.each([
    '/v2/../../etc/passwd/manifests/1',
    '/v2/%2e%2e/%2e%2e/blobs/uploads/',
    '/v2/a%2f..%2f..%2fb/blobs/uploads/',
    '/v2/a/..%5c..%5cb/blobs/uploads/',
    '/v2/a%00b/blobs/uploads/',
    '/v2//blobs/uploads/',
  ])('finds no way out of its folder at %s', async (where) => {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
      const status = await raw(`${method} ${where} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      expect(status).toMatch(/^HTTP\/1\.1 4/);
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it.each(['blobs', 'manifests', 'referrers'])('takes no path for a digest of %s', async (kind) => {
    await pushBlob(randomLayer());
    for (const digest of ['sha256:../../journal.jsonl', `sha256:${'../'.repeat(21)}a`, '..%2f..%2fjournal.jsonl']) {
      expect((await ask('GET', `${kind}/${digest.replaceAll('/', '%2f')}`)).status).toBeGreaterThanOrEqual(400);
    }
  });

  it.each(['OPTIONS', 'PATCH'])('says to %s which methods there are', async (method) => {
    for (const where of ['/v2/', '/v2/_catalog', 'tags/list', 'manifests/1', 'blobs/x', 'blobs/uploads/']) {
      const response = await ask(method, where);
      expect([response.status, await codeOf(response)]).toEqual([405, 'UNSUPPORTED']);
      expect(response.headers.get('allow')).toMatch(/GET|POST/);
    }
  });
});

describe('pushes that are cut', () => {
  it('leave nothing of a blob', async () => {
    const where = `/v2/acme/app/blobs/uploads/?digest=${randomLayer().descriptor.digest}`;
    await abort('POST', where, () => expect.poll(staged).toHaveLength(1));
    await expect.poll(() => readdir(directory)).toEqual([]);
  });

  it('leave nothing of a manifest', async () => {
    await abort('PUT', '/v2/acme/app/manifests/1', expectAlive);
    await expectAlive();
    expect(await readdir(directory)).toEqual([]);
    expect((await ask('GET', 'tags/list')).status).toBe(404);
  });

  it('leave an upload that can be cancelled, and nothing then', async () => {
    const location = await startUpload();
    await abort('PATCH', location, () => expect.poll(staged).toHaveLength(1));
    expect(await staged()).toHaveLength(1);
    expect((await ask('DELETE', location)).status).toBe(204);
    await expect.poll(() => readdir(directory)).toEqual([]);
  });
});

describe('chunks of another size than they say', () => {
  const blob = pieceOf('0123456789');
  it.each([
    ['more', '01234567', 4],
    ['less', '0', 1],
  ])('are refused when %s came, and the upload goes on behind what fitted', async (_what, sent, taken) => {
    const location = await startUpload();
    const headers = { 'content-range': '0-3' };
    const refused = await send('PATCH', location, { body: Buffer.from(sent), streamed: true, headers });
    expect(refused.status).toBe(400);
    expect(refused.body.toString()).toContain('SIZE_INVALID');
    expect((await send('GET', location)).headers.range).toBe(`0-${taken - 1}`);
    const rest = { body: blob.bytes.subarray(taken), headers: { 'content-range': `${taken}-9` } };
    expect((await send('PUT', withQuery(location, 'digest', blob.descriptor.digest), rest)).status).toBe(201);
  });
});

describe('bodies that are refused before their end', () => {
  const body = Buffer.alloc(20_000_000, ' ');
  it.each([
    ['a manifest that is too large', 'PUT', async () => '/v2/acme/app/manifests/1', 413],
    ['a chunk that is too long', 'PATCH', () => startUpload(), 400],
    ['an upload that is not there', 'PATCH', async () => '/v2/acme/app/blobs/uploads/none', 404],
  ])('do not hold up the next request of that client: %s', async (_what, method, whereTo, status) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { 'content-range': '0-3', 'transfer-encoding': 'chunked', 'content-type': MEDIA_TYPES.ociIndex };
    const url = new URL(await whereTo(), `http://${registry.host}`);
    const put = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const request = http.request(url, { method, agent, headers }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject).end(body);
      });
    expect([await put(), await put()]).toEqual([status, status]);
    agent.destroy();
  });
});

describe('many clients at once', () => {
  it('each have their own upload, of the same blob too', async () => {
    const [same, other] = [randomLayer(100_000), randomLayer(100_000)];
    const push = async ({ descriptor, bytes }: typeof same): Promise<number> => {
      const location = locationOf(await send('POST', '/v2/acme/app/blobs/uploads/'));
      const patched = await send('PATCH', location, { body: bytes, streamed: true });
      return (await send('PUT', withQuery(locationOf(patched), 'digest', descriptor.digest))).status;
    };
    const done = await Promise.all(Array.from({ length: 40 }, (_, number) => push(number % 2 === 0 ? same : other)));
    expect(new Set(done)).toEqual(new Set([201]));
    for (const blob of [same, other]) {
      expect((await send('GET', `/v2/acme/app/blobs/${blob.descriptor.digest}`)).body.equals(blob.bytes)).toBe(true);
    }
    expect((await readdir(directory)).toSorted()).toEqual(['blobs', 'journal.jsonl']);
  });

  it('finish one upload once', async () => {
    const blob = randomLayer();
    const where = withQuery(await startUpload(), 'digest', blob.descriptor.digest);
    const done = await Promise.all([1, 2, 3].map(() => send('PUT', where, { body: blob.bytes })));
    expect(done.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 404, 404]);
  });

  it('move one tag, which is then on one of theirs', async () => {
    const indexes = Array.from({ length: 20 }, (_, number) => sampleIndex([], { annotations: { n: `${number}` } }));
    await Promise.all(indexes.map((index) => putManifest(index, 'moved')));
    const digest = (await ask('HEAD', 'manifests/moved')).headers.get('docker-content-digest');
    expect(indexes.map(({ descriptor }) => descriptor.digest)).toContain(digest);
  });

  it('push an image and delete its layer: the image is refused, or was there before', async () => {
    const { manifest, blobs } = sampleImage();
    for (const blob of blobs) await pushBlob(blob);
    const [pushed] = await Promise.all([
      putManifest(manifest, 'raced'),
      ask('DELETE', `blobs/${blobs[0].descriptor.digest}`),
    ]);
    expect([201, 400]).toContain(pushed.status);
    expect((await ask('HEAD', 'manifests/raced')).status).toBe(pushed.status === 201 ? 200 : 404);
  });
});

describe('a close', () => {
  it.each([
    ['comes at once', 'POST'],
    ['ends with this chunk', 'PUT'],
  ])('leaves nothing of an upload that %s', async (_what, method) => {
    const upload = method === 'PUT' ? await startUpload() : '/v2/acme/app/blobs/uploads/';
    await abort(method, withQuery(upload, 'digest', digestOf('whole')), async () => {
      // Its bytes are coming in.
      await expect.poll(stagedBytes).toBeGreaterThan(0);
      await registry.close();
      expect(await staged()).toEqual([]);
    });
  });
});

describe('a restart', () => {
  it('goes on where an upload of before removes what it had begun at the same time', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, at) => writeFile(path.join(directory, `.staged-${at}`), '')));
    await Promise.all([1, 2, 3].map(() => new ContentFolder(directory).removeStaged()));
    expect(await staged()).toEqual([]);
  });

  it('keeps blobs, manifests, tags and referrers of sha512', async () => {
    const blob = pieceOf('kept', undefined, SHA512);
    await pushBlob(blob);
    const subject = pieceOf(sampleIndex([]).bytes, MEDIA_TYPES.ociIndex, SHA512);
    const signed = sampleIndex([], { artifactType: 'a/b', subject: subject.descriptor });
    await putManifest(subject, `${subject.descriptor.digest}?tag=1&tag=1.2`);
    await putManifest(signed, signed.descriptor.digest);
    await registry.close();
    registry = await startRegistry({ directory });
    expect(await (await ask('GET', `blobs/${blob.descriptor.digest}`)).text()).toBe('kept');
    for (const reference of ['1', '1.2', subject.descriptor.digest]) {
      const response = await ask('GET', `manifests/${reference}`);
      expect(response.headers.get('docker-content-digest')).toBe(subject.descriptor.digest);
    }
    const listed = await (await ask('GET', `referrers/${subject.descriptor.digest}`)).text();
    expect(listed).toContain(signed.descriptor.digest);
  });
});
