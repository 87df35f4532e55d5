import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRegistryError } from '../../src/errors.ts';
import { attachInputs, readBuildSeconds } from '../../src/input-record.ts';
import { readRecordedInputs } from '../../src/recorded-inputs.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { pushHashed, sampleInputs } from '../support/hashed-image.ts';
import { all, inPieces, pushImage, randomLayer, sampleImage, sampleIndex } from './sample-image.ts';

export interface OpenRepository {
  /** Empty, and nobody else's. */
  readonly repository: Repository;
  close?(): Promise<void>;
}

/** What every `Repository` promises, whatever is behind it: a layout folder, this registry, that one. */
export function describeRepositoryContract(name: string, open: () => Promise<OpenRepository>): void {
  describe(`${name} as a repository`, () => {
    let opened: OpenRepository;
    let repository: Repository;
    beforeAll(async () => {
      opened = await open();
      repository = opened.repository;
    });
    afterAll(async () => {
      await opened.close?.();
    });

    describeAbsence(() => repository);
    describeBlobs(() => repository);
    describeManifests(() => repository);
    describeTags(() => repository);
    describeReferrers(() => repository);
    describeDeletion(() => repository);
  });
}

type Subject = () => Repository;

function describeAbsence(repository: Subject): void {
  it('answers undefined for what is not there', async () => {
    const { manifest, blobs } = sampleImage();
    expect(await repository().resolve({ tag: 'absent' })).toBeUndefined();
    expect(await repository().resolve({ digest: manifest.descriptor.digest })).toBeUndefined();
    expect(await repository().fetch({ tag: 'absent' })).toBeUndefined();
    expect(await repository().fetch(manifest.descriptor)).toBeUndefined();
    expect(await repository().fetch(blobs[1]?.descriptor ?? manifest.descriptor)).toBeUndefined();
  });

  it('has no tags and no referrers at first, and nothing to delete', async () => {
    const { descriptor } = sampleImage().manifest;
    expect(await all(repository().tags())).toEqual([]);
    expect(await all(repository().referrers(descriptor))).toEqual([]);
    expect(await repository().delete(descriptor.digest)).toBe(false);
  });
}

function describeBlobs(repository: Subject): void {
  it.each([0, 1, 100_000])('gives a blob of %i bytes back as it was pushed', async (sizeBytes) => {
    const layer = randomLayer(sizeBytes);
    await repository().push(layer.descriptor, () => inPieces(layer.bytes, 4096));
    const whole = await repository().fetch(layer.descriptor);
    expect(Buffer.from((await whole?.bytes()) ?? [0])).toEqual(layer.bytes);
    const streamed = await repository().fetch(layer.descriptor);
    expect(Buffer.concat(await all(streamed?.stream() ?? inPieces(Buffer.of(0))))).toEqual(layer.bytes);
  });

  it('does not read what it has already', async () => {
    const layer = randomLayer();
    await repository().push(layer.descriptor, layer.bytes);
    let reads = 0;
    await repository().push(layer.descriptor, () => {
      reads += 1;
      return inPieces(layer.bytes);
    });
    expect(reads).toBe(0);
  });

  it('takes the same blob from several at once', async () => {
    const layer = randomLayer(50_000);
    await Promise.all([1, 2, 3, 4].map(() => repository().push(layer.descriptor, () => inPieces(layer.bytes, 1000))));
    const content = await repository().fetch(layer.descriptor);
    expect(Buffer.from((await content?.bytes()) ?? [])).toEqual(layer.bytes);
  });

  it.each([
    ['other bytes of the same size', (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1)],
    ['fewer bytes', (bytes: Uint8Array) => bytes.subarray(1)],
    ['more bytes', (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.of(0)])],
  ])('refuses %s than the descriptor says, and has nothing then', async (_what, change) => {
    const layer = randomLayer();
    const wrong = repository().push(layer.descriptor, () => inPieces(change(layer.bytes)));
    await expect(wrong).rejects.toSatisfy(isRegistryError);
    expect(await repository().fetch(layer.descriptor)).toBeUndefined();
  });

  it('reads into memory no more than it may', async () => {
    const layer = randomLayer(1001);
    await repository().push(layer.descriptor, layer.bytes);
    const content = await repository().fetch(layer.descriptor);
    await expect(content?.bytes(1000)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
}

function describeManifests(repository: Subject): void {
  it('gives a manifest back by digest and by tag, to the byte', async () => {
    const image = sampleImage();
    const descriptor = await pushImage(repository(), image);
    await repository().tag(descriptor, 'by-tag');
    for (const target of [{ tag: 'by-tag' }, { digest: descriptor.digest }, descriptor]) {
      const content = await repository().fetch(target);
      expect(content?.descriptor).toEqual(descriptor);
      expect(Buffer.from((await content?.bytes()) ?? [])).toEqual(image.manifest.bytes);
    }
    expect(await repository().resolve({ tag: 'by-tag' })).toEqual(descriptor);
    expect(await repository().resolve({ digest: descriptor.digest })).toEqual(descriptor);
  });

  it('holds an index of indexes', async () => {
    const image = await pushImage(repository(), sampleImage());
    const inner = sampleIndex([image]);
    const outer = sampleIndex([inner.descriptor]);
    for (const { descriptor, bytes } of [inner, outer]) {
      await repository().push(descriptor, bytes);
      expect(await repository().resolve({ digest: descriptor.digest })).toEqual(descriptor);
    }
  });

  it('takes a manifest as a stream', async () => {
    const { manifest, blobs } = sampleImage();
    for (const { descriptor, bytes } of blobs) await repository().push(descriptor, bytes);
    await repository().push(manifest.descriptor, () => inPieces(manifest.bytes));
    expect(await repository().resolve({ digest: manifest.descriptor.digest })).toEqual(manifest.descriptor);
  });

  it('refuses a manifest that is not the one announced', async () => {
    const { manifest, blobs } = sampleImage();
    for (const { descriptor, bytes } of blobs) await repository().push(descriptor, bytes);
    const other = Buffer.from(`${manifest.bytes.toString()} `);
    await expect(repository().push(manifest.descriptor, other)).rejects.toSatisfy(isRegistryError);
    expect(await repository().resolve({ digest: manifest.descriptor.digest })).toBeUndefined();
  });
}

function describeTags(repository: Subject): void {
  it('moves a tag, and keeps what it pointed at', async () => {
    const before = await pushImage(repository(), sampleImage());
    const after = await pushImage(repository(), sampleImage());
    await repository().tag(before, 'moving');
    await repository().tag(after, 'moving');
    expect(await repository().resolve({ tag: 'moving' })).toEqual(after);
    expect(await repository().resolve({ digest: before.digest })).toEqual(before);
  });

  it('lists every tag once, however many share a manifest', async () => {
    const image = await pushImage(repository(), sampleImage());
    const wanted = ['1.2.3', '1.2', '1', 'Latest', '_x'];
    for (const tag of [...wanted, '1']) await repository().tag(image, tag);
    const listed = await all(repository().tags());
    expect(listed.filter((tag) => wanted.includes(tag)).toSorted()).toEqual(wanted.toSorted());
  });

  it('does not tag what it does not have', async () => {
    const { descriptor } = sampleImage().manifest;
    await expect(repository().tag(descriptor, 'nothing')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(await repository().resolve({ tag: 'nothing' })).toBeUndefined();
  });

  it.each(['', '-a', '.a', 'a/b', 'a:b', 'a\n', 'ä', 'a'.repeat(129)])('refuses the tag %j', async (tag) => {
    const image = await pushImage(repository(), sampleImage());
    await expect(repository().tag(image, tag)).rejects.toMatchObject({ code: 'TAG_INVALID' });
  });
}

function describeReferrers(repository: Subject): void {
  it('lists what points at a manifest, by type when asked', async () => {
    const subject = await pushImage(repository(), sampleImage());
    const fields = { subject, annotations: { note: 'ünï' } };
    const sbom = await pushImage(repository(), sampleImage([], { ...fields, artifactType: 'application/x.sbom+json' }));
    const signature = await pushImage(
      repository(),
      sampleImage([randomLayer()], { ...fields, artifactType: 'application/x.sig' }),
    );
    const found = await all(repository().referrers(subject));
    expect(new Set(found.map(({ digest }) => digest))).toEqual(new Set([sbom.digest, signature.digest]));
    const sboms = await all(repository().referrers(subject, 'application/x.sbom+json'));
    expect(sboms).toEqual([{ ...sbom, artifactType: 'application/x.sbom+json', annotations: { note: 'ünï' } }]);
    expect(await all(repository().referrers(subject, 'application/x.other'))).toEqual([]);
  });

  it('lists what was deleted no more', async () => {
    const subject = await pushImage(repository(), sampleImage());
    const [gone, kept] = [
      await pushImage(repository(), sampleImage([], { subject, annotations: { note: 'gone' } })),
      await pushImage(repository(), sampleImage([], { subject, annotations: { note: 'kept' } })),
    ];
    expect(await repository().delete(gone.digest)).toBe(true);
    expect((await all(repository().referrers(subject))).map(({ digest }) => digest)).toEqual([kept.digest]);
    expect(await repository().delete(kept.digest)).toBe(true);
    expect(await all(repository().referrers(subject))).toEqual([]);
    expect(await repository().resolve({ digest: subject.digest })).toEqual(subject);
  });

  it('keeps what an image was built from, once, and how long that took', async () => {
    const inputs = sampleInputs();
    const image = await pushHashed(repository(), inputs);
    expect(await readRecordedInputs(repository(), image)).toMatchObject({ ok: false });
    expect(await readBuildSeconds(repository(), image.descriptor)).toBeUndefined();
    const attachment = { inputs, buildSeconds: 252.04, created: new Date(0) };
    await attachInputs(repository(), image.descriptor, attachment);
    await attachInputs(repository(), image.descriptor, attachment);
    expect(await readRecordedInputs(repository(), image)).toEqual({ ok: true, value: inputs.manifest });
    expect(await readBuildSeconds(repository(), image.descriptor)).toBe(252);
    expect(await all(repository().referrers(image.descriptor))).toHaveLength(1);
  });

  it('gives a referrer without a type the type of its config', async () => {
    const subject = await pushImage(repository(), sampleImage());
    const referrer = sampleImage([], { subject });
    await pushImage(repository(), referrer);
    const [found] = await all(repository().referrers(subject));
    expect(found?.artifactType).toBe(referrer.blobs[0].descriptor.mediaType);
  });
}

function describeDeletion(repository: Subject): void {
  it('deletes a manifest with its tags, and leaves the others', async () => {
    const gone = await pushImage(repository(), sampleImage());
    const kept = await pushImage(repository(), sampleImage());
    for (const tag of ['gone', 'gone-too']) await repository().tag(gone, tag);
    await repository().tag(kept, 'kept');
    expect(await repository().delete(gone.digest)).toBe(true);
    expect(await repository().delete(gone.digest)).toBe(false);
    expect(await repository().resolve({ digest: gone.digest })).toBeUndefined();
    expect(await repository().resolve({ tag: 'gone' })).toBeUndefined();
    const listed = await all(repository().tags());
    expect(listed).toContain('kept');
    expect(listed).not.toContain('gone-too');
    expect(await repository().resolve({ tag: 'kept' })).toEqual(kept);
  });
}
