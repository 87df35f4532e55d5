import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { InputManifest } from '../../src/core/input-manifest.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { plantBuild, readManifest } from '../support/planted-build.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, mustRun, NODE_DIRECTORY, run } from '../support/programs.ts';
import { readTags } from '../support/publication.ts';
import { type ActionRun, runAction } from '../support/runner.ts';

const COMMIT = 'a'.repeat(40);
const REVISION = 'org.opencontainers.image.revision';
const CLI = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js')] as const;
/** No docker on this PATH: whatever succeeds has not needed one. */
const ENV = { PATH: NODE_DIRECTORY, DOCKER_CONFIG: '/nonexistent' };
const FLAGS = ['--platforms=linux/amd64'];

let registry: RunningRegistry;
let workspace: string;
let image: string;
let base: string;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-explain-'));
  const name = Math.random().toString(36).slice(2);
  image = `${registry.host}/t/${name}`;
  base = `${registry.host}/base/${name}`;
  mkdirSync(join(workspace, 'src'));
  writeFileSync(join(workspace, 'Dockerfile'), `FROM ${base}:1\nCOPY src /app\n`);
  writeFileSync(join(workspace, 'src/a.ts'), 'a');
  await moveBase('first');
});
afterEach(() => rmSync(workspace, { recursive: true }));

const moveBase = (note: string): Promise<string> => plantImage({ image: base, tags: ['1'], annotations: { note } });
const cli = (...args: readonly string[]) => run([...CLI, ...args], { cwd: workspace, env: ENV });
const manifest = async (): Promise<InputManifest> =>
  readManifest(await mustRun([...CLI, 'hash', '--manifest', ...FLAGS], { cwd: workspace, env: ENV }));
const publish = async (tags: readonly string[], annotations = {}): Promise<string> =>
  plantBuild(await manifest(), { image, tags, annotations });

describe('hash --manifest', () => {
  it('prints, to the byte, what the content hash is the sha256 of', async () => {
    const { stdout, stderr, status } = await cli('hash', '--manifest', ...FLAGS);
    expect([status, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ scheme: 3, form: 'inputs' })]);
    expect(stderr).not.toContain('"scheme"');
    const { hash } = JSON.parse((await cli('hash', '--json', ...FLAGS)).stdout);
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(hash);
  });

  it('prints nothing when the run fails', async () => {
    writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY nothing /\n');
    const { stdout, status } = await cli('hash', '--manifest', ...FLAGS);
    expect([stdout, status]).toEqual(['', 2]);
  });
});

describe('explain', () => {
  it('ends with 0 whether or not something has changed', async () => {
    await publish(['latest']);
    const same = await cli('explain', `--images=${image}`, ...FLAGS);
    expect([same.status, same.stdout]).toEqual([0, expect.stringContaining('nothing has changed since')]);
    writeFileSync(join(workspace, 'src/a.ts'), 'A');
    const other = await cli('explain', `--images=${image}`, ...FLAGS);
    expect([other.status, other.stdout]).toEqual([0, expect.stringContaining('~ src/a.ts')]);
  });

  it('has everything as JSON on standard output, and messages on standard error', async () => {
    await publish(['1.0.0']);
    const before = await moveBase('second');
    const { stdout, stderr } = await cli('explain', '1.0.0', '--json', `--images=${image}`, ...FLAGS);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'explained',
      explanation: {
        reference: `${image}:1.0.0`,
        isSame: false,
        differences: [{ subject: 'image', kind: 'changed', name: `${base}:1`, after: before }],
      },
    });
    expect(stderr).toContain('1 image');
  });

  it('ends with 1 and a code where there is nothing to compare with, and with 2 for no name', async () => {
    const none = await cli('explain', '--json', `--images=${image}`, ...FLAGS);
    expect([none.status, JSON.parse(none.stdout).failure.code]).toEqual([1, 'NOTHING_TO_COMPARE']);
    const bad = await cli('explain', 'a b', ...FLAGS);
    expect([bad.status, bad.stderr]).toEqual([
      2,
      expect.stringMatching(/REF: [\s\S]*images: is required|images: is required[\s\S]*REF: /),
    ]);
  });

  it('needs no images where the reference is a full one', async () => {
    await publish(['x']);
    expect(await cli('explain', `${image}:x`, ...FLAGS)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('nothing has changed'),
    });
  });
});

describe('a version that is there already', () => {
  const step = (inputs: Readonly<Record<string, string>> = {}, more: Partial<ActionRun> = {}) =>
    runAction({
      action: CHECKOUT,
      workspace,
      with: { images: image, platforms: 'linux/amd64', ...inputs },
      event: { ref: 'refs/tags/v1.2.3', sha: COMMIT },
      env: ENV,
      ...more,
    });

  it('is taken when only base images have moved, with a notice that names them', async () => {
    const digest = await publish(['1.2.3']);
    const [before, after] = [(await manifest()).images[`${base}:1`], await moveBase('second')];
    registry.forgetRequests();
    const result = await step();
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', built: 'false', digest });
    const short = (text = ''): string => text.slice(0, 'sha256:'.length + 12);
    expect(result.annotations).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining(`(${base}:1: ${short(before)} → ${short(after)})`) }),
    );
    expect(result.summary).toContain('Reused: nothing has changed since this version but base images');
    // The hash tag stands for what this run has hashed, which that image is not.
    expect(Object.keys(await readTags(image)).sort()).toEqual([
      '1',
      '1.2',
      '1.2.3',
      'latest',
      ...fallbackTags(await readTags(image)),
    ]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a file', () => writeFileSync(join(workspace, 'src/a.ts'), 'A'), /1 file\b[\s\S]*~ src\/a\.ts/],
    [
      'an instruction',
      () => writeFileSync(join(workspace, 'Dockerfile'), `FROM ${base}:1\nCOPY src /srv\n`),
      /~ COPY src \/app → COPY src \/srv/,
    ],
    [
      'the name of a base',
      async () => {
        await plantImage({ image: base, tags: ['2'], annotations: { note: 'first' } });
        writeFileSync(join(workspace, 'Dockerfile'), `FROM ${base}:2\nCOPY src /app\n`);
      },
      /~ FROM/,
    ],
  ])('is refused when %s differs besides, and lists it', async (_, change, expected) => {
    await publish(['1.2.3']);
    await moveBase('second');
    await change();
    registry.forgetRequests();
    const result = await step();
    expect(result, result.log).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toMatch(expected);
    expect(result.log).toContain('IMMUTABLE_TAG_EXISTS');
    expect(registry.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });

  it('is refused when it has no manifest to compare with, and says so', async () => {
    await plantImage({
      image,
      tags: ['1.2.3'],
      annotations: { 'dev.build-once.inputs': 'e'.repeat(64), [REVISION]: 'b'.repeat(40) },
    });
    const result = await step();
    expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toContain('no input manifest is attached to it');
  });

  it('is refused when its manifest is forged', async () => {
    const annotations = { 'dev.build-once.inputs': 'e'.repeat(64) };
    await publish(['1.2.3'], annotations);
    await moveBase('second');
    expect(await step()).toMatchObject({ status: 'failure', exitCode: 3 });
  });

  it('is asked for its manifest only where it would be refused', async () => {
    await publish(['1.2.3'], { [REVISION]: COMMIT });
    registry.forgetRequests();
    await step();
    writeFileSync(join(workspace, 'src/a.ts'), 'A');
    expect((await step()).outputs).toMatchObject({ reason: 'hit' });
    expect(registry.requests.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
  });
});

/** Where the registry keeps referrers. */
function fallbackTags(tags: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(tags).filter((tag) => tag.startsWith('sha256-'));
}
