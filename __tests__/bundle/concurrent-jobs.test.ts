import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { type ActionResult, runAction } from '../support/runner.ts';
import { installStubDocker, type StubDocker } from '../tools/stub-docker.ts';

const NAMES = ['kim', 'lee'] as const;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A job of one of two users, with a workspace, a registry and a login of its own, on the machine of both. */
interface Job {
  readonly name: string;
  readonly password: string;
  readonly workspace: string;
  readonly registry: RunningRegistry;
  readonly image: string;
  readonly docker: string;
}

let machine: string;
let jobs: readonly Job[];
let stub: StubDocker | undefined;

beforeEach(async () => {
  machine = mkdtempSync(join(tmpdir(), 'concurrent-test-'));
  mkdirSync(join(machine, 'tmp'));
  jobs = await Promise.all(NAMES.map(makeJob));
});
afterEach(async () => {
  stub?.remove();
  stub = undefined;
  for (const { registry } of jobs) await registry.close();
  rmSync(machine, { recursive: true });
});

async function makeJob(name: string): Promise<Job> {
  const password = `s3cr3t-of-${name}-0123456789`;
  const workspace = join(machine, name, 'workspace');
  const docker = join(machine, name, 'docker');
  for (const at of [workspace, docker, join(machine, name, 'temp')]) mkdirSync(at, { recursive: true });
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  writeFileSync(join(workspace, 'name'), name);
  const registry = await startRegistry({
    auth: { kind: 'bearer', users: [{ name, password }], anonymous: { 'planted/*': ['pull', 'push'] } },
  });
  return { name, password, workspace, registry, image: `${registry.host}/planted/app`, docker };
}

/** Puts an image of the job's content there, which nobody needs a login for; its digest. */
async function plant({ workspace, image }: Job): Promise<string> {
  const node = join(NODE_DIRECTORY, 'node');
  const cli = join(CHECKOUT, 'dist/cli.js');
  const { stdout } = await run([node, cli, 'hash', '--json', '--platforms=linux/amd64'], { cwd: workspace });
  const { hash } = JSON.parse(stdout);
  return plantImage({
    image,
    tags: [`hash-${String(hash).slice(0, 32)}`],
    annotations: { 'dev.build-once.inputs': String(hash) },
  });
}

interface Login {
  readonly with?: Readonly<Record<string, string>>;
  readonly config?: boolean;
}

function start(job: Job, login: Login, path = NODE_DIRECTORY): Promise<ActionResult> {
  if (login.config === true) {
    const auth = base64(`${job.name}:${job.password}`);
    writeFileSync(join(job.docker, 'config.json'), JSON.stringify({ auths: { [job.registry.host]: { auth } } }));
  }
  return runAction({
    action: CHECKOUT,
    workspace: job.workspace,
    runnerTemp: join(machine, job.name, 'temp'),
    with: { images: job.image, platforms: 'linux/amd64', tags: 'edge', ...login.with },
    // TMPDIR is the machine's: both jobs have it.
    env: { PATH: path, DOCKER_CONFIG: job.docker, TMPDIR: join(machine, 'tmp') },
  });
}

describe('two jobs at once on one machine', () => {
  it.each<[string, (job: Job) => Login]>([
    ['as inputs', ({ name, password }) => ({ with: { username: name, password } })],
    ['in a DOCKER_CONFIG of their own', () => ({ config: true })],
  ])('reuse their image each, and see nothing of each other: logins %s', async (_, loginOf) => {
    const digests = await Promise.all(jobs.map(plant));
    for (const { registry } of jobs) registry.forgetRequests();
    const results = await Promise.all(jobs.map((job) => start(job, loginOf(job))));
    for (const [index, job] of jobs.entries()) {
      const result = results[index];
      const other = jobs[1 - index];
      expect(result?.outputs, result?.log).toMatchObject({ reason: 'hit', digest: digests[index] });
      expect(result?.log).not.toContain(other?.password);
      const users = new Set(job.registry.requests.flatMap(({ user }) => user ?? []));
      expect([...users].filter((user) => user !== job.name)).toEqual([]);
    }
    expect(readdirSync(join(machine, 'tmp'))).toEqual([]);
    for (const { name } of jobs) expect(readdirSync(join(machine, name, 'temp'))).toEqual([]);
  });

  it('give docker a configuration and a builder each, and take back only their own', async () => {
    // Each waits for the other inside of its build, so that they surely overlap; then it fails.
    stub = installStubDocker(`
      const me = fs.readFileSync(process.cwd() + '/name', 'utf8');
      const marker = (name) => ${JSON.stringify(machine)} + '/building-' + name;
      if (args[1] === 'inspect') {
        const driver = args.includes('--') ? 'docker-container' : 'docker';
        const can = driver !== 'docker';
        out('Name: ' + (args.at(-1).startsWith('build-once-') ? args.at(-1) : 'default') + '\\nDriver: ' + driver + '\\n\\nNodes:\\nName: x0\\nEndpoint: unix:///x\\nStatus: running\\nPlatforms: linux/amd64\\nFeatures:\\n OCI exporter: ' + can + '\\n Multi-platform build: ' + can + '\\n');
        return 0;
      }
      if (args[1] !== 'build') return 0;
      write(marker(me), '');
      const until = Date.now() + 30000;
      while (!['kim', 'lee'].every((name) => fs.existsSync(marker(name))) && Date.now() < until);
      const config = JSON.parse(fs.readFileSync(process.env.DOCKER_CONFIG + '/config.json', 'utf8'));
      write(marker(me) + '.json', JSON.stringify({ hosts: Object.keys(config.auths), leaked: Object.keys(process.env).filter((name) => name.startsWith('INPUT_')) }));
      err('ERROR: failed to solve: no');
      return 1;`);
    const path = `${stub.directory}:${NODE_DIRECTORY}`;
    const results = await Promise.all(
      jobs.map((job) => start(job, { with: { username: job.name, password: job.password } }, path)),
    );
    for (const { log } of results) expect(log).toContain('BUILD_FAILED');
    const calls = stub.calls();
    const directories = new Set(calls.flatMap(({ argv, env }) => (argv[1] === 'build' ? [env['DOCKER_CONFIG']] : [])));
    expect(directories.size).toBe(2);
    for (const at of directories) expect(existsSync(at ?? '')).toBe(false);
    const made = calls.flatMap(({ argv }) =>
      argv[1] === 'create' ? [argv.find((arg) => arg.startsWith('--name='))] : [],
    );
    const removed = calls.flatMap(({ argv }) => (argv[1] === 'rm' ? [`--name=${argv.at(-1)}`] : []));
    expect(new Set(made).size).toBe(2);
    expect(new Set(removed)).toEqual(new Set(made));
    for (const { name, registry } of jobs) {
      const { default: seen } = await import(join(machine, `building-${name}.json`), { with: { type: 'json' } });
      expect(seen).toEqual({ hosts: [registry.host], leaked: [] });
      expect(readdirSync(join(machine, name, 'temp'))).toEqual([]);
    }
  });
});
