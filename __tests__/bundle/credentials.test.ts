import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import * as given from '../support/event-payloads.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import { installStubDocker, type StubDocker } from '../tools/stub-docker.ts';

const PASSWORD = `s3cr3t-${randomUUID()}`;
const TOKEN = `ghs_${randomUUID()}`;
const OWN = `own-${randomUUID()}`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** Every form in which a secret of this run may stand somewhere. */
const FORMS = [PASSWORD, TOKEN, OWN, base64(`kim:${PASSWORD}`), base64(`octocat:${TOKEN}`), base64(`own:${OWN}`)];

/** A builder, and a build that notes where its configuration is and shows what it should not. */
const DOCKER = (ending: string): string => `
  const directory = process.env.DOCKER_CONFIG;
  if (args[1] === 'inspect') {
    out('Name: mine\\nDriver: remote\\n\\nNodes:\\nName: mine0\\nEndpoint: tcp://x\\nStatus: running\\nPlatforms: linux/amd64\\nFeatures:\\n OCI exporter: true\\n Multi-platform build: true\\n');
    return 0;
  }
  const file = directory + '/config.json';
  const mode = (path) => (fs.statSync(path).mode & 0o777).toString(8);
  write(process.env.TMPDIR + '/seen.json', JSON.stringify({ directory, modes: [mode(directory), mode(file)], config: JSON.parse(fs.readFileSync(file, 'utf8')) }));
  err('#1 authorization: Basic ${base64(`kim:${PASSWORD}`)} and ${PASSWORD}');
  ${ending}`;
const FAILS = `err('ERROR: failed to solve: no'); return 1;`;
const HANGS = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;

let registry: RunningRegistry;
let directory: string;
let stub: StubDocker | undefined;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'credentials-test-'));
  for (const name of ['workspace', 'tmp', '.docker/buildx']) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'workspace/Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const auths = { 'quay.io': { auth: base64(`own:${OWN}`) } };
  writeFileSync(join(directory, '.docker/config.json'), JSON.stringify({ auths, proxies: { default: {} } }));
});
afterEach(() => {
  stub?.remove();
  rmSync(directory, { recursive: true });
});

function step(ending: string, more: Partial<ActionRun> = {}): Promise<ActionResult> {
  stub = installStubDocker(DOCKER(ending));
  return runAction({
    action: CHECKOUT,
    workspace: join(directory, 'workspace'),
    ...more,
    with: {
      images: `${registry.host}/t/${randomUUID()}`,
      platforms: 'linux/amd64',
      username: 'kim',
      password: PASSWORD,
      'cache-from': 'type=registry,ref=ghcr.io/acme/app:cache',
      ...more.with,
    },
    event: { token: TOKEN, ...more.event },
    env: {
      PATH: `${stub.directory}:${NODE_DIRECTORY}`,
      DOCKER_CONFIG: join(directory, '.docker'),
      TMPDIR: join(directory, 'tmp'),
    },
  });
}

interface SeenByDocker {
  readonly directory: string;
  readonly modes: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

function seenByDocker(): SeenByDocker {
  return JSON.parse(readFileSync(join(directory, 'tmp/seen.json'), 'utf8'));
}

const startedBuilding = (): boolean => existsSync(join(directory, 'tmp/seen.json'));

/** Nothing of the run is left among the temporary files but the note of the stub. */
function expectNothingLeft(): void {
  expect(existsSync(seenByDocker().directory)).toBe(false);
  expect(readdirSync(join(directory, 'tmp'))).toEqual(['seen.json']);
}

it("gives buildx this run's credentials beside the user's own, in a folder for this user only", async () => {
  await step(FAILS);
  const { modes, config } = seenByDocker();
  expect(modes).toEqual(['700', '600']);
  expect(config).toMatchObject({
    auths: {
      [registry.host]: { auth: base64(`kim:${PASSWORD}`) },
      'ghcr.io': { auth: base64(`octocat:${TOKEN}`) },
      'quay.io': { auth: base64(`own:${OWN}`) },
    },
    proxies: { default: {} },
  });
  const build = stub?.calls().find(({ argv }) => argv[1] === 'build');
  expect(build?.env['BUILDX_CONFIG']).toBe(join(directory, '.docker/buildx'));
});

it('lets code of a fork write no cache that others read, though the token may', async () => {
  const payload = given.pullRequest(given.fork('mallory/app'));
  const event = { name: 'pull_request_target', ref: 'refs/heads/main', baseRef: 'main', headRef: 'topic', payload };
  const caches = 'type=registry,ref=ghcr.io/acme/app:cache,mode=max\ntype=gha\ntype=local,dest=here';
  const result = await step(FAILS, { event, with: { 'cache-to': caches } });
  const build = stub?.calls().find(({ argv }) => argv[1] === 'build');
  expect(build?.argv.filter((word) => word.startsWith('--cache-to='))).toEqual(['--cache-to=type=local,dest=here']);
  expect(result.log).toContain('no cache is written beyond this machine: the code comes from mallory/app, a fork');
});

describe('the private configuration is gone', () => {
  it('after a failure', async () => {
    const result = await step(FAILS);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1, post: { status: 'success' } });
    expect(JSON.parse(result.state['undo'] ?? '')).toEqual([]);
    expectNothingLeft();
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('after a cancel by %s', async (signal, exitCode) => {
    const result = await step(HANGS, { interrupt: { signal, when: startedBuilding } });
    expect(result).toMatchObject({ status: 'failure', exitCode, post: { status: 'success' } });
    expect(result.log).toContain('INTERRUPTED');
    expect(JSON.parse(result.state['undo'] ?? '')).toEqual([]);
    expectNothingLeft();
  });

  it('after the post step of a run that was killed', async () => {
    const result = await step(HANGS, { interrupt: { signal: 'SIGKILL', when: startedBuilding } });
    expect(result).toMatchObject({ signal: 'SIGKILL', post: { status: 'success', exitCode: 0 } });
    expect(JSON.parse(result.state['undo'] ?? '')).toContainEqual({ kind: 'remove', path: seenByDocker().directory });
    expectNothingLeft();
  });
});

it.each([
  ['a failure', FAILS, undefined],
  ['a kill', HANGS, 'SIGKILL'],
] as const)(
  'no form of a secret is in arguments, log, summary, outputs or state after %s',
  async (_, ending, signal) => {
    const when = (log: string): boolean => log.includes('#1 authorization');
    const interrupt = signal === undefined ? {} : { interrupt: { signal, when } };
    const result = await step(ending, interrupt);
    const { post } = result;
    const shown = {
      argv: stub?.calls().map(({ argv }) => argv),
      // The runner hides these lines, and learns from them what else to hide.
      streams: [result, post].map((one) => `${one?.stdout}${one?.stderr}`.replace(/^::add-mask::.*$/gm, '')),
      rest: [result, post].map((one) => [one?.log, one?.summary, one?.outputs, one?.state, one?.annotations, one?.env]),
    };
    expect(shown.argv?.length).toBeGreaterThan(1);
    const text = JSON.stringify(shown);
    expect(text).toContain('authorization: Basic ***');
    for (const form of FORMS) expect(text).not.toContain(form);
  },
);
