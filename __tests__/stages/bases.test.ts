import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hashTag } from '../../src/core/input-manifest.ts';
import { INPUTS_ANNOTATION } from '../../src/core/labels.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type CommandName, runCommand } from '../../src/pipeline.ts';
import { type FaultRule, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { type PlantedImage, plantImage } from '../support/planted-image.ts';
import { writeTree } from '../support/write-tree.ts';

type Flags = Readonly<Record<string, string>>;

let registry: RunningRegistry;
let root: string;
let base: string;
let log: string[];

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-bases-'));
  base = `${registry.host}/base/${Math.random().toString(36).slice(2)}`;
  log = [];
  write({ 'docker/config.json': '{}', 'context/a': '1', 'context/b': '2', 'context/README.md': '3' });
});
afterEach(() => {
  registry.repair();
  rmSync(root, { recursive: true });
});

function write(files: Flags): void {
  writeTree(root, files);
}

const dockerfile = (text: string) => write({ 'context/Dockerfile': text });
const edit = (name: string) => write({ [`context/${name}`]: 'edited' });

let made = 0;
/** A new image behind the tag 1. */
function plant(more: Partial<PlantedImage> = {}): Promise<string> {
  made += 1;
  return plantImage({ image: base, tags: ['1'], annotations: { made: `${made}` }, ...more });
}

async function run(command: CommandName, flags: Flags = {}) {
  registry.forgetRequests();
  log = [];
  const env = { PATH: '/nonexistent', DOCKER_CONFIG: join(root, 'docker') };
  const host = createTerminalHost({ cwd: join(root, 'context'), env, write: (line) => log.push(line) });
  const { report, error } = await runCommand(command, { platforms: 'linux/amd64', ...flags }, host);
  await host.finish();
  const requests = registry.requests.map(({ method, path }) => `${method} ${path.replace('/v2/', '')}`);
  return { report, hash: report.hash ?? '', error, requests, said: log.join('\n') };
}

/** The hash alone, which must be one. */
async function hashOf(flags: Flags = {}): Promise<string> {
  const { hash, error } = await run('hash', flags);
  expect(error).toBeUndefined();
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  return hash;
}

/** Runs until docker is needed, which is not there: a miss. */
async function build(flags: Flags = {}) {
  const images = `${registry.host}/t/${base.split('/').at(-1)}`;
  const ended = await run('build', { images, scan: 'false', ...flags });
  return { ...ended, isHit: ended.error === undefined, images };
}

/** As if that build had succeeded. */
async function publish({ images, hash }: Awaited<ReturnType<typeof build>>, more: Partial<PlantedImage> = {}) {
  await plantImage({ image: images, tags: [hashTag(hash)], annotations: { [INPUTS_ANNOTATION]: hash }, ...more });
}

/** Builds twice, the first time with success. */
async function buildTwice(flags: Flags = {}, between: () => unknown = () => {}) {
  const first = await build(flags);
  expect(first.error).toMatchObject({ code: 'DOCKER_MISSING' });
  await publish(first);
  await between();
  return [first, await build(flags)] as const;
}

const name = (): string => base.replace(/^[^/]*\//, '');
/** What is asked of the base image. */
/** Less those for what a build has taken, which the lookup asks for meanwhile. */
const gets = (requests: readonly string[]) =>
  requests.filter((one) => one.startsWith('GET') && !/\/referrers\/|\/manifests\/sha256-/.test(one));
const asked = (requests: readonly string[]) => requests.filter((one) => one.includes(name()));

describe('with a registry', () => {
  it.each([
    ['60 the base', (ref: string) => `FROM ${ref}\nCOPY a /\n`],
    ['62 the frontend', (ref: string) => `# syntax=${ref}\nFROM scratch\nCOPY a /\n`],
    ['64 the image of COPY --from', (ref: string) => `FROM scratch\nCOPY a /\nCOPY --from=${ref} /x /x\n`],
    ['64 the image of a mount', (ref: string) => `FROM scratch\nCOPY a /\nRUN --mount=from=${ref},target=/x true\n`],
  ])('%s moves: another hash, but not with base: tag, which asks nobody', async (_, text) => {
    await plant();
    dockerfile(text(`${base}:1`));
    const digest = await run('hash');
    expect(digest.requests).toEqual([`HEAD ${name()}/manifests/1`]);
    const tag = await run('hash', { base: 'tag' });
    expect(tag.requests).toEqual([]);
    await plant();
    expect(await hashOf()).not.toBe(digest.hash);
    expect(await hashOf({ base: 'tag' })).toBe(tag.hash);
    expect(tag.hash).not.toBe(digest.hash);
  });

  it.each(['digest', 'tag'])('%s: a named context that is an image counts in the same way', async (mode) => {
    await plant();
    dockerfile('FROM scratch\nCOPY a /\nCOPY --from=tools /x /x\n');
    const flags = { 'build-contexts': `tools=docker-image://${base}:1`, base: mode };
    const before = await run('hash', flags);
    expect(before.requests).toEqual(mode === 'tag' ? [] : [`HEAD ${name()}/manifests/1`]);
    await plant();
    expect((await hashOf(flags)) === before.hash).toBe(mode === 'tag');
  });

  it.each(['digest', 'tag'])('%s: what names a digest is not asked for', async (mode) => {
    dockerfile(
      `FROM ${base}@sha256:${'a'.repeat(64)}\nCOPY a /\nCOPY --from=${base}:1@sha256:${'b'.repeat(64)} / /x\n`,
    );
    const { hash, requests } = await run('hash', { base: mode });
    expect({ isHash: /^[0-9a-f]{64}$/.test(hash), requests }).toEqual({ isHash: true, requests: [] });
  });

  it('another tag is another hash, also with base: tag', async () => {
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    const before = await hashOf({ base: 'tag' });
    dockerfile(`FROM ${base}:2\nCOPY a /\n`);
    expect(await hashOf({ base: 'tag' })).not.toBe(before);
  });

  it.each([
    ['61 the base of an unused stage', (ref: string) => `FROM ${ref} AS unused\nRUN x\nFROM scratch\nCOPY a /\n`],
    [
      '61 what an unused stage copies',
      (ref: string) => `FROM scratch AS unused\nCOPY --from=${ref} / /\nFROM scratch\nCOPY a /\n`,
    ],
    ['61 the base of a stage after the target', (ref: string) => `FROM scratch AS it\nCOPY a /\nFROM ${ref}\n`],
  ])('%s is not asked for, exist it or not', async (_, text) => {
    dockerfile('FROM scratch AS it\nCOPY a /\n');
    const without = await hashOf({ target: 'it' });
    dockerfile(text(`${base}:missing`).replace('FROM scratch\nCOPY a', 'FROM scratch AS it\nCOPY a'));
    const { hash, requests } = await run('hash', { target: 'it' });
    expect({ hash, requests }).toEqual({ hash: without, requests: [] });
  });

  it('a new unused stage, whose base does not exist, is a hit', async () => {
    await plant();
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    const [, again] = await buildTwice({}, () =>
      dockerfile(`FROM ${base}:missing AS new\nRUN x\nFROM ${base}:1\nCOPY a /\n`),
    );
    expect(again.isHit).toBe(true);
    expect(gets(again.requests)).toEqual([expect.stringMatching(/^GET t\/.*\/manifests\/hash-/)]);
    expect(asked(again.requests.filter((one) => one.includes('base/')))).toEqual([`HEAD ${name()}/manifests/1`]);
  });

  it.each([
    ['a base by tag', (ref: string) => `FROM ${ref}\nCOPY a /\n`, {}, ['HEAD base', 'GET t']],
    ['a Dockerfile that reads no file itself', (ref: string) => `FROM ${ref}\nRUN x\n`, {}, ['HEAD base', 'GET t']],
    ['base: tag', (ref: string) => `FROM ${ref}\nCOPY a /\n`, { base: 'tag' }, ['GET t']],
  ])('a hit makes no request that it does not need: %s', async (_, text, flags, expected) => {
    await plant();
    dockerfile(text(`${base}:1`));
    const [, again] = await buildTwice(flags);
    expect(again.isHit).toBe(true);
    // Then come the tag and what it was given.
    const upToLookup = again.requests.slice(0, again.requests.findIndex((one) => one.startsWith('GET t/')) + 1);
    expect(upToLookup.map((one) => one.split('/')[0])).toEqual(expected);
    expect(gets(again.requests)).toEqual([expect.stringMatching(/^GET t\/.*\/manifests\/hash-/)]);
  });

  it('named contexts that nothing reads are not asked for, and do not count', async () => {
    dockerfile('FROM scratch\nCOPY a /\n');
    const without = await hashOf();
    const contexts = `one=docker-image://${base}:missing\ntwo=https://127.0.0.1:9/x.tar\nthree=oci-layout:///nowhere\nfour=https://127.0.0.1:9/x.git`;
    const { hash, requests, said } = await run('hash', { 'build-contexts': contexts });
    expect({ hash, requests }).toEqual({ hash: without, requests: [] });
    expect(said).not.toContain('named context');
  });

  it('is asked for once for all stages and platforms', async () => {
    await plant({ platforms: ['linux/amd64', 'linux/arm64'] });
    dockerfile(`FROM ${base}:1 AS x\nCOPY a /\nFROM ${base}:1\nCOPY --from=x / /\nCOPY --from=${base}:1 / /x\n`);
    const { requests } = await run('hash', { platforms: 'linux/amd64,linux/arm64' });
    expect(requests).toEqual([`HEAD ${name()}/manifests/1`]);
  });
});

describe('what the configuration of a base brings in', () => {
  it('65 its ENV says what is copied: exactly that counts', async () => {
    await plant({ environment: ['OTHER', 'WHICH=a'] });
    dockerfile(`FROM ${base}:1\nCOPY $WHICH /\n`);
    const before = await run('hash');
    expect(before.requests.map((one) => one.split('/')[0])).toEqual(['HEAD base', 'GET base', 'GET base', 'GET base']);
    edit('b');
    expect(await hashOf()).toBe(before.hash);
    edit('a');
    const edited = await hashOf();
    expect(edited).not.toBe(before.hash);
    await plant({ environment: ['WHICH=b'] });
    const moved = await hashOf();
    expect(moved).not.toBe(edited);
    write({ 'context/a': 'again' });
    expect(await hashOf()).toBe(moved);
  });

  it('65 each platform has its own', async () => {
    await plant({ environment: ['WHICH=a'], platforms: ['linux/arm64', 'linux/amd64'] });
    dockerfile(`FROM ${base}:1\nCOPY $WHICH /\n`);
    const { requests } = await run('hash', { platforms: 'linux/amd64,linux/arm64' });
    // One config for both, as they say the same; an index and two manifests.
    expect(requests.filter((one) => one.startsWith('GET') && one.includes('/manifests/'))).toHaveLength(3);
  });

  it('65 with base: tag the whole context counts instead, said aloud, and nobody is asked', async () => {
    await plant({ environment: ['WHICH=a'] });
    dockerfile(`FROM ${base}:1\nCOPY $WHICH /\n`);
    const { hash, requests, said } = await run('hash', { base: 'tag' });
    expect(requests).toEqual([]);
    expect(said).toContain('depends on what the base image sets');
    edit('b');
    expect(await hashOf({ base: 'tag' })).not.toBe(hash);
  });

  it('65 what cannot be read makes the whole context count, said aloud', async () => {
    await plant({ platforms: ['linux/amd64/v2', 'linux/amd64/v3'] });
    const platforms = ['linux/s390x', 'linux/riscv64'];
    // Neither fits, and they differ.
    await plantImage({ image: base, tags: ['1'], platforms, environment: ['WHICH=a'], differing: true });
    dockerfile(`FROM ${base}:1\nCOPY $WHICH /\n`);
    const { hash, said } = await run('hash');
    expect(said).toContain(`the configuration of "${base}:1" cannot be read`);
    edit('b');
    expect(await hashOf()).not.toBe(hash);
  });

  it('91 ONBUILD of a base, in a Dockerfile that reads no file itself: exactly what it copies counts', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\n`);
    const before = await hashOf();
    edit('README.md');
    expect(await hashOf()).toBe(before);
    edit('a');
    expect(await hashOf()).not.toBe(before);
    expect(log.join()).not.toContain('whole context');
  });

  it('91 hash and build tell the same hash, with triggers and without', async () => {
    for (const onBuild of [['COPY a /'], []]) {
      await plant({ onBuild });
      dockerfile(`FROM ${base}:1\nRUN x\n`);
      expect((await build()).hash).toBe(await hashOf());
    }
  });

  it('91 ONBUILD of a base: its file changes the hash, another does not, and the second run reuses the image', async () => {
    await plant({ onBuild: ['COPY a /', 'RUN x'] });
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const [first, again] = await buildTwice({}, () => edit('README.md'));
    expect(again).toMatchObject({ isHit: true, hash: first.hash });
    edit('a');
    const changed = await build();
    expect(changed.isHit).toBe(false);
    expect(changed.hash).not.toBe(first.hash);
    expect(log.join()).not.toContain('so every run builds');
  });

  it('91 costs one lookup more, and the configuration of the base', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const [, again] = await buildTwice();
    const lookups = again.requests.filter((one) => /manifests\/hash-/.test(one) && one.startsWith('GET'));
    expect(new Set(lookups).size).toBe(2);
    expect(asked(again.requests.filter((one) => one.includes('base/'))).map((one) => one.split('/')[2])).toEqual([
      'manifests',
      'manifests',
      'manifests',
      'blobs',
    ]);
  });

  it('91 the same instructions in the Dockerfile are another content', async () => {
    await plant({ onBuild: ['RUN x'] });
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    const triggered = await build();
    dockerfile(`FROM ${base}:1\nRUN x\nCOPY a /\n`);
    expect(await hashOf()).not.toBe(triggered.hash);
  });

  it('91 a base without triggers: the build has the hash that was looked up, and one lookup', async () => {
    await plant();
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    const first = await build();
    expect(first.hash).toBe(await hashOf());
    const lookups = first.requests.length;
    expect(lookups).toBeGreaterThan(0);
    expect(first.requests.filter((one) => /hash-/.test(one))).toHaveLength(1);
  });

  it('91 with base: tag, a trigger counts as well, and a base that moves does not', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const [, again] = await buildTwice({ base: 'tag' }, () => plant({ onBuild: ['COPY a /'] }));
    expect(again.isHit).toBe(true);
    edit('a');
    expect((await build({ base: 'tag' })).isHit).toBe(false);
  });

  it('91 with base: tag, a hit on a plain base asks it for nothing', async () => {
    await plant();
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const [first, again] = await buildTwice({ base: 'tag' }, () => plant());
    expect(asked(first.requests)).not.toEqual([]);
    expect(again.isHit).toBe(true);
    expect(again.requests.filter((one) => one.includes('base/'))).toEqual([]);
  });

  it('91 with base: tag, the whole context counts where the Dockerfile reads no file itself', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\n`);
    const [first, again] = await buildTwice({ base: 'tag' });
    expect(again).toMatchObject({ isHit: true, hash: first.hash });
    expect(again.requests.filter((one) => one.includes('base/'))).toEqual([]);
    edit('README.md');
    expect((await build({ base: 'tag' })).isHit).toBe(false);
  });

  it('91 a trigger that reaches a stage brings in the triggers of its base too', async () => {
    const other = `${base}-other`;
    await plantImage({ image: other, tags: ['1'], onBuild: ['COPY a /'] });
    await plant({ onBuild: ['COPY --from=tools / /'] });
    dockerfile(`FROM ${other}:1 AS tools\nFROM ${base}:1\nCOPY b /\n`);
    const [first, again] = await buildTwice();
    expect(again).toMatchObject({ isHit: true, hash: first.hash });
    edit('a');
    expect((await build()).isHit).toBe(false);
  });

  it('91 an image that a trigger reads is resolved, counted and asked for once', async () => {
    const other = `${base}-other`;
    await plantImage({ image: other, tags: ['1'] });
    await plant({ onBuild: [`COPY --from=${other}:1 / /`] });
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const [first, again] = await buildTwice();
    expect(again.isHit).toBe(true);
    expect(first.requests.filter((one) => one === `HEAD ${name()}-other/manifests/1`)).toHaveLength(1);
    await plantImage({ image: other, tags: ['1'], annotations: { made: 'again' } });
    expect((await build()).isHit).toBe(false);
  });

  it('91 a file that a trigger copies and that is not there is refused before the build', async () => {
    await plant({ onBuild: ['COPY missing /'] });
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    expect((await build()).error?.message).toContain('line 1: COPY "/missing" is not in the context');
  });

  it('says a warning once, though the Dockerfile is read again', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\nCOPY b /\nADD https://127.0.0.1:9/x /\n`);
    const { said } = await build();
    expect(said.match(/has no checksum/g)).toHaveLength(1);
  });

  it('an existing release is compared with the hash that its triggers give', async () => {
    await plant({ onBuild: ['COPY a /'] });
    dockerfile(`FROM ${base}:1\nCOPY b /\n`);
    const flags = { tags: '1.2.3' };
    const first = await build(flags);
    await publish(first, { tags: [hashTag(first.hash), '1.2.3'] });
    expect((await build(flags)).isHit).toBe(true);
    edit('a');
    expect((await build(flags)).error).toMatchObject({ code: 'IMMUTABLE_TAG_EXISTS' });
  });
});

describe('ADD from elsewhere', () => {
  it.each([
    ['67 a URL with a checksum', `--checksum=sha256:${'0'.repeat(64)} https://127.0.0.1:9/x`, true],
    ['67 a URL without one', 'https://127.0.0.1:9/x', false],
    ['68 a git commit', `https://127.0.0.1:9/x.git#${'a'.repeat(40)}`, true],
    ['68 a git branch', 'https://127.0.0.1:9/x.git#main', false],
  ])('%s', async (_, source, repeats) => {
    dockerfile(`FROM scratch\nCOPY a /\nADD ${source} /\n`);
    const { hash, said } = await run('hash');
    expect((await hashOf()) === hash).toBe(repeats);
    expect(said.includes('so every run builds')).toBe(!repeats);
  });
});

describe('an image that cannot be resolved is an error with its place, its name and the reason', () => {
  const faults: readonly (readonly [string, Omit<FaultRule, 'method' | 'path'>['action'] | undefined, string])[] = [
    ['that is not there', undefined, 'its registry has no such image'],
    ['behind a 401', { kind: 'status', status: 401 }, '401'],
    ['behind a 403', { kind: 'status', status: 403 }, '403'],
    ['behind a 500', { kind: 'status', status: 500, headers: { 'Retry-After': '0' } }, '500'],
    ['behind a page of HTML', { kind: 'html' }, ''],
    ['whose connection is cut', { kind: 'drop' }, 'cannot be read'],
  ];
  const cases = faults.map((fault, index) => [...fault, index % 2 === 0 ? 'FROM' : 'COPY'] as const);

  it.each(cases)('%s', async (what, action, reason, how) => {
    if (action !== undefined) await plant();
    if (action !== undefined) registry.fail({ path: new RegExp(name()), action });
    const text = how === 'FROM' ? `FROM ${base}:1\nCOPY a /\n` : `FROM scratch\nCOPY a /\nCOPY --from=${base}:1 / /\n`;
    dockerfile(text);
    const { error, requests } = await build();
    const line = how === 'FROM' ? 1 : 3;
    expect(error?.message, what).toContain(`Dockerfile:${line} names ${base}:1`);
    expect(error?.message).toContain(reason);
    expect(error).toMatchObject({ hint: expect.stringMatching(/./) });
    expect(requests.filter((one) => one.includes('hash-'))).toEqual([]);
  });

  it.each([
    ['configuration', 'blobs', 'COPY $WHICH /\n', /names .*, which cannot be read: .*500/],
    ['index', 'manifests/sha256', 'COPY $WHICH /\n', /names .*, which cannot be read: .*500/],
    ['triggers, on a miss', 'blobs', 'COPY a /\n', /names .*, which cannot be read: .*500/],
  ])('whose %s the registry does not give', async (_, path, copy, message) => {
    await plant({ environment: ['WHICH=a'] });
    const action = { kind: 'status', status: 500, headers: { 'Retry-After': '0' } } as const;
    registry.fail({ method: 'GET', path: new RegExp(`${name()}/${path}`), action });
    dockerfile(`FROM ${base}:1\n${copy}`);
    const { error, said } = await build();
    expect(error?.message).toMatch(message);
    expect(said).not.toContain('whole context');
  });

  it('a digest whose index is gone', async () => {
    dockerfile(`FROM ${base}@sha256:${'a'.repeat(64)}\nCOPY $WHICH /\n`);
    const { error } = await run('hash');
    expect(error).toMatchObject({ code: 'BASE_NOT_FOUND' });
    expect(error?.message).toContain('Dockerfile:1 names ');
  });

  it('with base: tag it is one on a miss', async () => {
    dockerfile(`FROM ${base}:1\nCOPY a /\n`);
    const { error } = await build({ base: 'tag' });
    expect(error).toMatchObject({ code: 'BASE_NOT_FOUND' });
  });
});
