import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { valueAt } from '../../src/core/json.ts';
import * as given from '../support/event-payloads.ts';
import { type RegistryProxy, startRegistryProxy } from '../support/registry-proxy.ts';
import type { ActionResult } from '../support/runner.ts';
import type { Advisories } from '../support/trivy-database.ts';
import {
  advisoriesWith,
  dockerfile,
  nodePackage,
  openScanJob,
  publishDatabase,
  readReport,
  type ScanJob,
  shown,
  statusOf,
  tagList,
  VULNAPP,
} from './scan-job.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.docker;
const FRESH = { id: 'CVE-2098-1', fixed: '1.2.6' };
const ONE_PLATFORM = { platforms: 'linux/amd64' };
const WITH_LODASH = { Dockerfile: dockerfile(['COPY modules /app/node_modules']) };
const FAIL_ON_NEW = { 'scan-fail-on': 'new', 'scan-severity': 'CRITICAL,HIGH' };
const FAIL_ON_ANY = { 'scan-fail-on': 'any', 'scan-severity': 'CRITICAL,HIGH' };

/** What the makers of Alpine 3.20 take for a MEDIUM, and those of 3.21 for a CRITICAL. */
const RISEN = 'CVE-2023-42364';

let database: string;
beforeAll(async () => {
  if (canScan) database = await publishDatabase(toolchain, withLaterAlpine(advisoriesWith({ fresh: FRESH })));
});

function withLaterAlpine(known: Advisories): Advisories {
  const { sources, advisories, vulnerabilities } = known;
  const opinions = { VendorSeverity: { alpine: 2, later: 4 } };
  return {
    ...known,
    sources: { ...sources, 'alpine 3.21': { ID: 'later', Name: 'Later', URL: 'https://example.test/' } },
    advisories: { ...advisories, 'alpine 3.21': { busybox: { [RISEN]: { FixedVersion: '1.36.1-r29' } } } },
    vulnerabilities: { ...vulnerabilities, [RISEN]: { Title: 'busybox: use-after-free', ...opinions } },
  };
}

describe.skipIf(!canScan)('scan-fail-on: new', () => {
  let job: ScanJob;
  let first: ActionResult;
  const PUBLISHED = ['COPY modules /app/node_modules'];
  beforeAll(async () => {
    job = openScanJob(toolchain, { database, inputs: { ...ONE_PLATFORM, ...FAIL_ON_NEW } });
    job.write({ ...nodePackage('fresh', '1.0.0'), Dockerfile: dockerfile(PUBLISHED) });
    first = await job.scan({}, { event: { ref: 'refs/tags/v1.0.0' } });
  });
  afterAll(() => job?.remove());

  it('lets a first publication pass, and says that there was nothing to compare with', () => {
    expect(first, first.log).toMatchObject({
      status: 'success',
      outputs: { 'scan-result': 'passed', 'new-vulnerabilities': '', critical: '1', high: '1' },
    });
    expect(shown(first.summary)).toContain('there is no published image to compare with');
  });

  it('lets pass what the published image has as well, and says that none is new', async () => {
    job.write({ Dockerfile: dockerfile([...PUBLISHED, 'COPY fresh/package.json /package.txt']) });
    const known = await job.scan();
    expect(known, known.log).toMatchObject({
      status: 'success',
      outputs: { built: 'true', pushed: 'true', 'scan-result': 'passed', 'new-vulnerabilities': '0', critical: '1' },
    });
    expect(shown(known.summary)).toContain(`none new since ${job.image}:latest`);
  });

  it('stops at what a new package brings, and names nothing else', async () => {
    const before = await tagList(job.image);
    job.write({ Dockerfile: dockerfile([...PUBLISHED, 'COPY fresh /app/node_modules/fresh']) });
    const stopped = await job.scan();
    expect(stopped, stopped.log).toMatchObject({
      exitCode: 1,
      outputs: { 'scan-result': 'failed', 'new-vulnerabilities': '1', critical: '2', pushed: 'false' },
    });
    const [error] = stopped.annotations.filter(({ level }) => level === 'error');
    expect(error?.message).toContain('CVE-2098-1 in fresh 1.0.0 (linux/amd64): fixed in 1.2.6');
    expect(error?.message).not.toContain('lodash');
    expect(await tagList(job.image)).toBe(before);
  });

  it('takes for new what an update has made worse', async () => {
    const updated = Object.entries(VULNAPP)
      .filter(([name]) => name.startsWith('rootfs/etc/'))
      .map(([name, text]) => [name, text.replace('3.20.3', '3.21.0')]);
    job.write({ ...Object.fromEntries(updated), Dockerfile: dockerfile(PUBLISHED) });
    const stopped = await job.scan();
    expect(stopped, stopped.log).toMatchObject({ exitCode: 1, outputs: { 'new-vulnerabilities': '1', critical: '2' } });
    const [error] = stopped.annotations.filter(({ level }) => level === 'error');
    expect(error?.message).toContain(`${RISEN} in busybox 1.36.1-r28 (linux/amd64): fixed in 1.36.1-r29`);
    expect(error?.message).not.toContain('lodash');
  });

  it('compares nothing for an image that is the published one itself', async () => {
    job.write({ ...VULNAPP, Dockerfile: dockerfile(PUBLISHED) });
    const hit = await job.scan();
    expect(hit, hit.log).toMatchObject({
      status: 'success',
      outputs: { built: 'false', 'scan-result': 'passed', 'new-vulnerabilities': '0' },
    });
  });
});

describe.skipIf(!canScan)('rules on what is found', () => {
  let job: ScanJob;
  let tags: string;
  beforeAll(async () => {
    job = openScanJob(toolchain, { database });
    job.write(WITH_LODASH);
    await job.scan();
    tags = await tagList(job.image);
  });
  afterAll(() => job?.remove());
  const release = { event: { ref: 'refs/tags/v3.0.0' } };

  it('scan-ignore-unfixed leaves out what no version mends, and the report still has it', async () => {
    const budget = { 'scan-budget': 'HIGH=0' };
    const stopped = await job.scan(budget, release);
    expect(stopped, stopped.log).toMatchObject({ exitCode: 1, outputs: { 'scan-result': 'failed', high: '1' } });
    expect(stopped.log).toContain('CVE-2023-45853 in zlib 1.3.1-r1 (linux/amd64): no fixed version');
    expect(await tagList(job.image)).toBe(tags);
    const passed = await job.scan({ ...budget, 'scan-ignore-unfixed': 'true' });
    expect(passed, passed.log).toMatchObject({ status: 'success', outputs: { 'scan-result': 'passed', high: '1' } });
  });

  it('scan-budget allows as many as it says, and no more', async () => {
    const stopped = await job.scan({ ...FAIL_ON_ANY, 'scan-budget': 'CRITICAL=1,HIGH=1' }, release);
    expect(stopped, stopped.log).toMatchObject({ exitCode: 1, outputs: { critical: '2' } });
    expect(stopped.log).toContain('2 CRITICAL findings, and scan-budget allows 1');
    expect(stopped.log).not.toContain('scan-fail-on: any allows none');
    expect(await tagList(job.image)).toBe(tags);
    const passed = await job.scan({ ...FAIL_ON_ANY, 'scan-budget': 'CRITICAL=2,HIGH=1' });
    expect(passed, passed.log).toMatchObject({ status: 'success', outputs: { 'scan-result': 'passed' } });
  });
});

describe.skipIf(!canScan)('.trivyignore in the workspace', () => {
  let job: ScanJob;
  beforeAll(() => {
    job = openScanJob(toolchain, {
      database,
      inputs: { ...ONE_PLATFORM, 'scan-fail-on': 'any', 'scan-severity': 'CRITICAL' },
    });
  });
  afterAll(() => job?.remove());

  it('hides a finding, which is counted; without it the hit is scanned again, and stopped before any tag', async () => {
    job.write({ ...WITH_LODASH, '.trivyignore': 'CVE-2019-10744\n' });
    const hidden = await job.scan({ 'scan-format': 'json,table' });
    expect(hidden, hidden.log).toMatchObject({
      status: 'success',
      outputs: { built: 'true', 'scan-result': 'passed', critical: '0', high: '1' },
    });
    const [platform] = listOf(valueAt(readReport(hidden), 'platforms'));
    expect(valueAt(platform, 'hidden')).toMatchObject([{ id: 'CVE-2019-10744', status: 'ignored' }]);
    expect(shown(hidden.summary)).toMatch(/Hidden by ignore files or VEX[^]*\| 1 \|/);
    expect(hidden.log).not.toContain('CVE-2019-10744');

    const before = await tagList(job.image);
    rmSync(path.join(job.workspace, '.trivyignore'));
    const again = await job.scan({}, { event: { ref: 'refs/tags/v2.0.0' } });
    expect(again, again.log).toMatchObject({
      exitCode: 1,
      outputs: { built: 'false', reason: 'hit', 'scan-result': 'failed', critical: '1', pushed: 'false' },
    });
    expect(await tagList(job.image)).toBe(before);
  });
});

describe.skipIf(!canScan)('an image for the local engine', () => {
  let job: ScanJob;
  beforeAll(() => {
    job = openScanJob(toolchain, { database, inputs: { ...ONE_PLATFORM, push: 'false', load: 'true' } });
    job.write(WITH_LODASH);
  });
  afterAll(() => job?.remove());
  const loaded = (): Promise<string> => job.run('docker', 'image', 'ls', '--quiet', job.image);

  it('does not get there when the gate stops the run, and does not pass the gate because it is there', async () => {
    const stopped = await job.scan(FAIL_ON_ANY);
    expect(stopped, stopped.log).toMatchObject({ exitCode: 1, outputs: { 'scan-result': 'failed' } });
    expect(await loaded()).toBe('');
    const passed = await job.scan();
    expect(passed, passed.log).toMatchObject({ status: 'success', outputs: { 'scan-result': 'passed' } });
    expect(await loaded()).not.toBe('');
    const again = await job.scan(FAIL_ON_ANY);
    expect(again, again.log).toMatchObject({ exitCode: 1, outputs: { 'scan-result': 'failed', critical: '1' } });
  });
});

describe.skipIf(!canScan)('an image that is pushed nowhere', () => {
  let job: ScanJob;
  let proxy: RegistryProxy;
  beforeAll(async () => {
    proxy = await startRegistryProxy(toolchain.registry);
  });
  afterAll(() => proxy.close());
  beforeEach(() => {
    job = openScanJob(toolchain, { database, host: proxy.host, inputs: ONE_PLATFORM });
    job.write(WITH_LODASH);
    proxy.forget();
  });
  afterEach(() => job.remove());

  const PULL = { name: 'pull_request', ref: 'refs/pull/7/merge', headRef: 'topic', baseRef: 'main' };
  const stranger = { ...PULL, payload: given.pullRequest(given.fork('mallory/app')) };
  it.each([
    ['push: false', { push: 'false' }, {}],
    ['a pull request of a stranger', {}, { event: stranger }],
  ])('is scanned as well, and the gate holds: %s', async (_, inputs, more) => {
    const passed = await job.scan(inputs, more);
    expect(passed, passed.log).toMatchObject({
      status: 'success',
      outputs: { built: 'true', pushed: 'false', 'scan-result': 'passed', critical: '1', high: '1' },
    });
    const stopped = await job.scan({ ...inputs, ...FAIL_ON_ANY }, more);
    expect(stopped, stopped.log).toMatchObject({ exitCode: 1, outputs: { pushed: 'false', 'scan-result': 'failed' } });
    expect(await statusOf(job.image, passed.outputs['digest'] ?? '')).toBe(404);
    expect(proxy.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });
});

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
