import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { SCAN_MEDIA_TYPE } from '../../src/scan-record.ts';
import { violations } from '../support/json-schema.ts';
import { type RegistryProxy, startRegistryProxy } from '../support/registry-proxy.ts';
import { SARIF_SCHEMA } from '../support/sarif-schema.ts';
import { vulnappAdvisories } from '../support/trivy-database.ts';
import {
  makeBuilder,
  ONLY_ON_ARM64,
  openScanJob,
  publishDatabase,
  readAttached,
  type ScanJob,
  shown,
  statusOf,
  tagList,
  VULNAPP,
} from './scan-job.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.docker;
const BUILDERS = [
  { driver: 'docker', ready: true },
  { driver: 'docker-container', ready: toolchain.layers.buildkit },
] as const;
const EARLIER = { Dockerfile: 'FROM scratch\nCOPY earlier /\n', earlier: 'something else\n' };
const ANY_CRITICAL = { 'scan-fail-on': 'any', 'scan-severity': 'CRITICAL' };
const RELEASE = { name: 'push', ref: 'refs/tags/v1.2.3' };

let database: string;
beforeAll(async () => {
  if (canScan) database = await publishDatabase(toolchain, vulnappAdvisories());
});

describe.skipIf(!canScan).each(BUILDERS)('a gate with a $driver builder', ({ driver, ready }) => {
  describe.skipIf(!ready)('and what it must not let pass', () => {
    let job: ScanJob;
    let proxy: RegistryProxy;
    let builder: Record<string, string>;
    beforeAll(async () => {
      proxy = await startRegistryProxy(toolchain.registry);
    });
    afterAll(() => proxy.close());
    beforeEach(async () => {
      job = openScanJob(toolchain, { database, host: proxy.host });
      builder = driver === 'docker' ? {} : { builder: await makeBuilder(job) };
    });
    afterEach(async () => {
      const { builder: made } = builder;
      if (made !== undefined) await job.run('docker', 'buildx', 'rm', '--force', made);
      job.remove();
    });

    it('stops at a CRITICAL that only arm64 has, and leaves the tags as they were, byte for byte', async () => {
      job.write(EARLIER);
      await job.scan({ ...builder, scan: 'false' }, { event: RELEASE });
      const before = await tagList(job.image);
      expect(before).toContain('"1.2.3"');
      job.write(ONLY_ON_ARM64);
      proxy.forget();

      const stopped = await job.scan(
        { ...builder, ...ANY_CRITICAL },
        { event: { ...RELEASE, ref: 'refs/tags/v1.2.4' } },
      );
      expect(stopped, stopped.log).toMatchObject({ status: 'failure', exitCode: 1 });
      expect(await tagList(job.image)).toBe(before);
      const { digest = '' } = stopped.outputs;
      expect(digest).toMatch(/^sha256:/);
      // An upload that is begun and given up shows that the credentials may push.
      const writes = proxy.requests.filter(({ method }) => method === 'PUT' || method === 'PATCH');
      // The docker driver cannot push without a tag: nothing has left the machine. BuildKit pushes by digest.
      if (driver === 'docker') expect(writes).toEqual([]);
      expect(await statusOf(job.image, digest)).toBe(driver === 'docker' ? 404 : 200);
      expect(writes.filter(({ path }) => /manifests\/(?!sha256:)/.test(path))).toEqual([]);

      expect(stopped.outputs).toMatchObject({
        built: 'true',
        pushed: 'false',
        tags: '',
        'scan-result': 'failed',
        critical: '1',
        high: '1',
        'new-vulnerabilities': '',
      });
      const { report = '', sarif = '' } = stopped.outputs;
      expect(readdirSync(report).sort()).toEqual(['scan.sarif', 'scan.txt']);
      expect(sarif).toBe(`${report}/scan.sarif`);
      expect(violations(SARIF_SCHEMA, JSON.parse(readFileSync(sarif, 'utf8')))).toEqual([]);
      expect(stopped.problems).toEqual([]);
      expect(stopped.log).toContain('SCAN_REJECTED');
      expect(stopped.log).toMatch(/CVE-2024-5535 in openssl 3\.3\.0-r2 \(linux\/arm64\): fixed in 3\.3\.1-r1/);
      const summary = shown(stopped.summary);
      expect(summary).toContain('The scan stops this run:** 1 CRITICAL finding, and scan-fail-on: any allows none');
      expect(summary).toMatch(
        /CVE-2024-5535.*openssl 3\.3\.0-r2.*fixed in 3\.3\.1-r1.*linux\/arm64.*breaks scan-fail-on: any/,
      );
    });

    it('lets the same image pass where nothing is forbidden, and keeps what was found with it', async () => {
      job.write(VULNAPP);
      const passed = await job.scan(builder);
      expect(passed, passed.log).toMatchObject({
        status: 'success',
        outputs: { pushed: 'true', 'scan-result': 'passed', critical: '2', high: '1' },
      });
      expect(passed.problems).toEqual([]);
      expect(await readAttached(job.image, passed.outputs['digest'] ?? '', SCAN_MEDIA_TYPE)).toHaveLength(1);
    });
  });
});
