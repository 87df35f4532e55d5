import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachArtifact } from '../../src/artifact.ts';
import { type Digest, digestOf, parseDigest } from '../../src/core/digest.ts';
import { CREATED_ANNOTATION } from '../../src/core/labels.ts';
import { type ScanRecord, scanSettingsDigest } from '../../src/core/scan-record.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { runCommand } from '../../src/pipeline.ts';
import { fetchImage } from '../../src/registry/image.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { type FaultRule, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import type { Report } from '../../src/report/report.ts';
import { attachScan, SCAN_MEDIA_TYPE } from '../../src/scan-record.ts';
import { plantImage } from '../support/planted-image.ts';
import { installStandInTrivy, type StandInTrivy } from '../support/stand-in-trivy.ts';
import { openByName, packArchive, pushDatabase } from '../support/trivy-database.ts';
import { trivyReport } from '../support/trivy-reports.ts';

const HOUR_MS = 3_600_000;
/** Of the defaults of all inputs. */
const SETTINGS = scanSettingsDigest({
  scanners: ['vuln', 'secret'],
  pkgTypes: ['os', 'library'],
  skipDirs: [],
  skipFiles: [],
  ignoreFile: undefined,
  vex: [],
  trivyVersion: undefined,
});

/** The list of what was found before, asked before a scan. */
const LIST = /\/referrers\/.*artifactType=.*scan/;

let registry: RunningRegistry;
let root: string;
let database: string;
beforeAll(async () => {
  registry = await startRegistry();
  root = mkdtempSync(join(tmpdir(), 'kept-scan-'));
  database = `${registry.host}/trivy-db`;
  const archive = await packArchive((at) => {
    writeFileSync(join(at, 'trivy.db'), 'nothing in it');
    writeFileSync(join(at, 'metadata.json'), '{"Version":2}');
  });
  const { repository, close } = openByName(database);
  await pushDatabase(repository, archive);
  close();
});
afterAll(async () => {
  await registry.close();
  rmSync(root, { recursive: true });
});

interface Scene {
  readonly trivy: StandInTrivy;
  readonly image: string;
  /** Of the image that every run reuses. */
  readonly digest: Digest;
  /** Of its first platform. */
  readonly member: Digest;
  readonly log: string[];
  write(name: string, content: string): void;
  /** Puts another image behind these tags; its digest. */
  plantOther(...tags: readonly string[]): Promise<Digest>;
  /** Keeps a result with the image: of this time, these settings, these platforms. */
  keep(change?: Partial<ScanRecord>): Promise<void>;
  /** Keeps what is no result, though it is said to be one. */
  keepContent(content: string): Promise<void>;
  fail(rule: FaultRule): void;
  run(inputs?: Readonly<Record<string, string>>): Promise<Report>;
}

async function openScene(): Promise<Scene> {
  const directory = mkdtempSync(join(root, 'scene-'));
  const workspace = join(directory, 'workspace');
  mkdirSync(workspace);
  // The context has one file, so that others do not change the hash.
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const trivy = installStandInTrivy(directory);
  const name = directory.slice(-6).toLowerCase();
  const image = `${registry.host}/${name}/app`;
  const log: string[] = [];
  const env = { PATH: trivy.path, HOME: directory, RUNNER_TEMP: directory, DOCKER_CONFIG: '/nonexistent' };
  const own = { platforms: 'linux/amd64' };
  const start = async (command: 'hash' | 'build', inputs: Readonly<Record<string, string>>): Promise<Report> => {
    const host = createTerminalHost({ cwd: workspace, env, write: (line) => void log.push(line) });
    try {
      return (await runCommand(command, { ...own, ...inputs }, host)).report;
    } finally {
      await host.finish();
    }
  };
  const hash = (await start('hash', {})).hash ?? '';
  const plant = async (
    tags: readonly string[],
    annotations: Readonly<Record<string, string>>,
    environment: readonly string[] = [],
  ): Promise<Digest> => {
    const planted = { image, tags, annotations, environment };
    const digest = parseDigest(await plantImage(planted));
    if (digest === undefined) throw new Error('this is no digest');
    return digest;
  };
  const digest = await plant([`hash-${hash.slice(0, 32)}`, 'main'], { 'dev.build-once.inputs': hash });
  const member = await memberOf(image, digest);
  const attach = async (work: (repository: Repository, subject: Descriptor) => Promise<unknown>): Promise<void> => {
    const { repository, close } = openByName(image);
    const subject = await repository.resolve({ digest });
    if (subject === undefined) throw new Error('the image is not there');
    await work(repository, subject);
    close();
  };
  return {
    trivy,
    image,
    digest,
    member,
    log,
    write: (file, content) => writeFileSync(join(workspace, file), content),
    plantOther: (...tags) => plant(tags, {}, [`OTHER=${Math.random()}`]),
    keep: (change) =>
      attach(async (repository, image) => {
        const scanned = { platform: 'linux/amd64', digest: member, report: JSON.parse(trivyReport('os-arm64')) };
        const record = {
          schema: 1,
          image: digest,
          settings: SETTINGS,
          scanner: '0.70.0',
          database: undefined,
        } as const;
        const scannedAt = new Date().toISOString();
        await attachScan(repository, image, { ...record, scannedAt, platforms: [scanned], ...change });
      }),
    keepContent: (content) =>
      attach(async (repository, image) => {
        await attachArtifact(repository, image, {
          type: SCAN_MEDIA_TYPE,
          content: Buffer.from(content),
          annotations: { [CREATED_ANNOTATION]: new Date().toISOString(), 'dev.build-once.scan-settings': SETTINGS },
        });
      }),
    fail: (rule) => registry.fail({ path: new RegExp(`^/v2/${name}/`), ...rule }),
    run: (inputs = {}) => start('build', { images: image, tags: 'main', 'scan-db-repository': database, ...inputs }),
  };
}

async function memberOf(image: string, digest: Digest): Promise<Digest> {
  const { repository, close } = openByName(image);
  const found = await fetchImage(repository, { digest });
  close();
  const [member] = found?.manifest.kind === 'index' ? found.manifest.manifests : [];
  if (member === undefined) throw new Error('the image has no platform');
  return member.digest;
}

const ago = (hours: number): string => new Date(Date.now() - hours * HOUR_MS).toISOString();
const warnings = ({ log }: Scene): string[] => log.filter((line) => line.startsWith('warning: '));

describe('a result that is kept with the image', () => {
  it('of an hour ago is taken, and Trivy not asked for anything', async () => {
    const scene = await openScene();
    const scannedAt = ago(1);
    await scene.keep({ scannedAt });
    const report = await scene.run();
    expect(report).toMatchObject({
      failure: undefined,
      status: 'reused',
      scan: { passed: true, keptSince: scannedAt },
      outputs: { critical: '1', high: '1', 'new-vulnerabilities': '' },
    });
    expect(scene.trivy.calls()).toEqual([]);
    expect(report.steps.find(({ name }) => name === 'verdict')?.skipped).toBe('it is kept already');
  });

  it.each<[string, Partial<ScanRecord>, Readonly<Record<string, string>>]>([
    ['of yesterday', { scannedAt: ago(25) }, {}],
    ['older than rescan-after', { scannedAt: ago(2) }, { 'rescan-after': '1h' }],
    ['of tomorrow', { scannedAt: ago(-24) }, {}],
    ['of another image', { image: digestOf('another image') }, {}],
    ['of another manifest', { platforms: [{ platform: 'linux/amd64', digest: digestOf('x'), report: {} }] }, {}],
    ['of no platform', { platforms: [] }, {}],
    ['of other scanners', {}, { 'scan-scanners': 'vuln' }],
    ['of other packages', {}, { 'scan-pkg-types': 'os' }],
    ['of other folders', {}, { 'scan-skip-dirs': '/opt' }],
    ['of any Trivy, where one is named', {}, { 'trivy-version': '0.70.0' }],
    ['without the packages, where they are asked for', {}, { 'scan-format': 'cyclonedx' }],
  ])('%s is not taken', async (_, change, inputs) => {
    const scene = await openScene();
    await scene.keep(change);
    const report = await scene.run(inputs);
    expect(report).toMatchObject({ failure: undefined, scan: { keptSince: undefined }, outputs: { critical: '0' } });
    expect(scene.trivy.scans()).toHaveLength(1);
    expect(warnings(scene)).toEqual([]);
  });

  it('is not taken when the content of the ignore file is another one, and is when it is the same', async () => {
    const scene = await openScene();
    scene.write('.trivyignore', 'CVE-2024-0001\n');
    await scene.run();
    await scene.run();
    expect(scene.trivy.scans()).toHaveLength(1);
    scene.write('.trivyignore', 'CVE-2024-0002\n');
    await scene.run();
    expect(scene.trivy.scans()).toHaveLength(2);
    scene.write('ignored', 'CVE-2024-0001\n');
    expect((await scene.run({ 'scan-ignore-file': 'ignored' })).scan?.keptSince).toBeDefined();
    expect(scene.trivy.scans()).toHaveLength(2);
  });

  it.each([
    ['no JSON', '{]'],
    ['a record of another schema', '{"schema":2}'],
    ['nothing', ''],
    ['a page', '<html>'],
  ])('is not taken when it is %s, nor is it in the way of a good one that is older', async (_, content) => {
    const scene = await openScene();
    await scene.keepContent(content);
    expect((await scene.run()).scan).toMatchObject({ passed: true, keptSince: undefined });
    expect(scene.trivy.scans()).toHaveLength(1);
    await scene.keepContent(`${content} `);
    expect((await scene.run()).scan?.keptSince).toBeDefined();
    expect(scene.trivy.scans()).toHaveLength(1);
    expect(warnings(scene)).toEqual([]);
  });

  it.each<[string, FaultRule]>([
    ['the list is broken', { path: LIST, action: { kind: 'status', status: 500 } }],
    ['the list is refused', { path: LIST, action: { kind: 'status', status: 403 } }],
    ['the list is a page', { path: LIST, action: { kind: 'html' } }],
    ['the record is damaged', { kind: 'blob', method: 'GET', action: { kind: 'wrongDigest', where: 'body' } }],
    ['the record is cut', { kind: 'blob', method: 'GET', action: { kind: 'truncate' } }],
    ['the record is gone', { kind: 'blob', method: 'GET', action: { kind: 'status', status: 404 } }],
  ])('is made again where %s', async (_, rule) => {
    const scene = await openScene();
    await scene.keep();
    scene.fail(rule);
    const report = await scene.run();
    registry.repair();
    expect(report).toMatchObject({ failure: undefined, scan: { passed: true, keptSince: undefined } });
    expect(scene.log.join('\n')).not.toContain('attempt 1 failed');
    expect(scene.trivy.scans()).toHaveLength(1);
  });

  it('is not kept where the registry refuses it, which is a warning and no more', async () => {
    const scene = await openScene();
    scene.fail({ method: ['POST', 'PUT', 'PATCH'], action: { kind: 'status', status: 403 } });
    const report = await scene.run();
    registry.repair();
    expect(report).toMatchObject({ failure: undefined, status: 'reused', outputs: { pushed: 'true' } });
    expect(warnings(scene)).toEqual([
      expect.stringMatching(/the result of the scan is not attached in .*, so the next run .* scans it again/),
    ]);
  });

  it('is not kept by a run that pushes nothing', async () => {
    const scene = await openScene();
    expect((await scene.run({ push: 'false' })).failure).toBeUndefined();
    await scene.run();
    expect(scene.trivy.scans()).toHaveLength(2);
  });

  it.each<[Readonly<Record<string, string>>, 'passed' | 'failed']>([
    [{ 'scan-fail-on': 'any' }, 'failed'],
    [{ 'scan-fail-on': 'any', 'scan-severity': 'LOW' }, 'passed'],
    [{ 'scan-budget': 'CRITICAL=1' }, 'passed'],
    [{ 'scan-budget': 'CRITICAL=0' }, 'failed'],
  ])('is judged by the rules of the run, %j: %s', async (inputs, result) => {
    const scene = await openScene();
    await scene.keep();
    const report = await scene.run(inputs);
    expect(report.outputs['scan-result']).toBe(result);
    expect(report.failure?.code).toBe(result === 'failed' ? 'SCAN_REJECTED' : undefined);
    expect(scene.trivy.calls()).toEqual([]);
  });
});

describe('what is new', () => {
  /** Says what is new, and lets it pass. */
  const NEW = { 'scan-fail-on': 'new', 'scan-severity': 'LOW' };

  it('is found by scanning what is published as well, and kept until something else is published', async () => {
    const scene = await openScene();
    const latest = await scene.plantOther('latest');
    scene.trivy.finds('languages-before');
    scene.trivy.findsIn(scene.member, 'languages');
    const first = await scene.run(NEW);
    expect(first).toMatchObject({ failure: undefined, outputs: { 'new-vulnerabilities': '1', critical: '2' } });
    expect(scene.trivy.scans()).toHaveLength(2);
    const second = await scene.run(NEW);
    expect(second.outputs['new-vulnerabilities']).toBe('1');
    expect(second.scan?.keptSince).toBeDefined();
    expect(scene.trivy.scans()).toHaveLength(2);
    expect(await scene.plantOther('latest')).not.toBe(latest);
    expect((await scene.run(NEW)).outputs['new-vulnerabilities']).toBe('1');
    expect(scene.trivy.scans()).toHaveLength(4);
    const strict = await scene.run({ 'scan-fail-on': 'new' });
    expect(strict.failure).toMatchObject({ code: 'SCAN_REJECTED' });
    expect(strict.failure?.message).toContain('CVE-2021-44906');
    expect(strict.failure?.message).not.toContain('CVE-2019-10744');
    expect(scene.trivy.scans()).toHaveLength(4);
  });

  it('is nothing when the published image is the very same', async () => {
    const scene = await openScene();
    scene.trivy.finds('languages');
    const report = await scene.run({ ...NEW, tags: 'main\nlatest' });
    expect(report.outputs['new-vulnerabilities']).toBe('0');
    expect((await scene.run({ 'scan-fail-on': 'new', tags: 'latest' })).failure).toBeUndefined();
    expect(scene.trivy.scans()).toHaveLength(1);
  });

  it('needs no second scan when nothing was found', async () => {
    const scene = await openScene();
    await scene.plantOther('latest');
    const report = await scene.run(NEW);
    expect(report.outputs['new-vulnerabilities']).toBe('0');
    await scene.run(NEW);
    expect(scene.trivy.scans()).toHaveLength(1);
  });
});
