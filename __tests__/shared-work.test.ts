import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findChanges } from '../src/context-inputs.ts';
import type { Files } from '../src/host.ts';
import { createFiles } from '../src/hosts/files.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions, type RawOptions } from '../src/options.ts';
import { openRegistries } from '../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../src/registry/server.ts';
import { createSharedWork, type SharedWork } from '../src/shared-work.ts';
import { type Run, resultOf, runnable } from '../src/stage.ts';
import { type HashResult, hashStage } from '../src/stages/hash.ts';
import { countedFiles } from './support/counted-files.ts';
import { plantImage } from './support/planted-image.ts';
import { sampleRun } from './support/sample-run.ts';
import { writeTree } from './support/write-tree.ts';

let root: string;
let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-shared-'));
});
afterEach(() => {
  registry.repair();
  rmSync(root, { recursive: true });
});

const write = (tree: Readonly<Record<string, string>>): void => writeTree(root, tree);
const realFiles = (): Files => createFiles(root, () => {});

interface Setting {
  readonly files?: Files;
  readonly shared?: SharedWork | undefined;
  readonly parts?: Partial<Run>;
}

/** A run up to the hash of an image. */
async function hashed(raw: RawOptions, { files = realFiles(), shared, parts }: Setting = {}): Promise<Run> {
  const host = createTerminalHost({ env: { HOME: root }, cwd: root, write: () => {} });
  const registries = openRegistries({ env: { HOME: root }, signal: host.signal });
  try {
    const { options } = parseOptions({ images: 'ghcr.io/acme/app', ...raw });
    const run = sampleRun({ host: { ...host, files }, registries, options, ...(shared && { shared }), ...parts });
    return await runnable(hashStage)(run);
  } finally {
    registries.close();
  }
}

const hashOf = async (raw: RawOptions, setting?: Setting): Promise<HashResult> =>
  resultOf(await hashed(raw, setting), 'hash');

/** Hashes the images at the same time, with and without sharing; the results must be the same. */
async function together(images: readonly RawOptions[]) {
  const counted = countedFiles(realFiles());
  const shared = createSharedWork(counted.files);
  const found = await Promise.all(images.map((raw) => hashOf(raw, { files: counted.files, shared })));
  const alone = await Promise.all(images.map((raw) => hashOf(raw)));
  const facts = ({ hash, dependencyManifests, inputs, warnings, reading }: HashResult) => {
    const { paths, scoped, contexts } = reading;
    const seen = contexts.map(({ name, open, lines, empty }) => [name, [...open.read], [...lines], [...empty]]);
    return { hash, dependencyManifests, inputs, warnings, paths, scoped, seen, leaves: [...reading.leaves()] };
  };
  expect(found.map(facts)).toEqual(alone.map(facts));
  return { ...counted, hashes: found.map(({ hash }) => hash) };
}

const inRoot = (...names: readonly string[]): readonly string[] => names.map((name) => join(root, name));
const once = (names: readonly string[]): ReadonlyMap<string, number> => new Map(names.map((name) => [name, 1]));
const sorted = (counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> =>
  new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));

const SERVICES = ['a', 'b', 'c'];

function writeServices(): void {
  write({ '.dockerignore': 'node_modules\n', 'common/x': 'x', 'node_modules/m/index.js': '' });
  for (const name of SERVICES) {
    const dockerfile = `FROM scratch\nCOPY common /common\nCOPY services/${name} /app\n`;
    write({ [`services/${name}/Dockerfile`]: dockerfile, [`services/${name}/src/${name}`]: name });
  }
}

describe('images of one run', () => {
  it('over one context read each file once and list each directory once, and nothing that is ignored', async () => {
    writeServices();
    const { lists, reads, hashes } = await together(SERVICES.map((name) => ({ file: `services/${name}/Dockerfile` })));
    expect(new Set(hashes).size).toBe(3);
    const own = SERVICES.flatMap((name) => [`services/${name}/Dockerfile`, `services/${name}/src/${name}`]);
    expect(sorted(reads)).toEqual(sorted(once(inRoot('common/x', ...own))));
    const directories = SERVICES.flatMap((name) => [`services/${name}`, `services/${name}/src`]);
    expect(sorted(lists)).toEqual(sorted(once(inRoot('', 'common', 'services', ...directories))));
  });

  it('over one context share one walk', async () => {
    writeServices();
    const shared = createSharedWork(realFiles());
    const images = SERVICES.map((name) => ({ file: `services/${name}/Dockerfile` }));
    const found = await Promise.all(
      [...images, { ...images[0], 'hash-ignore': 'x' }].map((raw) => hashOf(raw, { shared })),
    );
    const walks = found.map(({ reading }) => reading.contexts[0]?.open.tree.below(''));
    expect(walks[1]).toBe(walks[0]);
    expect(walks[2]).toBe(walks[0]);
    expect(walks[3]).not.toBe(walks[0]);
  });

  it('read a file once whatever contexts they reach it through', async () => {
    writeServices();
    write({
      'services/a/Named': 'FROM scratch\nCOPY --from=one / /\nCOPY services /\n',
      All: 'FROM scratch\nCOPY . /\n',
    });
    const { lists, reads } = await together([
      { file: 'All' },
      { context: 'services', file: 'All' },
      { context: './services/a', file: 'All' },
      { context: join(root, 'services', 'b'), file: 'All' },
      { file: 'services/a/Named', 'build-contexts': 'one=services/c' },
      { file: 'All', 'hash-scope': 'manifests', 'hash-files': 'services/c' },
    ]);
    expect([...reads.values(), ...lists.values()]).toEqual(Array(reads.size + lists.size).fill(1));
    // All but the first Dockerfile, whose digest came with its text.
    expect(reads.size).toBe(9);
  });

  it('with ignore files of their own read only what is theirs', async () => {
    writeServices();
    for (const name of SERVICES) write({ [`${name}.Dockerfile`]: 'FROM scratch\nCOPY services /\n' });
    write({ 'a.Dockerfile.dockerignore': 'services/b\n', 'b.Dockerfile.dockerignore': '**\n!services/c/src\n' });
    const { lists, reads } = await together(SERVICES.map((name) => ({ file: `${name}.Dockerfile` })));
    expect([...reads.values(), ...lists.values()]).toEqual(Array(reads.size + lists.size).fill(1));
  });

  const LINKS = { 'package.json': '{}', 'lib/package.json': '{}', 'pyproject.toml': '', 'lib/a': '1' };
  it.each<[string, readonly RawOptions[]]>([
    ['hash-scope', [{}, { 'hash-scope': 'manifests' }, { 'hash-scope': 'manifests', 'hash-files': 'lib/a' }]],
    ['hash-ignore', [{}, { 'hash-ignore': 'lib/a' }, { 'hash-ignore': '**/package.json' }, { 'hash-ignore': '*' }]],
    ['platforms', [{}, { platforms: 'linux/arm64' }, { platforms: 'linux/amd64,linux/arm64' }]],
    ['a Dockerfile that is not understood', [{}, { file: 'Other' }, { file: 'Other', 'hash-ignore': 'lib' }]],
    ['contexts that hold nothing', [{}, { context: 'empty', file: 'Dockerfile' }]],
  ])('that differ in %s come to the same as each alone', async (_, images) => {
    const dockerfile = 'FROM scratch\nCOPY . /\n';
    write({
      ...LINKS,
      Dockerfile: dockerfile,
      Other: `# syntax=acme/other@sha256:${'0'.repeat(64)}\nx\n`,
      'empty/.dockerignore': '*',
    });
    await together([...images, ...images]);
  });

  it('get the same errors as each alone, and what could not be read is read again', async () => {
    writeServices();
    let isBroken = true;
    const files = realFiles();
    const broken: Files = {
      ...files,
      digest(path) {
        if (isBroken && path.endsWith('x')) throw Object.assign(new Error('no'), { code: 'EIO' });
        return files.digest(path);
      },
    };
    const shared = createSharedWork(broken);
    const failed = await Promise.allSettled(
      SERVICES.map((name) => hashOf({ file: `services/${name}/Dockerfile` }, { files: broken, shared })),
    );
    const message = '"common/x" counts towards the content and cannot be read: EIO';
    for (const one of failed) expect(one).toMatchObject({ reason: { code: 'UNREADABLE_FILE', message } });
    isBroken = false;
    await expect(hashOf({ file: 'services/a/Dockerfile' }, { files: broken, shared })).resolves.toBeDefined();
  });

  it('name their own ignore file where its rules are broken', async () => {
    write({ a: '', b: '', 'a.dockerignore': 'a[', 'b.dockerignore': 'a[' });
    write({ a: 'FROM scratch\nCOPY . /\n', b: 'FROM scratch\nCOPY . /\n' });
    const shared = createSharedWork(realFiles());
    for (const file of ['a', 'b']) {
      await expect(hashOf({ file }, { shared })).rejects.toThrow(`"${file}.dockerignore"`);
    }
  });
});

describe('what changed while images were built', () => {
  it('is seen although the hash was shared, and read once for all of them', async () => {
    writeServices();
    const first = createSharedWork(realFiles());
    const images = SERVICES.map((name) => ({ file: `services/${name}/Dockerfile` }));
    const runs = await Promise.all(images.map((raw) => hashed(raw, { shared: first })));
    const changesOf = (run: Run, again?: SharedWork) => {
      const { order, reading } = resultOf(run, 'hash');
      return findChanges(run, order, reading, again);
    };
    expect(runs.map((run) => changesOf(run))).toEqual([[], [], []]);
    write({ 'common/x': 'changed', 'services/b/src/new': '' });
    expect(runs.map((run) => changesOf(run))).toEqual([['common/x'], ['common/x', 'services/b/src/new'], ['common/x']]);
    const counted = countedFiles(realFiles());
    const again = createSharedWork(counted.files);
    expect(runs.map((run) => changesOf(run, again))).toEqual(runs.map((run) => changesOf(run)));
    expect([...counted.reads.values()]).toEqual(Array(counted.reads.size).fill(1));
    expect([...counted.lists.values()]).toEqual(Array(counted.lists.size).fill(1));
  });
});

describe('base images of one run', () => {
  const requests = (): readonly string[] => registry.requests.map(({ method, path }) => `${method} ${path}`);

  it('are asked for once, however many images name them and however they spell them', async () => {
    const image = `${registry.host}/base/shared`;
    await plantImage({ image, tags: ['latest'] });
    write({ a: `FROM ${image}\n`, b: `FROM ${image}:latest\nCOPY a /\n`, c: `FROM ${image}\nCOPY b /\n` });
    registry.forgetRequests();
    const shared = createSharedWork(realFiles());
    const found = await Promise.all(SERVICES.map((file) => hashOf({ file }, { shared })));
    expect(requests()).toEqual(['HEAD /v2/base/shared/manifests/latest']);
    const alone = await Promise.all(SERVICES.map((file) => hashOf({ file })));
    expect(found.map(({ hash, pins }) => [hash, pins])).toEqual(alone.map(({ hash, pins }) => [hash, pins]));
  });

  it('have their beginnings read once, on whatever platforms', async () => {
    const image = `${registry.host}/base/environment`;
    const platforms = ['linux/amd64', 'linux/arm64'];
    await plantImage({ image, tags: ['1'], platforms });
    // What the base image sets decides what is copied.
    for (const name of SERVICES)
      write({ [name]: `FROM ${image}:1\nCOPY src-$\{PATH:+x}${name === 'a' ? '' : '*'} /\n` });
    write({ 'src-x': '1' });
    registry.forgetRequests();
    const shared = createSharedWork(realFiles());
    const amd = { os: 'linux', architecture: 'amd64' };
    const arm = { os: 'linux', architecture: 'arm64' };
    const wanted = [[amd], [arm], [amd, arm]];
    await Promise.all(SERVICES.map((file, at) => hashOf({ file }, { shared, parts: { platforms: wanted[at] ?? [] } })));
    const asked = requests();
    expect(asked.length).toBeGreaterThan(3);
    expect(asked).toEqual([...new Set(asked)]);
  });

  it('that are missing are the error of each image, with its own place', async () => {
    const image = `${registry.host}/base/missing:1`;
    write({ a: `FROM ${image}\n`, b: `\nFROM ${image}\n`, c: `\n\nFROM ${image}\n` });
    registry.forgetRequests();
    const shared = createSharedWork(realFiles());
    const failed = await Promise.allSettled(SERVICES.map((file) => hashOf({ file }, { shared })));
    expect(failed.map((one) => (one.status === 'rejected' ? String(one.reason.message) : 'none'))).toEqual(
      ['a:1', 'b:2', 'c:3'].map((place) => `${place} names ${image}, and its registry has no such image`),
    );
    expect(requests()).toHaveLength(1);
  });

  it('that may not be read are refused with the place of each image', async () => {
    const image = `${registry.host}/base/secret:1`;
    write({ a: `FROM ${image}\n`, b: `\nFROM ${image}\n` });
    registry.fail({ path: /secret/, action: { kind: 'status', status: 403 } });
    const shared = createSharedWork(realFiles());
    const failed = await Promise.allSettled(['a', 'b'].map((file) => hashOf({ file }, { shared })));
    expect(failed).toMatchObject([
      { reason: { code: 'DENIED', message: expect.stringMatching(/^a:1 names /) } },
      { reason: { code: 'DENIED', message: expect.stringMatching(/^b:2 names /) } },
    ]);
  });
});
