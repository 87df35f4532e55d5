import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../src/core/digest.ts';
import { canonicalJson, MAX_INPUTS_BYTES } from '../src/core/input-manifest.ts';
import { RegistryError } from '../src/errors.ts';
import { attachInputs, copyInputs, INPUTS_MEDIA_TYPE, readBuildSeconds } from '../src/input-record.ts';
import { formatDescriptor } from '../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../src/oci/types.ts';
import { readRecordedInputs } from '../src/recorded-inputs.ts';
import type { FoundImage } from '../src/registry/image.ts';
import { MemoryRepository } from './registry/memory-repository.ts';
import { all, pieceOf } from './registry/sample-image.ts';
import { pushHashed, sampleInputs } from './support/hashed-image.ts';
import { type PlantedArtifact, plantArtifact } from './support/planted-artifact.ts';

const CREATED = new Date('2026-01-02T03:04:05Z');
const SECONDS = 'dev.build-once.build-seconds';
const inputs = sampleInputs();
const read = { ok: true, value: inputs.manifest };

let repository: MemoryRepository;
let image: FoundImage;
beforeEach(async () => {
  repository = new MemoryRepository('acme/app');
  image = await pushHashed(repository, inputs);
});

const attach = (buildSeconds: number | undefined = 12.34) =>
  attachInputs(repository, image.descriptor, { inputs, buildSeconds, created: CREATED });

type Planted = Partial<PlantedArtifact>;

/** What somebody else attached, as a record of inputs. */
const plant = (planted: Planted): Promise<Descriptor> =>
  plantArtifact(repository, {
    type: INPUTS_MEDIA_TYPE,
    layers: [pieceOf(inputs.text(), INPUTS_MEDIA_TYPE)],
    subject: image.descriptor,
    ...planted,
  });

describe('the record of what an image was built from', () => {
  it('is read as it was attached', async () => {
    await attach();
    expect(await readRecordedInputs(repository, image)).toEqual(read);
    expect(await readBuildSeconds(repository, image.descriptor)).toBe(12.3);
  });

  it('is an artifact whose only layer is the text that was hashed', async () => {
    const artifact = await attach();
    const [listed] = await all(repository.referrers(image.descriptor));
    const annotations = { 'org.opencontainers.image.created': '2026-01-02T03:04:05.000Z', [SECONDS]: '12.3' };
    expect(listed).toEqual({ ...artifact, artifactType: INPUTS_MEDIA_TYPE, annotations });
    const document = JSON.parse(Buffer.from((await (await repository.fetch(artifact))?.bytes()) ?? []).toString());
    expect(document).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: INPUTS_MEDIA_TYPE,
      config: { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf('{}'), size: 2 },
      layers: [
        { mediaType: INPUTS_MEDIA_TYPE, digest: `sha256:${inputs.hash}`, size: Buffer.byteLength(inputs.text()) },
      ],
      subject: formatDescriptor(image.descriptor),
      annotations,
    });
  });

  it('is the same artifact when it is attached again', async () => {
    expect(await attach()).toEqual(await attach());
    expect(await all(repository.referrers(image.descriptor))).toHaveLength(1);
  });

  it('is the same one for every reader when there are several', async () => {
    for (const seconds of [1, 2, 3, 4]) await attach(seconds);
    const first = await copyInputs(repository, new MemoryRepository('other/app'), image);
    const artifacts = await all(repository.referrers(image.descriptor));
    repository.referrers = async function* () {
      yield* artifacts.toReversed();
    };
    expect(first.ok).toBe(true);
    expect(await copyInputs(repository, new MemoryRepository('another/app'), image)).toEqual(first);
    expect(artifacts).toHaveLength(4);
  });

  it('may lack how long the build took', async () => {
    await attachInputs(repository, image.descriptor, { inputs, buildSeconds: undefined, created: CREATED });
    expect(await readRecordedInputs(repository, image)).toEqual(read);
    expect(await readBuildSeconds(repository, image.descriptor)).toBeUndefined();
  });

  it('is not attached when it is larger than what is read', async () => {
    const large = { ...inputs, text: () => ' '.repeat(MAX_INPUTS_BYTES + 1) };
    const attached = attachInputs(repository, image.descriptor, { inputs: large, buildSeconds: 1, created: CREATED });
    await expect(attached).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await all(repository.referrers(image.descriptor))).toEqual([]);
  });

  it('says why, when there is none', async () => {
    const where = `acme/app.memory/acme/app@${image.descriptor.digest}`;
    expect(await readRecordedInputs(repository, image)).toEqual({
      ok: false,
      problem: `${where}: no input manifest is attached to it`,
    });
    for (const hash of ['', 'x', `${inputs.hash}0`]) {
      const stranger = await pushHashed(repository, { hash });
      expect(await readRecordedInputs(repository, stranger)).toMatchObject({
        ok: false,
        problem: expect.stringMatching(/no content hash$/),
      });
    }
  });

  it('of another scheme is none, and says so', async () => {
    const text = canonicalJson({ ...inputs.manifest, scheme: 2 });
    image = await pushHashed(repository, { hash: digestOf(text).slice('sha256:'.length) });
    await plant({ layers: [pieceOf(text, INPUTS_MEDIA_TYPE)] });
    expect(await readRecordedInputs(repository, image)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/its scheme is 2; this release/),
    });
  });

  it('that cannot be asked for is an error', async () => {
    await attach();
    const denied = new RegistryError('DENIED', 'no');
    repository.fetch = () => Promise.reject(denied);
    await expect(readRecordedInputs(repository, image)).rejects.toBe(denied);
  });
});

describe('garbage that is attached beside the record', () => {
  const other = pieceOf('{"scheme":3}', INPUTS_MEDIA_TYPE);
  const cases: readonly [string, () => Planted, RegExp][] = [
    ['with other inputs', () => ({ layers: [other] }), /it has the content sha256:\w+, the image sha256:\w+$/],
    ['with no layer', () => ({ layers: [] }), /it has 0 layers, not one/],
    ['with two layers', () => ({ layers: [pieceOf(inputs.text(), INPUTS_MEDIA_TYPE), other] }), /it has 2 layers/],
    ['with a config of its own', () => ({ config: pieceOf('{"a":1}') }), /its config is not the empty one/],
    [
      'whose layer is a lie about its size',
      () => {
        const { descriptor, bytes } = pieceOf(inputs.text(), INPUTS_MEDIA_TYPE);
        return { layers: [{ descriptor: { ...descriptor, sizeBytes: 5 }, bytes }] };
      },
      /has more than 5 bytes|bytes, not 5/,
    ],
    [
      'whose layer is too large',
      () => {
        const { descriptor, bytes } = pieceOf(inputs.text(), INPUTS_MEDIA_TYPE);
        return { layers: [{ descriptor: { ...descriptor, sizeBytes: MAX_INPUTS_BYTES + 1 }, bytes }] };
      },
      /larger than 67108864 bytes/,
    ],
    [
      'whose layer is missing',
      () => {
        const layer = pieceOf(inputs.text(), INPUTS_MEDIA_TYPE);
        return { layers: [layer], without: [layer] };
      },
      /its layer is not there/,
    ],
  ];

  it.each(cases)('%s is not read', async (_, planted, problem) => {
    await plant(planted());
    const found = await readRecordedInputs(repository, image);
    expect(found).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  it.each(cases.slice(0, -3))('%s does not hide the record', async (_, planted) => {
    await plant(planted());
    await attach();
    expect(await readRecordedInputs(repository, image)).toEqual(read);
  });

  it('by a list that points elsewhere is not read', async () => {
    const elsewhere = await pushHashed(repository, inputs);
    const artifact = await plant({ subject: elsewhere.descriptor });
    repository.referrers = async function* () {
      yield artifact;
    };
    expect(await readRecordedInputs(repository, image)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/it belongs elsewhere$/),
    });
  });

  it('is looked into so often, and no more', async () => {
    for (let count = 0; count < 50; count += 1) await plant({ layers: [], annotations: { count: `${count}` } });
    let fetched = 0;
    repository.fetch = (target) => {
      fetched += 1;
      return MemoryRepository.prototype.fetch.call(repository, target);
    };
    expect(await readRecordedInputs(repository, image)).toMatchObject({ ok: false });
    expect(fetched).toBe(20);
  });

  it.each(['', '-1', '1e9', 'NaN', '12345678', '1.2345', '0x10', '\u001b[31m', ' 1', '١'])(
    'says nothing about the time when it says %j',
    async (text) => {
      await plant({ annotations: { [SECONDS]: text } });
      expect(await readRecordedInputs(repository, image)).toEqual(read);
      expect(await readBuildSeconds(repository, image.descriptor)).toBeUndefined();
      await attach();
      expect(await readBuildSeconds(repository, image.descriptor)).toBe(12.3);
    },
  );
});

describe('a record that goes with an image to another repository', () => {
  const to = new MemoryRepository('other/app');

  it('is the same there', async () => {
    await plant({ layers: [], annotations: { [SECONDS]: '1' } });
    const artifact = await attach();
    expect(await copyInputs(repository, to, image)).toEqual({ ok: true, value: artifact });
    expect(await readRecordedInputs(to, image)).toEqual(read);
    expect(await all(to.referrers(image.descriptor))).toHaveLength(1);
  });

  it('is not made up where there is none', async () => {
    expect(await copyInputs(repository, to, image)).toMatchObject({ ok: false });
  });
});
