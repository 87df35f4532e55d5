import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { textAt, valueAt } from '../../../src/core/json.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import type { Piece } from '../sample-image.ts';
import { expectContent, expectHead, locationOf, type Reply, withQuery } from './client.ts';
import { DATA_SETS, type DataSet } from './data.ts';
import { postOnly, postPut } from './push-blob.ts';
import { REPO1, registryIn, STORES } from './stores.ts';

/*
 * For every kind of content what the specification's own conformance suite does with it, in our words:
 * https://github.com/opencontainers/distribution-spec/tree/main/conformance
 */

const SETS = DATA_SETS.map((data) => [data.name, data] as const);
const ACCEPT = { accept: [MEDIA_TYPES.ociIndex, MEDIA_TYPES.ociManifest] };

describe.each(STORES)('manifests in %s', (store) => {
  const send = registryIn(store);
  const at = (reference: string): string => `${REPO1}/manifests/${reference}`;
  const get = (where: string): Promise<Reply> => send('GET', where, { headers: ACCEPT });

  async function expectManifest(where: string, manifest: Piece): Promise<void> {
    const reply = await get(where);
    expectContent(reply, manifest);
    expect(reply.headers['content-type']).toBe(manifest.descriptor.mediaType);
    const head = await send('HEAD', where, { headers: ACCEPT });
    expectHead(head, manifest);
    expect(head.headers['content-type']).toBe(manifest.descriptor.mediaType);
  }

  async function put(where: string, { bytes, descriptor }: Piece): Promise<Reply> {
    const headers = { 'content-type': descriptor.mediaType };
    const reply = await send('PUT', where, { body: bytes, headers, streamed: true });
    expect([reply.status, reply.headers['docker-content-digest']]).toEqual([201, descriptor.digest]);
    const subject = valueAt(JSON.parse(Buffer.from(bytes).toString()), 'subject', 'digest');
    expect(reply.headers['oci-subject']).toBe(subject);
    return reply;
  }

  async function push({ blobs, manifests, tags, tagsInQuery }: DataSet): Promise<void> {
    for (const blob of blobs) expect((await postPut(send, blob)).status).toBe(201);
    for (const manifest of manifests) {
      const own = tagsInQuery ? [...tags].filter(([, tagged]) => tagged === manifest).map(([tag]) => tag) : [];
      const where = own.reduce((path, tag) => withQuery(path, 'tag', tag), at(manifest.descriptor.digest));
      const reply = await put(where, manifest);
      expect(reply.headers['oci-tag']).toBe(own.length === 0 ? undefined : own.join(', '));
      await expectManifest(locationOf(reply), manifest);
    }
    if (tagsInQuery) return;
    for (const [tag, manifest] of tags) await expectManifest(locationOf(await put(at(tag), manifest)), manifest);
  }

  async function expectListed({ tags }: DataSet): Promise<void> {
    const listed = await send('GET', `${REPO1}/tags/list`);
    const sorted = [...tags.keys()].toSorted();
    expect(JSON.parse(listed.body.toString())).toEqual({ name: 'conformance/repo1', tags: sorted });
    for (const [position, last] of sorted.entries()) {
      const rest = await send('GET', `${REPO1}/tags/list?last=${last}`);
      expect(valueAt(JSON.parse(rest.body.toString()), 'tags')).toEqual(sorted.slice(position + 1));
    }
  }

  async function expectPulled({ blobs, manifests, tags }: DataSet): Promise<void> {
    for (const [tag, manifest] of tags) await expectManifest(at(tag), manifest);
    for (const manifest of manifests) await expectManifest(at(manifest.descriptor.digest), manifest);
    for (const blob of blobs) {
      expectHead(await send('HEAD', `${REPO1}/blobs/${blob.descriptor.digest}`), blob);
      expectContent(await send('GET', `${REPO1}/blobs/${blob.descriptor.digest}`), blob);
    }
  }

  async function expectReferrers({ referrers }: DataSet): Promise<void> {
    for (const [subject, entries] of referrers) {
      const listed = await send('GET', `${REPO1}/referrers/${subject}`);
      expect([listed.status, listed.headers['content-type']]).toEqual([200, MEDIA_TYPES.ociIndex]);
      const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex };
      expect(JSON.parse(listed.body.toString())).toEqual({ ...index, manifests: entries });
      for (const artifactType of new Set(entries.flatMap((entry) => textAt(entry, 'artifactType') ?? []))) {
        const where = withQuery(`${REPO1}/referrers/${subject}`, 'artifactType', artifactType);
        const filtered = await send('GET', where);
        expect(filtered.headers['oci-filters-applied']).toBe('artifactType');
        const wanted = entries.filter((entry) => entry['artifactType'] === artifactType);
        expect(JSON.parse(filtered.body.toString())).toEqual({ ...index, manifests: wanted });
      }
    }
  }

  async function expectDeletable({ blobs, manifests, tags }: DataSet): Promise<void> {
    const references = [...tags.keys(), ...manifests.map(({ descriptor }) => descriptor.digest).toReversed()];
    const paths = blobs.map(({ descriptor }) => `${REPO1}/blobs/${descriptor.digest}`);
    for (const where of [...references.map(at), ...paths]) {
      expect((await send('DELETE', where)).status).toBe(202);
      expect((await send('HEAD', where)).status).toBe(404);
      expect((await send('DELETE', where)).status).toBe(404);
    }
  }

  it.each(SETS)('push, tag-list, head, pull, referrers, delete: %s', async (_name, data) => {
    await push(data);
    await expectListed(data);
    await expectPulled(data);
    await expectReferrers(data);
    await expectDeletable(data);
  });

  it('ping', async () => {
    expect((await send('GET', '/v2/')).status).toBe(200);
  });

  it('empty: no tags and no referrers of a repository that nobody has pushed to', async () => {
    expect((await send('GET', `${REPO1}/tags/list`)).status).toBe(404);
    const listed = await send('GET', `${REPO1}/referrers/${digestOf('nothing')}`);
    expect([listed.status, listed.headers['content-type']]).toEqual([200, MEDIA_TYPES.ociIndex]);
    const empty = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };
    expect(JSON.parse(listed.body.toString())).toEqual(empty);
  });

  it('missing-manifest by digest and by tag', async () => {
    for (const blob of DATA_SETS[0]?.blobs ?? []) await postOnly(send, blob);
    expect((await get(at(digestOf('missing')))).status).toBe(404);
    expect((await get(at('missing-tag'))).status).toBe(404);
  });

  describe('digests that are not', () => {
    const [data] = DATA_SETS;
    const [image] = data?.manifests ?? [];
    beforeEach(async () => {
      for (const blob of data?.blobs ?? []) await postOnly(send, blob);
    });

    it.each([
      ['invalid-digest-format', 'sha256:baddigeststring', ''],
      ['bad-digest-image', image?.descriptor.digest ?? '', '  '],
    ])('%s', async (_name, reference, suffix) => {
      const body = Buffer.concat([image?.bytes ?? Buffer.of(), Buffer.from(suffix)]);
      const headers = { 'content-type': MEDIA_TYPES.ociManifest };
      expect((await send('PUT', at(reference), { body, headers })).status).toBe(400);
      expect((await get(at(reference))).status).toBe(404);
    });
  });
});
