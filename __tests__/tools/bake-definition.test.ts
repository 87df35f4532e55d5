import { describe, expect, it } from 'vitest';
import type { BuildSettings } from '../../src/core/build-options.ts';
import { valueAt } from '../../src/core/json.ts';
import {
  type BakeImage,
  bakeDefinition,
  bakeTargets,
  entitlementsOf,
  findBakeProblems,
} from '../../src/tools/bake-definition.ts';
import { buildSettings } from './build-settings.ts';

function image(name: string, change: Partial<BuildSettings> = {}, links: readonly string[] = []): BakeImage {
  const buildContexts = links.map((link, index) => ({ name: `c${index}`, value: `target:${link}` }));
  const destination = { kind: 'layout', path: `/out/${name}` } as const;
  return { name, settings: buildSettings({ buildContexts, ...change }), destination, origin: undefined };
}

function definitionOf(images: readonly BakeImage[], env = {}): unknown {
  return JSON.parse(bakeDefinition(bakeTargets(images), env));
}

function problemsOf(...images: readonly BakeImage[]): string[] {
  return findBakeProblems(bakeTargets(images), {}).map(({ input, message }) => `${input}: ${message}`);
}

it('says what each target is, and nothing that was not asked for', () => {
  expect(definitionOf([image('app'), { ...image('base'), destination: undefined }])).toEqual({
    target: {
      app: {
        context: '/work',
        dockerfile: '/work/Dockerfile',
        platforms: ['linux/amd64', 'linux/arm64'],
        output: ['type=oci,tar=false,dest=/out/app'],
      },
      base: {
        context: '/work',
        dockerfile: '/work/Dockerfile',
        platforms: ['linux/amd64', 'linux/arm64'],
        output: ['type=cacheonly'],
      },
    },
  });
});

it('is the same for the same images', () => {
  const images = [image('b', { labels: ['z=1', 'a=2'] }), image('a', {}, ['b'])];
  expect(bakeDefinition(bakeTargets(images), {})).toBe(bakeDefinition(bakeTargets(structuredClone(images)), {}));
});

describe('the name of a target', () => {
  it.each<[readonly string[], readonly string[]]>([
    [
      ['app', 'A_1'],
      ['app', 'A_1'],
    ],
    [
      ['a.b', 'a b', 'a-b', 'a-b-2'],
      ['a-b', 'a-b-2', 'a-b-3', 'a-b-2-2'],
    ],
    [
      ['', '--', '-f', '\u001b[1m'],
      ['image', 'image-2', 'f', '1m'],
    ],
    [['https://x/y.git'], ['https-x-y-git']],
    [['ü'.repeat(1_000_000)], ['image']],
    [['x'.repeat(1_000_000)], ['x'.repeat(60)]],
  ])('%# is one that bake takes, and that no other has', (names, expected) => {
    const targets = bakeTargets(names.map((name) => image(name)));
    expect(targets.map(({ target }) => target)).toEqual(expected);
  });

  it('stands in the links to it, whatever the order', () => {
    const definition = definitionOf([image('app', {}, ['the base']), image('the base')]);
    expect(valueAt(definition, 'target', 'app', 'contexts')).toEqual({ c0: 'target:the-base' });
  });
});

describe('a caller who', () => {
  it.each<[string, readonly BakeImage[], string]>([
    ['names two images alike', [image('a'), image('a')], 'one name'],
    ['links to nothing', [image('a', {}, ['b'])], '"b", which "a" is built on, is missing'],
    ['builds images on each other', [image('a', {}, ['b']), image('b', {}, ['a'])], '"a" is built on itself'],
  ])('%s has made a mistake', (_, images, message) => {
    expect(() => bakeTargets(images)).toThrow(message);
  });
});

describe('secrets', () => {
  it('of all targets travel in variables of their own', () => {
    const definition = definitionOf([
      image('a', { secrets: [{ id: 'x', value: 'hunter2' }] }),
      image('b', {
        secrets: [{ id: 'x', value: 'hunter3' }],
        secretEnvs: [{ id: 'y', env: 'Y' }],
        secretFiles: [{ id: 'z', path: '/z,1' }],
      }),
    ]);
    expect(valueAt(definition, 'target', 'a', 'secret')).toEqual(['id=x,env=BUILD_ONCE_SECRET_0']);
    expect(valueAt(definition, 'target', 'b', 'secret')).toEqual([
      'id=x,env=BUILD_ONCE_SECRET_1',
      'id=y,env=Y',
      'id=z,"src=/z,1"',
    ]);
    expect(JSON.stringify(definition)).not.toContain('hunter');
  });

  it('and SSH keys of bases are those of what is built on them, too', () => {
    const definition = definitionOf([
      image('top', { secrets: [{ id: 'own', value: '1' }] }, ['middle']),
      image('middle', { ssh: ['default', 'k=/key'] }, ['bottom']),
      image('bottom', { secrets: [{ id: 'low', value: '2' }], allow: ['security.insecure'] }),
    ]);
    expect(valueAt(definition, 'target', 'top', 'secret')).toEqual([
      'id=own,env=BUILD_ONCE_SECRET_0',
      'id=low,env=BUILD_ONCE_SECRET_1',
    ]);
    expect(valueAt(definition, 'target', 'top', 'ssh')).toEqual(['default', 'k=/key']);
    expect(valueAt(definition, 'target', 'top', 'entitlements')).toEqual(['security.insecure']);
    expect(valueAt(definition, 'target', 'bottom', 'ssh')).toBeUndefined();
  });

  it('that are not the same in an image and in its base cannot be told apart', () => {
    const token = (value: string): Partial<BuildSettings> => ({ secrets: [{ id: 'token', value }] });
    expect(problemsOf(image('app', token('hunter2'), ['base']), image('base', token('hunter3')))).toEqual([
      'secrets: the secret "token" of "app" and the one of "base" differ; "app" is built with both in one call',
    ]);
    expect(problemsOf(image('app', token('hunter2'), ['base']), image('base', token('hunter2')))).toEqual([]);
    expect(problemsOf(image('app', token('hunter2')), image('base', token('hunter3')))).toEqual([]);
  });

  it('of two bases cannot be told apart either', () => {
    const keys = (ssh: string): Partial<BuildSettings> => ({ ssh: [ssh] });
    expect(problemsOf(image('app', {}, ['a', 'b']), image('a', keys('k=/1')), image('b', keys('k=/2')))).toEqual([
      'ssh: the SSH key "k" of "a" and the one of "b" differ; "app" is built with both in one call',
    ]);
  });
});

describe('what bake cannot do is a problem:', () => {
  it('a parent cgroup', () => {
    expect(problemsOf(image('a', { cgroupParent: '/x' }))).toEqual([
      'cgroup-parent: docker buildx bake knows no parent cgroup, which "a" asks for',
    ]);
  });

  it.each<[string, Partial<BuildSettings>, number]>([
    ['a label', { labels: ['a=e\u0301'] }, 1],
    ['the name of a build arg', { buildArgs: ['e\u0301=1'] }, 1],
    ['a path', { context: '/cafe\u0301' }, 1],
    ['a composed text', { labels: ['a=\u00e9'] }, 0],
    ["a secret's value, which is in a variable,", { secrets: [{ id: 'a', value: 'e\u0301' }] }, 0],
  ])('%s that Unicode writes in two ways', (_, change, count) => {
    expect(problemsOf(image('a', change))).toHaveLength(count);
  });
});

it('grants what the targets may do to the whole call, each once', () => {
  const targets = bakeTargets([
    image('a', { allow: ['security.insecure,network.host'] }),
    image('b', { network: 'host' }),
    image('c', { allow: ['device=a,b'] }),
  ]);
  expect(entitlementsOf(targets)).toEqual(['device=a,b', 'network.host', 'security.insecure']);
});

describe('a build arg', () => {
  it.each<[readonly string[], Readonly<Record<string, string>>]>([
    [['A=1', 'A=2'], { A: '2' }],
    [['A=x', 'A'], { A: 'of the environment' }],
    [['B=x', 'B'], { B: 'x' }],
    [['EMPTY', 'C=', 'D==='], { EMPTY: '', C: '', D: '==' }],
  ])('is as buildx reads it: %j', (buildArgs, expected) => {
    const env = { A: 'of the environment', EMPTY: '' };
    expect(valueAt(definitionOf([image('a', { buildArgs })], env), 'target', 'a', 'args')).toEqual(expected);
  });
});
