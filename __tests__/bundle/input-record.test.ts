import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDigest } from '../../src/core/digest.ts';
import { sealInputs } from '../../src/core/input-manifest.ts';
import { INPUTS_MEDIA_TYPE, readBuildSeconds } from '../../src/input-record.ts';
import { readRecordedInputs } from '../../src/recorded-inputs.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { openRegistries } from '../../src/registry/open.ts';
import {
  type FaultAction,
  type RegistryOptions,
  type RunningRegistry,
  startRegistry,
} from '../../src/registry/server.ts';
import { pushImage, sampleImage } from '../registry/sample-image.ts';
import { hashOf } from '../support/content-hash.ts';
import { installLayoutBuilder, type LayoutBuilder } from '../support/layout-builder.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, mustRun, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';

const SECONDS = 'dev.build-once.build-seconds';

let registry: RunningRegistry;
let directory: string;
let workspace: string;
let image: string;
let builder: LayoutBuilder;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'build-once-record-'));
  workspace = join(directory, 'workspace');
  builder = installLayoutBuilder(directory);
  mkdirSync(workspace);
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY data /\n');
  writeFileSync(join(workspace, 'data'), 'data');
});
afterEach(async () => {
  await registry.close();
  rmSync(directory, { recursive: true });
});

async function open(options: RegistryOptions = {}): Promise<void> {
  registry = await startRegistry(options);
  image = `${registry.host}/acme/app`;
}

const step = (inputs: Readonly<Record<string, string>> = {}, more: Partial<ActionRun> = {}): Promise<ActionResult> =>
  runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: { images: image, platforms: 'linux/amd64', ...inputs },
    env: { PATH: builder.path, GITHUB_API_URL: '' },
  });

/** An image of the workspace's content behind its hash tag and the branch's. */
async function plant(buildSeconds?: number): Promise<string> {
  const hash = await hashOf(workspace);
  const tags = [`hash-${hash.slice(0, 32)}`, 'main'];
  const annotations = { 'dev.build-once.inputs': hash };
  return plantImage({ image, tags, annotations, ...(buildSeconds === undefined ? {} : { buildSeconds }) });
}

/** What is attached to the image of that digest, as another run would read it. */
async function recordOf(digest = '', path = 'acme/app') {
  const registries = openRegistries({ env: {} });
  try {
    const repository = registries.open({ registry: registry.host, path });
    const known = parseDigest(digest);
    const found = known === undefined ? undefined : await fetchImage(repository, { digest: known });
    if (found === undefined) throw new Error(`there is no ${digest}`);
    const manifest = await readRecordedInputs(repository, found);
    if (!manifest.ok) throw new Error(manifest.problem);
    return { manifest: manifest.value, buildSeconds: await readBuildSeconds(repository, found.descriptor) };
  } finally {
    registries.close();
  }
}

const lines = (): string[] => registry.requests.map(({ method, kind, path }) => `${method} ${kind} ${path}`);
const writes = (): string[] => lines().filter((line) => !/^(?:GET|HEAD) /.test(line));
const ofReferrers = () => registry.requests.filter(({ kind }) => kind === 'referrers');

describe.each([
  ['with the referrers API', {}, 3],
  ['without the referrers API', { referrers: false }, 4],
] as const)('a registry %s', (_, options, requestsOfHit) => {
  it('gets what the image was built from, and the next run tells what it saved', async () => {
    await open(options);
    const built = await step();
    expect(built.status, built.log).toBe('success');
    expect(built.outputs).toMatchObject({ built: 'true' });
    expect(built.outputs['seconds-saved'] ?? '').toBe('');
    expect(built.summary).not.toContain('Saved');
    const { manifest, buildSeconds } = await recordOf(built.outputs['digest']);
    expect(sealInputs(manifest).hash).toBe(built.outputs['hash']);
    expect(buildSeconds).toBeGreaterThan(0);
    expect(built.annotations.filter(({ level }) => level === 'warning')).toEqual([]);

    registry.forgetRequests();
    const hit = await step();
    expect(hit.outputs).toMatchObject({ reason: 'hit', 'seconds-saved': String(buildSeconds) });
    expect(hit.summary).toMatch(/\| Saved \| [\d.]+ (?:m?s) of building \|/);
    expect(registry.requests.filter(({ method }) => method === 'GET' || method === 'HEAD')).toHaveLength(requestsOfHit);
    expect(writes()).toEqual([]);
    expect(await registry.integrity()).toEqual([]);
  });

  it('has it before any tag', async () => {
    await open(options);
    const { outputs } = await step();
    const puts = writes().filter((line) => line.startsWith('PUT manifest'));
    const hashTag = puts.findIndex((line) => line.endsWith(`/hash-${outputs['hash']?.slice(0, 32)}`));
    const entered = puts.findLastIndex((line) => /\/sha256[:-][0-9a-f]{64}$/.test(line));
    expect(entered).toBe(hashTag - 1);
  });

  it('gets it with the image when that is copied from another repository', async () => {
    await open(options);
    const built = await step();
    const other = `${image}-other`;
    const hit = await step({ images: `${image}\n${other}` });
    expect(hit.outputs).toMatchObject({ built: 'false', digest: built.outputs['digest'] });
    const record = await recordOf(built.outputs['digest']);
    expect(await recordOf(built.outputs['digest'], 'acme/app-other')).toEqual(record);
  });
});

describe('a build', () => {
  it('for several repositories attaches it in each', async () => {
    await open();
    const { outputs } = await step({ images: `${image}\n${image}-other` });
    const record = await recordOf(outputs['digest']);
    expect(await recordOf(outputs['digest'], 'acme/app-other')).toEqual(record);
  });

  it('that pushes nothing attaches nothing', async () => {
    await open();
    expect((await step({ push: 'false' })).status).toBe('success');
    expect(writes()).toEqual([]);
  });

  it('is published also where the registry takes no artifacts, with a warning', async () => {
    await open();
    const hash = await hashOf(workspace);
    const action = { kind: 'status', status: 403 } as const;
    registry.fail({ method: ['POST', 'PUT', 'PATCH'], path: new RegExp(hash), action });
    const built = await step();
    expect(built.status, built.log).toBe('success');
    const warnings = built.annotations.filter(({ level }) => level === 'warning');
    expect(warnings).toEqual([
      expect.objectContaining({
        message: expect.stringContaining(`is not attached in ${image}, so later runs cannot`),
      }),
    ]);
    registry.repair();
    const hit = await step();
    expect(hit.outputs).toMatchObject({ reason: 'hit', digest: built.outputs['digest'] });
    expect(hit.outputs['seconds-saved'] ?? '').toBe('');
  });

  it('that is copied from where none is attached attaches its own', async () => {
    await open();
    const digest = await plant();
    await step({ images: `${image}\n${image}-other` });
    const { buildSeconds } = await recordOf(digest, 'acme/app-other');
    expect(buildSeconds).toBeUndefined();
  });
});

describe('a hit', () => {
  it('tells what it saved in its outputs, its summary and on the command line', async () => {
    await open();
    await plant(252);
    const result = await step();
    expect(result.outputs).toMatchObject({ reason: 'hit', 'seconds-saved': '252' });
    expect(result.summary).toContain('| Saved | 4 min 12 s of building |');
    const argv = [
      join(NODE_DIRECTORY, 'node'),
      join(CHECKOUT, 'dist/cli.js'),
      'build',
      '--scan=false',
      `--images=${image}`,
    ] as const;
    const flags = ['--platforms=linux/amd64', '--tags=main'];
    expect(await mustRun([...argv, ...flags], { cwd: workspace })).toMatch(/^ {2}saved {5}4 min 12 s of building$/m);
    const report = JSON.parse(await mustRun([...argv, ...flags, '--json'], { cwd: workspace }));
    expect(report).toMatchObject({ savedSeconds: 252, outputs: { 'seconds-saved': '252' } });
  });

  it.each<[string, FaultAction, number]>([
    ['is broken', { kind: 'status', status: 500 }, 1],
    ['is too busy', { kind: 'status', status: 429, headers: { 'Retry-After': '60' } }, 1],
    ['refuses', { kind: 'status', status: 403 }, 1],
    ['cuts the connection', { kind: 'drop' }, 1],
    ['never answers', { kind: 'stall' }, 1],
    ['never finishes its answer', { kind: 'stall', afterBytes: 10 }, 1],
    ['answers with a page for people', { kind: 'html' }, 1],
    ['answers half', { kind: 'truncate' }, 1],
  ])('is one, in silence, where the list of what is attached %s', async (_, action, asked) => {
    await open();
    const digest = await plant(252);
    registry.forgetRequests();
    registry.fail({ kind: 'referrers', action });
    const result = await step();
    expect(result.status, result.log).toBe('success');
    expect(result.outputs).toMatchObject({ reason: 'hit', digest });
    expect(result.outputs['seconds-saved'] ?? '').toBe('');
    expect(result.annotations).toEqual([]);
    expect(result.log).not.toContain('the next one is in');
    expect(ofReferrers()).toHaveLength(asked);
  });

  it('believes no figure that is none, and shows nothing of it', async () => {
    await open();
    const digest = parseDigest(await plant());
    if (digest === undefined) throw new Error('this is no digest');
    const registries = openRegistries({ env: {} });
    const repository = registries.open({ registry: registry.host, path: 'acme/app' });
    const subject = await repository.resolve({ digest });
    if (subject === undefined) throw new Error('there is no image');
    for (const text of ['\n::set-output name=x::y', '1e99', '-5', '9'.repeat(1_000_000)]) {
      const fields = { subject, artifactType: INPUTS_MEDIA_TYPE, annotations: { [SECONDS]: text } };
      await pushImage(repository, sampleImage([], fields));
    }
    registries.close();
    const result = await step();
    expect(result.outputs).toMatchObject({ reason: 'hit', digest });
    expect(result.outputs['seconds-saved'] ?? '').toBe('');
    expect(result.problems).toEqual([]);
  });
});
