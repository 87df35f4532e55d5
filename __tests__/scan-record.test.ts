import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../src/core/digest.ts';
import { formatScanRecord, MAX_SCAN_RECORD_BYTES, type ScanRecord } from '../src/core/scan-record.ts';
import { RegistryError } from '../src/errors.ts';
import type { Descriptor } from '../src/oci/types.ts';
import type { FoundImage } from '../src/registry/image.ts';
import type { Repository } from '../src/registry/repository.ts';
import { type RunningRegistry, startRegistry } from '../src/registry/server.ts';
import { attachScan, readFreshScan, SCAN_MEDIA_TYPE, type WantedScan } from '../src/scan-record.ts';
import { MemoryRepository } from './registry/memory-repository.ts';
import { openRepository } from './registry/open-repository.ts';
import { all, pieceOf, sampleImage } from './registry/sample-image.ts';
import { pushHashed, sampleInputs } from './support/hashed-image.ts';
import { type PlantedArtifact, plantArtifact } from './support/planted-artifact.ts';
import { realScan, STAND_IN, trivyReport } from './support/trivy-reports.ts';

const CREATED = 'org.opencontainers.image.created';
const SETTINGS = 'dev.build-once.scan-settings';
const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 21, 17);
const settings = digestOf('settings');
const AMD64 = { platform: 'linux/amd64', digest: digestOf('amd64') };
const ARM64 = { platform: 'linux/arm64', digest: digestOf('arm64') };
const WANTED: WantedScan = {
  settings,
  platforms: [AMD64, ARM64],
  nowMs: NOW_MS,
  maxAgeMs: 24 * HOUR_MS,
  isTrusted: async () => true,
};

const at = (hours: number): string => new Date(NOW_MS + hours * HOUR_MS).toISOString();
const recordOf = (image: FoundImage, change: Partial<ScanRecord> = {}): ScanRecord => ({
  schema: 1,
  image: image.descriptor.digest,
  scannedAt: at(-1),
  settings,
  scanner: '0.70.0',
  database: at(-8),
  platforms: [
    { ...AMD64, report: JSON.parse(trivyReport('secrets')) },
    { ...ARM64, report: JSON.parse(trivyReport('os-arm64')) },
  ],
  ...change,
});
const annotationsOf = (scannedAt = at(-1), digest: string = settings) => ({ [CREATED]: scannedAt, [SETTINGS]: digest });

/** Attaches a record with these words, whatever they are; the default is one that fits. */
const plant = (
  repository: Repository,
  image: FoundImage,
  { text = formatScanRecord(recordOf(image)), ...planted }: Partial<PlantedArtifact> & { readonly text?: string } = {},
): Promise<Descriptor> =>
  plantArtifact(repository, {
    type: SCAN_MEDIA_TYPE,
    layers: [pieceOf(text, SCAN_MEDIA_TYPE)],
    subject: image.descriptor,
    annotations: annotationsOf(),
    ...planted,
  });

type Planting = (image: FoundImage) => Parameters<typeof plant>[2];
const withRecord =
  (change: Partial<ScanRecord>): Planting =>
  (image) => ({ text: formatScanRecord(recordOf(image, change)) });

/** A platform with another's manifest. */
const swapped = ({ platform }: typeof AMD64, { digest }: typeof AMD64) => ({
  platform,
  digest,
  report: { SchemaVersion: 2 },
});

const PLANTED: readonly (readonly [string, Planting])[] = [
  ['garbage', () => ({ text: 'not a record \u001b[31m' })],
  ['nothing', () => ({ text: '' })],
  ['63 MiB', () => ({ text: 'x'.repeat(63 * 1024 * 1024) })],
  ['deep JSON', () => ({ text: '['.repeat(1_000_000) })],
  ['the record of another image', withRecord({ image: digestOf('another') })],
  ['a record with other settings inside', withRecord({ settings: digestOf('other') })],
  ['a record that is older inside', withRecord({ scannedAt: at(-25) })],
  ['a record of tomorrow inside', withRecord({ scannedAt: at(24) })],
  ['a record of other manifests', withRecord({ platforms: [swapped(AMD64, ARM64), swapped(ARM64, AMD64)] })],
  ['a record without one of the platforms', withRecord({ platforms: [swapped(AMD64, AMD64)] })],
  [
    'a record with a report that says nothing',
    withRecord({ platforms: [{ ...swapped(AMD64, AMD64), report: {} }, swapped(ARM64, ARM64)] }),
  ],
  ['no layer', () => ({ layers: [] })],
  ['two layers', () => ({ layers: [pieceOf('{}'), pieceOf('[]')] })],
  ['a config of its own', () => ({ config: pieceOf('{"a":1}') })],
];

describe.each([
  ['with the referrers API', {}],
  ['without the referrers API', { referrers: false }],
])('the record of a scan in a registry %s', (_, options) => {
  let registry: RunningRegistry;
  let repository: Repository;
  let image: FoundImage;
  beforeEach(async () => {
    registry = await startRegistry(options);
    repository = openRepository(registry.host);
    image = await pushHashed(repository, sampleInputs());
    return () => registry.close();
  });

  const asked = () => registry.requests.filter(({ kind }) => kind === 'manifest' || kind === 'blob');
  /** How many manifests, other than fallback tags, and how many blobs were asked for. */
  const askedFor = () => [
    asked().filter(({ path }) => /\/manifests\/sha256:/.test(path)).length,
    asked().filter(({ kind }) => kind === 'blob').length,
  ];
  const readAgain = (wanted: Partial<WantedScan> = {}) => {
    registry.forgetRequests();
    return readFreshScan(repository, image, { ...WANTED, ...wanted });
  };

  it('is read as it was attached, without a secret', async () => {
    const baseline = {
      reference: 'ghcr.io/acme/app:1.2.3',
      digest: digestOf('baseline'),
      platforms: [{ ...AMD64, report: JSON.parse(trivyReport('misconfigurations')) }],
    };
    const record = recordOf(image, { baseline });
    const artifact = await attachScan(repository, image.descriptor, record);
    expect(await readAgain()).toEqual({
      ...record,
      platforms: [
        { ...AMD64, scan: realScan('secrets') },
        { ...ARM64, scan: realScan('os-arm64', 'linux/arm64') },
      ],
      baseline: { ...baseline, platforms: [{ ...AMD64, scan: realScan('misconfigurations') }] },
    });
    expect(askedFor()).toEqual([1, 1]);
    const [listed, ...more] = await all(repository.referrers(image.descriptor));
    expect(listed).toEqual({ ...artifact, artifactType: SCAN_MEDIA_TYPE, annotations: annotationsOf() });
    expect(more).toEqual([]);
    const text = formatScanRecord(record);
    const content = await repository.fetch(pieceOf(text, SCAN_MEDIA_TYPE).descriptor);
    expect(Buffer.from((await content?.bytes()) ?? []).toString()).toBe(text);
    expect(text).not.toContain(STAND_IN);
    expect(await registry.integrity()).toEqual([]);
  });

  it('is the newest of several, and no other is looked at', async () => {
    for (const hours of [-3, -1, -2]) {
      await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(hours) }));
    }
    await attachScan(repository, image.descriptor, recordOf(image, { settings: digestOf('other'), scannedAt: at(0) }));
    expect(await readAgain()).toMatchObject({ scannedAt: at(-1) });
    expect(askedFor()).toEqual([1, 1]);
  });

  it.each<[string, Partial<WantedScan>]>([
    ['with other settings', { settings: digestOf('other') }],
    ['too long ago', { maxAgeMs: HOUR_MS - 1 }],
    ['of a time to come', { nowMs: NOW_MS - 2 * HOUR_MS }],
  ])('that was made %s is not even looked at', async (_, wanted) => {
    await attachScan(repository, image.descriptor, recordOf(image));
    expect(await readAgain(wanted)).toBeUndefined();
    expect(askedFor()).toEqual([0, 0]);
  });

  it.each<[string, Partial<WantedScan>]>([
    ['a platform that it lacks', { platforms: [AMD64, { platform: 'linux/s390x', digest: digestOf('s390x') }] }],
    ['another manifest of a platform', { platforms: [{ ...AMD64, digest: digestOf('x') }] }],
    ['a platform as another', { platforms: [{ ...AMD64, digest: ARM64.digest }] }],
  ])('does not do for %s', async (_, wanted) => {
    await attachScan(repository, image.descriptor, recordOf(image));
    expect(await readAgain(wanted)).toBeUndefined();
  });

  it('says nothing of platforms that are not wanted', async () => {
    await attachScan(repository, image.descriptor, recordOf(image));
    const record = await readAgain({ platforms: [ARM64] });
    expect(record?.platforms.map(({ platform }) => platform)).toEqual(['linux/arm64']);
  });

  it('may be of a clock that is ahead by minutes', async () => {
    await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(4 / 60) }));
    expect(await readAgain()).toMatchObject({ scannedAt: at(4 / 60) });
  });

  it('is read as young as it must be, to the millisecond', async () => {
    await attachScan(repository, image.descriptor, recordOf(image));
    expect(await readAgain({ maxAgeMs: HOUR_MS })).toMatchObject({ scannedAt: at(-1) });
  });

  it.each(PLANTED)('is none when it is %s', async (_, planting) => {
    await plant(repository, image, planting(image));
    expect(await readAgain()).toBeUndefined();
  });

  it.each(PLANTED)('is found beside %s', async (_, planting) => {
    await plant(repository, image, { ...planting(image), annotations: annotationsOf(at(-0.5)) });
    await attachScan(repository, image.descriptor, recordOf(image));
    expect(await readAgain()).toMatchObject({ scannedAt: at(-1) });
  });

  it('of 63 MiB is not fetched', async () => {
    await plant(repository, image, { text: 'x'.repeat(63 * 1024 * 1024) });
    expect(await readAgain()).toBeUndefined();
    expect(askedFor()).toEqual([1, 0]);
  });
});

describe('the record of a scan', () => {
  let repository: MemoryRepository;
  let image: FoundImage;
  let fetched: number;
  beforeEach(async () => {
    repository = new MemoryRepository('acme/app');
    image = await pushHashed(repository, sampleInputs());
    fetched = 0;
    repository.fetch = (target) => {
      fetched += 1;
      return MemoryRepository.prototype.fetch.call(repository, target);
    };
  });
  /** Lists as some registries do. */
  const listing = (list: (referrers: readonly Descriptor[]) => readonly Descriptor[]): void => {
    repository.referrers = async function* (subject, type) {
      yield* list(await all(MemoryRepository.prototype.referrers.call(repository, subject, type)));
    };
  };

  it('is the same artifact when it is attached again', async () => {
    const attach = () => attachScan(repository, image.descriptor, recordOf(image));
    expect(await attach()).toEqual(await attach());
    expect(await all(repository.referrers(image.descriptor))).toHaveLength(1);
  });

  it('is not attached when it is larger than what is read', async () => {
    const Vulnerabilities = Array.from({ length: 5000 }, (_, index) => ({
      VulnerabilityID: `CVE-${index}`,
      PkgName: 'lib',
      Description: 'x'.repeat(5000),
    }));
    const report = { SchemaVersion: 2, Results: [{ Target: 'Node.js', Class: 'lang-pkgs', Vulnerabilities }] };
    const attached = attachScan(repository, image.descriptor, recordOf(image, { platforms: [{ ...AMD64, report }] }));
    await expect(attached).rejects.toMatchObject({
      name: 'RegistryError',
      code: 'TOO_LARGE',
      message: expect.stringMatching(/^the record of the scan has \d+ bytes: 16777216 are the most/),
    });
    expect(await all(repository.referrers(image.descriptor))).toEqual([]);
  });

  it('is the newest of those that are trusted', async () => {
    const attached = new Map<number, Descriptor>();
    for (const hours of [-3, -2, -1])
      attached.set(hours, await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(hours) })));
    const asked: string[] = [];
    const isTrusted = async ({ digest }: Descriptor): Promise<boolean> => {
      asked.push(digest);
      return digest === attached.get(-2)?.digest;
    };
    expect(await readFreshScan(repository, image, { ...WANTED, isTrusted })).toMatchObject({ scannedAt: at(-2) });
    expect(asked).toEqual([attached.get(-1)?.digest, attached.get(-2)?.digest]);
    const nobody = { ...WANTED, isTrusted: async () => false };
    expect(await readFreshScan(repository, image, nobody)).toBeUndefined();
  });

  it('is none where nothing is attached', async () => {
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
    expect(fetched).toBe(0);
  });

  describe.each<[string, (one: Descriptor) => Descriptor]>([
    ['no annotations', ({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, sizeBytes })],
    ['annotations of its own only', (one) => ({ ...one, annotations: { 'x.example': '1' } })],
  ])('in a list with %s', (_, stripped) => {
    beforeEach(() => listing((referrers) => referrers.map(stripped)));

    it('is the newest all the same', async () => {
      for (const hours of [-3, -1, -2]) {
        await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(hours) }));
      }
      await attachScan(
        repository,
        image.descriptor,
        recordOf(image, { settings: digestOf('other'), scannedAt: at(0) }),
      );
      expect(await readFreshScan(repository, image, WANTED)).toMatchObject({ scannedAt: at(-1) });
      expect(fetched).toBe(4 + 1);
    });

    it.each([{}, { [CREATED]: at(-1) }, { [SETTINGS]: settings }, annotationsOf('yesterday')])(
      'is none when it has only the annotations %j',
      async (annotations) => {
        await plant(repository, image, { annotations });
        expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
        expect(fetched).toBe(1);
      },
    );

    it('is one of the last twenty', async () => {
      await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(-0.5) }));
      for (let minute = 1; minute <= 30; minute += 1) {
        await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(-1 - minute / 60) }));
      }
      expect(await readFreshScan(repository, image, WANTED)).toMatchObject({ scannedAt: at(-1 - 11 / 60) });
      expect(fetched).toBe(20 + 1);
    });
  });

  it('is looked for so often, and no more', async () => {
    for (let count = 0; count < 50; count += 1) {
      const more = count % 2 === 0 ? annotationsOf() : {};
      await plant(repository, image, { layers: [], annotations: { ...more, count: `${count}` } });
    }
    await attachScan(repository, image.descriptor, recordOf(image, { scannedAt: at(-2) }));
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
    expect(fetched).toBe(20);
  });

  it('is looked for in so much of a list, and no more', async () => {
    const stranger = sampleImage().manifest.descriptor;
    let listed = 0;
    repository.referrers = async function* () {
      for (; listed < 1_000_000; listed += 1) yield { ...stranger, annotations: annotationsOf(at(-100)) };
    };
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
    expect(listed).toBeLessThan(20_000);
  });

  it('by a list that points elsewhere is none', async () => {
    const elsewhere = await pushHashed(repository, sampleInputs());
    const artifact = await plant(repository, image, { subject: elsewhere.descriptor });
    fetched = 0;
    listing(() => [{ ...artifact, annotations: annotationsOf() }]);
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
    expect(fetched).toBe(1);
  });

  it.each<[string, (image: FoundImage) => Parameters<typeof plant>[2]]>([
    [
      'whose layer is missing',
      () => {
        const layer = pieceOf('{}', SCAN_MEDIA_TYPE);
        return { layers: [layer], without: [layer] };
      },
    ],
    [
      'whose layer is a lie about its size',
      (image) => {
        const { descriptor, bytes } = pieceOf(formatScanRecord(recordOf(image)), SCAN_MEDIA_TYPE);
        return { layers: [{ descriptor: { ...descriptor, sizeBytes: 5 }, bytes }] };
      },
    ],
    [
      'whose layer has more than is read',
      () => {
        const { descriptor, bytes } = pieceOf('{}', SCAN_MEDIA_TYPE);
        return { layers: [{ descriptor: { ...descriptor, sizeBytes: MAX_SCAN_RECORD_BYTES + 1 }, bytes }] };
      },
    ],
    ['whose annotations are no texts', () => ({ annotations: { [CREATED]: 7 } })],
  ])('%s is none', async (_, planting) => {
    const artifact = await plant(repository, image, planting(image));
    listing(() => [{ ...artifact, annotations: annotationsOf() }]);
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
  });

  const failing = (code: string): RegistryError => new RegistryError(code, 'no');

  it('is none where the list itself is damaged', async () => {
    listing(() => {
      throw failing('MANIFEST_INVALID');
    });
    expect(await readFreshScan(repository, image, WANTED)).toBeUndefined();
  });

  it('that cannot be listed or fetched is an error', async () => {
    await attachScan(repository, image.descriptor, recordOf(image));
    repository.fetch = () => Promise.reject(failing('UNAVAILABLE'));
    await expect(readFreshScan(repository, image, WANTED)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    listing(() => {
      throw failing('DENIED');
    });
    await expect(readFreshScan(repository, image, WANTED)).rejects.toMatchObject({ code: 'DENIED' });
  });
});
