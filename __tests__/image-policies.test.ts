import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isUsageError } from '../src/errors.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { type CommandName, runCommand } from '../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../src/registry/server.ts';
import { startGitServer } from './support/git-server.ts';
import { plantImage } from './support/planted-image.ts';
import { writeTree } from './support/write-tree.ts';

type Flags = Readonly<Record<string, string>>;

const DIGEST = `sha256:${'a'.repeat(64)}`;
/** Nothing stands behind these names: nobody may be asked for them. */
const EVIL = 'evil.example';

let registry: RunningRegistry;
let root: string;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-policies-'));
  writeTree(root, { 'docker/config.json': '{}', 'context/a': '1' });
  registry.forgetRequests();
});
afterEach(() => rmSync(root, { recursive: true }));

const dockerfile = (text: string) => writeTree(root, { 'context/Dockerfile': text });
const trusted = (...more: readonly string[]): Flags => ({ 'trusted-registries': [registry.host, ...more].join() });
const PINS: Flags = { 'require-digest-pins': 'true' };

/** Runs until docker is needed, which is not there. What is thrown before the run begins counts as its error. */
async function run(command: CommandName, flags: Flags = {}, env: Flags = {}) {
  const host = createTerminalHost({
    cwd: join(root, 'context'),
    env: { PATH: '/nonexistent', DOCKER_CONFIG: join(root, 'docker'), ...env },
    write: () => {},
  });
  const images = `${registry.host}/t/app`;
  try {
    return (await runCommand(command, { images, platforms: 'linux/amd64,linux/arm64', ...flags }, host)).error;
  } catch (error) {
    return error;
  } finally {
    await host.finish();
  }
}

/** The problems of a build that bad input ended, each with its input. */
async function problemsOf(flags: Flags, env: Flags = {}): Promise<readonly string[]> {
  const error = await run('build', flags, env);
  if (!isUsageError(error)) throw new Error('that was no bad input', { cause: error });
  return error.problems.map(({ input, message }) => `${input}: ${message}`);
}

const refusal = (place: string, name: string, allowed = registry.host) =>
  `${place}${JSON.stringify(name)} is not trusted: trusted-registries allows ${allowed} only`;
const loose = (place: string, name: string) =>
  `${place}${JSON.stringify(name)} carries no digest, and require-digest-pins wants one: NAME@sha256:… is allowed`;

/** What a target may reach, as Dockerfile; the name of the image and its line. */
const PLACES: readonly (readonly [string, text: string, line: number])[] = [
  ['a base', 'FROM scratch AS x\nFROM NAME\n', 2],
  ['the base of a stage that it copies from', 'FROM NAME AS x\nFROM scratch\nCOPY --from=x /a /\n', 1],
  ['COPY --from', 'FROM scratch\nCOPY --from=NAME /a /\n', 2],
  ['a mount', 'FROM scratch\nRUN --mount=from=NAME,target=/x true\n', 2],
  ['the frontend', '# syntax=NAME\nFROM scratch\nCOPY a /\n', 1],
  ['an argument', 'ARG IMAGE=NAME\nFROM $IMAGE\n', 2],
  ['a trigger of the file', 'FROM scratch AS x\nONBUILD COPY --from=NAME /a /\nFROM x\n', 2],
];

describe('trusted-registries', () => {
  it.each(PLACES.filter(([what]) => what !== 'the frontend'))(
    'refuses before any request what is reached: %s',
    async (_, text, line) => {
      dockerfile(text.replace('NAME', `${EVIL}/x:1`));
      expect(await problemsOf(trusted())).toEqual([refusal(`file: Dockerfile:${line}: `, `${EVIL}/x:1`)]);
      expect(registry.requests).toEqual([]);
    },
  );

  it("refuses Docker's own frontend where its registry is not trusted", async () => {
    dockerfile('# syntax=docker/dockerfile:1\nFROM scratch\n');
    const name = '"docker/dockerfile:1" (docker.io/docker/dockerfile)';
    const message = `is not trusted: trusted-registries allows ${registry.host} only`;
    expect(await problemsOf(trusted())).toEqual([`file: Dockerfile:1: ${name} ${message}`]);
    dockerfile('FROM scratch\n');
    expect(await problemsOf({ ...trusted(), 'build-args': 'BUILDKIT_SYNTAX=docker/dockerfile:1' })).toEqual([
      `build-args: ${name} ${message}`,
    ]);
  });

  it('takes build args as the build does', async () => {
    dockerfile(`ARG IMAGE=${EVIL}/x\nFROM $IMAGE\n`);
    const scratch = { ...trusted(), 'build-args': 'IMAGE=scratch' };
    expect(await run('build', scratch)).toMatchObject({ code: 'DOCKER_MISSING' });
    dockerfile('ARG IMAGE=scratch\nFROM $IMAGE\n');
    const flags = { ...trusted(), 'build-args': `IMAGE=${EVIL}/x` };
    expect(await problemsOf(flags)).toEqual([refusal('file: Dockerfile:2: ', `${EVIL}/x`)]);
  });

  it('does not count stages that the target does not reach, nor named contexts', async () => {
    dockerfile(`FROM ${EVIL}/x AS x\nFROM scratch AS wanted\nCOPY a /\nFROM ${EVIL}/y\n`);
    const contexts = { 'build-contexts': `other=docker-image://${EVIL}/z\nlayout=oci-layout:///nowhere` };
    expect(await run('build', { ...trusted(), ...contexts, target: 'wanted' })).toMatchObject({
      code: 'DOCKER_MISSING',
    });
  });

  it('counts named contexts that are reached, and not what they replace', async () => {
    dockerfile(`FROM node AS base\nFROM ${EVIL}/y AS y\nFROM base\nCOPY --from=y /a /\n`);
    const contexts = { 'build-contexts': `node=docker-image://${EVIL}/z:1\ny=docker-image://${registry.host}/ok` };
    expect(await problemsOf({ ...trusted(), ...contexts })).toEqual([refusal('build-contexts: ', `${EVIL}/z:1`)]);
  });

  it('covers what is pushed to and the caches, in any spelling of the field', async () => {
    dockerfile('FROM scratch\n');
    const problems = await problemsOf({
      ...trusted('ghcr.io/acme'),
      images: `${registry.host}/t/app,ghcr.io/acme-evil/app,ghcr.io/acme/app`,
      'cache-from': `${EVIL}/from\ntype=gha,scope=x\ntype=registry,ref=ghcr.io/acme/cache`,
      'cache-to': `type=registry,REF=${EVIL}/to`,
    });
    const allowed = `${registry.host}, ghcr.io/acme`;
    expect(problems).toEqual([
      refusal('images: ', 'ghcr.io/acme-evil/app', allowed),
      refusal('cache-from: ', `${EVIL}/from`, allowed),
      refusal('cache-to: ', `${EVIL}/to`, allowed),
    ]);
  });

  it('says nothing of a name of the local engine', async () => {
    dockerfile('FROM scratch\n');
    const flags = { ...trusted(), images: 'myapp', push: 'false', load: 'true' };
    expect(await run('build', flags)).toMatchObject({ code: 'DOCKER_MISSING' });
  });

  it('comes from TRUSTED_REGISTRIES where the input is empty', async () => {
    dockerfile(`FROM ${EVIL}/x\n`);
    const env = { TRUSTED_REGISTRIES: `${registry.host}, quay.io` };
    expect(await problemsOf({}, env)).toEqual([
      refusal('file: Dockerfile:1: ', `${EVIL}/x`, `${registry.host}, quay.io`),
    ]);
    expect(await problemsOf(trusted(), env)).toEqual([refusal('file: Dockerfile:1: ', `${EVIL}/x`)]);
  });
});

describe('require-digest-pins', () => {
  it.each(PLACES)('wants a digest for what is reached: %s', async (what, text, line) => {
    const name = what === 'the frontend' ? 'docker/dockerfile:1' : 'node:22';
    dockerfile(text.replace('NAME', name));
    expect(await problemsOf(PINS)).toEqual([loose(`file: Dockerfile:${line}: `, name)]);
    expect(registry.requests).toEqual([]);
  });

  it.each(PLACES.filter(([what]) => what !== 'the frontend'))('is content with one: %s', async (_, text) => {
    const digest = await plantImage({ image: `${registry.host}/base`, tags: ['1'] });
    dockerfile(text.replace('NAME', `${registry.host}/base:1@${digest}`));
    expect(await run('build', PINS)).toMatchObject({ code: 'DOCKER_MISSING' });
  });

  it('wants one for named contexts that are images', async () => {
    dockerfile('FROM node\n');
    const contexts = { 'build-contexts': 'node=docker-image://node:22' };
    expect(await problemsOf({ ...PINS, ...contexts })).toEqual([loose('build-contexts: ', 'node:22')]);
  });
});

describe('what nobody can look through is refused where a policy is set', () => {
  it.each([
    ['a frontend of another language', `# syntax=${EVIL}/front\nwhatever\n`, 1, `the frontend "${EVIL}/front"`],
    ['one that reads a Dockerfile', `# syntax=${EVIL}/front\nFROM scratch\n`, 1, `the frontend "${EVIL}/front"`],
    ['a Dockerfile of the future', 'FROM scratch\nFUTURE thing\n', 2, 'not understood'],
  ])('%s', async (_, text, line, said) => {
    dockerfile(text);
    for (const policy of [trusted(EVIL), PINS]) {
      const [problem, ...more] = await problemsOf(policy);
      expect(problem).toContain(`file: Dockerfile:${line}: ${said}`);
      expect(problem).toContain('so that nobody can say which images it names');
      expect(more).toEqual([]);
    }
    expect(registry.requests).toEqual([]);
  });

  it('and what BuildKit would refuse is told with the rest', async () => {
    dockerfile('FROM scratch\nCOPY --from=9 /a /\n');
    const problems = await problemsOf({ ...trusted(), 'max-age': 'soon' });
    expect(problems).toEqual([
      expect.stringMatching(/^max-age: /),
      expect.stringMatching(/^file: "Dockerfile" line 2: .*there is no such stage/),
    ]);
  });
});

describe('what the triggers of a base image bring in', () => {
  const plantBase = (onBuild: readonly string[], more = {}) =>
    plantImage({
      image: `${registry.host}/base`,
      tags: ['1'],
      platforms: ['linux/amd64', 'linux/arm64'],
      onBuild,
      ...more,
    });
  const requestsBut = (path: string) => registry.requests.filter((one) => !one.path.includes(path));

  it.each([
    ['an image', `COPY --from=${EVIL}/x:1 /a /`, `Dockerfile:2: "${EVIL}/x:1" is not trusted`],
    ['a stage that nothing else reaches', 'COPY --from=other /a /', `Dockerfile:1: "${EVIL}/y" is not trusted`],
  ])('is refused before the build, and nobody asks for it: %s', async (_, trigger, said) => {
    await plantBase([trigger]);
    dockerfile(`FROM ${EVIL}/y AS other\nFROM ${registry.host}/base:1\nCOPY a /\n`);
    registry.forgetRequests();
    const error = await run('build', trusted());
    expect(error).toMatchObject({ code: 'POLICY_VIOLATION', exitCode: 3, message: expect.stringContaining(said) });
    expect(requestsBut('/base/')).toEqual(requestsBut('/base/').filter(({ path }) => path.includes('/t/app/')));
  });

  it('is refused when it has no digest', async () => {
    const digest = await plantBase([`COPY --from=${registry.host}/base:1 /a /`]);
    dockerfile(`FROM ${registry.host}/base@${digest}\n`);
    const error = await run('build', PINS);
    expect(error).toMatchObject({ code: 'POLICY_VIOLATION', message: expect.stringContaining('carries no digest') });
  });

  it.each([
    ['a trigger that we cannot read', ['FUTURE thing'], {}],
    [
      'a base that is not the same for all machines',
      [],
      { platforms: ['linux/arm/v6', 'linux/arm/v7'], differing: true },
    ],
  ])('is refused when nobody can see it: %s', async (_, onBuild, more) => {
    await plantBase(onBuild, more);
    dockerfile(`FROM ${registry.host}/base:1\n`);
    const flags = onBuild.length > 0 ? trusted() : { ...trusted(), platforms: 'linux/arm/v7' };
    const message = expect.stringMatching(/a policy is set for them: Dockerfile:1: the ONBUILD triggers of .* cannot/);
    expect(await run('build', flags)).toMatchObject({ code: 'POLICY_VIOLATION', exitCode: 3, message });
    expect(await run('build', { platforms: flags['platforms'] ?? 'linux/amd64' })).toMatchObject({
      code: 'DOCKER_MISSING',
    });
  });

  it('is refused when a named context has triggers', async () => {
    await plantBase(['COPY . /app']);
    dockerfile('FROM node\n');
    const flags = { ...trusted(), 'build-contexts': `node=docker-image://${registry.host}/base:1` };
    expect(await run('build', flags)).toMatchObject({ code: 'POLICY_VIOLATION' });
  });

  it('may be of a trusted registry', async () => {
    await plantImage({ image: `${registry.host}/dep`, tags: ['1'] });
    await plantBase([`COPY --from=${registry.host}/dep:1 /a /`]);
    dockerfile(`FROM ${registry.host}/base:1\n`);
    expect(await run('build', trusted())).toMatchObject({ code: 'DOCKER_MISSING' });
  });
});

it.each(['hash', 'explain'] as const)('%s builds nothing and says nothing of policies', async (command) => {
  await plantImage({ image: `${registry.host}/base`, tags: ['1'], onBuild: ['FUTURE thing'] });
  dockerfile(`FROM ${registry.host}/base:1\n`);
  expect(await run(command, { 'trusted-registries': 'ghcr.io', ...PINS })).toEqual(await run(command));
});

it('a git repository is looked at once it is there, before any registry is asked', async () => {
  const server = await startGitServer();
  try {
    const repository = server.create('policies');
    repository.write({ 'app/Dockerfile': `FROM ${registry.host}/base:1 AS a\nFROM ${EVIL}/x:1\nCOPY --from=a / /\n` });
    repository.commit();
    const error = await run(
      'build',
      { ...trusted(), context: `${repository.url}#:app` },
      { PATH: process.env['PATH'] ?? '' },
    );
    expect(error).toMatchObject({ code: 'BAD_INPUT', message: expect.stringContaining(`Dockerfile:2: "${EVIL}/x:1"`) });
    expect(registry.requests).toEqual([]);
  } finally {
    await server.close();
  }
});

it('names a hundred places of a hostile Dockerfile and counts the rest', async () => {
  const copies = Array.from({ length: 5000 }, (_, index) => `COPY --from=${EVIL}/x${index} /a /\n`);
  dockerfile(`FROM scratch\n${copies.join('')}`);
  const problems = await problemsOf(trusted());
  expect(problems).toHaveLength(101);
  expect(problems.at(-1)).toBe('file: 4900 more in "Dockerfile"');
});

it('is content with a name by digest of a trusted registry, scratch and stages', async () => {
  dockerfile(`# syntax=docker/dockerfile:1@${DIGEST}\nFROM scratch AS x\nFROM x\nCOPY a /\n`);
  const flags = { ...trusted('docker.io/docker'), ...PINS, base: 'tag' };
  expect(await run('build', flags)).toMatchObject({ code: 'DOCKER_MISSING' });
});
