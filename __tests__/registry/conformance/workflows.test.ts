import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { valueAt } from '../../../src/core/json.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import { type Piece, pieceOf, sampleImage, sampleIndex } from '../sample-image.ts';
import { locationOf, type Reply, withQuery } from './client.ts';
import { postPut } from './push-blob.ts';
import { REPO1, REPO2, registryIn, STORES } from './stores.ts';

/*
 * The four workflows of the conformance suite as it was up to distribution-spec v1.1.1, in our words:
 * https://github.com/opencontainers/distribution-spec/tree/v1.1.1/conformance
 */

const CODES = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
];
const ABSENT = digestOf('hello world');

describe.each(STORES)('workflows in %s', (store) => {
  const send = registryIn(store);
  const { manifest, blobs } = sampleImage();
  const json = ({ body }: Reply): unknown => JSON.parse(body.toString());
  const tags = async (query = ''): Promise<unknown> =>
    valueAt(json(await send('GET', `${REPO1}/tags/list${query}`)), 'tags');

  const put = ({ descriptor, bytes }: Piece, reference: string): Promise<Reply> =>
    send('PUT', `${REPO1}/manifests/${reference}`, { body: bytes, headers: { 'content-type': descriptor.mediaType } });

  async function pushImage(tag: string): Promise<void> {
    for (const blob of blobs) await postPut(send, blob);
    expect((await put(manifest, tag)).status).toBe(201);
  }

  describe('Pull', () => {
    beforeEach(() => pushImage('tagtest0'));

    it.each(['HEAD', 'GET'])('%s of what exists is 200, of what does not is 404', async (method) => {
      const { digest } = manifest.descriptor;
      for (const where of [`manifests/${digest}`, 'manifests/tagtest0', `blobs/${blobs[0].descriptor.digest}`]) {
        expect((await send(method, `${REPO1}/${where}`)).status).toBe(200);
      }
      for (const where of ['manifests/.INVALID_MANIFEST_NAME', `manifests/${ABSENT}`, `blobs/${ABSENT}`]) {
        expect((await send(method, `${REPO1}/${where}`)).status).toBe(404);
      }
    });

    it('400 response body should contain OCI-conforming JSON message', async () => {
      const reply = await put(pieceOf('blablabla', MEDIA_TYPES.ociManifest), 'sha256:totallywrong');
      expect([reply.status, reply.headers['content-type']]).toEqual([400, 'application/json']);
      expect(CODES).toContain(valueAt(json(reply), 'errors', '0', 'code'));
    });
  });

  describe('Push', () => {
    const blob = pieceOf('Hello, how are you today?');
    const first = { body: blob.bytes.subarray(0, 3), headers: { 'content-range': '0-2' } };
    const second = { body: blob.bytes.subarray(3), headers: { 'content-range': '3-24' } };

    it('Blob Upload Chunked: a wrong chunk is 416, the stale upload is found again and goes on', async () => {
      let location = locationOf(await send('POST', `${REPO1}/blobs/uploads/`));
      expect((await send('PATCH', location, second)).status).toBe(416);
      const taken = await send('PATCH', location, first);
      expect([taken.status, taken.headers.range]).toEqual([202, '0-2']);
      location = locationOf(taken);
      expect((await send('PATCH', location, first)).status).toBe(416);
      const stale = await send('GET', location);
      expect([stale.status, stale.headers.range, stale.body.length]).toEqual([204, '0-2', 0]);
      const done = await send('PUT', withQuery(locationOf(stale), 'digest', blob.descriptor.digest), second);
      expect([done.status, done.headers.location]).toEqual([201, `${REPO1}/blobs/${blob.descriptor.digest}`]);
    });

    it('Cross-Repository Blob Mount', async () => {
      const from = '&from=conformance/repo1';
      const nothing = await send('POST', `${REPO2}/blobs/uploads/?mount=${ABSENT}${from}`);
      expect(nothing.status).toBe(202);
      expect(locationOf(nothing)).toContain(`${REPO2}/blobs/uploads/`);
      await postPut(send, blob);
      const mounted = await send('POST', `${REPO2}/blobs/uploads/?mount=${blob.descriptor.digest}${from}`);
      expect([mounted.status, mounted.headers.location]).toEqual([201, `${REPO2}/blobs/${blob.descriptor.digest}`]);
      expect((await send('GET', locationOf(mounted))).body.equals(blob.bytes)).toBe(true);
    });

    it('Manifest Upload: under several tags, with the blobs or not at all', async () => {
      const refused = await put(manifest, 'test0');
      expect([refused.status, valueAt(json(refused), 'errors', '0', 'code')]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN']);
      for (const tag of ['test0', 'test1', 'test2', 'test3']) await pushImage(tag);
      expect(await tags()).toEqual(['test0', 'test1', 'test2', 'test3']);
    });
  });

  describe('Content Discovery', () => {
    it('GET number of tags should be limitable by `n`, their start by `last`', async () => {
      for (const tag of ['test0', 'test1', 'test2', 'tagtest0']) await pushImage(tag);
      expect(await tags('?n=2')).toEqual(['tagtest0', 'test0']);
      expect(await tags('?n=2&last=test0')).toEqual(['test1', 'test2']);
      const none = await send('GET', `${REPO1}/tags/list?n=0`);
      expect([none.status, valueAt(json(none), 'tags'), none.headers['link']]).toEqual([200, [], undefined]);
    });

    it('follows the links of the pages to every tag once', async () => {
      const all = ['a', 'b', 'c', 'd', 'e'];
      for (const tag of all) await pushImage(tag);
      const found: unknown[] = [];
      let next: string | undefined = `${REPO1}/tags/list?n=2`;
      while (next !== undefined) {
        const reply: Reply = await send('GET', next);
        found.push(valueAt(json(reply), 'tags'));
        next = /^<(.+)>; rel="next"$/.exec(reply.headers['link']?.toString() ?? '')?.[1];
      }
      expect(found.flat()).toEqual(all);
    });

    it('GET referrers: pushed before and after the subject, each with its one annotation, filtered by type', async () => {
      const subject = manifest.descriptor;
      const of = (name: string, artifactType: string): Piece =>
        sampleIndex([], { subject, artifactType, annotations: { 'org.opencontainers.conformance.test': name } });
      const before = [of('1', 'a/a'), of('2', 'b/b'), of('3', 'c/c')];
      const after = [of('4', 'a/a'), of('5', 'b/b')];
      for (const one of before)
        expect((await put(one, one.descriptor.digest)).headers['oci-subject']).toBe(subject.digest);
      await pushImage('tagtest0');
      for (const one of after) await put(one, one.descriptor.digest);
      const list = async (query: string): Promise<unknown[]> => {
        const manifests = valueAt(json(await send('GET', `${REPO1}/referrers/${subject.digest}${query}`)), 'manifests');
        return Array.isArray(manifests) ? manifests.map((one) => valueAt(one, 'annotations')) : [];
      };
      const named = (...names: readonly string[]): object[] =>
        names.map((name) => ({ 'org.opencontainers.conformance.test': name }));
      expect(await list('')).toEqual(named('1', '2', '3', '4', '5'));
      expect(await list('?artifactType=a/a')).toEqual(named('1', '4'));
      expect(await list('?artifactType=none/such')).toEqual([]);
    });
  });

  describe('Content Management', () => {
    beforeEach(() => pushImage('tagtest0'));
    const { digest } = manifest.descriptor;

    it('DELETE request to manifest tag should return 202, and leaves the manifest', async () => {
      expect((await send('DELETE', `${REPO1}/manifests/tagtest0`)).status).toBe(202);
      expect((await send('GET', `${REPO1}/manifests/tagtest0`)).status).toBe(404);
      expect((await send('GET', `${REPO1}/manifests/${digest}`)).status).toBe(200);
      expect(await tags()).toEqual([]);
    });

    it('DELETE request to manifest (digest) should yield 202, and takes its tags along', async () => {
      expect((await send('DELETE', `${REPO1}/manifests/${digest}`)).status).toBe(202);
      expect((await send('GET', `${REPO1}/manifests/${digest}`)).status).toBe(404);
      expect((await send('DELETE', `${REPO1}/manifests/${digest}`)).status).toBe(404);
      expect(await tags()).toEqual([]);
    });

    it('DELETE request to blob URL should yield 202', async () => {
      const where = `${REPO1}/blobs/${blobs[0].descriptor.digest}`;
      expect((await send('DELETE', where)).status).toBe(202);
      expect((await send('GET', where)).status).toBe(404);
      expect((await send('DELETE', where)).status).toBe(404);
    });
  });
});
