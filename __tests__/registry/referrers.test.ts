import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { systemClock } from '../../src/registry/retry.ts';
import { type Passing, serveFaulty } from './faulty-registry.ts';
import { openRepository } from './open-repository.ts';
import { all, pieceOf, pushImage, sampleImage, sampleIndex } from './sample-image.ts';
import { fakeClock, serve } from './scripted-server.ts';

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

  test.each<[string, number, string, readonly string[] | undefined]>([
    ['none where the registry knows no such manifest', 404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', []],
    ['unknown where there is no API', 404, '404 page not found', undefined],
    ['unknown where the API is not allowed', 405, '', undefined],
    ['unknown where a page for people comes', 200, '<html>', undefined],
  ])('in the registry’s own list are %s', async (_, status, body, expected) => {
    const server = await serve((_request, response) => response.writeHead(status).end(body));
    expect(await openRepository(server.host).listedReferrers(MANIFEST.digest)).toEqual(expected);
    expect(server.seen).toHaveLength(1);
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

    test('survive at once from several writers on a registry that answers late', async () => {
      // Without the API: the index behind the tag is all there is. Writes take effect late, and by a different delay.
      const server = await serveFaulty(
        ({ kind }) => (kind === 'GET referrer' ? { answer: (response) => response.writeHead(404).end() } : undefined),
        ({ index }) => (index * 7) % 30,
      );
      const repository = openRepository(server.host, { clock: systemClock });
      const subject = await pushImage(repository, sampleImage());
      const writers = Array.from({ length: 4 }, (_, writer) =>
        sampleImage([], { subject, annotations: { writer: String(writer) } }),
      );
      await Promise.all(writers.map((image) => pushImage(openRepository(server.host, { clock: systemClock }), image)));
      const listed = await all(repository.referrers(subject));
      const written = new Set(listed.map(({ annotations }) => annotations?.['writer']));
      expect(written).toEqual(new Set(['0', '1', '2', '3']));
    });

    test('are not entered any more once the run is interrupted', async () => {
      const controller = new AbortController();
      const { server } = await serveTag(false, () => undefined);
      const sleep = (durationMs: number, signal?: AbortSignal): Promise<void> => {
        controller.abort();
        return systemClock.sleep(durationMs, signal);
      };
      const repository = openRepository(server.host, { signal: controller.signal, clock: { ...fakeClock(), sleep } });
      await expect(repository.push(pushed.descriptor, pushed.bytes)).rejects.toMatchObject({ code: 'ABORTED' });
    });

    test('and never stay are an error', async () => {
      const { server } = await serveTag(false, () => undefined);
      await expect(openRepository(server.host).push(pushed.descriptor, pushed.bytes)).rejects.toMatchObject({
        code: 'UNEXPECTED_ANSWER',
      });
    });
  });

  describe('that are deleted', () => {
    const without = (request: Passing) =>
      request.kind === 'GET referrer'
        ? { answer: (response: ServerResponse) => response.writeHead(404).end() }
        : undefined;
    const noteOf = ({ annotations }: Descriptor): string | undefined => annotations?.['note'];

    test('leave the index behind the fallback tag, and the others stay in it', async () => {
      const server = await serveFaulty(without);
      const repository = openRepository(server.host);
      const subject = await pushImage(repository, sampleImage());
      const [a, b] = [
        await pushImage(repository, sampleImage([], { subject, annotations: { note: 'a' } })),
        await pushImage(repository, sampleImage([], { subject, annotations: { note: 'b' } })),
      ];
      expect((await all(repository.referrers(subject))).map(noteOf)).toEqual(['a', 'b']);
      // A new run, which has read none of it.
      expect(await openRepository(server.host).delete(a.digest)).toBe(true);
      expect((await all(repository.referrers(subject))).map(noteOf)).toEqual(['b']);
      expect(await repository.resolve({ tag: subject.digest.replace(':', '-') })).toBeDefined();
      expect(await openRepository(server.host).delete(b.digest)).toBe(true);
      expect(await all(repository.referrers(subject))).toEqual([]);
      expect(await repository.resolve({ tag: subject.digest.replace(':', '-') })).toBeUndefined();
      expect(await repository.resolve({ digest: subject.digest })).toBeDefined();
    });

    test('cost one look at the fallback tag where the registry has the API', async () => {
      const server = await serveFaulty(() => undefined);
      const repository = openRepository(server.host);
      const subject = await pushImage(repository, sampleImage());
      const referrer = await pushImage(repository, sampleImage([], { subject }));
      const before = server.seen.length;
      expect(await repository.delete(referrer.digest)).toBe(true);
      expect(server.seen.slice(before).map(({ kind }) => kind)).toEqual(['DELETE manifest', 'GET manifest']);
    });

    test('and are refused to be, stay in the index', async () => {
      const server = await serveFaulty((request) =>
        request.method === 'DELETE' ? { answer: (response) => response.writeHead(405).end() } : without(request),
      );
      const repository = openRepository(server.host);
      const subject = await pushImage(repository, sampleImage());
      const referrer = await pushImage(repository, sampleImage([], { subject }));
      await expect(repository.delete(referrer.digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      expect((await all(repository.referrers(subject))).map(({ digest }) => digest)).toEqual([referrer.digest]);
    });
  });
});
