import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { codeOf, type Init, requestsTo, SHA512 } from './registry-requests.ts';
import { pieceOf, randomLayer } from './sample-image.ts';

let registry: RunningRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry.close());

const { ask, pushBlob, startUpload } = requestsTo(() => registry);

describe('uploads', () => {
  const { descriptor, bytes } = randomLayer(1000);
  const { digest } = descriptor;
  const chunk = (first: number, last: number): Init => ({
    body: bytes.subarray(first, last + 1),
    headers: { 'content-range': `${first}-${last}` },
  });

  async function expectStored(): Promise<void> {
    const response = await ask('GET', `blobs/${digest}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  }

  it('takes a whole blob in one POST', async () => {
    const response = await ask('POST', `blobs/uploads/?digest=${digest}`, { body: bytes });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v2/acme/app/blobs/${digest}`);
    await expectStored();
  });

  it('takes a whole blob in POST and PUT', async () => {
    const response = await ask('PUT', `${await startUpload()}?digest=${digest}`, { body: bytes });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v2/acme/app/blobs/${digest}`);
    await expectStored();
  });

  it('takes chunks, tells how far it is, and takes the last with the PUT', async () => {
    const first = await ask('PATCH', await startUpload(), chunk(0, 99));
    expect(first.status).toBe(202);
    expect(first.headers.get('range')).toBe('0-99');
    const location = first.headers.get('location') ?? '';
    const second = await ask('PATCH', location, chunk(100, 499));
    expect(second.headers.get('range')).toBe('0-499');
    const status = await ask('GET', location);
    expect(status.status).toBe(204);
    expect(status.headers.get('range')).toBe('0-499');
    expect(status.headers.get('location')).toBe(location);
    expect((await ask('PUT', `${location}?digest=${digest}`, chunk(500, 999))).status).toBe(201);
    await expectStored();
    expect((await ask('GET', location)).status).toBe(404);
  });

  it('takes a stream without a range, in several pieces', async () => {
    const location = await startUpload();
    await ask('PATCH', location, { body: bytes.subarray(0, 10) });
    await ask('PATCH', location, { body: bytes.subarray(10) });
    expect((await ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
    await expectStored();
  });

  it.each(['0-99', '99-199', '101-200', '200-299', 'bytes 100-199', '100-', '-5', 'x', '100-99'])(
    'answers 416 to the chunk %s where byte 100 is next, and goes on',
    async (range) => {
      const location = await startUpload();
      await ask('PATCH', location, chunk(0, 99));
      const wrong = await ask('PATCH', location, { body: bytes.subarray(0, 100), headers: { 'content-range': range } });
      expect(wrong.status).toBe(416);
      expect(await codeOf(wrong)).toBe('BLOB_UPLOAD_INVALID');
      expect(wrong.headers.get('range')).toBe('0-99');
      const late = await ask('PUT', `${location}?digest=${digest}`, { body: 'x', headers: { 'content-range': range } });
      expect(late.status).toBe(416);
      expect((await ask('PATCH', location, chunk(100, 999))).status).toBe(202);
      expect((await ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
      await expectStored();
    },
  );

  it('refuses a first chunk that does not begin at 0', async () => {
    expect((await ask('PATCH', await startUpload(), chunk(1, 9))).status).toBe(416);
  });

  it('refuses a chunk of another size than it says', async () => {
    const wrong = await ask('PATCH', await startUpload(), { body: 'four', headers: { 'content-range': '0-9' } });
    expect([wrong.status, await codeOf(wrong)]).toEqual([400, 'SIZE_INVALID']);
  });

  it('refuses bytes of another digest, and has nothing then', async () => {
    for (const where of [`blobs/uploads/?digest=${digest}`, `${await startUpload()}?digest=${digest}`]) {
      const response = await ask(where.startsWith('/') ? 'PUT' : 'POST', where, { body: 'other' });
      expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
    }
    expect((await ask('HEAD', `blobs/${digest}`)).status).toBe(404);
  });

  it('wants a digest at the end', async () => {
    const response = await ask('PUT', await startUpload(), { body: bytes });
    expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
  });

  it('can be cancelled', async () => {
    const location = await startUpload();
    await ask('PATCH', location, chunk(0, 99));
    expect((await ask('DELETE', location)).status).toBe(204);
    expect((await ask('PATCH', location, chunk(100, 199))).status).toBe(404);
  });

  it('belongs to the repository that began it', async () => {
    const location = await startUpload();
    expect((await ask('PATCH', location.replace('acme/app', 'acme/other'), chunk(0, 9))).status).toBe(404);
  });

  it('keeps what came before a cut, and goes on from there', async () => {
    const location = await startUpload();
    await new Promise<void>((resolve) => {
      const request = http.request(`http://${registry.host}${location}`, { method: 'PATCH' });
      request.on('error', () => resolve());
      request.write(bytes.subarray(0, 300), () => request.destroy());
    });
    const range = async (): Promise<string | null> => (await ask('GET', location)).headers.get('range');
    await expect.poll(range).toBe('0-299');
    await ask('PATCH', location, chunk(300, 999));
    expect((await ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
    await expectStored();
  });

  it('takes sha512, in one piece and in chunks', async () => {
    const whole = pieceOf('in one piece', undefined, SHA512);
    await pushBlob(whole);
    const chunked = pieceOf('in chunks', undefined, SHA512);
    const location = await startUpload();
    await ask('PATCH', location, { body: 'in ch' });
    const done = await ask('PUT', `${location}?digest=${chunked.descriptor.digest}`, { body: 'unks' });
    expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, chunked.descriptor.digest]);
    for (const { descriptor: found } of [whole, chunked]) {
      expect((await ask('GET', `blobs/${found.digest}`)).headers.get('docker-content-digest')).toBe(found.digest);
    }
  });
});

describe('mounts', () => {
  const layer = randomLayer();
  const { digest } = layer.descriptor;

  it.each(['&from=other/source', ''])('takes a blob over from another repository (%s)', async (from) => {
    await pushBlob(layer, 'other/source');
    expect((await ask('HEAD', `blobs/${digest}`)).status).toBe(404);
    const response = await ask('POST', `blobs/uploads/?mount=${digest}${from}`);
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v2/acme/app/blobs/${digest}`);
    expect((await ask('HEAD', `blobs/${digest}`)).status).toBe(200);
  });

  it.each(['&from=other/empty', '&from=Not/Valid', ''])(
    'begins an upload instead when there is none (%s)',
    async (from) => {
      if (from !== '') await pushBlob(layer, 'other/source');
      const response = await ask('POST', `blobs/uploads/?mount=${digest}${from}`);
      expect(response.status).toBe(202);
      const location = response.headers.get('location') ?? '';
      expect((await ask('PUT', `${location}?digest=${digest}`, { body: layer.bytes })).status).toBe(201);
    },
  );

  it('keeps the blob for one repository when the other deletes it', async () => {
    await pushBlob(layer, 'other/source');
    await ask('POST', `blobs/uploads/?mount=${digest}&from=other/source`);
    expect((await ask('DELETE', `/v2/other/source/blobs/${digest}`)).status).toBe(202);
    expect((await ask('GET', `/v2/other/source/blobs/${digest}`)).status).toBe(404);
    expect(Buffer.from(await (await ask('GET', `blobs/${digest}`)).arrayBuffer())).toEqual(layer.bytes);
  });
});

describe('blobs', () => {
  const layer = pieceOf('0123456789');
  const where = `blobs/${layer.descriptor.digest}`;
  beforeEach(() => pushBlob(layer));

  it('answers HEAD with size and digest, without content', async () => {
    const response = await ask('HEAD', where);
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('docker-content-digest')).toBe(layer.descriptor.digest);
    expect(await response.text()).toBe('');
  });

  it.each([
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=2-5', 206, '2345', 'bytes 2-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=8-1000', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-1,3-4', 200, '0123456789', null],
    ['bytes=-', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('answers the range %s with %i %s', async (range, status, text, contentRange) => {
    const response = await ask('GET', where, { headers: { range } });
    expect([response.status, await response.text()]).toEqual([status, text]);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('docker-content-digest')).toBe(layer.descriptor.digest);
  });

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0', 'bytes=5-2'])('answers 416 to the range %s', async (range) => {
    const response = await ask('GET', where, { headers: { range } });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10']);
  });

  it('deletes', async () => {
    expect((await ask('DELETE', where)).status).toBe(202);
    expect((await ask('GET', where)).status).toBe(404);
    await pushBlob(layer);
    expect(await (await ask('GET', where)).text()).toBe('0123456789');
  });
});
