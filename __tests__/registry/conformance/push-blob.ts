import { expect } from 'vitest';
import type { Piece } from '../sample-image.ts';
import { locationOf, type Reply, type Send, withQuery } from './client.ts';
import { REPO1 } from './stores.ts';

const CHUNK_BYTES = 1024;
const TYPE = { 'content-type': 'application/octet-stream' };

/** Pushes a blob in one of the ways of the specification; the answer to the request that names the digest. */
export type PushBlob = (send: Send, blob: Piece, repository?: string) => Promise<Reply>;

async function begin(send: Send, repository: string): Promise<string> {
  const begun = await send('POST', `${repository}/blobs/uploads/`);
  expect(begun.status).toBe(202);
  return locationOf(begun);
}

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#single-post */
export const postOnly: PushBlob = (send, { descriptor, bytes }, repository = REPO1) =>
  send('POST', withQuery(`${repository}/blobs/uploads/`, 'digest', descriptor.digest), { body: bytes, headers: TYPE });

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#post-then-put */
export const postPut: PushBlob = async (send, { descriptor, bytes }, repository = REPO1) => {
  const location = await begin(send, repository);
  return send('PUT', withQuery(location, 'digest', descriptor.digest), { body: bytes, headers: TYPE });
};

/** One PATCH that says neither its size nor its place. */
export const patchStream: PushBlob = async (send, { descriptor, bytes }, repository = REPO1) => {
  const location = await begin(send, repository);
  const patched = await send('PATCH', location, { body: bytes, streamed: true, headers: TYPE });
  expect(patched.status).toBe(202);
  return send('PUT', withQuery(locationOf(patched), 'digest', descriptor.digest));
};

/**
 * In chunks of 1 KiB; the last one with the PUT, or out of order at first, each as asked.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export function patchChunked(how: { readonly putLast?: boolean; readonly outOfOrder?: boolean } = {}): PushBlob {
  return async (send, { descriptor, bytes }, repository = REPO1) => {
    let location = await begin(send, repository);
    const chunk = (method: string, first: number): Promise<Reply> => {
      const body = bytes.subarray(first, first + CHUNK_BYTES);
      const range = `${first}-${first + body.length - 1}`;
      const where = method === 'PUT' ? withQuery(location, 'digest', descriptor.digest) : location;
      return send(method, where, { body, headers: { ...TYPE, 'content-range': range } });
    };
    const methodOf = (first: number): string =>
      how.putLast === true && first + CHUNK_BYTES >= bytes.length ? 'PUT' : 'PATCH';
    for (let first = 0; first < bytes.length; first += CHUNK_BYTES) {
      if (how.outOfOrder === true) {
        const bad = first + CHUNK_BYTES < bytes.length ? first + CHUNK_BYTES : 0;
        expect((await chunk(methodOf(bad), bad)).status).toBe(416);
        const found = await send('GET', location);
        expect([found.status, found.headers.range]).toEqual([204, `0-${Math.max(0, first - 1)}`]);
        location = locationOf(found);
      }
      const taken = await chunk(methodOf(first), first);
      if (methodOf(first) === 'PUT') return taken;
      expect(taken.status).toBe(202);
      expect(taken.headers.range).toBe(`0-${Math.min(first + CHUNK_BYTES, bytes.length) - 1}`);
      location = locationOf(taken);
    }
    return send('PUT', withQuery(location, 'digest', descriptor.digest), { headers: TYPE });
  };
}
