import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { parseAssignments, toolchainPrefix } from '../support/layers.ts';
import { mustRun, run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';

const { layers, env: toolchainEnv } = inject('toolchain');
const isPrivate = layers.docker && (toolchainEnv['DOCKER_HOST'] ?? '').includes('/bo-');
const runs: string[] = [];
const owners: ReturnType<typeof spawn>[] = [];

afterEach(async () => {
  for (const owner of owners.splice(0)) owner.kill('SIGKILL');
  for (const directory of runs.splice(0)) {
    await script('down.sh', directory, 'wipe');
    rmSync(directory, { recursive: true, force: true });
  }
});

function newRun(): string {
  const directory = mkdtempSync('/tmp/bo-test-');
  runs.push(directory);
  return directory;
}

function script(name: string, directory: string, ...args: string[]) {
  return scriptWith({}, name, directory, ...args);
}

function scriptWith(added: Record<string, string>, name: string, directory: string, ...args: string[]) {
  const env = {
    ...process.env,
    TOOLCHAIN_PREFIX: toolchainPrefix(process.env),
    OWNER_PID: String(process.pid),
    ...added,
  };
  return run(['bash', join(TOOLCHAIN_SCRIPTS, name), directory, ...args], { env });
}

async function up(directory: string, ...parts: string[]): Promise<Record<string, string>> {
  expect(await script('up.sh', directory, ...parts)).toMatchObject({ status: 0 });
  return parseAssignments(readFileSync(join(directory, 'env'), 'utf8'));
}

/** The command line of every process, words joined with spaces. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').replaceAll('\0', ' ');
      } catch {
        return ''; // it has ended meanwhile
      }
    });
}

async function answers(url: string): Promise<number | undefined> {
  return fetch(url).then(
    ({ status }) => status,
    () => undefined,
  );
}

describe.runIf(layers.registry)('registries', () => {
  it('start on free ports, one with a login, and can be started again without harm', async () => {
    const directory = newRun();
    const first = await up(directory, 'registry', 'auth');
    expect(await answers(`http://${first['REGISTRY']}/v2/`)).toBe(200);
    expect(await answers(`http://${first['AUTH_REGISTRY']}/v2/`)).toBe(401);
    expect(await up(directory, 'registry', 'auth')).toEqual(first);
  });

  it('take the port that is asked for, and fail clearly when it is taken', async () => {
    const first = await up(newRun(), 'registry');
    const port = first['REGISTRY']?.split(':')[1] ?? '';
    const second = newRun();
    const result = await scriptWith({ PORT_REGISTRY: port }, 'up.sh', second, 'registry', 'auth');
    expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining('address already in use') });
    expect(existsSync(join(second, 'pids/auth'))).toBe(false);
    expect(await answers(`http://${first['REGISTRY']}/v2/`)).toBe(200);
  });

  it('ignore settings of the caller that docker-registry would obey', async () => {
    const directory = newRun();
    const result = await scriptWith({ REGISTRY_HTTP_ADDR: '192.0.2.1:1' }, 'up.sh', directory, 'registry');
    expect(result).toMatchObject({ status: 0 });
  });

  it('of one run stop and those of another stay', async () => {
    const [one, two] = [newRun(), newRun()];
    const [first, second] = [await up(one, 'registry'), await up(two, 'registry')];
    expect(await script('down.sh', one, 'wipe')).toMatchObject({ status: 0 });
    expect(existsSync(one)).toBe(false);
    expect(await answers(`http://${first['REGISTRY']}/v2/`)).toBeUndefined();
    expect(await answers(`http://${second['REGISTRY']}/v2/`)).toBe(200);
  });

  it('whose pid was taken over by another process leave that process alone', async () => {
    const directory = newRun();
    await up(directory, 'registry');
    const stranger = spawn('sleep', ['60']);
    owners.push(stranger);
    const pidFile = join(directory, 'pids/registry');
    const started = readFileSync(pidFile, 'utf8').split(' ')[1] ?? '';
    const registry = readFileSync(pidFile, 'utf8');
    writeFileSync(pidFile, `${stranger.pid} ${started}`);
    await script('down.sh', directory);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    writeFileSync(pidFile, registry);
  });

  it('end with the process that owns the run, however it ended', async () => {
    const directory = newRun();
    const owner = spawn('sleep', ['60']);
    owners.push(owner);
    await scriptWith({ OWNER_PID: String(owner.pid) }, 'up.sh', directory, 'registry');
    const { REGISTRY: registry } = parseAssignments(readFileSync(join(directory, 'env'), 'utf8'));
    owner.kill('SIGKILL');
    await expect.poll(() => existsSync(directory), { timeout: 20_000 }).toBe(false);
    expect(await answers(`http://${registry}/v2/`)).toBeUndefined();
  });

  it.each([
    ['relative', 'a relative path', 'must be an absolute path'],
    ['/tmp/a b', 'a name that needs quoting', 'must be an absolute path'],
    [`/tmp/${'x'.repeat(60)}`, 'a path too long for a socket', 'longer than 50'],
  ])('refuse %s as the run directory: %s', async (directory, _, message) => {
    expect(await script('up.sh', directory)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
  });
});

describe.runIf(isPrivate)('engines', () => {
  it('of two runs live side by side on bridges of their own, and one goes without the other', async () => {
    const [one, two] = [newRun(), newRun()];
    const [first, second] = await Promise.all([up(one, 'engine'), up(two, 'engine')]);
    const bridges = [one, two].map((directory) => readFileSync(join(directory, 'bridge'), 'utf8').trim());
    expect(new Set(bridges).size).toBe(2);
    const version = (values: Record<string, string>) => run(['docker', 'version'], { env: { ...values } });
    expect(await version(first)).toMatchObject({ status: 0 });
    const isEmulated = (): boolean => existsSync('/proc/sys/fs/binfmt_misc/build-once-aarch64'); // unless by somebody else
    const before = isEmulated();
    await script('down.sh', one, 'wipe');
    expect(isEmulated()).toBe(before);
    expect(existsSync(`/sys/class/net/${bridges[0]}`)).toBe(false);
    expect(existsSync(`/sys/class/net/${bridges[1]}`)).toBe(true);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(`${one}/`);
    expect(await version(second)).toMatchObject({ status: 0 });
  });

  it('that were killed leave neither containers nor mounts after down.sh', async () => {
    const directory = newRun();
    const seconds = String(randomInt(100_000, 1_000_000_000)); // tells this process from those of another run
    const values = await up(directory, 'engine', 'registry');
    expect(await script('seed.sh', directory)).toMatchObject({ status: 0 });
    const seed = parseAssignments(readFileSync(join(directory, 'seed'), 'utf8'));
    await mustRun(['docker', 'run', '--detach', seed['BASE_IMAGE'] ?? '', 'sleep', seconds], { env: values });
    expect(commandLines()).toContain(`sleep ${seconds}`);
    process.kill(Number(readFileSync(join(directory, 'pids/dockerd'), 'utf8').split(' ')[0]), 'SIGKILL');
    await script('down.sh', directory, 'wipe');
    expect(commandLines()).not.toContain(`sleep ${seconds}`);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(`${directory}/`);
    expect(existsSync(directory)).toBe(false);
  });
});
