import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { listen } from '../support/listen.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionRun, runAction } from '../support/runner.ts';

const COMMIT = 'a'.repeat(40);
/** No docker on this PATH: whatever succeeds has not needed one. */
const NO_DOCKER = { PATH: NODE_DIRECTORY };
const CREATED = 'org.opencontainers.image.created';
const REVISION = 'org.opencontainers.image.revision';

let registry: RunningRegistry;
let workspace: string;
let image: string;
let hash: string;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-reuse-'));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  hash = await hashOf(workspace);
});
afterEach(() => rmSync(workspace, { recursive: true }));

const step = (inputs: Readonly<Record<string, string>> = {}, more: Partial<ActionRun> = {}) =>
  runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: { images: image, platforms: 'linux/amd64', ...inputs },
    event: { sha: COMMIT, ...more.event },
    env: { ...NO_DOCKER, ...more.env },
  });
const hashTag = (): string => `hash-${hash.slice(0, 32)}`;
const plant = (annotations: Readonly<Record<string, string>> = {}, tags = [hashTag()]): Promise<string> =>
  plantImage({ image, tags, annotations: { 'dev.build-once.inputs': hash, ...annotations }, buildSeconds: 252 });

async function digestOf(tag: string, repository = image): Promise<string | null> {
  const [host, ...path] = repository.split('/');
  const accept = 'application/vnd.oci.image.index.v1+json';
  const response = await fetch(`http://${host}/v2/${path.join('/')}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept },
  });
  return response.headers.get('docker-content-digest');
}

describe('a run on a machine without docker', () => {
  it('skips the build when the hash tag exists, and sets the tags that are missing', async () => {
    const digest = await plant();
    registry.forgetRequests();
    const result = await step();
    expect(result.status, result.log).toBe('success');
    expect(result.outputs).toMatchObject({
      built: 'false',
      reason: 'hit',
      digest,
      hash,
      pushed: 'true',
      version: 'main',
    });
    expect(await digestOf('main')).toBe(digest);
    registry.forgetRequests();
    const again = await step();
    expect(again.outputs).toMatchObject({ digest, tags: `${image}:${hashTag()}\n${image}:main` });
    expect(registry.requests.map(({ method, status }) => `${method} ${status}`).sort()).toEqual([
      'GET 200',
      'GET 200',
      'HEAD 200',
    ]);
  });

  it('makes three requests when nothing is to do: the hash tag, what was saved, and the branch tag', async () => {
    await plant({}, [hashTag(), 'main']);
    registry.forgetRequests();
    expect((await step()).outputs['reason']).toBe('hit');
    const requests = registry.requests.map(({ method, kind, path }) => `${method} ${kind} ${path.split('/').at(-1)}`);
    expect(requests.sort()).toEqual([
      `GET manifest ${hashTag()}`,
      expect.stringMatching(/^GET referrers sha256:/),
      'HEAD manifest main',
    ]);
  });

  it.each([
    ['not-found', {}, async () => {}],
    ['forced', { force: 'true' }, () => plant()],
    ['mismatch', {}, () => plant({ 'dev.build-once.inputs': 'f'.repeat(64) })],
    ['mismatch', {}, () => plantImage({ image, tags: [hashTag()] })],
    ['expired', { 'max-age': '30d' }, () => plant({ [CREATED]: '2020-01-01T00:00:00Z' })],
    ['expired', { 'max-age': '30d' }, () => plant()],
  ] as const)('misses with the reason %s, given %o', async (reason, inputs, prepare) => {
    await prepare();
    const result = await step(inputs);
    expect(result.outputs).toMatchObject({ reason, built: 'false' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('DOCKER_MISSING');
  });

  it('misses an image that lacks a wanted platform', async () => {
    hash = await hashOf(workspace, ['--platforms=linux/amd64,linux/arm64']);
    await plant();
    const result = await step({ platforms: 'linux/amd64,linux/arm64' });
    expect(result.outputs['reason']).toBe('incomplete');
    expect(result.log).toContain('it lacks linux/arm64');
  });

  it('takes BUTLER_FORCE_REBUILD for force, and says so', async () => {
    await plant();
    const result = await step({}, { env: { ...NO_DOCKER, BUTLER_FORCE_REBUILD: 'true' } });
    expect(result.outputs['reason']).toBe('forced');
    expect(result.log).toContain('from BUTLER_FORCE_REBUILD');
  });

  it('copies the image to the repository that lacks it, and builds nothing', async () => {
    const digest = await plant();
    const other = `${image}-other`;
    const result = await step({ images: `${other}\n${image}` });
    expect(result.outputs).toMatchObject({ built: 'false', digest });
    expect(await Promise.all([digestOf('main'), digestOf('main', other), digestOf(hashTag(), other)])).toEqual(
      Array(3).fill(digest),
    );
  });

  it('pushes nothing for code of a fork, and says why', async () => {
    const digest = await plant();
    const head = { repo: { full_name: 'mallory/app' } };
    const result = await step(
      { username: 'bot', password: '', secrets: 'token=' },
      { event: { name: 'pull_request', ref: 'refs/pull/7/merge', payload: { pull_request: { number: 7, head } } } },
    );
    expect(result.outputs).toMatchObject({ reason: 'hit', digest, pushed: 'false' });
    expect(result.log).toContain('mallory/app, a fork');
    expect(result.log).toContain('left out: the login, token');
    expect(await digestOf('pr-7')).toBeNull();
  });
});

describe('a release', () => {
  const release = { event: { ref: 'refs/tags/v1.2.3', sha: COMMIT } };

  it('stands when the version tag holds this content already, and regains its hash tag', async () => {
    const digest = await plant({}, ['1.2.3']);
    const result = await step({}, release);
    expect(result.outputs).toMatchObject({ reason: 'hit', digest });
    expect(await Promise.all([hashTag(), '1.2', '1', 'latest'].map((tag) => digestOf(tag)))).toEqual(
      Array(4).fill(digest),
    );
  });

  it('stands when the version tag is from this commit, although its content differs by now', async () => {
    const digest = await plant({ 'dev.build-once.inputs': 'e'.repeat(64), [REVISION]: COMMIT }, ['1.2.3']);
    expect((await step({}, release)).outputs).toMatchObject({ reason: 'hit', digest });
  });

  it('is refused when the version tag holds another image; nothing is written', async () => {
    const digest = await plant({ 'dev.build-once.inputs': 'e'.repeat(64), [REVISION]: 'b'.repeat(40) }, ['1.2.3']);
    registry.forgetRequests();
    const result = await step({}, release);
    expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toContain(digest);
    expect(result.log).toContain(hash);
    expect(registry.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });
});

describe('a branch tag', () => {
  let api: Server;
  let url: string;
  let head: string;
  beforeAll(async () => {
    api = createServer((request, response) => {
      expect(request.url).toBe('/repos/acme/app/git/ref/heads%2Fmain');
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: { sha: head } }));
    });
    url = `http://${await listen(api)}`;
  });
  afterAll(() => new Promise((resolve) => api.close(resolve)));

  it("moves when this run's commit is the head of the branch", async () => {
    head = COMMIT;
    const digest = await plant();
    await step({}, { env: { GITHUB_API_URL: url } });
    expect(await digestOf('main')).toBe(digest);
  });

  it('stays when the branch has moved on', async () => {
    head = 'c'.repeat(40);
    await plant();
    const result = await step({}, { env: { GITHUB_API_URL: url } });
    expect(result).toMatchObject({ status: 'success', outputs: { 'tag-names': hashTag() } });
    expect(result.summary).toContain('the branch has moved on');
    expect(await digestOf('main')).toBeNull();
  });

  it('moves when nobody can be asked, and says so', async () => {
    const digest = await plant();
    const result = await step();
    expect(result.log).toContain('still the head of main is not known');
    expect(await digestOf('main')).toBe(digest);
  });
});

describe('hostile text', () => {
  const EVIL = 'x\n::set-output name=built::evil\n%0A`<script>`|]]>\u001b[31m##[error]';

  it('in a branch name makes a legal tag and nothing else', async () => {
    await plant();
    const result = await step({}, { event: { ref: `refs/heads/${EVIL}` } });
    expect(result.status, result.log).toBe('success');
    expect(result.outputs['version']).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/);
    expect(result.outputs['built']).toBe('false');
    expect(result.problems).toEqual([]);
  });

  it('in an annotation of the registry shows, and is obeyed by nobody', async () => {
    await plant({ 'dev.build-once.inputs': EVIL });
    const result = await step();
    expect(result.outputs).toMatchObject({ reason: 'mismatch' });
    expect(result.stdout).not.toMatch(/^\s*::set-output/m);
    expect(result.stdout).not.toContain('\u001b');
    expect(result.stdout).not.toMatch(/(?<!::)##\[error\]/);
    expect(result.summary).not.toContain('<script>');
  });

  it('of a megabyte in a label is cut where it is shown', async () => {
    await plant({ 'org.opencontainers.image.description': 'long '.repeat(200_000) });
    const result = await step();
    expect(result.status, result.log.slice(0, 2000)).toBe('success');
    expect(result.problems).toEqual([]);
  });
});

describe('two runs of one version with different content', () => {
  const release = { ref: 'refs/tags/v2.4.0' };
  const other = 'e'.repeat(64);

  it('leaves every line with the run that has the version', async () => {
    const winner = await plant({ 'dev.build-once.inputs': other, [REVISION]: COMMIT }, ['2.4.0', '2.4', '2', 'latest']);
    const result = await step({}, { event: { ...release, sha: COMMIT } });
    expect(result.outputs).toMatchObject({ digest: winner, reason: 'hit' });
    expect(result.annotations).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('with other content than now') }),
    );
    expect(result.summary).toContain('this commit has released this version already');
    // The hash tag stands for this run's content, which that image is not.
    expect(await digestOf(hashTag())).toBeNull();
    expect(result.outputs['tag-names']?.split('\n')).toEqual(['2.4.0', '2.4', '2', 'latest']);
  });

  it('sets the moving tags also where another repository has the version on another digest', async () => {
    const here = await plant({}, [hashTag(), '2.4.0']);
    const image2 = `${image}-mirror`;
    const annotations = { 'dev.build-once.inputs': hash, made: 'elsewhere' };
    const there = await plantImage({ image: image2, tags: ['2.4.0'], annotations });
    const result = await step({ images: `${image}\n${image2}` }, { event: release });
    expect(result.status, result.log).toBe('success');
    expect(await Promise.all(['2.4', 'latest'].map((tag) => digestOf(tag)))).toEqual([here, here]);
    expect(await digestOf('2.4', image2)).toBe(here);
    expect(await digestOf('2.4.0', image2)).toBe(there);
  });

  it('moves nothing for a branch that is named like a release', async () => {
    const released = await plant({ 'dev.build-once.inputs': other }, ['1.2.5', '1.2', 'latest']);
    for (const branch of ['1.2.5', '1.2', 'latest']) {
      await plant();
      const result = await step({}, { event: { ref: `refs/heads/${branch}` } });
      expect(result.status, result.log).toBe('success');
      expect(result.log).toContain('is a name for releases');
    }
    expect(await Promise.all(['1.2.5', '1.2', 'latest'].map((tag) => digestOf(tag)))).toEqual(Array(3).fill(released));
  });
});
