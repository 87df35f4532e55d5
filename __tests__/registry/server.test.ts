import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf, parseDigest } from '../../src/core/digest.ts';
import { valueAt } from '../../src/core/json.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { describeRepositoryContract } from './contract.ts';
import { all, type Piece, pieceOf, pushImage, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';

describeRepositoryContract('the embedded registry', async () => {
  const registry = await startRegistry();
  const registries = openRegistries({ env: {} });
  return {
    repository: registries.open({ registry: registry.host, path: 'acme/app' }),
    async close() {
      registries.close();
      await registry.close();
    },
  };
});

let registry: RunningRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry.close());

type Init = { readonly body?: string | Uint8Array; readonly headers?: Readonly<Record<string, string>> };

/** One request to the repository `acme/app`, or anywhere when the path begins with `/`. */
function ask(method: string, where: string, { body, headers = {} }: Init = {}): Promise<Response> {
  const url = `http://${registry.host}${where.startsWith('/') ? where : `/v2/acme/app/${where}`}`;
  const type = body === undefined ? {} : { 'content-type': 'application/octet-stream' };
  return fetch(url, {
    method,
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
}

async function codeOf(response: Response): Promise<unknown> {
  const json: unknown = await response.json();
  return valueAt(valueAt(json, 'errors'), '0', 'code');
}

async function startUpload(): Promise<string> {
  const response = await ask('POST', 'blobs/uploads/');
  expect(response.status).toBe(202);
  return response.headers.get('location') ?? '';
}

async function pushBlob({ descriptor, bytes }: Piece, name = 'acme/app'): Promise<void> {
  const response = await ask('POST', `/v2/${name}/blobs/uploads/?digest=${descriptor.digest}`, { body: bytes });
  expect(response.status).toBe(201);
}

function putManifest(
  { descriptor, bytes }: Piece,
  reference: string,
  contentType = descriptor.mediaType,
): Promise<Response> {
  return ask('PUT', `manifests/${reference}`, { body: bytes, headers: { 'content-type': contentType } });
}

async function pushTagged(tag: string): Promise<Piece> {
  const { manifest, blobs } = sampleImage();
  for (const blob of blobs) await pushBlob(blob);
  expect((await putManifest(manifest, tag)).status).toBe(201);
  return manifest;
}

const SHA512: Digest | undefined = parseDigest(`sha512:${'0'.repeat(128)}`);
const ABSENT = digestOf('absent');

describe('the base', () => {
  it('says that it is a registry', async () => {
    const response = await ask('GET', '/v2/');
    expect(response.status).toBe(200);
    expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });

  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', 'localhost.evil.example'])(
    'does not listen on %s, which others can reach',
    async (host) => {
      await expect(startRegistry({ host })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    },
  );

  it('says when the port is taken', async () => {
    const port = Number(registry.host.split(':')[1]);
    await expect(startRegistry({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('counts requests by what they were for', async () => {
    await ask('GET', 'manifests/none');
    await ask('HEAD', `blobs/${ABSENT}`);
    await ask('GET', 'tags/list?n=3');
    expect(registry.requests).toEqual([
      { method: 'GET', path: '/v2/acme/app/manifests/none', status: 404, kind: 'manifest' },
      { method: 'HEAD', path: `/v2/acme/app/blobs/${ABSENT}`, status: 404, kind: 'blob' },
      { method: 'GET', path: '/v2/acme/app/tags/list?n=3', status: 404, kind: 'tags' },
    ]);
    registry.forgetRequests();
    expect(registry.requests).toEqual([]);
  });

  it('can be closed twice', async () => {
    await registry.close();
    await registry.close();
  });
});

describe('refusals', () => {
  const upload = 'blobs/uploads/00000000-0000-4000-8000-000000000000';
  it.each([
    ['GET', '/v2/unknown/tags/list', 404, 'NAME_UNKNOWN'],
    ['GET', '/v2/unknown/manifests/1', 404, 'NAME_UNKNOWN'],
    ['DELETE', '/v2/unknown/manifests/1', 404, 'NAME_UNKNOWN'],
    ['GET', '/v2/Upper/manifests/1', 404, 'NAME_INVALID'],
    ['POST', '/v2/Upper/blobs/uploads/', 400, 'NAME_INVALID'],
    ['POST', '/v2/a..b/blobs/uploads/', 400, 'NAME_INVALID'],
    ['POST', `/v2/${'a'.repeat(256)}/blobs/uploads/`, 400, 'NAME_INVALID'],
    ['PUT', '/v2/a%0Ab/manifests/1', 400, 'NAME_INVALID'],
    ['GET', 'manifests/absent', 404, 'MANIFEST_UNKNOWN'],
    ['GET', `manifests/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
    ['GET', 'manifests/.no-tag', 404, 'MANIFEST_UNKNOWN'],
    ['GET', 'manifests/sha256:abc', 404, 'MANIFEST_UNKNOWN'],
    ['PUT', 'manifests/.no-tag', 400, 'MANIFEST_INVALID'],
    ['PUT', 'manifests/sha256:abc', 400, 'DIGEST_INVALID'],
    ['DELETE', 'manifests/absent', 404, 'MANIFEST_UNKNOWN'],
    ['DELETE', `manifests/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
    ['PATCH', 'manifests/1', 405, 'UNSUPPORTED'],
    ['GET', `blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
    ['GET', 'blobs/sha256:abc', 404, 'BLOB_UNKNOWN'],
    ['DELETE', `blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
    ['DELETE', 'blobs/sha256:abc', 400, 'DIGEST_INVALID'],
    ['PUT', `blobs/${ABSENT}`, 405, 'UNSUPPORTED'],
    ['GET', 'blobs/uploads/', 405, 'UNSUPPORTED'],
    ['POST', 'blobs/uploads/?digest=md5:abc', 400, 'DIGEST_INVALID'],
    ['POST', 'blobs/uploads/?mount=abc', 400, 'DIGEST_INVALID'],
    ['PATCH', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['PUT', `${upload}?digest=${ABSENT}`, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['GET', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['DELETE', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['GET', 'referrers/sha256:abc', 400, 'DIGEST_INVALID'],
    ['POST', 'tags/list', 405, 'UNSUPPORTED'],
    ['GET', 'tags/list?n=-1', 400, 'UNSUPPORTED'],
    ['GET', 'elsewhere', 404, 'UNSUPPORTED'],
    ['GET', '/v2/%', 404, 'UNSUPPORTED'],
    ['GET', '/v1/', 404, 'UNSUPPORTED'],
  ])('answers %s %s with %i %s', async (method, where, status, code) => {
    await pushBlob(randomLayer());
    const response = await ask(method, where);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await codeOf(response)).toBe(code);
  });

  it('repeats nothing dangerous of what was sent', async () => {
    const response = await ask('GET', `manifests/${encodeURIComponent('\u001b[31m\n::set-output')}`);
    const text = await response.text();
    expect(text).not.toMatch(/\\u001b|\\n/);
    expect(text.length).toBeLessThan(1000);
  });
});

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
    ['bytes=5-2', 200, '0123456789', null],
    ['bytes=-', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('answers the range %s with %i %s', async (range, status, text, contentRange) => {
    const response = await ask('GET', where, { headers: { range } });
    expect([response.status, await response.text()]).toEqual([status, text]);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('docker-content-digest')).toBe(layer.descriptor.digest);
  });

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('answers 416 to the range %s', async (range) => {
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

describe('manifests', () => {
  it('stores the bytes and the type as they came, under tag and digest', async () => {
    const { manifest, blobs } = sampleImage();
    for (const blob of blobs) await pushBlob(blob);
    const { digest, mediaType } = manifest.descriptor;
    const pushed = await putManifest(manifest, '1.2.3', `${mediaType}; charset=utf-8`);
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('location')).toBe(`/v2/acme/app/manifests/${digest}`);
    expect(pushed.headers.get('docker-content-digest')).toBe(digest);
    expect(pushed.headers.has('oci-subject')).toBe(false);
    for (const reference of ['1.2.3', digest]) {
      const response = await ask('GET', `manifests/${reference}`);
      expect(response.headers.get('content-type')).toBe(mediaType);
      expect(response.headers.get('docker-content-digest')).toBe(digest);
      expect(Buffer.from(await response.arrayBuffer())).toEqual(manifest.bytes);
      const head = await ask('HEAD', `manifests/${reference}`);
      expect(head.headers.get('content-length')).toBe(String(manifest.bytes.length));
    }
  });

  it('takes sha512 as the name of a manifest', async () => {
    const index = sampleIndex([]);
    const digest = digestOf(index.bytes, SHA512);
    const pushed = await putManifest(index, digest);
    expect(pushed.headers.get('docker-content-digest')).toBe(digest);
    expect((await ask('GET', `manifests/${digest}`)).headers.get('docker-content-digest')).toBe(digest);
  });

  it('learns the type from the document when the client does not say it', async () => {
    const index = sampleIndex([]);
    await putManifest(index, 'a', 'application/json');
    expect((await ask('HEAD', 'manifests/a')).headers.get('content-type')).toBe(MEDIA_TYPES.ociIndex);
  });

  it('takes the same words of Docker', async () => {
    const config = pieceOf('{}', 'application/vnd.docker.container.image.v1+json');
    await pushBlob(config);
    const { mediaType, digest, sizeBytes: size } = config.descriptor;
    const manifest = pieceOf(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.dockerManifest,
        config: { mediaType, digest, size },
        layers: [],
      }),
      MEDIA_TYPES.dockerManifest,
    );
    expect((await putManifest(manifest, 'docker')).status).toBe(201);
    const list = pieceOf(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.dockerIndex, manifests: [] }),
      MEDIA_TYPES.dockerIndex,
    );
    expect((await putManifest(list, 'list')).status).toBe(201);
    expect((await ask('HEAD', 'manifests/list')).headers.get('content-type')).toBe(MEDIA_TYPES.dockerIndex);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '<html>'],
    ['a list', '[]'],
    ['no schema version', '{"config":{},"layers":[]}'],
    ['neither manifest nor index', '{"schemaVersion":2}'],
    ['another type than announced', `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}","manifests":[]}`],
    [
      'a layer without a digest',
      '{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:x","size":1},"layers":[]}',
    ],
  ])('refuses %s', async (_what, body) => {
    const response = await putManifest(pieceOf(body, MEDIA_TYPES.ociManifest), 'bad');
    expect([response.status, await codeOf(response)]).toEqual([400, 'MANIFEST_INVALID']);
    expect((await ask('GET', 'manifests/bad')).status).toBe(404);
  });

  it('refuses a type that is no manifest', async () => {
    const response = await putManifest(sampleIndex([]), 'bad', 'text/html');
    expect([response.status, await codeOf(response)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  it('refuses bytes of another digest', async () => {
    const response = await putManifest(sampleIndex([]), ABSENT);
    expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
  });

  it('refuses an image before its blobs', async () => {
    const { manifest, blobs } = sampleImage();
    await pushBlob(blobs[0]);
    const response = await putManifest(manifest, '1');
    expect([response.status, await codeOf(response)]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN']);
    await pushBlob(blobs[1] ?? blobs[0], 'other/repository');
    expect((await putManifest(manifest, '1')).status).toBe(400);
  });

  it('does without layers that nobody may hand on', async () => {
    const foreign = pieceOf('foreign', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip');
    const { manifest, blobs } = sampleImage([foreign]);
    await pushBlob(blobs[0]);
    expect((await putManifest(manifest, '1')).status).toBe(201);
  });

  it('takes an index whose manifests are elsewhere, or indexes themselves', async () => {
    const sparse = sampleIndex([sampleImage().manifest.descriptor]);
    expect((await putManifest(sparse, 'sparse')).status).toBe(201);
    expect((await putManifest(sampleIndex([sparse.descriptor]), 'nested')).status).toBe(201);
  });

  it('takes 4 MiB and not one byte more, announced or not', async () => {
    const { bytes } = sampleIndex([]);
    const filled = (sizeBytes: number): Piece =>
      pieceOf(`${bytes.toString()}${' '.repeat(sizeBytes - bytes.length)}`, MEDIA_TYPES.ociIndex);
    expect((await putManifest(filled(4 * 1024 * 1024), 'large')).status).toBe(201);
    const larger = filled(4 * 1024 * 1024 + 1);
    const announced = await putManifest(larger, 'larger');
    expect([announced.status, await codeOf(announced)]).toEqual([413, 'SIZE_INVALID']);
    const streamed = await fetch(`http://${registry.host}/v2/acme/app/manifests/larger`, {
      method: 'PUT',
      body: new Blob([larger.bytes]).stream(),
      headers: { 'content-type': MEDIA_TYPES.ociIndex },
      duplex: 'half',
    });
    expect(streamed.status).toBe(413);
    expect((await ask('GET', 'manifests/larger')).status).toBe(404);
  });

  it('deletes a tag and keeps the manifest', async () => {
    const { descriptor } = await pushTagged('one');
    expect((await ask('DELETE', 'manifests/one')).status).toBe(202);
    expect((await ask('GET', 'manifests/one')).status).toBe(404);
    expect((await ask('GET', `manifests/${descriptor.digest}`)).status).toBe(200);
  });

  it('deletes a manifest and every tag on it, and still knows the repository', async () => {
    const manifest = await pushTagged('one');
    await putManifest(manifest, 'two');
    expect((await ask('DELETE', `manifests/${manifest.descriptor.digest}`)).status).toBe(202);
    expect((await ask('GET', 'manifests/two')).status).toBe(404);
    expect(await (await ask('GET', 'tags/list')).json()).toEqual({ name: 'acme/app', tags: [] });
  });
});

describe('lists of tags', () => {
  const list = async (query: string): Promise<unknown> => {
    const response = await ask('GET', `tags/list${query}`);
    return [valueAt(await response.json(), 'tags'), response.headers.get('link')];
  };
  const link = (query: string): string => `</v2/acme/app/tags/list?${query}>; rel="next"`;
  beforeEach(async () => {
    for (const tag of ['b', 'a', 'B', '10', '9', '_']) await putManifest(sampleIndex([]), tag);
  });

  it.each([
    ['', ['10', '9', 'B', '_', 'a', 'b'], null],
    ['?n=2', ['10', '9'], link('n=2&last=9')],
    ['?n=2&last=9', ['B', '_'], link('n=2&last=_')],
    ['?n=2&last=_', ['a', 'b'], null],
    ['?n=6', ['10', '9', 'B', '_', 'a', 'b'], null],
    ['?n=100', ['10', '9', 'B', '_', 'a', 'b'], null],
    ['?n=0', [], null],
    ['?last=_', ['a', 'b'], null],
    ['?last=C', ['_', 'a', 'b'], null],
    ['?last=z&n=3', [], null],
  ])('are sorted by bytes and cut as asked: %s', async (query, tags, next) => {
    expect(await list(query)).toEqual([tags, next]);
  });

  it('exist for repositories too', async () => {
    await pushBlob(randomLayer(), 'acme/zoo');
    await pushBlob(randomLayer(), 'acme/aaa');
    expect(await (await ask('GET', '/v2/_catalog')).json()).toEqual({
      repositories: ['acme/aaa', 'acme/app', 'acme/zoo'],
    });
    const page = await ask('GET', '/v2/_catalog?n=2');
    expect(page.headers.get('link')).toBe('</v2/_catalog?n=2&last=acme%2Fapp>; rel="next"');
  });
});

describe('referrers', () => {
  const subject = sampleIndex([], { annotations: { is: 'the subject' } });
  const signature = sampleIndex([], {
    subject: subject.descriptor,
    artifactType: 'application/x.sig+json',
    annotations: { a: 'b' },
  });
  const untyped = sampleIndex([], { subject: subject.descriptor });
  const { digest } = subject.descriptor;
  const listing = (...manifests: readonly object[]): object => ({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests,
  });
  const entry = ({ descriptor }: Piece, more: object = {}): object => ({
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.sizeBytes,
    ...more,
  });
  const signatureEntry = entry(signature, { artifactType: 'application/x.sig+json', annotations: { a: 'b' } });

  it('are listed whether the subject exists or not, and the push says so', async () => {
    const pushed = await putManifest(signature, 'sig');
    expect(pushed.headers.get('oci-subject')).toBe(digest);
    await putManifest(untyped, untyped.descriptor.digest);
    const response = await ask('GET', `referrers/${digest}`);
    expect(response.headers.get('content-type')).toBe(MEDIA_TYPES.ociIndex);
    expect(response.headers.has('oci-filters-applied')).toBe(false);
    expect(await response.json()).toEqual(listing(signatureEntry, entry(untyped)));
  });

  it.each(['application/x.sig%2Bjson', 'application/x.sig+json'])('are filtered by type (%s)', async (type) => {
    await putManifest(signature, 'sig');
    await putManifest(untyped, 'untyped');
    const response = await ask('GET', `referrers/${digest}?artifactType=${type}`);
    expect(response.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(await response.json()).toEqual(listing(signatureEntry));
  });

  it('are an empty list where there are none, also without a repository', async () => {
    const response = await ask('GET', `/v2/never/heard/of/referrers/${ABSENT}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(listing());
  });

  it('are gone when they are deleted, and stay when their subject is', async () => {
    await putManifest(subject, 'subject');
    await putManifest(signature, 'sig');
    await ask('DELETE', `manifests/${digest}`);
    expect(await (await ask('GET', `referrers/${digest}`)).json()).toEqual(listing(signatureEntry));
    await ask('DELETE', `manifests/${signature.descriptor.digest}`);
    expect(await (await ask('GET', `referrers/${digest}`)).json()).toEqual(listing());
  });
});

describe('a folder', () => {
  let directory: string;
  let kept: RunningRegistry;
  let repository: RegistryRepository;
  const registries = openRegistries({ env: {} });
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'registry-'));
    await open();
  });
  afterEach(async () => {
    registries.close();
    await kept.close();
    await rm(directory, { recursive: true });
  });

  async function open(): Promise<void> {
    kept = await startRegistry({ directory });
    repository = registries.open({ registry: kept.host, path: 'acme/app' });
  }

  async function restart(): Promise<void> {
    await kept.close();
    await open();
  }

  it('keeps content, tags and referrers over a restart, and what was deleted stays deleted', async () => {
    const image = sampleImage();
    const descriptor = await pushImage(repository, image);
    await repository.tag(descriptor, 'kept');
    await repository.tag(descriptor, 'gone');
    await repository.deleteTag('gone');
    const removed = await pushImage(repository, sampleImage());
    await repository.tag(removed, 'removed');
    await repository.delete(removed.digest);
    const referrer = await pushImage(repository, sampleImage([], { subject: descriptor, artifactType: 'a/b' }));
    await restart();
    expect(await all(repository.tags())).toEqual(['kept']);
    expect(await repository.resolve({ tag: 'kept' })).toEqual(descriptor);
    expect(await repository.resolve({ digest: removed.digest })).toBeUndefined();
    expect(await all(repository.referrers(descriptor))).toEqual([{ ...referrer, artifactType: 'a/b' }]);
    for (const { descriptor: blob, bytes } of image.blobs) {
      expect(Buffer.from((await (await repository.fetch(blob))?.bytes()) ?? [])).toEqual(bytes);
    }
  });

  it('survives a journal that was cut in the middle of a line', async () => {
    const descriptor = await pushImage(repository, sampleImage());
    await repository.tag(descriptor, 'before');
    await appendFile(path.join(directory, 'journal.jsonl'), '{"kind":"tag-set","repository":"acme/app","tag":"hal');
    await restart();
    await repository.tag(descriptor, 'after');
    await restart();
    expect(await all(repository.tags())).toEqual(['after', 'before']);
  });

  it('forgets a manifest whose content is gone', async () => {
    const descriptor = await pushImage(repository, sampleImage());
    await repository.tag(descriptor, 'lost');
    await rm(path.join(directory, 'blobs', ...descriptor.digest.split(':')));
    await restart();
    expect(await repository.resolve({ tag: 'lost' })).toBeUndefined();
    expect(await all(repository.tags())).toEqual([]);
  });

  it('holds no unfinished upload after it was closed', async () => {
    const response = await fetch(`http://${kept.host}/v2/acme/app/blobs/uploads/`, { method: 'POST' });
    await fetch(`http://${kept.host}${response.headers.get('location')}`, { method: 'PATCH', body: 'unfinished' });
    expect(await readdir(directory)).toHaveLength(1);
    await kept.close();
    expect(await readdir(directory)).toEqual([]);
  });
});
