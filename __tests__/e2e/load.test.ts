import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { valueAt } from '../../src/core/json.ts';
import { type Job, openJob, spyOnDocker } from '../support/job.ts';
import { parseAssignments } from '../support/layers.ts';
import { CHECKOUT, findProgram, mustRun, NODE_DIRECTORY, run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';
import { type RegistryProxy, startRegistryProxy } from '../support/registry-proxy.ts';

const toolchain = inject('toolchain');
const REAL_DOCKER = findProgram('docker', toolchain.env['PATH'] ?? '') ?? '';
const BOTH = 'linux/amd64,linux/arm64';
const FORK = {
  name: 'pull_request',
  ref: 'refs/pull/7/merge',
  payload: { pull_request: { number: 7, head: { repo: { full_name: 'mallory/app' } } } },
};

let job: Job;
let proxy: RegistryProxy;
let image: string;
let inputs: Record<string, string>;

beforeAll(async () => {
  if (toolchain.layers.docker) proxy = await startRegistryProxy(toolchain.registry);
});
afterAll(() => proxy?.close());
beforeEach(() => {
  if (!toolchain.layers.docker) return;
  job = openJob(toolchain);
  image = `${proxy.host}/t/${randomUUID()}`;
  inputs = { images: image, load: 'true', platforms: 'linux/amd64', 'build-args': `BASE=${toolchain.baseImage}` };
});
afterEach(async () => {
  if (!toolchain.layers.docker) return;
  await forget(...(inputs['images'] ?? '').split('\n'));
  job.remove();
});

/** Never a pull: what runs is what the engine has. */
const dockerRun = (name: string, ...flags: string[]): Promise<string> =>
  job.run('docker', 'run', '--rm', '--pull=never', ...flags, name);
const idOf = async (name: string): Promise<string> =>
  job.run('docker', 'image', 'inspect', '--format={{.Id}}', '--', name);
/** All names of these repositories, with what they lead to. */
async function forget(...repositories: string[]): Promise<void> {
  for (const repository of repositories) {
    const listed = await job.run('docker', 'image', 'ls', '--all', '--format={{.ID}}', '--no-trunc', repository);
    for (const id of new Set(listed.split('\n').filter((line) => line !== '')))
      await job.run('docker', 'image', 'rm', '--force', id);
  }
}
/** Runs docker through a script that fails for `docker image pull`. */
function withoutPulls(): string {
  const directory = join(job.directory, 'no-pull');
  mkdirSync(directory, { recursive: true });
  const script = `#!/bin/sh\n[ "$1 $2" = "image pull" ] && { echo 'no route to that registry' >&2; exit 1; }\nexec '${REAL_DOCKER}' "$@"\n`;
  writeFileSync(join(directory, 'docker'), script, { mode: 0o755 });
  return `${directory}:${toolchain.env['PATH'] ?? ''}`;
}

describe.skipIf(!toolchain.layers.docker)('a step with load', () => {
  it('gives the next step its image after a build', async () => {
    const { outputs, log, status, summary } = await job.step(inputs);
    expect(status, log).toBe('success');
    expect(outputs).toMatchObject({ built: 'true', pushed: 'true', image: `${image}@${outputs['digest']}` });
    for (const name of [outputs['image'] ?? '', ...(outputs['tags'] ?? '').split('\n')])
      expect(await dockerRun(name)).toBe('x86_64');
    expect(outputs['imageid']).toBe(await idOf(`${image}:main`));
    expect(log).toContain(`loaded into the local engine: ${image}:main`);
    expect(log).toContain(`docker run ${image}:main`);
    expect(summary).toContain('Loaded into the local engine');
  });

  it('gives it on a hit by a pull, under the tags of this run', async () => {
    const { digest } = (await job.step(inputs)).outputs;
    await forget(image);
    const spy = spyOnDocker(job, REAL_DOCKER);
    const { outputs } = await job.step({ ...inputs, tags: 'one\ntwo' }, { env: { PATH: spy.path } });
    expect(outputs).toMatchObject({ built: 'false', reason: 'hit', digest, pushed: 'true' });
    expect(await Promise.all(['one', 'two'].map((tag) => dockerRun(`${image}:${tag}`)))).toEqual(['x86_64', 'x86_64']);
    expect(spy.calls().filter((call) => call.startsWith('image pull'))).toEqual([
      `image pull --quiet --platform=linux/amd64 -- ${image}@${digest}`,
    ]);
  });

  it('pulls nothing that the engine has already', async () => {
    await job.step(inputs);
    const spy = spyOnDocker(job, REAL_DOCKER);
    expect((await job.step({ ...inputs, tags: 'one' }, { env: { PATH: spy.path } })).outputs['reason']).toBe('hit');
    expect(spy.calls().filter((call) => /pull|load|buildx/.test(call))).toEqual([]);
    expect(await dockerRun(`${image}:one`)).toBe('x86_64');
  });

  it('fetches the image itself where the engine cannot', async () => {
    const { digest, imageid } = (await job.step({ ...inputs, platforms: BOTH })).outputs;
    await forget(image);
    const result = await job.step({ ...inputs, platforms: BOTH }, { env: { PATH: withoutPulls() } });
    expect(result.log).toContain('could not pull');
    expect(result.log).toContain('no route to that registry');
    expect(result).toMatchObject({ status: 'success', outputs: { reason: 'hit', digest, imageid } });
    expect(await dockerRun(`${image}@${digest}`)).toBe('x86_64');
  });

  it('loads one of several platforms, and says which', async () => {
    const result = await job.step({ ...inputs, platforms: BOTH });
    expect(result.log).toContain('the local engine takes one platform: it gets linux/amd64, not linux/arm64');
    expect(Object.keys(JSON.parse(result.outputs['platforms-digests'] ?? ''))).toEqual(BOTH.split(','));
    expect(await dockerRun(`${image}:main`)).toBe('x86_64');
    await expect(dockerRun(`${image}:main`, '--platform=linux/arm64')).rejects.toThrow('linux/arm64');
  });

  it('loads a foreign platform when it is the only one, and says what that takes', async () => {
    const { log } = await job.step({ ...inputs, platforms: 'linux/arm64' });
    expect(log).toContain('needs emulation, and --platform');
    expect(log).toContain(`docker run --platform=linux/arm64 ${image}:main`);
    expect(await dockerRun(`${image}:main`, '--platform=linux/arm64')).toBe('aarch64');
  });

  it('names the image in every repository', async () => {
    const second = `${toolchain.registry}/t/${randomUUID()}`;
    await job.step({ ...inputs, images: `${image}\n${second}` });
    expect(await idOf(`${second}:main`)).toBe(await idOf(`${image}:main`));
    await forget(image, second);
    await job.step({ ...inputs, images: `${image}\n${second}` });
    expect(await idOf(`${second}:main`)).toBe(await idOf(`${image}:main`));
  });

  it('takes a registry login along for the pull', async () => {
    const { host, username, password } = toolchain.authRegistry;
    const locked = { ...inputs, images: `${host}/t/${randomUUID()}`, username, password };
    await job.step(locked);
    await forget(locked.images);
    const { log, outputs } = await job.step(locked);
    expect(outputs['reason']).toBe('hit');
    expect(log).not.toContain('could not pull');
    expect(await dockerRun(`${locked.images}:main`)).toBe('x86_64');
  });

  it.skipIf(!toolchain.layers.buildkit)('pulls what a docker-container builder has pushed', async () => {
    const builder = `bo-${randomUUID()}`;
    const options = ['--driver=docker-container', '--driver-opt=network=host'];
    await job.run('docker', 'buildx', 'create', `--name=${builder}`, ...options);
    try {
      const spy = spyOnDocker(job, REAL_DOCKER);
      const { outputs } = await job.step({ ...inputs, builder }, { env: { PATH: spy.path } });
      expect(outputs['built']).toBe('true');
      expect(spy.calls().some((call) => call.startsWith('image pull'))).toBe(true);
      expect(await dockerRun(`${image}:main`)).toBe('x86_64');
    } finally {
      await job.run('docker', 'buildx', 'rm', '--force', builder);
    }
  });
});

describe.skipIf(!toolchain.layers.docker)('with push: false, a step with load', () => {
  it('builds once; then the engine has it, and the registry is not asked', async () => {
    const local = { ...inputs, push: 'false' };
    const first = await job.step(local);
    const { hash = '' } = first.outputs;
    const name = `${image}:hash-${hash.slice(0, 32)}`;
    expect(first.outputs).toMatchObject({
      built: 'true',
      pushed: 'false',
      image: name,
      tags: `${image}:main\n${name}`,
    });
    const spy = spyOnDocker(job, REAL_DOCKER);
    proxy.forget();
    const second = await job.step(local, { env: { PATH: spy.path } });
    const { digest, imageid, tags } = first.outputs;
    expect(second.outputs).toMatchObject({ built: 'false', reason: 'hit', pushed: 'false', image: name, tags });
    expect(second.outputs).toMatchObject({ hash, digest, imageid, 'platforms-digests': '{}' });
    expect(second.outputs['labels']?.split('\n').sort()).toEqual(first.outputs['labels']?.split('\n').sort());
    expect(proxy.requests).toEqual([]);
    expect(spy.calls().filter((call) => /pull|load|buildx|tag/.test(call))).toEqual([]);
    expect(await dockerRun(first.outputs['image'] ?? '')).toBe('x86_64');
  });

  it('takes the image from the registry when the engine lacks it', async () => {
    await job.step(inputs);
    await forget(image);
    const { outputs } = await job.step({ ...inputs, push: 'false' });
    expect(outputs).toMatchObject({ built: 'false', pushed: 'false', image: `${image}@${outputs['digest']}` });
    expect(await dockerRun(`${image}:main`)).toBe('x86_64');
  });

  it('builds again when it is forced to, or when the image is too old', async () => {
    const local = { ...inputs, push: 'false' };
    await job.step({ ...local, labels: 'org.opencontainers.image.created=2020-01-01T00:00:00Z' });
    expect((await job.step({ ...local, 'max-age': '30d' })).outputs).toMatchObject({ built: 'true' });
    expect((await job.step({ ...local, 'max-age': '30d' })).outputs).toMatchObject({ built: 'false', reason: 'hit' });
    expect((await job.step({ ...local, force: 'true' })).outputs).toMatchObject({ built: 'true', reason: 'forced' });
  });

  it('gives a fork its image, built or pulled, and pushes nothing', async () => {
    const built = await job.step(inputs, { event: FORK });
    expect(built.outputs).toMatchObject({ built: 'true', pushed: 'false' });
    expect(await dockerRun(`${image}:pr-7`)).toBe('x86_64');
    expect(proxy.requests.filter(({ path, method }) => path.includes(image.slice(-36)) && method !== 'GET')).toEqual(
      [],
    );
    await forget(image);
    await job.step(inputs);
    await forget(image);
    const reused = await job.step(inputs, { event: FORK });
    expect(reused.outputs).toMatchObject({ built: 'false', pushed: 'false' });
    expect(await dockerRun(`${image}:pr-7`)).toBe('x86_64');
  });
});

describe.skipIf(!toolchain.layers.docker)('a name without a registry', () => {
  let name: string;
  beforeEach(() => {
    name = `t-${randomUUID()}`;
    inputs = { ...inputs, images: name, push: 'false', load: 'false' };
  });

  it('means the local engine: built, run, reused, and moved when the content changes', async () => {
    const first = await job.step(inputs);
    expect(first.log).toContain('no registry is named, so the image goes into the local engine');
    expect(await dockerRun(`${name}:main`)).toBe('x86_64');
    expect((await job.step(inputs)).outputs).toMatchObject({ built: 'false', reason: 'hit' });
    const before = await idOf(`${name}:main`);
    job.write({ 'src/main.js': 'console.log(2)\n' });
    const { outputs, summary } = await job.step(inputs);
    expect(outputs).toMatchObject({ built: 'true', reason: 'not-found' });
    expect(summary).toContain('moved');
    expect(await idOf(`${name}:main`)).not.toBe(before);
    expect(await idOf(first.outputs['image'] ?? '')).toBe(before);
  });

  it('does so for the CLI, which has no event: the hash tag is its one name', async () => {
    const node = join(NODE_DIRECTORY, 'node');
    const env = { ...process.env, ...job.env };
    const argv = [
      node,
      join(CHECKOUT, 'dist/cli.js'),
      'build',
      '--scan=false',
      '--images',
      name,
      '--push=false',
      '--load',
    ] as const;
    const build = ['--platforms=linux/amd64', '--build-args', `BASE=${toolchain.baseImage}`, '--json'] as const;
    const first: unknown = JSON.parse(await mustRun([...argv, ...build], { cwd: job.workspace, env }));
    expect(await dockerRun(String(valueAt(first, 'image')))).toBe('x86_64');
    const second: unknown = JSON.parse(await mustRun([...argv, ...build], { cwd: job.workspace, env }));
    expect(second).toMatchObject({ status: 'reused', tags: [{ outcome: 'unchanged' }] });
  });
});

/** Docker's store before containerd's: an engine of its own, beside the one of all tests. */
const isPrivate = toolchain.buildxPlugin.endsWith('/usr/libexec/docker/cli-plugins/docker-buildx');
describe.skipIf(!toolchain.layers.docker || !isPrivate)('an engine without the containerd image store', () => {
  let directory: string;
  let DOCKER_HOST: string;
  const script = (file: string, ...args: string[]): Promise<unknown> =>
    mustRun(['bash', join(TOOLCHAIN_SCRIPTS, file), directory, ...args], {
      env: { ...process.env, CONTAINERD_STORE: 'false', OWNER_PID: String(process.pid) },
    });
  beforeAll(async () => {
    directory = mkdtempSync(join(process.env['TOOLCHAIN_RUNS'] ?? tmpdir(), 'bo-classic-'));
    await script('up.sh', 'engine');
    ({ DOCKER_HOST = '' } = parseAssignments(readFileSync(join(directory, 'env'), 'utf8')));
  }, 60_000);
  afterAll(async () => {
    await script('down.sh', 'wipe');
    rmSync(directory, { recursive: true, force: true });
  });
  const onClassic = async (name: string): Promise<string> => {
    const argv = ['docker', 'run', '--rm', '--pull=never', name] as const;
    const { stdout, stderr } = await run(argv, { env: { ...process.env, ...job.env, DOCKER_HOST } });
    return stdout.trim() || stderr;
  };

  it.each([
    ['pulls', () => toolchain.env['PATH'] ?? ''],
    ['takes a copy', withoutPulls],
  ])('%s on a hit; the id is the config then', async (_, path) => {
    const { digest } = (await job.step({ ...inputs, platforms: BOTH, load: 'false' })).outputs;
    const env = { DOCKER_HOST, PATH: path() };
    const { outputs, log } = await job.step({ ...inputs, platforms: BOTH }, { env });
    expect(outputs['reason'], log).toBe('hit');
    expect(outputs['digest']).toBe(digest);
    expect(outputs['imageid']).not.toBe(digest);
    expect(await onClassic(`${image}:main`)).toBe('x86_64');
    expect(await onClassic(outputs['imageid'] ?? '')).toBe('x86_64');
  });

  it('has with push: false what was loaded into it, and says so by its own id', async () => {
    await job.step({ ...inputs, load: 'false' });
    const env = { DOCKER_HOST, PATH: withoutPulls() };
    const local = { ...inputs, push: 'false' };
    const { outputs: first } = await job.step(local, { env });
    proxy.forget();
    const { outputs: second } = await job.step(local, { env });
    expect(proxy.requests).toEqual([]);
    expect(second).toMatchObject({ built: 'false', reason: 'hit', digest: first['imageid'], tags: first['tags'] });
    expect(await onClassic(second['image'] ?? '')).toBe('x86_64');
  });
});
