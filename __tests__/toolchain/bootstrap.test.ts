import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProgram, run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';
import { makeStubDebian } from './stub-debian.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootstrap-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = join(TOOLCHAIN_SCRIPTS, 'bootstrap.sh');

function environment(added: Record<string, string | undefined> = {}): Record<string, string | undefined> {
  const bin = makeStubDebian(folder);
  return { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, STUB_MIRROR: 'mirror|sid|main', ...added };
}

function bootstrap(env: Record<string, string | undefined>, ...args: string[]) {
  return run(['bash', script, ...args], { env });
}

const isDebian =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  existsSync('/etc/os-release') &&
  /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8')) &&
  findProgram('flock', '/usr/bin:/bin') !== undefined;

describe.runIf(isDebian)('bootstrap.sh', () => {
  it('fills the cache folder of the account once, and then does nothing', async () => {
    const env = environment();
    expect(await bootstrap(env)).toMatchObject({ status: 0 });
    const prefix = join(folder, '.cache/build-once-toolchain');
    expect(existsSync(join(prefix, 'usr/sbin/dockerd'))).toBe(true);
    expect(existsSync(join(prefix, 'busybox-arm64/busybox'))).toBe(true);
    expect(readFileSync(join(prefix, '.stamp'), 'utf8')).toMatch(/^recipe \d+\ndocker\.io 1\.0 sid [0-9a-f]{64}\n/);
    const calls = readFileSync(join(folder, 'calls'), 'utf8');
    const stamped = statSync(join(prefix, '.stamp')).mtimeMs;
    expect(await bootstrap(env)).toMatchObject({ status: 0, stderr: expect.stringContaining('ready') });
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toBe(calls);
    expect(statSync(join(prefix, '.stamp')).mtimeMs).toBe(stamped);
  });

  it('only warns of versions that are not those of versions.lock', async () => {
    const { status, stderr } = await bootstrap(environment());
    expect(status).toBe(0);
    expect(stderr).toMatch(/WARNING: docker\.io is 1\.0 of sid; versions\.lock has \S+ of sid/);
  });

  it.each([
    ['HOME is not set', { HOME: undefined }],
    ['HOME is empty', { HOME: '' }],
    ['the folder is given', { HOME: '/nonexistent' }],
  ])('needs no home directory when the cache folder is known: %s', async (_, added) => {
    const env = environment({ ...added, XDG_CACHE_HOME: join(folder, 'cache') });
    expect(await bootstrap(env)).toMatchObject({ status: 0 });
    expect(existsSync(join(folder, 'cache/build-once-toolchain/.stamp'))).toBe(true);
  });

  it('starts again after it was killed half-way, and leaves nothing of the first try', async () => {
    const prefix = join(folder, 'prefix');
    const env = environment();
    const child = spawn('bash', [script, prefix], {
      env: { ...env, SLOW_PACKAGE: 'crane' },
      detached: true,
      stdio: 'ignore',
    });
    const ended = new Promise((done) => child.on('exit', done));
    const calls = (): string => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8') : '');
    while (!calls().includes('download crane')) await new Promise((next) => setTimeout(next, 20));
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await ended;
    expect(readdirSync(prefix).filter((name) => name !== '.lock')).toEqual([expect.stringContaining('.staging.')]);
    expect(await bootstrap(env, prefix)).toMatchObject({ status: 0 });
    expect(readdirSync(prefix).filter((name) => name.startsWith('.staging'))).toEqual([]);
    expect(existsSync(join(prefix, 'usr/bin/crane'))).toBe(true);
  });

  it('does the work once when two start at the same time', async () => {
    const prefix = join(folder, 'prefix');
    const env = environment();
    const results = await Promise.all([bootstrap(env, prefix), bootstrap(env, prefix)]);
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
    expect(readFileSync(join(folder, 'calls'), 'utf8').match(/download crane/g)).toHaveLength(1);
  });

  it('fills a folder of an older recipe again', async () => {
    const prefix = join(folder, 'prefix');
    mkdirSync(prefix);
    writeFileSync(join(prefix, '.stamp'), 'recipe 0\n');
    await bootstrap(environment(), prefix);
    expect(existsSync(join(prefix, 'usr/bin/crane'))).toBe(true);
  });

  it('adds to a folder of an older recipe what that lacks, and leaves what is there', async () => {
    const prefix = join(folder, 'prefix');
    const env = environment();
    await bootstrap(env, prefix);
    const stamp = readFileSync(join(prefix, '.stamp'), 'utf8');
    writeFileSync(
      join(prefix, '.stamp'),
      stamp.replace(/^recipe .*/, 'recipe 1').replace(/\nbusybox-static:riscv64 .*/, ''),
    );
    writeFileSync(join(prefix, 'usr/bin/trivy'), 'built from Go');
    const inodes = (): number[] =>
      ['usr/sbin/dockerd', 'usr/bin/qemu-aarch64', 'busybox-amd64/busybox'].map(
        (name) => statSync(join(prefix, name)).ino,
      );
    const before = inodes();
    rmSync(join(prefix, 'usr/bin/qemu-riscv64'));
    rmSync(join(folder, 'calls'));
    expect(await bootstrap(env, prefix)).toMatchObject({ status: 0 });
    expect(readFileSync(join(prefix, '.stamp'), 'utf8')).toBe(stamp);
    expect(existsSync(join(prefix, 'usr/bin/qemu-riscv64'))).toBe(true);
    expect(readFileSync(join(prefix, 'usr/bin/trivy'), 'utf8')).toBe('built from Go');
    expect(inodes()).toEqual(before);
    const calls = readFileSync(join(folder, 'calls'), 'utf8');
    expect(calls).toContain('download qemu-user');
    expect(calls).not.toMatch(/download (?:docker|crane|containerd)/);
  });

  it('falls back to an older suite when a program does not start, and fails when none does', async () => {
    const env = environment();
    const broken = `#!/bin/sh\nexit 1\n`;
    writeFileSync(join(folder, 'package/usr/bin/crane'), broken, { mode: 0o755 });
    expect(await bootstrap(env)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no usable crane in the suites sid'),
    });
    expect(existsSync(join(folder, '.cache/build-once-toolchain/.stamp'))).toBe(false);
  });

  it.each([
    ['without a Debian source in apt', { STUB_MIRROR: '' }, 'apt has no Debian source'],
    ['without apt', { PATH: '/nonexistent' }, 'missing here: apt-get'],
  ])('says what to do and ends with 3 %s', async (_, added, message) => {
    const env = environment(added);
    const bash = findProgram('bash', '/usr/bin:/bin') ?? 'bash';
    if ('PATH' in added) env['PATH'] = onlyBasics(folder);
    const result = await run([bash, script], { env });
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining(message) });
  });

  it('refuses a folder whose name would need quoting', async () => {
    expect(await bootstrap(environment(), join(folder, 'a b'))).toMatchObject({ status: 1 });
  });
});

/** A PATH with the programs that any Linux has, and neither apt nor dpkg. */
function onlyBasics(parent: string): string {
  const bin = join(parent, 'basics');
  mkdirSync(bin);
  for (const name of ['dirname', 'uname', 'head', 'basename', 'cat', 'mkdir', 'rm', 'mktemp']) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec /usr/bin/${name} "$@"\n`, { mode: 0o755 });
  }
  return bin;
}
