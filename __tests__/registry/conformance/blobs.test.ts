import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseDigest } from '../../../src/core/digest.ts';
import { type Piece, pieceOf } from '../sample-image.ts';
import { expectContent, expectHead, locationOf, type Reply, type Send, withQuery } from './client.ts';
import { type PushBlob, patchChunked, patchStream, postOnly, postPut } from './push-blob.ts';
import { REPO1, REPO2, registryIn, STORES } from './stores.ts';

/*
 * The requirements on blobs that the specification's own conformance suite checks, in our words, for both algorithms:
 * https://github.com/opencontainers/distribution-spec/tree/main/conformance
 */

const ALGORITHMS = [
  ['sha256', undefined],
  ['sha512', parseDigest(`sha512:${'0'.repeat(128)}`)],
] as const;
const TYPE = 'application/octet-stream';

const mount = (send: Send, { descriptor }: Piece, from: string): Promise<Reply> =>
  send('POST', `${REPO1}/blobs/uploads/?mount=${encodeURIComponent(descriptor.digest)}${from}`);

const mountFrom =
  (from: string): PushBlob =>
  async (send, blob) => {
    expect((await postPut(send, blob, REPO2)).status).toBe(201);
    return mount(send, blob, from);
  };

const mountMissing: PushBlob = async (send, blob) => {
  const begun = await mount(send, blob, '&from=conformance/repo2');
  expect(begun.status).toBe(202);
  return send('PUT', withQuery(locationOf(begun), 'digest', blob.descriptor.digest), { body: blob.bytes });
};

const WAYS: readonly (readonly [name: string, push: PushBlob, sizeBytes: number])[] = [
  ['post only', postOnly, 512],
  ['post+put', postPut, 512],
  ['chunked single', patchChunked(), 512],
  ['chunked multi', patchChunked(), 3067],
  ['chunked multi and put chunk', patchChunked({ putLast: true }), 3067],
  ['chunked out-of-order', patchChunked({ outOfOrder: true }), 3067],
  ['chunked out-of-order and put chunk', patchChunked({ outOfOrder: true, putLast: true }), 3067],
  ['stream', patchStream, 512],
  ['mount', mountFrom('&from=conformance/repo2'), 512],
  ['mount anonymous', mountFrom(''), 512],
  ['mount missing', mountMissing, 512],
];

describe.each(STORES)('blobs in %s', (store) => {
  const send = registryIn(store);

  describe.each(ALGORITHMS)('of %s', (algorithm, like) => {
    const blobOf = (sizeBytes: number): Piece => pieceOf(randomBytes(sizeBytes), TYPE, like);
    const at = ({ descriptor }: Piece, repository = REPO1): string => `${repository}/blobs/${descriptor.digest}`;

    async function expectDeletable(blob: Piece, repository = REPO1): Promise<void> {
      expect((await send('DELETE', at(blob, repository))).status).toBe(202);
      expect((await send('HEAD', at(blob, repository))).status).toBe(404);
    }

    it('get-missing', async () => {
      const blob = blobOf(10);
      expect((await send('GET', at(blob))).status).toBe(404);
      await postOnly(send, blobOf(10));
      expect((await send('GET', at(blob))).status).toBe(404);
    });

    it.each(WAYS)(
      '%s: stored at the location that is told, pulled, deleted at once',
      async (_name, push, sizeBytes) => {
        const blob = blobOf(sizeBytes);
        const pushed = await push(send, blob);
        expect([pushed.status, pushed.headers['docker-content-digest']]).toEqual([201, blob.descriptor.digest]);
        expectContent(await send('GET', locationOf(pushed)), blob);
        expectHead(await send('HEAD', at(blob)), blob);
        expectContent(await send('GET', at(blob)), blob);
        await expectDeletable(blob);
      },
    );

    it('mount: deleted in one repository, still in the other', async () => {
      const blob = blobOf(512);
      await mountFrom('')(send, blob);
      await expectDeletable(blob);
      expectContent(await send('GET', at(blob, REPO2)), blob);
      await expectDeletable(blob, REPO2);
    });

    it('post cancel', async () => {
      const location = locationOf(await send('POST', `${REPO1}/blobs/uploads/`));
      expect((await send('PATCH', location, { body: Buffer.from('part') })).status).toBe(202);
      expect((await send('DELETE', location)).status).toBe(204);
      expect((await send('GET', location)).status).toBe(404);
      expect((await send('PUT', withQuery(location, 'digest', blobOf(1).descriptor.digest))).status).toBe(404);
    });

    it('begins with the algorithm in the query', async () => {
      const blob = blobOf(512);
      const begun = await send('POST', `${REPO1}/blobs/uploads/?digest-algorithm=${algorithm}`);
      expect(begun.status).toBe(202);
      const where = withQuery(locationOf(begun), 'digest', blob.descriptor.digest);
      expect((await send('PUT', where, { body: blob.bytes })).status).toBe(201);
    });

    it.each([
      ['500-1499', 206, 500, 1500],
      ['500-', 206, 500, 2048],
      ['-500', 206, 1548, 2048],
      ['2000-5000', 206, 2000, 2048],
      ['500-0', 416, 0, 0],
      ['5000-10000', 416, 0, 0],
    ])('range %s', async (range, status, first, end) => {
      const blob = blobOf(2048);
      await postPut(send, blob);
      const reply = await send('GET', at(blob), { headers: { range: `bytes=${range}` } });
      expect(reply.status).toBe(status);
      if (status === 416) return;
      expect(reply.headers['content-range']).toBe(`bytes ${first}-${end - 1}/2048`);
      expect(reply.headers['content-length']).toBe(String(end - first));
      expect(reply.body.equals(blob.bytes.subarray(first, end))).toBe(true);
    });

    describe.each([
      ['empty', ''],
      ['emptyJSON', '{}'],
    ])('%s', (_name, content) => {
      it.each([postOnly, postPut, patchStream, patchChunked()])('in way %#', async (push) => {
        const blob = pieceOf(content, TYPE, like);
        expectContent(await send('GET', locationOf(await push(send, blob))), blob);
        expectHead(await send('HEAD', at(blob)), blob);
        await expectDeletable(blob);
      });
    });

    it.each([
      ['post only', postOnly],
      ['post+put', postPut],
      ['chunked', patchChunked()],
      ['chunked and put chunk', patchChunked({ putLast: true })],
      ['stream', patchStream],
    ])('bad digest %s', async (_name, push) => {
      const blob = blobOf(3067);
      const bad = { ...blob, bytes: Buffer.concat([blob.bytes, Buffer.from('oh no')]) };
      expect((await push(send, bad)).status).toBe(400);
      expect((await send('HEAD', at(blob))).status).toBe(404);
    });
  });

  it('an algorithm that nobody knows', async () => {
    expect((await send('POST', `${REPO1}/blobs/uploads/?digest-algorithm=md5`)).status).toBe(400);
  });
});
