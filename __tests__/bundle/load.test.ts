import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionResult, runAction } from '../support/runner.ts';
import { installStubDocker, type StubDocker } from '../tools/stub-docker.ts';

/** What an engine answers that has no image. */
const EMPTY = `
  if (args[0] === 'version') { out('{"Os":"linux","Arch":"amd64"}'); return 0; }
  if (args[1] === 'inspect') return 1;`;

let registry: RunningRegistry;
let workspace: string;
let image: string;
let hash: string;
let stub: StubDocker | undefined;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-load-'));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  hash = await hashOf(workspace);
});
afterEach(() => {
  stub?.remove();
  stub = undefined;
  rmSync(workspace, { recursive: true });
});

const tag = (): string => `hash-${hash.slice(0, 32)}`;
const plant = (): Promise<string> =>
  plantImage({ image, tags: [tag()], annotations: { 'dev.build-once.inputs': hash } });
function step(answers: string | undefined, inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> {
  stub = answers === undefined ? undefined : installStubDocker(answers);
  const PATH = [...(stub === undefined ? [] : [stub.directory]), NODE_DIRECTORY, '/usr/bin:/bin'].join(':');
  const given = { images: image, platforms: 'linux/amd64', load: 'true', ...inputs };
  return runAction({
    action: CHECKOUT,
    workspace,
    with: given,
    env: { PATH: answers === undefined ? NODE_DIRECTORY : PATH },
  });
}
const called = (): string[] => (stub?.calls() ?? []).map(({ argv }) => argv.slice(0, 2).join(' '));

describe('load without an engine fails before anything is asked or built', () => {
  it.each([
    ['no docker', undefined, 'DOCKER_MISSING: there is no docker program here'],
    ['no answer', `err('Cannot connect to the Docker daemon'); return 1`, 'DOCKER_MISSING: no Docker engine answers'],
    ['Windows', `out('{"Os":"windows","Arch":"amd64"}')`, 'ENGINE_UNSUPPORTED: the Docker engine runs windows'],
  ])('%s', async (_, answers, message) => {
    await plant();
    registry.forgetRequests();
    const result = await step(answers);
    expect(result.log).toContain(message);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(registry.requests).toEqual([]);
  });
});

describe('an engine that', () => {
  it('cannot pull gets an archive of the one platform, by its index', async () => {
    const digest = await plant();
    const kept = join(workspace, '../', `${tag()}.tar`);
    const answers = `${EMPTY}
      const file = args.find((arg) => arg.startsWith('--input='))?.slice(8);
      if (file !== undefined) { fs.copyFileSync(file, ${JSON.stringify(kept)}); return 0; }
      if (args[1] === 'pull') { err('x509: certificate signed by unknown authority'); return 1; }`;
    try {
      const { log } = await step(answers);
      expect(log).toContain('could not pull');
      expect(log).toContain('x509: certificate signed by unknown authority');
      const names = execFileSync('tar', ['-tf', kept], { encoding: 'utf8' }).trim().split('\n');
      expect(names).toEqual(expect.arrayContaining(['oci-layout', 'index.json', 'manifest.json']));
      expect(names).toContain(`blobs/${digest.replace(':', '/')}`);
      expect(execFileSync('tar', ['-xOf', kept, 'index.json'], { encoding: 'utf8' })).toContain(digest);
    } finally {
      rmSync(kept, { force: true });
    }
  });

  it.each([
    [
      'takes no image',
      `if (args[1] === 'pull') return 1; if (args[1] === 'load') { err('no space left on device'); return 1; }`,
      /LOAD_FAILED: the engine did not take the image: no space left on device/,
    ],
    ['loses the image', '', /LOAD_FAILED: the local engine has lost/],
  ])('%s fails the step, whose tags are set', async (_, answers, message) => {
    const digest = await plant();
    const result = await step(`${EMPTY}${answers}`);
    expect(result.log).toMatch(message);
    expect(result).toMatchObject({ exitCode: 1, outputs: { digest, pushed: 'true', 'tag-names': `${tag()}\nmain` } });
  });

  it('has another image under the hash tag is no hit', async () => {
    const inspected = {
      Id: `sha256:${'a'.repeat(64)}`,
      Os: 'linux',
      Architecture: 'amd64',
      RepoTags: [`${image}:${tag()}`],
    };
    const labels = { 'dev.build-once.inputs': `${'f'.repeat(64)}\n::error::x` };
    const answers = `${EMPTY.replace('return 1;', `{ out(${JSON.stringify(JSON.stringify({ ...inspected, Config: { Labels: labels } }))}); return 0; }`)} return 1;`;
    const digest = await plant();
    const result = await step(answers, { push: 'false' });
    expect(result.outputs).toMatchObject({ reason: 'hit', digest, built: 'false' });
    expect(result.annotations.filter(({ message }) => message === 'x')).toEqual([]);
  });
});

describe('with push: false', () => {
  const held = (architecture: string): string => {
    const inspected = {
      Id: `sha256:${'a'.repeat(64)}`,
      Os: 'linux',
      Architecture: architecture,
      RepoTags: [`${image}:${tag()}`, `${image}:main`],
      Config: { Labels: { 'dev.build-once.inputs': hash } },
    };
    return EMPTY.replace('return 1;', `{ out(${JSON.stringify(JSON.stringify(inspected))}); return 0; }`);
  };

  it('asks the engine and nobody else when it has the content', async () => {
    const result = await step(held('amd64'), { push: 'false' });
    expect(result.outputs).toMatchObject({
      reason: 'hit',
      built: 'false',
      image: `${image}:${tag()}`,
      pushed: 'false',
    });
    expect(called()).toEqual(['version --format={{json .Server}}', 'image inspect', 'image inspect']);
    expect(registry.requests.filter(({ path }) => path.includes(image.split('/').slice(1).join('/')))).toEqual([]);
  });

  it('fails when the engine loses the image before it is named, and asks no registry for it', async () => {
    const once = held('amd64').replace(
      "args[1] === 'inspect'",
      "args[1] === 'inspect' && !args.some((arg) => arg.endsWith(':main'))",
    );
    const result = await step(`${once} return 1;`, { push: 'false' });
    expect(result.log).toContain('LOAD_FAILED: the local engine has lost sha256:aaaa');
    expect(called()).not.toContain('image pull');
  });

  it.each([
    ['another platform', 'arm64', {}, 'incomplete'],
    ['an image without a date', 'amd64', { 'max-age': '30d' }, 'expired'],
  ])('builds a local name when the engine has %s', async (_, architecture, inputs, reason) => {
    image = 'docker.io/library/myapp';
    const result = await step(`${held(architecture)} return 1;`, { images: 'myapp', push: 'false', ...inputs });
    expect(result.outputs['reason'], result.log).toBe(reason);
    expect(called()).toContain('buildx inspect');
  });

  it('asks the engine for nothing when a build is forced', async () => {
    const result = await step(`${held('amd64')} return 1;`, { push: 'false', force: 'true' });
    expect(result.outputs['reason']).toBe('forced');
    expect(called()).not.toContain('image inspect');
  });
});

it('without load no docker is started on a hit', async () => {
  await plant();
  expect((await step('return 1;', { load: 'false' })).outputs['reason']).toBe('hit');
  expect(called()).toEqual([]);
});
