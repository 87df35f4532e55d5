import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fetchImage } from '../../src/registry/image.ts';
import { spyOn } from '../support/job.ts';
import { violations } from '../support/json-schema.ts';
import { findProgram } from '../support/programs.ts';
import { SARIF_SCHEMA } from '../support/sarif-schema.ts';
import { openByName, vulnappAdvisories } from '../support/trivy-database.ts';
import {
  descriptorOf,
  dockerfile,
  openScanJob,
  publishDatabase,
  readAttached,
  readReport,
  readReportText,
  type ScanJob,
  shown,
  shownScan,
} from './scan-job.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.docker;
const ONE_PLATFORM = { platforms: 'linux/amd64' };
const ALL_FORMATS = { 'scan-format': 'table,sarif,json,cyclonedx' };
const TOKEN = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;

let database: string;
let job: ScanJob;
beforeAll(async () => {
  if (!canScan) return;
  database = await publishDatabase(toolchain, vulnappAdvisories());
  job = openScanJob(toolchain, { database });
});
afterAll(() => job?.remove());

describe.skipIf(!canScan)('a secret', () => {
  it.each([
    ['a file of a layer', ['COPY token /root/token', 'COPY modules /app/node_modules']],
    ['a file that a later layer deletes', ['COPY token /root/token', 'RUN rm /root/token']],
  ])('in %s is found in the layer that brought it, and nowhere to be seen', async (_, instructions) => {
    job.write({ token: `token=${TOKEN}\n`, Dockerfile: dockerfile(instructions) });
    const result = await job.scan({ ...ONE_PLATFORM, ...ALL_FORMATS });
    expect(result, result.stdout).toMatchObject({ status: 'success', outputs: { built: 'true' } });
    const { digest = '', report = '' } = result.outputs;
    const layers = await layersOf(job.image, digest);
    const [layer] = layers.slice(-instructions.length);
    expect(readReport(result)).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({
          kind: 'secret',
          id: 'github-pat',
          severity: 'CRITICAL',
          file: 'root/token',
          startLine: 1,
          occurrences: [
            expect.objectContaining({
              platform: 'linux/amd64',
              layer: expect.objectContaining({ digest: layer, position: layers.length - instructions.length + 1 }),
            }),
          ],
        }),
      ]),
    });
    const where = `root/token:1, layer ${layers.length - instructions.length + 1}`;
    expect(shown(result.summary)).toContain(where);

    const attached = await readAttached(job.image, digest);
    expect(attached.length).toBeGreaterThanOrEqual(2);
    const { stdout, stderr, log, summary, outputs, annotations, post } = result;
    const seen = {
      streams: [stdout, stderr, log, post?.stdout, post?.stderr].join('\n'),
      summary,
      outputs: JSON.stringify([outputs, annotations]),
      report: readdirSync(report)
        .map((name) => readReportText(result, name))
        .join('\n'),
      attached: attached.map(({ text, annotations: own }) => text + JSON.stringify(own)).join('\n'),
      // The folder of temporary files and the caches.
      files: filesOutside(job.directory, job.workspace)
        .map((file) => readFileSync(file, 'latin1'))
        .join('\n'),
    };
    for (const [place, text] of Object.entries(seen)) {
      expect(text.length, place).toBeGreaterThan(0);
      expect(text.includes(TOKEN), place).toBe(false);
    }
  });
});

describe.skipIf(!canScan)('a Dockerfile that Trivy and buildx would have otherwise', () => {
  it('is annotated at its lines, and the run passes', async () => {
    const base = `${toolchain.registry}/t/base-${randomUUID()}:latest`;
    await job.run('crane', '--insecure', 'copy', toolchain.baseImage, base);
    job.write({ Dockerfile: `FROM ${base}\nENV API_TOKEN=s3cr3t-of-nobody\nCOPY rootfs/ /\nCMD sh\n` });
    const result = await job.scan({ ...ONE_PLATFORM, ...ALL_FORMATS, 'scan-scanners': 'vuln,secret,misconfig' });
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { 'scan-result': 'passed' } });
    const placed = result.annotations.filter(({ file }) => file === 'Dockerfile');
    const rules = placed.map(({ level, line, message }) => [
      level,
      line,
      /\((\S+), https:/.exec(message)?.[1] ?? message.replace(/^the image .*: /, ''),
    ]);
    expect(rules).toEqual([
      ['warning', 1, 'its next major version comes in unasked; name a version, or a digest'],
      ['warning', undefined, 'DS-0002'],
      ['warning', 2, 'SecretsUsedInArgOrEnv'],
      ['notice', undefined, 'DS-0026'],
      ['notice', 4, 'JSONArgsRecommended'],
    ]);
    expect(placed.map(({ message }) => message).join('\n')).not.toContain('s3cr3t');
    // Of the image's configuration, which has no lines.
    const found = ['DS-0031', 'DS-0002', 'DS-0026'].map((id) =>
      expect.objectContaining({ id, kind: 'misconfiguration' }),
    );
    expect(readReport(result)).toMatchObject({ findings: expect.arrayContaining(found) });
    expect(shownScan(result)).toContain('DS-0002');
    const texts = ['scan.txt', 'scan.sarif', 'scan.json'].map((file) => readReportText(result, file));
    expect([...texts, shownScan(result)].join('\n')).not.toContain('s3cr3t');
  });
});

describe.skipIf(!canScan)('the report', () => {
  it('has a file for each of scan-format', async () => {
    job.write({ Dockerfile: dockerfile(['COPY modules /app/node_modules']) });
    const result = await job.scan(ALL_FORMATS);
    expect(result, result.log).toMatchObject({ status: 'success' });
    const { report = '', sarif } = result.outputs;
    expect(readdirSync(report).sort()).toEqual([
      'linux-amd64.cdx.json',
      'linux-arm64.cdx.json',
      'scan.json',
      'scan.sarif',
      'scan.txt',
    ]);
    expect(sarif).toBe(path.join(report, 'scan.sarif'));
    expect(violations(SARIF_SCHEMA, readReport(result, 'scan.sarif'))).toEqual([]);
    expect(readReport(result, 'scan.sarif')).toMatchObject({
      runs: ['linux/amd64', 'linux/arm64'].map((platform) => ({
        automationDetails: { id: expect.stringMatching(new RegExp(`^build-once/.*/${platform}/$`)) },
      })),
    });
    expect(readReportText(result, 'scan.txt')).toContain('CVE-2019-10744');
    expect(readReport(result, 'linux-arm64.cdx.json')).toMatchObject({
      bomFormat: 'CycloneDX',
      components: expect.arrayContaining([
        expect.objectContaining({ name: 'lodash', version: '4.17.4' }),
        expect.objectContaining({ name: 'openssl', version: '3.3.0-r2' }),
      ]),
    });
    expect(readReportText(result, 'linux-amd64.cdx.json')).not.toContain('3.3.0-r2');
    // Of the packages nothing is kept with the image, so that a hit finds them again.
    const hit = await job.scan(ALL_FORMATS);
    expect(hit.outputs['reason'], hit.log).toBe('hit');
    expect(readReport(hit, 'linux-arm64.cdx.json')).toMatchObject({ bomFormat: 'CycloneDX' });
  });

  it('is not there with scan: false, and Trivy is not asked', async () => {
    const spy = spyOn(job, { trivy: findProgram('trivy', toolchain.env['PATH'] ?? '') ?? '' });
    job.write({ Dockerfile: dockerfile(['COPY modules /somewhere']) });
    const result = await job.scan({ ...ONE_PLATFORM, scan: 'false' }, { env: { PATH: spy.path } });
    expect(result, result.log).toMatchObject({
      status: 'success',
      outputs: {
        built: 'true',
        'scan-result': '',
        critical: '',
        high: '',
        'new-vulnerabilities': '',
        sarif: '',
        report: '',
      },
    });
    expect(spy.calls()).toEqual([]);
    const trivy = await job.scan(ONE_PLATFORM, { env: { PATH: spy.path } });
    expect(trivy.outputs['scan-result'], trivy.log).toBe('passed');
    expect(spy.calls()).not.toEqual([]);
  });
});

/** Of the only platform of an image. */
async function layersOf(image: string, target: string): Promise<readonly string[]> {
  const { digest } = await descriptorOf(image, target);
  const { repository, close } = openByName(image);
  try {
    const index = await fetchImage(repository, { digest });
    const members = index?.manifest.kind === 'index' ? index.manifest.manifests : [];
    const member = members.find(({ platform }) => platform?.os === 'linux');
    const found = member === undefined ? undefined : await fetchImage(repository, { digest: member.digest });
    return found?.manifest.kind === 'manifest' ? found.manifest.layers.map((layer) => layer.digest) : [];
  } finally {
    close();
  }
}

function filesOutside(directory: string, except: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.map((name) => path.join(directory, name)).filter((file) => !file.startsWith(`${except}/`));
  return files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}
