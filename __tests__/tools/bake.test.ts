import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BuildSettings } from '../../src/core/build-options.ts';
import { digestOf } from '../../src/core/digest.ts';
import { type BakeRequest, bakeImages } from '../../src/tools/bake.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { buildSettings } from './build-settings.ts';
import { DockerScene } from './docker-scene.ts';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const builder = { name: 'b', driver: 'remote', delivery: 'layout', created: false } as const;

/** Answers for the targets that it was given. */
const BAKES = `
  const flag = (name) => args.find((arg) => arg.startsWith('--' + name + '='))?.slice(name.length + 3);
  const names = args.slice(args.indexOf('--') + 1);
  const built = (name) => ({ 'containerimage.descriptor': { mediaType: '${mediaType}', digest: 'sha256:' + String(names.indexOf(name)).repeat(64), size: 7 }, 'buildx.build.ref': 'b/b0/' + name });
  write(flag('metadata-file'), JSON.stringify({ ...Object.fromEntries(names.map((name) => [name, built(name)])), base: {} }));
  return 0;`;

let scene: DockerScene;
beforeEach(() => {
  scene = new DockerScene();
});
afterEach(() => scene.remove());

type Image = BakeRequest['images'][number];

function image(name: string, change: Partial<BuildSettings> = {}, more: Partial<Image> = {}): Image {
  const destination = { kind: 'layout', path: `/out/${name}` } as const;
  return { name, settings: buildSettings(change), destination, pins: [], origin: undefined, ...more };
}

function onBase(name: string): Image {
  return image(name, {
    context: path.join(scene.workspace, name),
    buildContexts: [{ name: 'x', value: 'target:base' }],
  });
}

it('answers what was built, by name, and builds nothing for what only others are built on', async () => {
  const docker = scene.dockerThat(BAKES);
  const base = image('base', {}, { destination: undefined });
  const built = await bakeImages(docker, { images: [base, onBase('a/1'), onBase('b')], builder });
  expect([...built].map(([name, { descriptor, buildRef }]) => [name, descriptor.digest.slice(7, 9), buildRef])).toEqual(
    [
      ['a/1', '00', 'b/b0/a-1'],
      ['b', '11', 'b/b0/b'],
    ],
  );
  const [call] = scene.calls();
  expect(call?.argv.slice(0, 4)).toEqual(['buildx', 'bake', '--builder=b', '--progress=plain']);
  expect(call?.argv.slice(-3)).toEqual(['--', 'a-1', 'b']);
  expect(call?.argv.filter((arg) => arg.startsWith('--allow'))).toEqual([]);
  expect(call?.env['BUILDX_BAKE_ENTITLEMENTS_FS']).toBe('0');
});

it('asks nobody when there is nothing to build', async () => {
  const docker = scene.dockerThat('return 1');
  expect(await bakeImages(docker, { images: [image('base', {}, { destination: undefined })], builder })).toEqual(
    new Map(),
  );
  expect(scene.calls()).toEqual([]);
});

it('grants what was allowed', async () => {
  const docker = scene.dockerThat(BAKES);
  await bakeImages(docker, {
    images: [image('a', { allow: ['security.insecure'] }), image('b', { network: 'host' })],
    builder,
  });
  expect(scene.calls()[0]?.argv.filter((arg) => arg.startsWith('--allow'))).toEqual([
    '--allow=network.host',
    '--allow=security.insecure',
  ]);
});

it('keeps values out of argv, the log and the error, and removes the definition', async () => {
  const docker = scene.dockerThat(
    `const fs = require('node:fs');
    const file = args.find((arg) => arg.startsWith('--file=')).slice(7);
    write('${scene.workspace}/seen.json', JSON.stringify({ mode: fs.statSync(file).mode & 0o777, text: fs.readFileSync(file, 'utf8') }));
    err('#5 [b 1/1] RUN x'); err('#5 0.1 ' + process.env.BUILD_ONCE_SECRET_1); err('#5 ERROR: ' + process.env.FROM_ENV); return 1;`,
    { FROM_ENV: 'correct-horse' },
  );
  const first = image('a', { secrets: [{ id: 'a', value: 'hunter1' }], buildArgs: ['ARG=battery-staple'] });
  const second = image('b', { secrets: [{ id: 'a', value: 'hunter2' }], secretEnvs: [{ id: 'b', env: 'FROM_ENV' }] });
  const failed = bakeImages(docker, { images: [first, second], builder });
  const error = await failed.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'BUILD_FAILED', target: 'b', log: ['***'] });
  const [call] = scene.calls();
  const seen = JSON.parse(fs.readFileSync(path.join(scene.workspace, 'seen.json'), 'utf8'));
  expect(
    [JSON.stringify(error), String(error), ...scene.printed, ...(call?.argv ?? []), seen.text].join('\n'),
  ).not.toMatch(/hunter|correct-horse/);
  expect(call?.argv.join('\n')).not.toContain('battery-staple');
  expect(seen.mode).toBe(0o600);
  expect([call?.env['BUILD_ONCE_SECRET_0'], call?.env['BUILD_ONCE_SECRET_1']]).toEqual(['hunter1', 'hunter2']);
  await scene.finish();
  expect(fs.existsSync(call?.argv.find((arg) => arg.startsWith('--file='))?.slice(7) ?? '/')).toBe(false);
});

it('shows the progress without what bake says of files', async () => {
  const notice = [
    'Your build is requesting privileges for following possibly insecure capabilities:',
    ' - Read access to path /x',
  ];
  const lines = [
    '#0 building',
    ...notice,
    'Your full command with requested privileges:',
    '#1 [a 1/1] RUN x',
    'Read on',
  ];
  await bakeImages(scene.dockerThat(`${lines.map((line) => `err(${JSON.stringify(line)});`).join('')}${BAKES}`), {
    images: [image('a')],
    builder,
  });
  expect(scene.printed).toEqual(['#0 building', '#1 [a 1/1] RUN x', 'Read on']);
});

describe('an attribute that an older bake leaves out without a word', () => {
  const images = [image('a', { addHosts: ['db:10.0.0.1'], shmSize: '64m', ulimit: ['nofile=1'] }), image('b')];

  it('is a problem before anything is built', async () => {
    const docker = scene.dockerThat(
      `if (args.includes('--print')) { out('{"target":{"a":{"shm-size":"64m"},"b":{}}}'); return 0; }`,
    );
    await expect(bakeImages(docker, { images, builder })).rejects.toMatchObject({
      code: 'BAD_INPUT',
      problems: [
        { input: 'add-hosts', message: expect.stringContaining('"a" would be built without') },
        { input: 'ulimit' },
      ],
    });
    expect(scene.calls()).toHaveLength(1);
  });

  it.each([
    [
      'knows them all',
      `out('{"target":{"a":{"shm-size":"64m","extra-hosts":{"db":"x"},"ulimits":["x"]}}}'); return 0;`,
    ],
    ['cannot say so', 'return 1;'],
  ])('is none when bake %s', async (_, print) => {
    const docker = scene.dockerThat(`if (args.includes('--print')) { ${print} }${BAKES}`);
    expect((await bakeImages(docker, { images, builder })).size).toBe(2);
  });

  it('is not asked for when it is not used', async () => {
    await bakeImages(scene.dockerThat(BAKES), { images: [image('b')], builder });
    expect(scene.calls()).toHaveLength(1);
  });
});

describe('the pins', () => {
  const policy = (file: string): string =>
    `write('${file}', require('node:fs').readFileSync(process.env.EXPERIMENTAL_BUILDKIT_SOURCE_POLICY));`;
  const pin = (reference: string, text: string) => ({ reference, digest: digestOf(text) });

  it('of all images hold, each once', async () => {
    const file = path.join(scene.workspace, 'policy');
    const docker = scene.dockerThat(policy(file) + BAKES);
    const images = [
      image('a', {}, { pins: [pin('node:22', '1'), pin('b', '2')] }),
      image('b', {}, { pins: [pin('docker.io/library/node:22', '1')] }),
    ];
    await bakeImages(docker, { images, builder });
    expect(JSON.parse(fs.readFileSync(file, 'utf8')).rules).toHaveLength(2);
  });

  it('that are at odds are a mistake of the caller', async () => {
    const images = [
      image('a', {}, { pins: [pin('node:22', '1')] }),
      image('b', {}, { pins: [pin('docker.io/library/node:22', '2')] }),
    ];
    await expect(bakeImages(scene.dockerThat(BAKES), { images, builder })).rejects.toThrow(
      /is pinned to sha256:.* and to sha256:/,
    );
    expect(scene.calls()).toEqual([]);
  });
});

describe('a call that fails', () => {
  const excerpt = (...lines: readonly string[]): string[] => [
    'Dockerfile:2',
    '-'.repeat(20),
    ...lines.map((line, index) => `   ${index + 1} | ${index === 1 ? '>>>' : '   '} ${line}`),
    '-'.repeat(20),
  ];
  const failing = (lines: readonly string[]): Docker =>
    scene.dockerThat(`${lines.map((line) => `err(${JSON.stringify(line)});`).join('')} return 1;`);
  const dockerfiles = (texts: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(texts)) {
      fs.mkdirSync(path.join(scene.workspace, name));
      fs.writeFileSync(path.join(scene.workspace, name, 'Dockerfile'), text);
    }
  };

  it.each([
    ['FROM x', 'RUN a', 'a'],
    ['FROM y', 'RUN base', 'base'],
    ['FROM z', 'RUN nobody', 'a'],
  ])('names the image that has the lines "%s", "%s": %s', async (first, second, name) => {
    const docker = failing([
      '#5 [a linux/amd64 2/2] RUN it',
      '#5 0.1 said',
      '#5 ERROR: exit code: 1',
      ...excerpt(first, second, ''),
      'ERROR: target a: failed to solve: exit code: 1',
    ]);
    dockerfiles({ a: 'FROM x\r\n  RUN a\r\n', base: 'FROM y\n  RUN base\n', b: 'FROM z\nRUN nobody\n' });
    const base = image('base', { context: path.join(scene.workspace, 'base') });
    await expect(bakeImages(docker, { images: [base, onBase('a'), onBase('b')], builder })).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      target: name,
      message: `the build of "${name}" failed at [linux/amd64 2/2] RUN it: exit code: 1\n  said`,
      location: { file: `${name}/Dockerfile`, line: 2 },
    });
  });

  it('as a whole names no image', async () => {
    const failed = bakeImages(failing(['ERROR: no builder "b" found']), { images: [image('a'), image('b')], builder });
    await expect(failed).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      target: undefined,
      location: undefined,
      message: expect.stringMatching(/^the build failed: no builder "b" found/),
    });
  });

  it('is not begun without its secrets, or for what bake cannot do', async () => {
    const docker = scene.dockerThat('');
    const secretEnvs = [{ id: 'a', env: 'NOT_SET' }];
    const images = [image('a', { secretEnvs }), image('b', { secretEnvs })];
    await expect(bakeImages(docker, { images, builder })).rejects.toMatchObject({
      problems: [{ input: 'secret-envs' }],
    });
    await expect(bakeImages(docker, { images: [image('a', { cgroupParent: '/x' })], builder })).rejects.toMatchObject({
      code: 'BAD_INPUT',
      problems: [{ input: 'cgroup-parent' }],
    });
    expect(scene.calls()).toEqual([]);
  });

  it('without saying what was built names the image', async () => {
    const docker = scene.dockerThat(
      `write(args.find((arg) => arg.startsWith('--metadata-file=')).slice(16), '{"a":{}}');`,
    );
    await expect(bakeImages(docker, { images: [image('a')], builder })).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      message: 'buildx ended well but did not say what it built for "a"',
    });
  });
});
