import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';

let registry: RunningRegistry;
let workspace: string;
let base: string;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-triggers-'));
  base = `${registry.host}/base/${Math.random().toString(36).slice(2)}`;
  await plantImage({ image: `${registry.host}/base/dep`, tags: ['1'] });
});
afterEach(() => rmSync(workspace, { recursive: true }));

/** Runs until docker is needed, which is not there. */
async function hashOfBuild(
  inputs: Readonly<Record<string, string>> = {},
  dockerfile = `FROM scratch AS mine\nFROM ${base}:1\n`,
) {
  writeFileSync(join(workspace, 'Dockerfile'), dockerfile);
  registry.forgetRequests();
  const result = await runAction({
    action: CHECKOUT,
    workspace,
    with: { images: `${registry.host}/t/app`, platforms: 'linux/amd64', ...inputs },
    env: { PATH: NODE_DIRECTORY },
  });
  expect(result.log).toContain('DOCKER_MISSING');
  return { hash: result.outputs['hash'], log: result.log, annotations: result.annotations };
}

const plantBase = (onBuild: readonly string[], platforms = ['linux/amd64']): Promise<string> =>
  plantImage({ image: base, tags: ['1'], onBuild, platforms });

describe('an ONBUILD of a base image', () => {
  it.each([
    ['a remote ADD', 'ADD https://127.0.0.1:9/x /', 'ADD "https://127.0.0.1:9/x" has no checksum'],
    ['what we cannot read', 'FUTURE thing', 'cannot be looked through'],
  ])('makes the hash unique, and is said aloud: %s', async (_, trigger, said) => {
    await plantBase(['COPY . /app', trigger]);
    const [first, second] = [await hashOfBuild(), await hashOfBuild()];
    expect(first.hash).not.toBe(second.hash);
    const annotation = { file: 'Dockerfile', line: 2, message: expect.stringContaining(said) };
    expect(first.annotations).toContainEqual(expect.objectContaining(annotation));
    expect(first.log.match(/so every run builds/g)).toHaveLength(1);
  });

  it('that asks for the clock makes it count', async () => {
    await plantBase(['ARG SOURCE_DATE_EPOCH']);
    const clock = (value: string) => hashOfBuild({ 'build-args': `SOURCE_DATE_EPOCH=${value}` });
    const [none, one, two] = [await hashOfBuild(), await clock('1'), await clock('2')];
    expect(new Set([none, one, two].map(({ hash }) => hash)).size).toBe(3);
    expect((await hashOfBuild()).hash).toBe(none.hash);
  });

  it.each([
    ['none', () => []],
    ['files of the context', () => ['COPY . /app', 'ADD Dockerfile /']],
    ['a stage of this Dockerfile', () => ['COPY --from=mine / /a', 'RUN --mount=from=mine,target=/x true']],
    ['an image', () => [`COPY --from=${registry.host}/base/dep:1 /a /a`]],
    ['a mounted image', () => [`RUN --mount=from=${registry.host}/base/dep:1,target=/x true`]],
    ['a build arg', () => ['ARG NEW']],
    ['a digest', () => [`ADD --checksum=sha256:${'0'.repeat(64)} https://127.0.0.1:9/x /`]],
  ])('gives every run the same hash when it reads %s', async (_, onBuild) => {
    await plantBase(onBuild());
    const [first, second] = [await hashOfBuild(), await hashOfBuild()];
    expect(first.hash).toBe(second.hash);
    expect(first.log).not.toContain('ONBUILD');
  });

  it('counts on the platform that is taken, only there', async () => {
    const path = base.slice(base.indexOf('/') + 1);
    await plantBase(['COPY . /app'], ['linux/amd64', 'linux/arm64', 'linux/s390x']);
    await hashOfBuild({}, `FROM --platform=linux/arm64 ${base}:1\n`);
    const reads = registry.requests.filter((one) => one.method === 'GET' && one.path.includes(path));
    expect(reads.map(({ path: at }) => at.split('/').at(-2))).toEqual(['manifests', 'manifests', 'blobs']);
  });

  it('of a named context makes the hash unique', async () => {
    await plantBase(['COPY . /app']);
    const inputs = { 'build-contexts': `node=docker-image://${base}:1` };
    const build = () => hashOfBuild(inputs, 'FROM node\n');
    const first = await build();
    expect(first.hash).not.toBe((await build()).hash);
    expect(first.log).toContain('cannot be looked through');
  });
});

describe('a base image for Windows only', () => {
  const build = (dockerfile: string, inputs: Readonly<Record<string, string>> = {}) => {
    writeFileSync(join(workspace, 'Dockerfile'), dockerfile);
    return runAction({
      action: CHECKOUT,
      workspace,
      with: { images: `${registry.host}/t/app`, platforms: 'linux/amd64', ...inputs },
      env: { PATH: NODE_DIRECTORY },
    });
  };

  it.each([
    ['of the target', (name: string) => `FROM ${name}\n`],
    ['below the target', (name: string) => `FROM ${name} AS a\nFROM a AS b\nFROM b\n`],
  ])('is an error before the build: the base %s', async (_, dockerfile) => {
    await plantBase([], ['windows/amd64', 'windows/arm64']);
    const result = await build(dockerfile(`${base}:1`));
    expect(result.log).toContain(`BASE_UNSUPPORTED: Dockerfile:1 names ${base}:1, which is an image for windows only`);
    expect(result.log).not.toContain('DOCKER_MISSING');
  });

  it.each([
    ['for Linux too', ['windows/amd64', 'linux/amd64'], (name: string) => `FROM ${name}\n`],
    [
      'of a stage that the target does not begin from',
      ['windows/amd64'],
      (name: string) => `FROM ${name}\nFROM scratch\n`,
    ],
  ])('is left to the builder when it is %s', async (_, platforms, dockerfile) => {
    await plantBase([], platforms);
    expect((await build(dockerfile(`${base}:1`))).log).toContain('DOCKER_MISSING');
  });

  it('counts for the target that is built', async () => {
    await plantBase([], ['windows/amd64']);
    const dockerfile = `FROM scratch AS linux\nFROM ${base}:1 AS windows\n`;
    expect((await build(dockerfile, { target: 'linux' })).log).toContain('DOCKER_MISSING');
    expect((await build(dockerfile, { target: 'Windows' })).log).toContain('BASE_UNSUPPORTED');
  });
});
