import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { openRepository } from './open-repository.ts';
import { all, pieceOf, sampleImage, sampleIndex } from './sample-image.ts';
import { serve } from './scripted-server.ts';

const { descriptor: MANIFEST } = sampleImage().manifest;

describe('referrers', () => {
  const referrer = (name: string): Descriptor => ({
    ...pieceOf(name, MEDIA_TYPES.ociManifest).descriptor,
    artifactType: `application/${name}`,
  });
  const index = (...names: readonly string[]): Uint8Array => sampleIndex(names.map(referrer)).bytes;
  const asIndex = { 'content-type': MEDIA_TYPES.ociIndex };
  const tagPath = `/v2/acme/app/manifests/${MANIFEST.digest.replace(':', '-')}`;

  test('come from the API page by page and from the fallback tag, each once', async () => {
    const server = await serve(({ path }, response) => {
      if (path === tagPath) response.writeHead(200, asIndex).end(index('b', 'c'));
      else if (path.includes('page=2')) response.writeHead(200, asIndex).end(index('b'));
      else response.writeHead(200, { ...asIndex, link: '<?page=2>; rel="next"' }).end(index('a'));
    });
    expect(await all(openRepository(server.host).referrers(MANIFEST))).toEqual(['a', 'b', 'c'].map(referrer));
  });

  test('are filtered by type, whether the registry does it or not', async () => {
    const server = await serve((_, response) => response.writeHead(200, asIndex).end(index('a', 'b')));
    expect(await all(openRepository(server.host).referrers(MANIFEST, 'application/b'))).toEqual([referrer('b')]);
    expect(server.lines()[0]).toBe(`GET /v2/acme/app/referrers/${MANIFEST.digest}?artifactType=application%2Fb`);
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['404', (response) => response.writeHead(404).end()],
    ['405', (response) => response.writeHead(405).end()],
    ['a page for people', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
  ])('come from the fallback tag alone where the API answers %s', async (_, answer) => {
    const server = await serve(({ path }, response) =>
      path === tagPath ? response.writeHead(200, asIndex).end(index('a')) : answer(response),
    );
    expect(await all(openRepository(server.host).referrers(MANIFEST))).toEqual([referrer('a')]);
  });

  test('that cannot be read are an error, not none', async () => {
    const server = await serve((_, response) => response.writeHead(200, asIndex).end(index('a').subarray(0, 40)));
    await expect(all(openRepository(server.host).referrers(MANIFEST))).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    });
  });

  test('of a registry that refuses to say are an error', async () => {
    const server = await serve((_, response) => response.writeHead(403).end());
    await expect(all(openRepository(server.host).referrers(MANIFEST))).rejects.toMatchObject({ code: 'DENIED' });
  });

  describe('that are pushed', () => {
    const pushed = sampleImage([], {
      subject: MANIFEST,
      artifactType: 'application/sig',
      annotations: { a: 'b' },
    }).manifest;
    const entry = { ...formatDescriptor(pushed.descriptor), annotations: { a: 'b' }, artifactType: 'application/sig' };

    /** A registry that keeps one tag, with the API, without, or with one that takes no note of subjects (`silent`). */
    async function serveTag(
      api: boolean | 'silent',
      onPut: (write: number, body: string) => string | undefined = (_, body) => body,
    ) {
      const kept: { body: string | undefined } = { body: undefined };
      let writes = 0;
      const server = await serve(({ method, path, body }, response) => {
        if (method === 'PUT' && path === tagPath) kept.body = onPut((writes += 1), body);
        if (method === 'PUT') response.writeHead(201, api === true ? { 'oci-subject': MANIFEST.digest } : {}).end();
        else if (path === tagPath && kept.body !== undefined) response.writeHead(200, asIndex).end(kept.body);
        else if (api !== false && path.includes('/referrers/')) response.writeHead(200, asIndex).end(index());
        else response.writeHead(404).end();
      });
      return { server, members: (): unknown[] => JSON.parse(kept.body ?? '{"manifests":[]}').manifests };
    }

    test('need nothing more where the registry has the API', async () => {
      const { server, members } = await serveTag(true);
      await openRepository(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([]);
    });

    test.each([false, 'silent'] as const)('are entered under the fallback tag where it has not (%j)', async (api) => {
      const { server, members } = await serveTag(api);
      await openRepository(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([entry]);
      await openRepository(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([entry]);
    });

    test('are entered again when another writer removed them, whose entries stay as they are', async () => {
      const foreign = { ...formatDescriptor(referrer('x')), data: 'eA==' };
      const { server, members } = await serveTag(false, (write, body) =>
        write === 1
          ? JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [foreign] })
          : body,
      );
      await openRepository(server.host).push(pushed.descriptor, pushed.bytes);
      expect(members()).toEqual([foreign, entry]);
    });

    test('and never stay are an error', async () => {
      const { server } = await serveTag(false, () => undefined);
      await expect(openRepository(server.host).push(pushed.descriptor, pushed.bytes)).rejects.toMatchObject({
        code: 'UNEXPECTED_ANSWER',
      });
    });
  });
});
