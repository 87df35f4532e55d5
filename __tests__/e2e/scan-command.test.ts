import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { valueAt } from '../../src/core/json.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { SCAN_MEDIA_TYPE } from '../../src/scan-record.ts';
import { openByName, vulnappAdvisories } from '../support/trivy-database.ts';
import { descriptorOf, openScanJob, publishDatabase, readAttached, type ScanJob } from './scan-job.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.docker;
const { authRegistry, vulnerableImage } = toolchain;
const REPOSITORY = vulnerableImage.replace(/:[^:/]*$/, '');
const NO_CONTEXT = { 'README.md': 'no Dockerfile\n' };
const OF_AMD64 = ['CVE-2019-10744', 'CVE-2023-42364', 'CVE-2023-45853'];
const OF_ARM64 = ['CVE-2019-10744', 'CVE-2024-5535'];

/** A folder without a Dockerfile. */
describe.skipIf(!canScan)('build-once scan', () => {
  let job: ScanJob;
  let database: string;
  let digest: string;
  beforeAll(async () => {
    database = `--scan-db-repository=${await publishDatabase(toolchain, vulnappAdvisories())}`;
    ({ digest } = await descriptorOf(REPOSITORY, vulnerableImage.slice(REPOSITORY.length + 1)));
    job = openScanJob(toolchain, { database, files: NO_CONTEXT });
  });
  afterAll(() => job?.remove());

  it('shows what is in every platform of the image behind a tag', async () => {
    const { status, stdout, stderr } = await job.cli('scan', vulnerableImage, database);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^Scan of .*@sha256:[0-9a-f]{64}: 2 CRITICAL, 1 HIGH, 1 MEDIUM\n/);
    for (const id of [...OF_AMD64, ...OF_ARM64]) expect(stdout).toContain(id);
    expect(stderr).not.toContain('Dockerfile');
  });

  it('takes a digest, gives JSON, and keeps nothing with the image', async () => {
    const { status, stdout, stderr } = await job.cli('scan', `${REPOSITORY}@${digest}`, database, '--json');
    expect(status, stderr).toBe(0);
    const json: unknown = JSON.parse(stdout);
    expect(json).toMatchObject({ status: 'scanned', scan: { passed: true } });
    expect(idsOf(json)).toEqual([...new Set([...OF_AMD64, ...OF_ARM64])].sort());
    expect(stdout).toContain(`@${digest}`);
    expect(await readAttached(REPOSITORY, digest, SCAN_MEDIA_TYPE)).toEqual([]);
  });

  it('takes a manifest of one platform that no index lists', async () => {
    const { repository, close } = openByName(REPOSITORY);
    const index = await fetchImage(repository, { tag: vulnerableImage.slice(REPOSITORY.length + 1) });
    const members = index?.manifest.kind === 'index' ? index.manifest.manifests : [];
    const arm64 = members.find(({ platform }) => platform?.architecture === 'arm64');
    if (arm64 === undefined) throw new Error('vulnapp has no arm64');
    const alone = `${toolchain.registry}/t/${randomUUID()}`;
    const to = openByName(alone);
    await copyImage(repository, to.repository, arm64);
    await to.repository.tag(arm64, 'one');
    to.close();
    close();
    const { status, stdout, stderr } = await job.cli('scan', `${alone}:one`, database, '--json');
    expect(status, stderr).toBe(0);
    expect(idsOf(JSON.parse(stdout))).toEqual(OF_ARM64);
    expect(JSON.parse(stdout)).toMatchObject({ scan: { platforms: [{ platform: 'linux/arm64' }] } });
  });

  it('scans the platforms that are named, and no others', async () => {
    const { status, stdout, stderr } = await job.cli(
      'scan',
      vulnerableImage,
      database,
      '--platforms',
      'linux/arm64',
      '--json',
    );
    expect(status, stderr).toBe(0);
    expect(idsOf(JSON.parse(stdout))).toEqual(OF_ARM64);
    const none = await job.cli('scan', vulnerableImage, database, '--platforms=linux/riscv64');
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('IMAGE_NOT_FOUND') });
    expect(none.stderr).toContain('has linux/amd64, linux/arm64, not linux/riscv64');
    const some = await job.cli('scan', vulnerableImage, database, '--platforms=linux/amd64,linux/riscv64');
    expect(some).toMatchObject({ status: 1, stderr: expect.stringContaining('not linux/riscv64') });
  });

  it('fails when the rules say so, and shows what it found all the same', async () => {
    const { status, stdout, stderr } = await job.cli('scan', vulnerableImage, database, '--scan-fail-on=any');
    expect(status).toBe(1);
    expect(stdout).toContain('The scan stops this run:');
    expect(stderr).toContain('SCAN_REJECTED: the scan found what is not allowed:');
    expect(stderr).toContain('CVE-2024-5535 in openssl 3.3.0-r2 (linux/arm64): fixed in 3.3.1-r1');
  });

  it('says of an image that is not there which one', async () => {
    const missing = `${toolchain.registry}/t/${randomUUID()}:1`;
    const { status, stderr } = await job.cli('scan', missing, database);
    expect(status).toBe(1);
    expect(stderr).toContain(`IMAGE_NOT_FOUND: ${missing} is not there`);
  });

  it.each([
    ['the name of a local image', ['app:1']],
    ['a tag of one', ['1.2.3', '--images=app']],
    ['a word that is no image', ['Not An Image']],
    ['no image at all', []],
  ])('refuses %s', async (_, args) => {
    const { status, stderr } = await job.cli('scan', ...args, database);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('BAD_INPUT') });
  });

  it('signs in where the registry asks for it, in Trivy as well', async () => {
    const { host: registry, username, password } = authRegistry;
    const registries = openRegistries({ env: {}, explicit: { registry, username, password } });
    const there = { registry, path: `t/${randomUUID()}` };
    const from = openByName(REPOSITORY);
    const to = registries.open(there, 'push');
    const image = await descriptorOf(REPOSITORY, digest);
    await copyImage(from.repository, to, image);
    await to.tag(image, '1');
    from.close();
    registries.close();
    const name = `${registry}/${there.path}:1`;
    const login = openScanJob(toolchain, { database, files: NO_CONTEXT, logins: [authRegistry] });
    const known = await login.cli('scan', name, database, '--json');
    login.remove();
    expect(known.status, known.stderr).toBe(0);
    expect(idsOf(JSON.parse(known.stdout))).toEqual([...new Set([...OF_AMD64, ...OF_ARM64])].sort());
    expect(known.stderr + known.stdout).not.toContain(`"${password}"`);
    const unknown = await job.cli('scan', name, database);
    expect(unknown).toMatchObject({ status: 1, stderr: expect.stringContaining('UNAUTHORIZED') });
  });
});

function idsOf(json: unknown): readonly string[] {
  const findings = valueAt(json, 'scan', 'findings');
  return (Array.isArray(findings) ? findings : []).map((finding: unknown) => String(valueAt(finding, 'id'))).sort();
}
