import { describe, expect, it } from 'vitest';
import { digestOf } from '../src/core/digest.ts';
import type { FindDistrust } from '../src/distrust.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { type ScanOutcome, type ScanTask, scanRun } from '../src/image-scanner.ts';
import type { Descriptor } from '../src/oci/types.ts';
import { parseOptions } from '../src/options.ts';
import { fetchImage } from '../src/registry/image.ts';
import { openRegistries } from '../src/registry/open.ts';
import { attachScan } from '../src/scan-record.ts';
import { readScanOrder } from '../src/scan-settings.ts';
import { plantImage } from './support/planted-image.ts';
import { sampleRun } from './support/sample-run.ts';
import { makeDirectory, openRegistry } from './support/signing.ts';
import { trivyReport } from './support/trivy-reports.ts';

interface Scene {
  /** What was attached to the image. */
  readonly kept: Descriptor;
  /** What the published image is. */
  readonly published: Descriptor;
  readonly lines: readonly string[];
  readonly scan: (findDistrust: FindDistrust, inputs?: Readonly<Record<string, string>>) => Promise<ScanOutcome>;
}

/** An image with findings whose scan was kept, beside a published one with the same findings. There is no Trivy. */
async function openScene(): Promise<Scene> {
  const registry = await openRegistry();
  const name = `${registry.host}/acme/app`;
  const directory = makeDirectory();
  const lines: string[] = [];
  const host = createTerminalHost({
    cwd: directory,
    env: { PATH: '/nonexistent', TMPDIR: directory },
    write: (line) => void lines.push(line),
  });
  const registries = openRegistries({ env: {} });
  const repository = registries.open({ registry: registry.host, path: 'acme/app' });
  const plant = async (tag: string) => {
    await plantImage({ image: name, tags: [tag], environment: [`TAG=${tag}`] });
    const image = await fetchImage(repository, { tag });
    if (image?.manifest.kind !== 'index') throw new Error('what was planted is not there');
    return { image, platforms: image.manifest.manifests };
  };
  const [{ image, platforms }, published] = [await plant('1'), await plant('latest')];
  const runOf = (inputs: Readonly<Record<string, string>>) =>
    sampleRun({
      options: parseOptions({ images: name, 'scan-format': 'json', ...inputs }).options,
      host,
      registries,
      startedAt: new Date(),
    });
  const report = JSON.parse(trivyReport('os-amd64'));
  const platformsOf = (members: readonly Descriptor[]) =>
    members.map(({ digest }) => ({ platform: 'linux/amd64', digest, report }));
  const run = runOf({});
  const kept = await attachScan(repository, image.descriptor, {
    schema: 1,
    image: image.descriptor.digest,
    scannedAt: run.startedAt.toISOString(),
    settings: readScanOrder(host, run.options).digest,
    scanner: '0.70.0',
    database: undefined,
    platforms: platformsOf(platforms),
    baseline: {
      reference: `${name}:latest`,
      digest: published.image.descriptor.digest,
      platforms: platformsOf(published.platforms),
    },
  });
  const task: ScanTask = {
    image,
    layoutPath: undefined,
    only: [],
    mayKeep: true,
    dockerfile: undefined,
    problems: [],
    warnings: [],
  };
  return {
    kept,
    published: published.image.descriptor,
    lines,
    scan: async (findDistrust, inputs = {}) => {
      const ready = Promise.reject(new Error('it is scanned again'));
      ready.catch(() => undefined);
      return scanRun({ ...runOf(inputs), findDistrust, scanner: { ready, stop: () => Promise.resolve() } }, task);
    },
  };
}

const TRUST_ALL: FindDistrust = async () => undefined;
const distrusting =
  ({ digest }: Pick<Descriptor, 'digest'>): FindDistrust =>
  async (subject) =>
    subject.image.digest === digest ? 'it is not signed' : undefined;

describe('the result that is kept with an image', () => {
  it('is taken when who attached it is trusted', async () => {
    const { scan } = await openScene();
    expect(await scan(TRUST_ALL)).toMatchObject({ keptSince: expect.any(String), record: undefined });
  });

  it('is taken whoever made the image: only the record is asked about', async () => {
    const { scan } = await openScene();
    expect((await scan(distrusting({ digest: digestOf('another') }))).keptSince).toBeDefined();
  });

  it('is made anew otherwise, and the log says why', async () => {
    const { scan, kept, lines } = await openScene();
    await expect(scan(distrusting(kept))).rejects.toThrow('it is scanned again');
    expect(lines.join('\n')).toContain(`the scan in ${kept.digest} is not trusted: it is not signed`);
  });
});

describe('with scan-fail-on: new, the published image', () => {
  const inputs = { 'scan-fail-on': 'new' };

  it('is compared with when it is trusted', async () => {
    const { scan } = await openScene();
    expect(await scan(TRUST_ALL, inputs)).toMatchObject({ newVulnerabilities: 0, passed: true });
  });

  it('is not compared with otherwise, and a warning says why', async () => {
    const { scan, published, lines } = await openScene();
    expect((await scan(distrusting(published), inputs)).newVulnerabilities).toBeUndefined();
    expect(lines.join('\n')).toMatch(
      /nothing counts as new: .+:latest, the published image, is not trusted: it is not signed/,
    );
  });

  it('is not asked about where nobody wants to know what is new', async () => {
    const { scan, published } = await openScene();
    expect((await scan(distrusting(published))).keptSince).toBeDefined();
  });
});
