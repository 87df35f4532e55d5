import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { installLayoutBuilder } from '../support/layout-builder.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, type ProgramResult, run } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import { installStandInTrivy, type StandInTrivy } from '../support/stand-in-trivy.ts';
import { openByName, packArchive, pushDatabase } from '../support/trivy-database.ts';

/** A checkout, a repository and a Trivy of its own, so that tests run beside each other. */
interface Scene {
  readonly workspace: string;
  /** RUNNER_TEMP of every step. */
  readonly temp: string;
  readonly image: string;
  readonly trivy: StandInTrivy;
  /** `REGISTRY/trivy-db` of this scene. */
  readonly database: string;
  /** An image of the workspace's content behind its hash tag and these. Its digest. */
  plant(tags?: readonly string[]): Promise<string>;
  step(inputs?: Readonly<Record<string, string>>, more?: Partial<ActionRun>): Promise<ActionResult>;
  /** `METHOD kind last-part-of-the-path` of what came for the image since the last time. */
  requests(): readonly string[];
}

let registry: RunningRegistry;
let root: string;
let archive: Buffer;
beforeAll(async () => {
  registry = await startRegistry();
  root = mkdtempSync(join(tmpdir(), 'build-once-scan-test-'));
  archive = await packArchive((at) => {
    writeFileSync(join(at, 'trivy.db'), 'nothing in it');
    writeFileSync(join(at, 'metadata.json'), '{"Version":2,"UpdatedAt":"2026-11-20T06:00:00Z"}');
  });
});
afterAll(async () => {
  await registry.close();
  rmSync(root, { recursive: true });
});

async function openScene(platforms = 'linux/amd64'): Promise<Scene> {
  const directory = mkdtempSync(join(root, 'scene-'));
  const [workspace, temp] = [join(directory, 'workspace'), join(directory, 'temp')];
  mkdirSync(workspace);
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY data /\n');
  writeFileSync(join(workspace, 'data'), 'data');
  const name = directory.slice(-6).toLowerCase();
  const image = `${registry.host}/${name}/app`;
  const database = `${registry.host}/${name}/trivy-db`;
  const { repository, close } = openByName(database);
  await pushDatabase(repository, archive);
  close();
  const trivy = installStandInTrivy(directory);
  let seen = 0;
  return {
    workspace,
    temp,
    image,
    trivy,
    database,
    async plant(tags = ['main']) {
      const hash = await hashOf(workspace, [`--platforms=${platforms}`]);
      const digest = await plantImage({
        image,
        tags: [`hash-${hash.slice(0, 32)}`, ...tags],
        platforms: platforms.split(','),
        annotations: { 'dev.build-once.inputs': hash },
        differing: true,
        buildSeconds: 252,
      });
      seen = registry.requests.length;
      return digest;
    },
    step: (inputs = {}, more = {}) =>
      runAction({
        action: CHECKOUT,
        workspace,
        runnerTemp: temp,
        ...more,
        with: { images: image, platforms, scan: 'true', 'scan-db-repository': database, ...inputs },
        env: { PATH: trivy.path, HOME: directory, GITHUB_API_URL: '', ...more.env },
      }),
    requests() {
      const served = registry.requests.slice(seen).filter(({ path }) => path.startsWith(`/v2/${name}/app/`));
      seen = registry.requests.length;
      return served.map(({ method, kind, path }) => `${method} ${kind} ${path.split('/').at(-1)?.split('?')[0]}`);
    },
  };
}

const isWrite = (request: string): boolean => !/^(?:GET|HEAD) /.test(request);

/** What the scan says, but for the folder of each run. */
function scanOutputs({ outputs }: ActionResult): Readonly<Record<string, string | undefined>> {
  const names = ['scan-result', 'critical', 'high', 'new-vulnerabilities'];
  return Object.fromEntries(names.map((name) => [name, outputs[name]]));
}

describe.concurrent('a reused image', () => {
  it('is scanned once, and an hour of pushes needs no process more', async ({ expect }) => {
    const scene = await openScene('linux/amd64,linux/arm64');
    const digest = await scene.plant();
    scene.trivy.finds('os-amd64');
    const first = await scene.step();
    expect(first.status, first.log).toBe('success');
    expect(first.outputs).toMatchObject({ reason: 'hit', digest });
    expect(scanOutputs(first)).toEqual({
      'scan-result': 'passed',
      critical: '0',
      high: '1',
      'new-vulnerabilities': '',
    });
    expect(scene.trivy.scans()).toHaveLength(2);
    const writes = scene.requests().filter(isWrite);
    expect(writes.filter((request) => request.startsWith('PUT manifest'))).toEqual([
      expect.stringMatching(/^PUT manifest sha256:/),
    ]);

    const calls = scene.trivy.calls().length;
    // Without a single program that could be started.
    const second = await scene.step({}, { env: { PATH: '/nonexistent' } });
    expect(second.status, second.log).toBe('success');
    expect(scanOutputs(second)).toEqual(scanOutputs(first));
    expect(second.outputs['digest']).toBe(digest);
    expect(scene.trivy.calls()).toHaveLength(calls);
    expect(second.summary).toMatch(/\| Scan \| passed: .*kept since 20/);
    const [before, after] = [first, second].map(({ outputs }) => readFileSync(outputs['sarif'] ?? '', 'utf8'));
    expect(after).toBe(before);
    expect(scene.requests().toSorted()).toEqual([
      expect.stringMatching(/^GET blob sha256:/),
      expect.stringMatching(/^GET manifest hash-/),
      // Where a registry that had no referrers API kept the list of those days.
      expect.stringMatching(/^GET manifest sha256-/),
      expect.stringMatching(/^GET manifest sha256:/),
      expect.stringMatching(/^GET referrers sha256:/),
      expect.stringMatching(/^GET referrers sha256:/),
      'HEAD manifest main',
    ]);
    expect(readdirSync(scene.temp).filter((name) => !name.startsWith('build-once-reports-'))).toEqual([]);
  });

  it('is not looked at with scan: false, and costs what it did before', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant();
    const result = await scene.step({ scan: 'false' }, { env: { PATH: '/nonexistent' } });
    expect(result.status, result.log).toBe('success');
    expect(scanOutputs(result)).toEqual({ 'scan-result': '', critical: '', high: '', 'new-vulnerabilities': '' });
    expect(result.outputs).toMatchObject({ sarif: '', report: '' });
    expect(result.summary).not.toContain('Scan');
    expect(scene.requests().toSorted()).toEqual([
      expect.stringMatching(/^GET manifest hash-/),
      expect.stringMatching(/^GET referrers sha256:/),
      'HEAD manifest main',
    ]);
    expect(readdirSync(scene.temp)).toEqual([]);
  });

  it('that the gate refuses gets no tag, and nothing is written anywhere in the registry', async ({ expect }) => {
    const scene = await openScene();
    const digest = await scene.plant([]);
    scene.trivy.finds('os-arm64');
    const result = await scene.step({ 'scan-fail-on': 'any', 'scan-format': 'table,sarif,json', tags: 'main\nlatest' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('SCAN_REJECTED: the scan found what is not allowed, and no tag was set:');
    expect(result.log).toContain('CVE-2024-5535');
    expect(result.log).toContain('3.3.1-r1');
    expect(scene.requests().filter(isWrite)).toEqual([]);
    expect(result.outputs).toMatchObject({ digest, pushed: 'false', tags: '', reason: 'hit' });
    expect(scanOutputs(result)).toMatchObject({ 'scan-result': 'failed', critical: '1', high: '1' });
    expect(result.summary).toContain('SCAN&#95;REJECTED');
    expect(result.summary).toContain('CVE-2024-5535');
    const { report = '', sarif = '' } = result.outputs;
    expect(readdirSync(report).sort()).toEqual(['scan.json', 'scan.sarif', 'scan.txt']);
    expect(sarif).toBe(join(report, 'scan.sarif'));
    expect(JSON.parse(readFileSync(join(report, 'scan.json'), 'utf8'))).toMatchObject({ passed: false });
    expect(readdirSync(scene.temp)).toEqual([expect.stringMatching(/^build-once-reports-/)]);
  });

  it('is judged anew, on the kept result, when only the rules are others', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant();
    scene.trivy.finds('os-arm64');
    expect((await scene.step()).status).toBe('success');
    const strict = await scene.step({ 'scan-budget': 'CRITICAL=0' }, { env: { PATH: '/nonexistent' } });
    expect(strict, strict.log).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(strict.log).toContain('SCAN_REJECTED');
    expect(scanOutputs(strict)).toMatchObject({ 'scan-result': 'failed', critical: '1' });
    expect(existsSync(strict.outputs['sarif'] ?? '')).toBe(true);
  });

  it('shows no secret that somebody masked, wherever the scan found it', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant();
    scene.trivy.finds('languages');
    const inputs = { 'github-token': 'CVE-2019-10744', 'scan-fail-on': 'any' };
    const result = await scene.step(inputs);
    expect(result.log).toContain('SCAN_REJECTED');
    expect(result.summary).toContain('CVE-2021-44906');
    expect(result.summary).not.toContain('CVE-2019-10744');
    expect(result.log).not.toContain('CVE-2019-10744');
  });
});

describe.concurrent('an image that was built', () => {
  it('and refused never gets to the registry', async ({ expect }) => {
    const scene = await openScene('linux/amd64,linux/arm64');
    const builder = installLayoutBuilder(join(scene.workspace, '..'));
    scene.trivy.finds('os-arm64');
    const env = { PATH: `${scene.trivy.path.split(':')[0]}:${builder.path}` };
    const result = await scene.step({ 'scan-fail-on': 'any' }, { env });
    expect(result.log).toContain('SCAN_REJECTED');
    expect(result.outputs).toMatchObject({ built: 'true', pushed: 'false', 'scan-result': 'failed' });
    expect(scene.trivy.scans()).toEqual([expect.stringMatching(/^--input=/), expect.stringMatching(/^--input=/)]);
    expect(scene.requests().filter((request) => request.startsWith('PUT'))).toEqual([]);
    expect(readdirSync(scene.temp)).toEqual([expect.stringMatching(/^build-once-reports-/)]);
  });

  it('is scanned before it is pushed, and the next run takes that result', async ({ expect }) => {
    const scene = await openScene();
    const builder = installLayoutBuilder(join(scene.workspace, '..'));
    const env = { PATH: `${scene.trivy.path.split(':')[0]}:${builder.path}` };
    const built = await scene.step({}, { env });
    expect(built.status, built.log).toBe('success');
    const hit = await scene.step({}, { env: { PATH: '/nonexistent' } });
    expect(hit.status, hit.log).toBe('success');
    expect(hit.outputs).toMatchObject({ reason: 'hit', digest: built.outputs['digest'] });
    expect(scanOutputs(hit)).toEqual(scanOutputs(built));
    expect(scene.trivy.scans()).toHaveLength(1);
  });
});

describe.concurrent('a Trivy that fails', () => {
  it.for([
    ['crashes', 'kill -SEGV $$', /SCAN_FAILED: .*could not be scanned/],
    ['ends with 1 and no report', 'exit 1', /SCAN_FAILED: .*could not be scanned/],
    ['writes what is no JSON', 'echo "{]" > "$output"', /SCAN_INVALID: .*is not JSON/],
    ['writes a report of 2 GB', 'truncate -s 2G "$output"', /SCAN_INVALID: .*is larger than 256 MiB/],
    ['writes lines without end', 'exec yes', /SCAN_FAILED: .*it wrote more than 4194304 bytes/],
    ['writes a report of another schema', `echo '{"SchemaVersion":3}' > "$output"`, /SCAN_INVALID: .*schema 3/],
    ['writes a report that is none', `echo '{"SchemaVersion":2,"Results":7}' > "$output"`, /SCAN_INVALID: /],
    ['says what is hostile', `printf '\\033[31m::set-output name=x::y\\n::warning::z\\n' >&2; exit 1`, /SCAN_FAILED/],
  ] as const)('and %s ends the run before any tag, and leaves nothing', async ([, script, message], { expect }) => {
    const scene = await openScene();
    await scene.plant([]);
    scene.trivy.does(script);
    const result = await scene.step();
    expect(result).toMatchObject({ status: 'failure', exitCode: 1, problems: [] });
    expect(result.log).toMatch(message);
    expect(result.annotations.filter(({ level }) => level !== 'notice')).toHaveLength(1);
    expect(result.outputs).toMatchObject({ pushed: 'false', 'scan-result': '' });
    expect(scene.requests().filter(isWrite)).toEqual([]);
    expect(readdirSync(scene.temp)).toEqual([]);
  });

  it('and hangs is ended after scan-timeout, with all that it left', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant([]);
    const pid = join(scene.workspace, '../pid');
    scene.trivy.does(`echo $$ > '${pid}'; exec sleep 600`);
    const result = await scene.step({ 'scan-timeout': '1s' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toMatch(/SCAN_TIMED_OUT: .*could not be scanned in time/);
    expect(result.log).toContain('Give scan-timeout more');
    expect(isAlive(pid)).toBe(false);
    expect(scene.requests().filter(isWrite)).toEqual([]);
    expect(readdirSync(scene.temp)).toEqual([]);
  });

  it('on one platform ends the scan of the other one', async ({ expect }) => {
    const scene = await openScene('linux/amd64,linux/arm64');
    await scene.plant([]);
    const pid = join(scene.workspace, '../pid');
    // The one that makes the folder goes on for long; the other one waits until it does so.
    const script = `if mkdir '${pid}.d'; then echo $$ > '${pid}'; exec sleep 600; fi 2>/dev/null`;
    scene.trivy.does(`${script}; while ! [ -s '${pid}' ]; do sleep 0.05; done; echo broken >&2; exit 1`);
    const result = await scene.step();
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('SCAN_FAILED');
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(scene.temp)).toEqual([]);
  }, 60_000);
});

function isAlive(pidFile: string): boolean {
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

describe.concurrent('the database', () => {
  const BUSY = { kind: 'status', status: 429, headers: { 'Retry-After': '30' } } as const;

  it('that no mirror gives ends the run before any tag', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant([]);
    registry.fail({ path: new RegExp(`^${pathOf(scene.database)}`), action: BUSY });
    const mirrors = `${scene.database},${scene.database}-2`;
    const result = await scene.step({ 'scan-db-repository': mirrors });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('TRIVY_DATABASE_UNAVAILABLE: no mirror gave the vulnerability database');
    expect(scene.requests().filter(isWrite)).toEqual([]);
    expect(scene.trivy.scans()).toEqual([]);
    expect(readdirSync(scene.temp)).toEqual([]);
  });

  it('that never comes does not keep a run whose build has failed', async ({ expect }) => {
    const scene = await openScene();
    registry.fail({ path: new RegExp(`^${pathOf(scene.database)}/`), action: { kind: 'stall' } });
    const env = { PATH: scene.trivy.path.split(':').slice(0, 2).join(':') };
    const result = await scene.step({}, { env, timeoutMs: 60_000 });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('DOCKER_MISSING');
    expect(readdirSync(scene.temp)).toEqual([]);
  });

  it('of a mirror that is too busy comes from the next one, and one of today is used when all are', async ({
    expect,
  }) => {
    const scene = await openScene();
    await scene.plant();
    const second = `${scene.database}-2`;
    const { repository, close } = openByName(second);
    await pushDatabase(repository, archive);
    close();
    registry.fail({ path: new RegExp(`^${pathOf(scene.database)}/`), action: BUSY });
    const inputs = { 'scan-db-repository': `${scene.database},${second}` };
    const first = await scene.step(inputs);
    expect(first.status, first.log).toBe('success');
    expect(first.annotations.filter(({ level }) => level === 'warning')).toEqual([]);
    registry.fail({ path: new RegExp(`^${pathOf(second)}/`), action: BUSY });
    const later = await scene.step({ ...inputs, 'scan-pkg-types': 'os' });
    expect(later.status, later.log).toBe('success');
    expect(scene.trivy.scans()).toHaveLength(2);
    expect(later.annotations.filter(({ level }) => level === 'warning')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('since no mirror gave the current one') }),
    ]);
  });
});

function pathOf(name: string): string {
  return `/v2/${name.slice(name.indexOf('/') + 1)}`;
}

describe.concurrent('build-once scan', () => {
  const scan = async (scene: Scene, ...args: readonly string[]): Promise<ProgramResult> => {
    const cwd = mkdtempSync(join(root, 'empty-'));
    const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'scan', ...args] as const;
    const env = { PATH: scene.trivy.path, HOME: cwd, RUNNER_TEMP: scene.temp };
    return run([...argv, `--scan-db-repository=${scene.database}`], { cwd, env });
  };

  it('needs no Dockerfile, prints what it found and writes nothing to the registry', async ({ expect }) => {
    const scene = await openScene('linux/amd64,linux/arm64');
    const digest = await scene.plant(['main', '1.2.3']);
    scene.trivy.finds('languages');
    const found = await scan(scene, `${scene.image}:1.2.3`);
    expect(found, found.stderr).toMatchObject({ status: 0 });
    expect(`${found.stdout}${found.stderr}`).toContain('CVE-2019-10744');
    expect(scene.trivy.scans()).toHaveLength(2);
    expect(scene.requests().filter(isWrite)).toEqual([]);
    const one = await scan(
      scene,
      `${scene.image}@${digest}`,
      '--platforms=linux/arm64',
      '--json',
      '--scan-fail-on=any',
    );
    expect(one).toMatchObject({ status: 1 });
    const report: unknown = JSON.parse(one.stdout);
    expect(report).toMatchObject({
      status: 'failed',
      scan: { passed: false, counts: { CRITICAL: 2 }, platforms: [{ platform: 'linux/arm64' }] },
      outputs: { digest, 'scan-result': 'failed', critical: '2' },
    });
    expect(scene.trivy.scans()).toHaveLength(3);
  });

  it('says what is not there', async ({ expect }) => {
    const scene = await openScene();
    await scene.plant();
    const gone = await scan(scene, `${scene.image}:gone`);
    expect(gone).toMatchObject({ status: 1, stderr: expect.stringContaining('IMAGE_NOT_FOUND') });
    const other = await scan(scene, `${scene.image}:main`, '--platforms=linux/arm64');
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('has linux/amd64, not linux/arm64') });
    expect(scene.trivy.scans()).toEqual([]);
  });
});
