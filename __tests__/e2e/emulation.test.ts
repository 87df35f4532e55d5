import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Job, openJob, spyOnDocker } from '../support/job.ts';
import { inspectMachine, toolchainPrefix } from '../support/layers.ts';
import { findProgram, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';
import { type RunningToolchain, startToolchain } from '../support/toolchain.ts';

const { layers } = inject('toolchain');
const PLATFORMS = 'linux/amd64,linux/riscv64';
/** Emulation is a setting of the whole machine, and another run of this file may have its turn first. */
const TURN_MS = 300_000;

/** Waits for the other runs on this machine. The lock goes with this process, however that ends. */
async function takeTurn(): Promise<() => void> {
  const lock = join(tmpdir(), 'build-once-test-riscv64.lock');
  const hold = 'exec flock "$1" sh -c "echo held; cat"';
  const holder = spawn('sh', ['-c', hold, 'sh', lock], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
}

// A builder never forgets a platform that it once saw. So the engine is this file's own, and failures come first.
describe.skipIf(!layers.emulation)('a platform that the builder cannot run', () => {
  let endTurn: () => void = () => {};
  let own: RunningToolchain;
  let job: Job;
  let binfmt: string;
  let inputs: Record<string, string>;

  const image = (): string => `${own.toolchain.registry}/t/${randomUUID()}`;
  const emulator = (flag: string): Promise<string> =>
    job.run('docker', 'run', '--rm', '--privileged', binfmt, `${flag}=riscv64`);

  beforeAll(async () => {
    endTurn = await takeTurn();
    own = await startToolchain(await inspectMachine(process.env), process.env['TOOLCHAIN_RUNS']);
    const { registry, baseImage } = own.toolchain;
    job = openJob(own.toolchain, { Dockerfile: `FROM ${registry}/base/riscv\nRUN uname -m > /machine\n` });
    const build = (name: string, ...args: string[]): Promise<string> =>
      job.run('docker', 'buildx', 'build', '--push', `--tag=${registry}/${name}`, ...args, join(job.directory, name));

    const prefix = toolchainPrefix(process.env);
    const files = ['sh', 'uname', 'cat'].map((name) => `COPY busybox-\${TARGETARCH}/busybox /bin/${name}\n`);
    job.write({ '../base/riscv/Dockerfile': `FROM scratch\nARG TARGETARCH\n${files.join('')}` });
    for (const name of ['busybox-amd64', 'busybox-riscv64']) {
      cpSync(join(prefix, name), join(job.directory, 'base/riscv', name), { recursive: true });
    }
    await build('base/riscv', `--platform=${PLATFORMS}`);

    cpSync(join(TOOLCHAIN_SCRIPTS, 'binfmt'), join(job.directory, 'binfmt'), { recursive: true });
    cpSync(join(prefix, 'usr/bin/qemu-riscv64'), join(job.directory, 'binfmt/qemu-riscv64'));
    const metadata = join(job.directory, 'binfmt.json');
    await build('binfmt', `--build-arg=BASE=${baseImage}`, `--metadata-file=${metadata}`);
    const { 'containerimage.digest': digest } = JSON.parse(await job.run('cat', metadata));
    binfmt = `${registry}/binfmt@${digest}`;
    inputs = { platforms: PLATFORMS, 'binfmt-image': binfmt };
    await emulator('--uninstall'); // of a run that was killed
  }, TURN_MS);
  afterAll(async () => {
    try {
      if (binfmt !== undefined) await emulator('--uninstall');
    } finally {
      job?.remove();
      await own?.stop();
      endTurn();
    }
  });

  it('is an error before anything is built when emulation is off', async () => {
    const { status, log } = await job.step({ ...inputs, images: image(), emulation: 'off' });
    expect(status).toBe('failure');
    expect(log).toContain('PLATFORM_MISSING');
    expect(log).toContain('cannot run linux/riscv64');
    expect(log).not.toContain('RUN uname');
  });

  it('is an error in docker’s words when the image that registers QEMU cannot be pulled', async () => {
    const nowhere = `127.0.0.1:1/binfmt@${binfmt.split('@')[1]}`;
    const { status, log } = await job.step({ ...inputs, images: image(), 'binfmt-image': nowhere });
    expect(status).toBe('failure');
    expect(log).toMatch(/EMULATION_FAILED.*linux\/riscv64 could not be registered.*connection refused/);
    expect(log).not.toContain('RUN uname');
  });

  it('is an error in the image’s words when that knows no such architecture', async () => {
    const { status, log } = await job.step({ ...inputs, images: image(), platforms: 'linux/s390x' });
    expect(status).toBe('failure');
    expect(log).toMatch(/EMULATION_FAILED.*unsupported architecture: s390x/);
  });

  it('is set up by the first of two jobs at once, for both, and then left alone', async () => {
    const results = await Promise.all([image(), image()].map((images) => job.step({ ...inputs, images })));
    const logs = results.map(({ log }) => log).join('\n');
    expect(logs).toContain(`QEMU for linux/riscv64 is registered on the Docker engine's machine by ${binfmt}`);
    for (const { status, log, outputs } of results) {
      expect(status, log).toBe('success');
      expect(Object.keys(JSON.parse(outputs['platforms-digests'] ?? ''))).toEqual(PLATFORMS.split(','));
      const run = ['docker', 'run', '--rm', '--quiet', '--platform=linux/riscv64', `${outputs['image']}`] as const;
      expect(await job.run(...run, 'cat', '/machine')).toBe('riscv64');
    }
    const spy = spyOnDocker(job, findProgram('docker', own.toolchain.env['PATH'] ?? '') ?? '');
    const third = await job.step({ ...inputs, images: image() }, { env: { PATH: spy.path } });
    expect(third.status, third.log).toBe('success');
    expect(spy.calls()).toEqual(expect.arrayContaining([expect.stringContaining('buildx build')]));
    expect(spy.calls().filter((call) => call.includes('--privileged'))).toEqual([]);
  });

  it.skipIf(!layers.buildkit)('is set up for a docker-container builder that runs already', async () => {
    const builder = `bo-${randomUUID()}`;
    const options = ['--driver=docker-container', '--driver-opt=network=host', '--bootstrap'];
    await emulator('--uninstall');
    await job.run('docker', 'buildx', 'create', `--name=${builder}`, ...options);
    try {
      const { status, log, outputs } = await job.step({ ...inputs, images: image(), builder });
      expect(status, log).toBe('success');
      expect(log).toContain('QEMU for linux/riscv64 is registered');
      expect(Object.keys(JSON.parse(outputs['platforms-digests'] ?? ''))).toEqual(PLATFORMS.split(','));
    } finally {
      await job.run('docker', 'buildx', 'rm', '--force', builder);
    }
  });
});
