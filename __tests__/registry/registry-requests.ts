import { expect } from 'vitest';
import { digestOf, parseDigest } from '../../src/core/digest.ts';
import { valueAt } from '../../src/core/json.ts';
import type { RunningRegistry } from '../../src/registry/server.ts';
import { type Piece, sampleImage } from './sample-image.ts';

export interface Init {
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Plain requests to a registry, as the specification words them, for the repository `acme/app` where no other is named. */
export interface Requests {
  /** To anywhere when the path begins with `/`, else below the repository. */
  readonly ask: (method: string, where: string, init?: Init) => Promise<Response>;
  /** The location of a new upload. */
  readonly startUpload: () => Promise<string>;
  readonly pushBlob: (blob: Piece, name?: string) => Promise<void>;
  readonly putManifest: (manifest: Piece, reference: string, contentType?: string) => Promise<Response>;
  /** A new image under this tag; its manifest. */
  readonly pushTagged: (tag: string) => Promise<Piece>;
}

/** Any digest of sha512, to ask for that algorithm. */
export const SHA512 = parseDigest(`sha512:${'0'.repeat(128)}`);

/** Of content that nobody pushes. */
export const ABSENT = digestOf('absent');

/** The code of the first error in an answer. */
export async function codeOf(response: Response): Promise<unknown> {
  return valueAt(await response.json(), 'errors', '0', 'code');
}

export function requestsTo(registry: () => RunningRegistry): Requests {
  const requests: Requests = {
    ask(method, where, { body, headers = {} } = {}) {
      const url = `http://${registry().host}${where.startsWith('/') ? where : `/v2/acme/app/${where}`}`;
      if (body === undefined) return fetch(url, { method, headers });
      const type = { 'content-type': 'application/octet-stream' };
      return fetch(url, { method, headers: { ...type, ...headers }, body: Buffer.from(body) });
    },
    async startUpload() {
      const response = await requests.ask('POST', 'blobs/uploads/');
      expect(response.status).toBe(202);
      return response.headers.get('location') ?? '';
    },
    async pushBlob({ descriptor, bytes }, name = 'acme/app') {
      const where = `/v2/${name}/blobs/uploads/?digest=${descriptor.digest}`;
      expect((await requests.ask('POST', where, { body: bytes })).status).toBe(201);
    },
    putManifest({ descriptor, bytes }, reference, contentType = descriptor.mediaType) {
      return requests.ask('PUT', `manifests/${reference}`, { body: bytes, headers: { 'content-type': contentType } });
    },
    async pushTagged(tag) {
      const { manifest, blobs } = sampleImage();
      for (const blob of blobs) await requests.pushBlob(blob);
      expect((await requests.putManifest(manifest, tag)).status).toBe(201);
      return manifest;
    },
  };
  return requests;
}
