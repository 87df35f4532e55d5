import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { parsePairs } from '../support/file-commands.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, findProgram, NODE_DIRECTORY, type ProgramResult, run } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';
import { runnerEnvironment } from '../support/runner-environment.ts';
import { installStubDocker } from '../tools/stub-docker.ts';

const NODE = join(NODE_DIRECTORY, 'node');
const CLI = join(CHECKOUT, 'dist/cli.js');
/** Node of the system, as a laptop has it. */
const OTHER_NODE = findProgram('node', '/usr/local/bin:/usr/bin:/bin');
const SETPRIV = findProgram('setpriv', '/usr/local/bin:/usr/bin:/bin');
const NOBODY = 65_534;
/** A user whom the system does not know, as containers are started with. */
const STRANGER = 54_321;
const canChangeUser = process.getuid?.() === 0 && SETPRIV !== undefined;

let registry: RunningRegistry;
let directory: string;
let workspace: string;
let image: string;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'self-hosted-test-'));
  chmodSync(directory, 0o755);
  workspace = makeWorkspace('workspace');
  image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
});
afterEach(() => rmSync(directory, { recursive: true }));

function makeWorkspace(name: string): string {
  const at = join(directory, name);
  mkdirSync(join(at, 'src'), { recursive: true });
  writeFileSync(join(at, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  writeFileSync(join(at, 'src/run'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(at, 'src/main.js'), '1\n');
  return at;
}

interface Way {
  readonly node?: string;
  readonly user?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The CLI with nothing in its environment but what is given: no PATH, no HOME. */
function cli(
  args: readonly string[],
  { node = NODE, user, env = {}, cwd = workspace }: Way = {},
): Promise<ProgramResult> {
  return run([...asUser(user), node, CLI, ...args, '--platforms=linux/amd64'], { cwd, env });
}

function asUser(user: number | undefined): [string, ...string[]] | [] {
  return user === undefined ? [] : [SETPRIV ?? '', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
}

async function hashOf(way: Way = {}): Promise<string> {
  const { status, stdout, stderr } = await cli(['hash'], way);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

/** Puts an image of the workspace's content into the registry; its digest. */
async function plant(): Promise<string> {
  const { stdout } = await cli(['hash', '--json']);
  const { hash } = JSON.parse(stdout);
  const annotations = { 'dev.build-once.inputs': String(hash) };
  return plantImage({ image, tags: [`hash-${String(hash).slice(0, 32)}`], annotations });
}

async function expectHit(way: Way, digest: string): Promise<void> {
  const { status, stdout, stderr } = await cli(
    ['build', '--scan=false', `--images=${image}`, '--tags=edge', '--json'],
    way,
  );
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout).outputs).toMatchObject({ reason: 'hit', digest, built: 'false' });
}

describe('without a PATH, a HOME and programs of any kind', () => {
  it('the CLI hashes and reuses', async () => {
    await expectHit({}, await plant());
  });

  it.skipIf(OTHER_NODE === undefined)('so it does on the Node of the system', async () => {
    const digest = await plant();
    const own = { node: OTHER_NODE ?? '' };
    expect(await hashOf(own)).toBe(await hashOf());
    await expectHit(own, digest);
  });

  it('so does the action, started in another directory than the workspace', async () => {
    const digest = await plant();
    const result = await actionAs({ cwd: '/' });
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', digest });
  });
});

/** The action's process alone, as a runner of that user starts it. */
async function actionAs(
  way: Way & { temp?: string },
): Promise<{ outputs: Record<string, string>; log: string; status: number | undefined }> {
  const step = mkdtempSync(join(directory, 'step-'));
  const temp = way.temp ?? join(step, 'temp');
  mkdirSync(temp, { recursive: true });
  const { EMULATED_GITHUB_TOKEN: _, ...base } = runnerEnvironment({
    directory: step,
    temp,
    workspace,
    action: CHECKOUT,
  });
  const files = Object.fromEntries(
    ['OUTPUT', 'STATE', 'STEP_SUMMARY'].map((name) => [`GITHUB_${name}`, join(step, name)]),
  );
  for (const file of Object.values(files)) writeFileSync(file, '');
  if (way.user !== undefined) for (const at of [step, temp, ...Object.values(files)]) chownSync(at, way.user, way.user);
  const inputs = { INPUT_IMAGES: image, INPUT_PLATFORMS: 'linux/amd64', INPUT_TAGS: 'edge' };
  const argv = [...asUser(way.user), NODE, join(CHECKOUT, 'dist/index.js')] as [string, ...string[]];
  const { status, stdout, stderr } = await run(argv, {
    cwd: way.cwd ?? workspace,
    env: { ...base, ...files, ...inputs, ...way.env },
  });
  const outputs = parsePairs(readFileSync(join(step, 'OUTPUT'), 'utf8'));
  return { outputs, log: stdout + stderr, status };
}

describe.skipIf(!canChangeUser)('as a user without rights', () => {
  it.each<[string, Way]>([
    ['nobody', { user: NOBODY }],
    ['whom the system does not know', { user: STRANGER }],
    ['with a home that is not theirs', { user: NOBODY, env: { HOME: '/root' } }],
    ['with a home that is not there', { user: NOBODY, env: { HOME: '/nonexistent' } }],
  ])('%s the CLI hashes as root does', async (_, way) => {
    expect(await hashOf(way)).toBe(await hashOf());
  });

  it.each([NOBODY, STRANGER])('(%i) the CLI and the action reuse', async (user) => {
    const digest = await plant();
    await expectHit({ user }, digest);
    const { outputs, log } = await actionAs({ user });
    expect(outputs, log).toMatchObject({ reason: 'hit', digest });
  });

  it('a home that may not be read is said so as soon as credentials are looked for there', async () => {
    const asking = await startRegistry({ auth: { kind: 'basic', users: [{ name: 'kim', password: 'x' }] } });
    image = `${asking.host}/t/app`;
    const home = join(directory, 'home');
    mkdirSync(join(home, '.docker'), { recursive: true, mode: 0o700 });
    const { status, stderr } = await cli(['build', '--scan=false', `--images=${image}`], {
      user: NOBODY,
      env: { HOME: home },
    });
    await asking.close();
    expect(status).toBe(2);
    expect(stderr).toContain(`DOCKER_CONFIG_INVALID: Docker's configuration "${home}/.docker/config.json"`);
  });

  it('files of an earlier run as root that cannot be read are an error that names them, unless they are ignored', async () => {
    mkdirSync(join(workspace, 'left'), { mode: 0o700 });
    writeFileSync(join(workspace, 'left/over'), '');
    const { status, stderr } = await cli(['hash'], { user: NOBODY });
    expect(status).toBe(1);
    expect(stderr).toContain('UNREADABLE_FILE: "left" counts towards the content and cannot be read: EACCES');
    writeFileSync(join(workspace, '.dockerignore'), 'left\n');
    expect(await hashOf({ user: NOBODY })).toMatch(/^hash-/);
  });

  it('a RUNNER_TEMP that may not be written is said so', async () => {
    const stub = installStubDocker('return 1');
    chmodSync(stub.directory, 0o755);
    const temp = join(directory, 'theirs');
    mkdirSync(temp);
    chmodSync(temp, 0o555);
    const env = { PATH: stub.directory, RUNNER_TEMP: temp, INPUT_USERNAME: 'kim', INPUT_PASSWORD: 'hunter2' };
    const { status, log } = await actionAs({ user: NOBODY, env });
    stub.remove();
    expect(status).toBe(1);
    expect(log).toContain(`UNWRITABLE_FILE: "${temp}" cannot be written: EACCES`);
    expect(log).not.toContain('UNEXPECTED');
  });
});

describe('the hash is the same', () => {
  it.each(['0077', '0000'])('with the umask %s', async (umask) => {
    const plain = await hashOf();
    const script = `umask ${umask}; cp -R "$1" "$2"; cd "$2"; exec "$3" "$4" hash --platforms=linux/amd64`;
    const argv = ['/bin/sh', '-c', script, 'sh', workspace, join(directory, 'copy'), NODE, CLI] as const;
    const { stdout, stderr } = await run([...argv], { env: { PATH: '/usr/bin:/bin' } });
    expect(stdout.trim(), stderr).toBe(plain);
  });

  it.each(['with blanks and ünï 😀', 'quote\'s "and" $(more)', '-dash', '%41'])('in the workspace %s', async (name) => {
    expect(await hashOf({ cwd: makeWorkspace(name) })).toBe(await hashOf());
  });
});

describe('a run', () => {
  it('leaves nothing in RUNNER_TEMP, in the temporary folder and in the workspace', async () => {
    await plant();
    const before = readdirSync(workspace);
    const [runnerTemp, temp] = ['runner-temp', 'tmp'].map((name) => join(directory, name));
    for (const at of [runnerTemp, temp]) mkdirSync(at ?? '');
    const result = await runAction({
      action: CHECKOUT,
      workspace,
      runnerTemp: runnerTemp ?? '',
      with: { images: image, platforms: 'linux/amd64', tags: 'edge' },
      env: { PATH: NODE_DIRECTORY, TMPDIR: temp ?? '' },
    });
    expect(result.status, result.log).toBe('success');
    expect([runnerTemp, temp].flatMap((at) => readdirSync(at ?? ''))).toEqual([]);
    expect(readdirSync(workspace)).toEqual(before);
  });
});
