import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { InputManifest } from '../../src/core/input-manifest.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type CommandCall, type Finished, runCommand } from '../../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { renderMarkdown, renderText } from '../../src/report/render.ts';
import { plantBuild, readManifest } from '../support/planted-build.ts';
import { plantImage } from '../support/planted-image.ts';
import { findPlace, signAs } from '../support/signed-image.ts';
import { openSigstore } from '../support/signing.ts';
import { MAIN_JOB, subjectOf } from '../support/sigstore.ts';
import { writeTree } from '../support/write-tree.ts';

const CREATED = 'org.opencontainers.image.created';

let registry: RunningRegistry;
let base: string;
beforeAll(async () => {
  registry = await startRegistry();
  base = `${registry.host}/base`;
  for (const tag of ['1', '2']) await plantImage({ image: base, tags: [tag], annotations: { tag } });
});
afterAll(() => registry.close());

interface Checkout {
  readonly image: string;
  readonly log: string[];
  readonly write: (files: Readonly<Record<string, string>>) => void;
  readonly makeExecutable: (file: string) => void;
  readonly manifest: () => Promise<InputManifest>;
  /** Puts an image of what the checkout has now behind the tags; answers its digest. */
  readonly publish: (tags: readonly string[], annotations?: Readonly<Record<string, string>>) => Promise<string>;
  readonly explain: (call?: CommandCall, inputs?: Readonly<Record<string, string>>) => Promise<Finished>;
  readonly build: (inputs?: Readonly<Record<string, string>>) => Promise<Finished>;
}

function checkout(event: Readonly<Record<string, string>> = {}): Checkout {
  const workspace = mkdtempSync(join(tmpdir(), 'explain-stage-'));
  onTestFinished(() => rmSync(workspace, { recursive: true }));
  const image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  const log: string[] = [];
  const env = { PATH: '/nonexistent', DOCKER_CONFIG: '/nonexistent', ...event };
  const host = createTerminalHost({ cwd: workspace, env, write: (line) => void log.push(line) });
  const own = { platforms: 'linux/amd64', images: image, tags: 'dev' };
  const write: Checkout['write'] = (files) => {
    writeTree(workspace, files);
  };
  write({
    Dockerfile: `FROM ${base}:1\nARG MODE=slow\nCOPY src /app\nCOPY package.json /app/\n`,
    'src/a.ts': 'a',
    'src/b.ts': 'b',
    'package.json': '{}',
    'README.md': 'not copied',
  });
  const manifest = async () => readManifest((await runCommand('hash', own, host)).manifest?.());
  return {
    image,
    log,
    write,
    manifest,
    makeExecutable: (file) => chmodSync(join(workspace, file), 0o755),
    publish: async (tags, annotations = {}) => plantBuild(await manifest(), { image, tags, annotations }),
    explain: (call = {}, inputs = {}) => runCommand('explain', { ...own, ...inputs }, host, call),
    build: (inputs = {}) => runCommand('build', { ...own, scan: 'false', ...inputs }, host),
  };
}

const shown = ({ report }: Finished, all = false): string => renderText(report, all);

describe('explain', () => {
  it('lists what has changed since latest, the biggest group first, and what a build would do', async () => {
    const { publish, write, makeExecutable, explain, image } = checkout();
    const digest = await publish(['latest', 'dev']);
    const Dockerfile = `FROM ${base}:1\nARG MODE=fast\nCOPY src /app\nCOPY package.json /app/\n`;
    write({ 'src/a.ts': 'A', 'src/c.ts': 'c', 'README.md': 'still not copied', Dockerfile });
    makeExecutable('package.json');
    const finished = await explain({}, { labels: 'team=web' });
    expect(finished.error).toBeUndefined();
    expect(finished.report).toMatchObject({
      status: 'explained',
      explanation: { reference: `${image}:latest`, digest, isSame: false },
    });
    const hashTag = `hash-${finished.report.hash?.slice(0, 32)}`;
    expect(shown(finished).split('\n').slice(0, -2)).toEqual([
      `5 differences from ${image}:latest`,
      '  3 files',
      '    ~ package.json: executable now, the same bytes',
      '    ~ src/a.ts',
      '    + src/c.ts',
      '  1 build arg',
      '    ~ MODE: slow → fast',
      '  1 option',
      '    + labels: team=web',
      `  a build would run: ${image}:${hashTag} is not there`,
    ]);
  });

  it('says what was checked when nothing has changed', async () => {
    const { publish, explain, image, manifest } = checkout();
    const { report } = await explain().then((first) => (expect(first.error).toBeDefined(), first));
    const hashTag = `hash-${report.hash?.slice(0, 32)}`;
    const digest = await publish(['latest', hashTag], {
      [CREATED]: new Date(Date.now() - 3 * 86_400_000).toISOString(),
    });
    expect((await manifest()).form).toBe('inputs');
    registry.forgetRequests();
    const finished = await explain({}, { 'max-age': '30d' });
    expect(shown(finished).split('\n').slice(0, -2)).toEqual([
      `nothing has changed since ${image}:latest`,
      `  the full content hash is the same: sha256:${report.hash}`,
      '  it has every platform: linux/amd64',
      '  it is 3 d old, max-age is 30 d',
      `  a build would reuse ${image}:${hashTag}, which is ${digest}`,
    ]);
    const asked = registry.requests.filter(({ path }) => path.startsWith('/v2/t/'));
    expect(asked.map(({ method, path }) => `${method} ${path.split('/').at(-1)}`)).toEqual([
      `HEAD ${hashTag}`,
      'GET latest',
      `GET ${hashTag}`,
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['', {}],
    [', with base: tag', { base: 'tag' }],
  ])('tells the hash that a build tells where a base has ONBUILD%s', async (_, inputs) => {
    const { image, write, build, explain } = checkout();
    await plantImage({ image: `${base}/onbuild`, tags: ['1'], onBuild: ['COPY package.json /app/'] });
    write({ Dockerfile: `FROM ${base}/onbuild:1\nCOPY src /app\n` });
    const { manifest, report } = await build(inputs);
    const tags = ['latest', `hash-${report.hash?.slice(0, 32)}`];
    await plantBuild(readManifest(manifest?.()), { image, tags });
    expect(shown(await explain({}, inputs))).toMatch(/nothing has changed since[\s\S]*a build would reuse/);
    write({ 'package.json': '{ "name": "app" }' });
    expect(shown(await explain({}, inputs))).toMatch(/^1 difference from[\s\S]*~ package\.json/);
  });

  it('asks for no base where an image is there, with base: tag', async () => {
    const { image, write, build, explain } = checkout();
    write({ Dockerfile: `FROM ${base}:1\nCOPY src /app\n` });
    const inputs = { base: 'tag' };
    const { manifest, report } = await build(inputs);
    await plantBuild(readManifest(manifest?.()), { image, tags: ['latest', `hash-${report.hash?.slice(0, 32)}`] });
    registry.forgetRequests();
    expect(shown(await explain({}, inputs))).toContain('nothing has changed since');
    expect(registry.requests.filter(({ path }) => path.startsWith('/v2/base'))).toEqual([]);
  });

  it('says that a build would run for an image that is too old, and where it is forced', async () => {
    const { publish, explain } = checkout();
    const first = await explain();
    await publish(['latest', `hash-${first.report.hash?.slice(0, 32)}`], { [CREATED]: '2020-01-01T00:00:00Z' });
    expect(shown(await explain({}, { 'max-age': '30d' }))).toContain('a build would run (expired)');
    expect(shown(await explain({}, { force: 'true' }))).toContain('a build would run: force asks for it');
  });

  it('says whether a build would trust the image', async () => {
    const services = await openSigstore();
    const { image, publish, write, explain } = checkout();
    const hashTag = `hash-${(await explain()).report.hash?.slice(0, 32)}`;
    await publish(['latest', hashTag]);
    write({ 'root.json': services.trustedRoot });
    const inputs = { 'sigstore-trusted-root': 'root.json', 'trust-identity': subjectOf(MAIN_JOB) };
    expect(shown(await explain({}, inputs))).toContain(
      `a build would run (untrusted): of ${image}:${hashTag}, it is not signed`,
    );
    expect(shown(await explain({}, { ...inputs, 'trust-strict': 'true' }))).toContain(
      'a build would end with UNTRUSTED',
    );
    expect(shown(await explain({}, { ...inputs, trust: 'hash' }))).toContain('a build would reuse');
    await signAs(services, await findPlace(image, hashTag), MAIN_JOB);
    expect(shown(await explain({}, inputs))).toContain('a build would reuse');
  });

  it.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
    ['latest before all others', ['2.0.0', 'latest', 'main'], {}, 'latest'],
    ['the highest version, without latest', ['1.9.0', '1.10.0', 'main', '2.0.0-rc.1', '1.10'], {}, '1.10.0'],
    ["the default branch's tag, without a version", ['trunk', 'main', 'dev'], { trunk: 'true' }, 'trunk'],
    ['main, where nobody says which branch it is', ['dev', 'main', 'master'], {}, 'main'],
  ])('compares with %s', async (_, tags, { trunk }, expected) => {
    const event =
      trunk === undefined ? {} : { GITHUB_EVENT_PATH: eventFile({ repository: { default_branch: 'trunk' } }) };
    const { publish, explain, image } = checkout(event);
    await publish(tags);
    expect((await explain()).report.explanation?.reference).toBe(`${image}:${expected}`);
  });

  it('compares with the image that was named: by tag, by digest, in full, also of another repository', async () => {
    const { publish, explain, image, write } = checkout();
    const digest = await publish(['old']);
    write({ 'src/a.ts': 'A' });
    await publish(['latest']);
    const compared = async (reference: string, inputs = {}) => {
      const { report, error } = await explain({ reference }, inputs);
      return error?.message ?? [report.explanation?.reference, report.explanation?.differences.length];
    };
    expect(await compared('old')).toEqual([`${image}:old`, 1]);
    expect(await compared(digest)).toEqual([`${image}@${digest}`, 1]);
    expect(await compared(`${image}:old`, { images: `${registry.host}/t/other` })).toEqual([`${image}:old`, 1]);
    expect(await compared(`${image}:nothing@${digest}`)).toEqual([`${image}@${digest}`, 1]);
    expect(await compared(`${image}:nothing`)).toBe(`${image}:nothing is not there`);
  });

  it.each([
    ['', 'REF: "" is not a repository name'],
    ['acme/app', 'REF: "acme/app" names no image: a tag, REPOSITORY:TAG or REPOSITORY@sha256:… is allowed; --context'],
    ['myapp:1', 'REF: "myapp:1" names no registry'],
    ['a\u001b[31m b', 'REF: "a b" is not a repository name'],
  ])('refuses the name %j before any request', async (reference, problem) => {
    const { explain } = checkout();
    registry.forgetRequests();
    await expect(explain({ reference })).rejects.toThrow(problem);
    expect(registry.requests).toEqual([]);
  });

  it('refuses images of the local engine only', async () => {
    const { explain } = checkout();
    await expect(explain({}, { images: 'myapp', push: 'false' })).rejects.toThrow('images: "myapp" names no registry');
  });

  it('asks no registry for what only the local engine has, when the image to compare with is elsewhere', async () => {
    const { publish, explain, image } = checkout();
    await publish(['old']);
    const { error, report } = await explain({ reference: `${image}:old` }, { images: 'myapp', push: 'false' });
    expect(error).toBeUndefined();
    expect(report.explanation).toMatchObject({ isSame: true });
  });

  it('fails with a code of its own where there is nothing to compare with', async () => {
    const { error } = await checkout().explain();
    expect(error).toMatchObject({
      code: 'NOTHING_TO_COMPARE',
      exitCode: 1,
      hint: expect.stringContaining('explain TAG'),
    });
  });

  it('says what can be said of an image that has no manifest', async () => {
    const { explain, image } = checkout();
    await plantImage({ image, tags: ['latest'], annotations: { 'dev.build-once.inputs': 'e'.repeat(64) } });
    const before = shown(await explain());
    expect(before).toContain(`${image}:latest differs, not known in what: its content hash is another one`);
    expect(before).toContain('no input manifest is attached to it');
    await plantImage({ image, tags: ['latest'] });
    expect(shown(await explain())).toContain('not known in what: it carries no content hash');
  });

  it('believes no manifest that is not what the image was made from', async () => {
    const { explain, image, manifest } = checkout();
    const forged = { ...(await manifest()), salt: 'forged' };
    await plantBuild(forged, { image, tags: ['latest'], annotations: { 'dev.build-once.inputs': 'e'.repeat(64) } });
    expect((await explain()).report.explanation).toMatchObject({
      differences: [],
      isSame: false,
      unknown: expect.stringContaining('sha256:'),
    });
  });

  it('fits a screen, and lists everything when asked', async () => {
    const { explain, publish, write } = checkout();
    await publish(['latest']);
    write(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`src/f${index}.ts`, 'x'])));
    write({ Dockerfile: `FROM ${base}:2\nARG X=${'y'.repeat(10_000)}\nRUN ${'z'.repeat(10_000)}\nCOPY src /app\n` });
    const finished = await explain({}, { network: 'none', 'hash-salt': 's' });
    const lines = shown(finished).split('\n');
    expect(lines.length).toBeLessThan(30);
    expect(lines).toContain('    … and 499 more');
    for (const line of lines) expect(line.length).toBeLessThan(220);
    expect(
      shown(finished, true)
        .split('\n')
        .filter((line) => line.includes('+ src/f')),
    ).toHaveLength(500);
  });

  it('shows hostile text in printable lines', async () => {
    const { explain, image, manifest } = checkout();
    const evil = 'x\n::error::y\u001b[31m\u202e';
    const own = await manifest();
    const planted: InputManifest = {
      ...own,
      images: { [evil]: digestOf('evil') },
      buildArgs: { [evil]: evil.repeat(100_000) },
      options: { ...own.options, [evil]: evil, labels: [evil] },
      namedContexts: { ['__proto__']: { source: evil }, [evil]: { source: evil } },
      targets: own.targets.map((target) => ({ ...target, instructions: [evil], uses: [0] })),
      uses: [{ op: 'copy', source: evil, entries: [[evil, `@${evil}`]] }],
    };
    await plantBuild(planted, { image, tags: ['latest'] });
    const finished = await explain();
    expect(finished.report.explanation?.unknown).toBeUndefined();
    expect(finished.report.explanation?.differences.length).toBeGreaterThan(5);
    const text = shown(finished, true);
    expect(text).not.toMatch(/^::|[^\n\P{Cc}]|\u202e/mu);
    expect(renderMarkdown(finished.report)).not.toMatch(/^::|[^\n\P{Cc}]|\u202e/mu);
  });

  it('writes nothing, and needs no right to push', async () => {
    const { explain, publish } = checkout();
    await publish(['latest']);
    registry.forgetRequests();
    await explain();
    expect(registry.requests.length).toBeGreaterThan(2);
    expect(registry.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });
});

describe('a miss of build', () => {
  const failed = { error: { code: 'DOCKER_MISSING' } };

  it('says what has changed since the baseline, in the log and in the summary', async () => {
    const { publish, write, build, image, log } = checkout();
    await publish(['latest']);
    write({ 'src/a.ts': 'A' });
    const finished = await build();
    expect(finished).toMatchObject({ ...failed, report: { outputs: { reason: 'not-found' } } });
    expect(finished.report.explanation).toMatchObject({ summary: `1 difference from ${image}:latest` });
    expect(log).toContain(`1 difference from ${image}:latest`);
    expect(log).toContain('    ~ src/a.ts');
    expect(decoded(renderMarkdown(finished.report))).toContain(
      `1 difference from ${image}:latest<br>1 file<br>~ src/a.ts |`,
    );
    expect(renderText(finished.report)).toContain(
      `changed   1 difference from ${image}:latest\n            1 file\n              ~ src/a.ts\n  content`,
    );
  });

  it.each<[string, (place: Checkout) => Promise<unknown>, string]>([
    ['there is nothing to compare with', async () => {}, 'nothing to compare with'],
    [
      'the image has no content hash',
      ({ image }) => plantImage({ image, tags: ['latest'] }),
      'carries no content hash',
    ],
    [
      'the image has no manifest',
      ({ image }) => plantImage({ image, tags: ['latest'], annotations: { 'dev.build-once.inputs': 'e'.repeat(64) } }),
      'no input manifest is attached to it',
    ],
    ['only its hash tag is gone', ({ publish }) => publish(['latest']), 'nothing has changed since'],
  ])('says so when %s', async (_, prepare, expected) => {
    const place = checkout();
    await prepare(place);
    const finished = await place.build();
    expect(finished).toMatchObject(failed);
    expect(decoded(renderMarkdown(finished.report))).toContain(expected);
    expect(place.log.join('\n')).toContain(expected);
  });

  it('is not hindered by a registry that fails to say', async () => {
    const place = checkout();
    await place.publish(['latest']);
    place.write({ 'src/a.ts': 'A' });
    registry.fail({ action: { kind: 'status', status: 403 }, path: /\/manifests\/latest$/ });
    const finished = await place.build().finally(() => registry.repair());
    expect(finished).toMatchObject(failed);
    expect(place.log).toContainEqual(expect.stringMatching(/^what has changed is not known: .*403/));
    expect(decoded(renderMarkdown(finished.report))).toMatch(/what has changed is not known<br>.*403/);
  });

  it('asks a registry that fails for a moment once, and builds', async () => {
    const place = checkout();
    await place.publish(['latest']);
    place.write({ 'src/a.ts': 'A' });
    registry.forgetRequests();
    registry.fail({ action: { kind: 'status', status: 503 }, kind: 'referrers' });
    const finished = await place.build().finally(() => registry.repair());
    expect(finished).toMatchObject(failed);
    expect(registry.requests.filter(({ kind }) => kind === 'referrers')).toHaveLength(1);
    expect(place.log).toContainEqual(expect.stringMatching(/^what has changed is not known: .*503/));
  });

  it('does not wait for a registry that never answers', async () => {
    const place = checkout();
    await place.publish(['latest']);
    place.write({ 'src/a.ts': 'A' });
    registry.fail({ action: { kind: 'stall' }, path: /\/manifests\/latest$/ });
    const finished = await place.build().finally(() => registry.repair());
    expect(finished).toMatchObject(failed);
    expect(place.log).toContain('what has changed is not known: the registry gave no answer within 5 s');
  });

  it('asks nothing more where the reason is known', async () => {
    const { publish, build } = checkout();
    await publish(['latest']);
    registry.forgetRequests();
    expect((await build({ force: 'true' })).report.explanation).toBeUndefined();
    expect(registry.requests.filter(({ path }) => path.endsWith('/latest'))).toEqual([]);
  });
});

function decoded(markdown: string): string {
  return markdown
    .replace(/&#([0-9]+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&lt;/g, '<');
}

function eventFile(event: object): string {
  const directory = mkdtempSync(join(tmpdir(), 'explain-event-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'event.json'), JSON.stringify(event));
  return join(directory, 'event.json');
}

describe('a release whose base has moved, when an image of the new content is there too', () => {
  it('is the result, and is called a release', async () => {
    const { publish, explain, build, image, write, log } = checkout();
    const moving = { image: `${base}/moving`, tags: ['1'] };
    await plantImage({ ...moving, annotations: { note: 'first' } });
    write({ Dockerfile: `FROM ${base}/moving:1\nCOPY src /app\n` });
    const released = await publish(['1.2.3']);
    await plantImage({ ...moving, annotations: { note: 'second' } });
    const { report } = await explain();
    await publish([`hash-${report.hash?.slice(0, 32)}`]);
    log.length = 0;
    const finished = await build({ tags: '', version: '1.2.3' });
    expect(finished.error).toBeUndefined();
    expect(finished.report).toMatchObject({
      headline: 'Reused: nothing has changed since this version but base images',
      image: `${image}@${released}`,
    });
    expect(log.join('\n')).not.toContain('another run');
  });
});
