import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { listen } from '../support/listen.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { type ActionRun, runAction } from '../support/runner.ts';
import { writeTree } from '../support/write-tree.ts';

const COMMIT = 'a'.repeat(40);
/** No docker on this PATH: whatever succeeds has not needed one. */
const NO_DOCKER = { PATH: NODE_DIRECTORY };
const NAMES = ['api', 'jobs', 'web'];

let registry: RunningRegistry;
let workspace: string;
let prefix: string;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-several-'));
  prefix = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  for (const name of NAMES) write(name, { Dockerfile: 'FROM scratch\nCOPY main /\n', main: name });
});
afterEach(() => rmSync(workspace, { recursive: true }));

const write = (name: string, files: Readonly<Record<string, string>>): void =>
  writeTree(join(workspace, 'services', name), files);
const step = (inputs: Readonly<Record<string, string>>, more: Partial<ActionRun> = {}) =>
  runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: { files: 'services/*/Dockerfile', images: `${prefix}/{{name}}`, platforms: 'linux/amd64', ...inputs },
    event: { sha: COMMIT, ref: 'refs/heads/main', ...more.event },
    env: { ...NO_DOCKER, ...more.env },
  });
const plan = (inputs: Readonly<Record<string, string>> = {}, more: Partial<ActionRun> = {}) =>
  step({ command: 'plan', ...inputs }, more);
const entriesOf = (outputs: Readonly<Record<string, string>>): readonly Readonly<Record<string, string>>[] =>
  JSON.parse(outputs['matrix'] ?? '');
const plant = async (entries: readonly Readonly<Record<string, string>>[], ...names: readonly string[]) => {
  for (const { name = '', hash = '' } of entries.filter((entry) => names.includes(entry['name'] ?? ''))) {
    const tags = [`hash-${hash.slice(0, 32)}`];
    await plantImage({ image: `${prefix}/${name}`, tags, annotations: { 'dev.build-once.inputs': hash } });
  }
};

describe('a plan', () => {
  it('has an entry for each image that is missing, with what the job that builds it needs', async () => {
    const { status, outputs, log } = await plan();
    expect(status, log).toBe('success');
    expect(outputs['any']).toBe('true');
    expect(entriesOf(outputs)).toEqual(
      NAMES.map((name) => ({
        name,
        files: 'services/*/Dockerfile',
        targets: name,
        images: `${prefix}/{{name}}`,
        platforms: 'linux/amd64',
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        reason: 'not-found',
      })),
    );
  });

  it('leaves out the images that are there, and says of each which it is and why', async () => {
    const entries = entriesOf((await plan()).outputs);
    await plant(entries, 'api', 'web');
    const { outputs, summary } = await plan();
    expect(entriesOf(outputs).map(({ name }) => name)).toEqual(['jobs']);
    expect(summary).toContain('1 of 3 images to build, 2 there already');
    expect(summary).toMatch(/<code>api<\/code> \| there \| hit: .* has this content/);
    expect(summary).toMatch(/<code>jobs<\/code> \| missing \| not-found: /);
  });

  it('says that nothing is missing, since a matrix without entries is an error', async () => {
    await plant(entriesOf((await plan()).outputs), ...NAMES);
    const { outputs } = await plan();
    expect(outputs).toMatchObject({ any: 'false', matrix: '[]', waves: '[]' });
  });

  it('finds exactly the image whose file was changed', async () => {
    await plant(entriesOf((await plan()).outputs), ...NAMES);
    write('web', { main: 'changed' });
    writeFileSync(join(workspace, 'services/api/README.md'), 'is not copied');
    expect(entriesOf((await plan()).outputs).map(({ name }) => name)).toEqual(['web']);
  });

  it('puts several images into one entry where there are more than jobs', async () => {
    const entries = entriesOf((await plan({ 'max-jobs': '2' })).outputs);
    expect(entries.map(({ targets }) => targets)).toEqual(['api', 'jobs\nweb']);
    expect(entries[1]?.['hash']?.split('\n')).toHaveLength(2);
  });

  it('is about the targets that are asked for', async () => {
    expect(entriesOf((await plan({ targets: 'web,api' })).outputs).map(({ name }) => name)).toEqual(['api', 'web']);
  });

  it('asks for no secret, sets no tag and pushes nothing', async () => {
    const { status, log } = await plan({ 'secret-envs': 'TOKEN=NOT_SET_HERE', tags: 'v1' });
    expect(status, log).toBe('success');
    expect((await fetch(`http://${prefix.replace('/', '/v2/')}/api/tags/list`)).status).toBe(404);
  });

  it('has nothing to say about a branch that was deleted', async () => {
    const { outputs, status } = await plan({}, { event: { name: 'push', payload: { deleted: true } } });
    expect({ status, any: outputs['any'], matrix: outputs['matrix'] }).toEqual({
      status: 'success',
      any: 'false',
      matrix: '[]',
    });
  });

  it('goes on with the others when one fails, and fails in the end with its name', async () => {
    write('jobs', { Dockerfile: 'FROM scratch\nCOPY missing /\n' });
    const { status, log, outputs, summary } = await plan();
    expect(status).toBe('failure');
    expect(log).toContain('1 of 3 images failed');
    expect(log).toMatch(/jobs: .*missing/);
    expect(entriesOf(outputs).map(({ name }) => name)).toEqual(['api', 'web']);
    expect(summary).toContain('<code>jobs</code> | failed');
  });
});

describe('bad input of a run about several images', () => {
  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'one name for all images',
      { images: 'ghcr.io/acme/app' },
      /images: "ghcr.io\/acme\/app" would be the name of all 3 images/,
    ],
    ['a name that is no repository, said once', { images: 'ghcr.io/Ä/{{name}}' }, /images: .*\n?/],
    ['a context of its own', { context: 'services' }, /context: "services" does not go with files/],
    ['a file that no pattern finds', { files: 'apps/*/Dockerfile' }, /files: .*apps\/\*\/Dockerfile/],
    ['a target that is not there, with the nearest one', { targets: 'wep' }, /targets: .*"wep".*web/],
    ['too many jobs', { 'max-jobs': '257' }, /max-jobs: "257" is not allowed: a whole number from 1 to 256 is/],
    ['images without a name', { images: '' }, /images: "api", "jobs", "web" have no tags that name a repository/],
    [
      'an entry that is none',
      { entry: '[]' },
      /entry: a list, perhaps the whole matrix: one entry of the output matrix is allowed/,
    ],
  ])('is told before anything is asked: %s', async (_, inputs, message) => {
    const { status, exitCode, log } = await plan(inputs);
    expect({ status, exitCode }).toEqual({ status: 'failure', exitCode: 2 });
    expect(log).toMatch(message);
  });

  it('is told all at once, for all images', async () => {
    const { log } = await plan({ platforms: 'linux/amd46x!', 'max-age': '3 days', file: 'Dockerfile' });
    expect(log).toContain('platforms:');
    expect(log).toContain('max-age:');
    expect(log.match(/platforms:/g)).toHaveLength(1);
  });

  it('is an input of several images in a command that knows one', async () => {
    const argv = [process.execPath, join(CHECKOUT, 'dist/cli.js'), 'hash', '--files', 'a', '--targets', 'b'] as const;
    const { status, stderr } = await run(argv, { cwd: join(workspace, 'services/api') });
    expect(status).toBe(2);
    expect(stderr).toContain('files: goes with plan and build\ntargets: goes with plan and build');
  });

  it('is a tag that two images would have', async () => {
    mkdirSync(join(workspace, 'bake'));
    const target = { context: 'services/api', tags: [`${prefix}/app:1`] };
    const definition = { target: { one: target, two: { ...target, context: 'services/web' } } };
    writeFileSync(join(workspace, 'bake/docker-bake.json'), JSON.stringify(definition));
    const { log, exitCode } = await plan({ files: 'bake/docker-bake.json', images: '' });
    expect(exitCode).toBe(2);
    expect(log).toContain(`tags: "one" and "two" would both be ${prefix}/app:1: give each a tag of its own`);
  });
});

describe('a build of several images that are all there', () => {
  it('sets their tags on a machine without docker, in one step with one summary', async () => {
    await plant(entriesOf((await plan()).outputs), ...NAMES);
    const { status, outputs, summary, log } = await step({ tags: 'latest' });
    expect(status, log).toBe('success');
    expect(outputs).toMatchObject({ built: 'false', pushed: 'true' });
    expect(outputs['tags']?.split('\n')).toEqual(
      NAMES.flatMap((name) => expect.stringContaining(`${prefix}/${name}:`)).flatMap((one) => [one, one]),
    );
    expect(Object.keys(JSON.parse(outputs['json'] ?? ''))).toEqual(NAMES);
    expect(summary).toContain('Built 0 of 3 images, reused 3');
  });

  it('asks GitHub for the head of the branch once for all of them, since its requests are counted', async () => {
    await plant(entriesOf((await plan()).outputs), ...NAMES);
    let asked = 0;
    const api = createServer((_, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: { sha: 'b'.repeat(40) } }));
    });
    const url = `http://${await listen(api)}`;
    const { outputs, log } = await step({}, { env: { GITHUB_API_URL: url } });
    await new Promise((resolve) => api.close(resolve));
    // Two, where the time of an answer ended in between.
    expect([1, 2], log).toContain(asked);
    expect(outputs['tags']).not.toContain(':main');
  });

  it('is, for one entry of a matrix, a build as of any other image', async () => {
    const entries = entriesOf((await plan()).outputs);
    await plant(entries, ...NAMES);
    const entry = JSON.stringify(entries[1]);
    const inputs = { files: '', images: '', platforms: '', entry };
    const { status, outputs, summary, log } = await step(inputs);
    expect(status, log).toBe('success');
    expect(outputs).toMatchObject({ built: 'false', hash: entries[1]?.['hash'], reason: 'hit' });
    expect(outputs['image']).toContain(`${prefix}/jobs@sha256:`);
    expect(summary).toContain('Reused: nothing that the build reads has changed');
    expect(log).not.toContain('the plan has seen other content');
  });

  it('says when the plan has seen other content', async () => {
    const entries = entriesOf((await plan()).outputs);
    write('jobs', { main: 'changed' });
    await plant(entriesOf((await plan()).outputs), 'jobs');
    const { log } = await step({ files: '', images: '', platforms: '', entry: JSON.stringify(entries[1]) });
    expect(log).toContain('jobs: the plan has seen other content');
  });

  it('refuses an entry that the step contradicts', async () => {
    const [entry] = entriesOf((await plan()).outputs);
    const { log, exitCode } = await step({ entry: JSON.stringify(entry), platforms: 'linux/arm64' });
    expect(exitCode).toBe(2);
    expect(log).toContain('platforms: "linux/arm64" is not what the entry says: leave it out');
  });
});

describe('the command line', () => {
  it('takes the files of a plan as words, and prints a line for each image', async () => {
    const argv = [
      process.execPath,
      join(CHECKOUT, 'dist/cli.js'),
      'plan',
      'services/api/Dockerfile',
      'services/web/Dockerfile',
      '--images',
      `${prefix}/{{name}}`,
    ] as const;
    const { status, stdout } = await run(argv, { cwd: workspace });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^2 of 2 images to build, 0 there already\n {2}api {2}missing not-found: .*\n {2}web/);
    write('api', { Dockerfile: 'FROM scratch\nCOPY missing /\n' });
    const failed = await run(argv, { cwd: workspace });
    expect(failed.status).toBe(2);
    expect(failed.stdout).toMatch(
      /^1 of 2 images to build, 0 there already, 1 failed\n {2}api {2}failed {2}BAD_INPUT: /,
    );
    expect(failed.stderr).toContain('error: IMAGES_FAILED: 1 of 2 images failed\napi: BAD_INPUT: ');
    expect(failed.stderr).toContain('the matrix has those of the others that are missing');
    write('api', { Dockerfile: 'FROM scratch\nCOPY main /\n' });
    const json = await run([...argv, '--json'], { cwd: workspace });
    expect(JSON.parse(json.stdout)).toMatchObject({
      status: 'planned',
      any: true,
      images: [{ name: 'api', outcome: 'missing' }, { name: 'web' }],
      matrix: [{ name: 'api' }, { name: 'web' }],
    });
    expect(readFileSync(join(CHECKOUT, 'README.md'), 'utf8')).toContain('max-jobs');
  });
});
