import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { valueAt } from '../../src/core/json.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { ABSENT, codeOf, requestsTo, SHA512 } from './registry-requests.ts';
import { type Piece, pieceOf, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';

let registry: RunningRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry.close());

const { ask, pushBlob, putManifest, pushTagged } = requestsTo(() => registry);

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

  it('takes 4 MiB and not one byte more', async () => {
    const { bytes } = sampleIndex([]);
    const filled = (sizeBytes: number): Piece =>
      pieceOf(`${bytes.toString()}${' '.repeat(sizeBytes - bytes.length)}`, MEDIA_TYPES.ociIndex);
    expect((await putManifest(filled(4 * 1024 * 1024), 'large')).status).toBe(201);
    const larger = filled(4 * 1024 * 1024 + 1);
    const announced = await putManifest(larger, 'larger');
    expect([announced.status, await codeOf(announced)]).toEqual([413, 'SIZE_INVALID']);
    expect((await ask('GET', 'manifests/larger')).status).toBe(404);
  });

  it('are not blobs, and blobs are not manifests', async () => {
    const { descriptor } = await pushTagged('one');
    const layer = randomLayer();
    await pushBlob(layer);
    expect((await ask('GET', `blobs/${descriptor.digest}`)).status).toBe(404);
    expect((await ask('GET', `manifests/${layer.descriptor.digest}`)).status).toBe(404);
  });

  it('answers before the end of a body that is too large, and stays reachable', async () => {
    const status = await new Promise((resolve, reject) => {
      const url = `http://${registry.host}/v2/acme/app/manifests/endless`;
      const request = http.request(url, { method: 'PUT', headers: { 'content-type': MEDIA_TYPES.ociIndex } });
      request.on('error', reject);
      request.on('response', (response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      request.write(Buffer.alloc(4 * 1024 * 1024 + 1));
    });
    expect(status).toBe(413);
    expect((await ask('GET', '/v2/')).status).toBe(200);
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
