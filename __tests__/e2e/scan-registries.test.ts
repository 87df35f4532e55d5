import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { vulnappAdvisories } from '../support/trivy-database.ts';
import { makeBuilder, openScanJob, publishDatabase, readReportText, type ScanJob } from './scan-job.ts';

const toolchain = inject('toolchain');
const { authRegistry, layers, tlsRegistry } = toolchain;
const canScan = layers.trivy && layers.docker && layers.buildkit;
const REGISTRIES = [
  { kind: 'that asks for a login', login: authRegistry, ready: true, certificate: undefined },
  { kind: 'with an authority of its own', login: tlsRegistry, ready: layers.tls, certificate: tlsRegistry.certificate },
] as const;

let database: string;
let job: ScanJob;
beforeAll(async () => {
  if (canScan) database = await publishDatabase(toolchain, vulnappAdvisories());
});

describe.skipIf(!canScan).each(REGISTRIES)('a registry $kind', ({ login, ready, certificate }) => {
  describe.skipIf(!ready)('and a builder of its own', () => {
    let builder: string;
    afterEach(async () => {
      await job.run('docker', 'buildx', 'rm', '--force', builder);
      job.remove();
    });

    it('is scanned before the tags, and there, with what the run was given to sign in and to trust', async () => {
      const { host, username, password } = login;
      job = openScanJob(toolchain, { database, host });
      builder = await makeBuilder(job, certificate === undefined ? {} : { [host]: certificate });
      const trust = certificate === undefined ? {} : { 'registry-ca': certificate };
      const inputs = { builder, username, password, ...trust, 'scan-fail-on': 'any', 'scan-severity': 'CRITICAL' };
      const stopped = await job.scan(inputs);
      expect(stopped, stopped.log).toMatchObject({
        exitCode: 1,
        outputs: { built: 'true', pushed: 'false', 'scan-result': 'failed', critical: '2', high: '1' },
      });
      expect(stopped.log).toContain('SCAN_REJECTED');
      const passed = await job.scan({ ...inputs, 'scan-fail-on': 'none' });
      expect(passed, passed.log).toMatchObject({
        status: 'success',
        outputs: { pushed: 'true', 'scan-result': 'passed', critical: '2' },
      });
      expect(readReportText(passed, 'scan.txt')).toContain('CVE-2024-5535');
      // A hit, of which nothing is known under these settings: Trivy has to get the image out of the registry.
      const again = await job.scan({ ...inputs, 'scan-pkg-types': 'os', 'scan-severity': 'LOW' });
      expect(again, again.log).toMatchObject({
        status: 'success',
        outputs: { reason: 'hit', 'scan-result': 'passed', critical: '1' },
      });
      for (const { log, stdout, summary } of [stopped, passed, again])
        expect(log + stdout.replace(/^::add-mask::.*$/gm, '') + summary).not.toContain(`${username}:${password}`);
    });
  });
});
