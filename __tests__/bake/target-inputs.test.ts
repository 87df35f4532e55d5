import { describe, expect, it } from 'vitest';
import type { ImageTarget } from '../../src/bake/image-target.ts';
import { findStrayInputs, givenInputs, inputsOf } from '../../src/bake/target-inputs.ts';
import { parseList } from '../../src/core/lists.ts';
import { isGiven, type RawOptions } from '../../src/options.ts';

const target = (inputs: RawOptions = {}, more: Partial<ImageTarget> = {}): ImageTarget => ({
  name: 'api',
  source: 'docker-bake.json',
  inputs,
  links: new Map(),
  isRequested: true,
  ...more,
});

const joined = (step: RawOptions, own: ImageTarget): RawOptions => inputsOf(step, givenInputs(step, isGiven), own);
const stray = (step: RawOptions, targets: readonly ImageTarget[]) =>
  findStrayInputs(givenInputs(step, isGiven), targets);

describe('the inputs of one of several images', () => {
  it.each<[string, RawOptions, RawOptions, RawOptions]>([
    ['what its file says', {}, { context: 'api' }, { context: 'api' }],
    [
      'what the step says, where it says anything',
      { platforms: 'linux/arm64' },
      { platforms: 'linux/amd64' },
      { platforms: 'linux/arm64' },
    ],
    [
      'its own over a default that a runner filled in',
      { pull: 'false', base: 'digest' },
      { pull: 'true' },
      { pull: 'true', base: 'digest' },
    ],
    [
      'both where they are lists of assignments, the step last',
      { 'build-args': 'A=2' },
      { 'build-args': 'A=1\nB=1' },
      { 'build-args': 'A=1\nB=1\nA=2' },
    ],
    [
      'the repositories of its tags, and the tags',
      {},
      { tags: 'ghcr.io/acme/api:1\nghcr.io/acme/api:2\nghcr.io/acme/other:1' },
      {
        images: 'ghcr.io/acme/api\nghcr.io/acme/other',
        tags: 'ghcr.io/acme/api:1\nghcr.io/acme/api:2\nghcr.io/acme/other:1',
      },
    ],
    [
      'a repository alone where its tag names none',
      {},
      { tags: 'ghcr.io/acme/api' },
      { images: 'ghcr.io/acme/api', tags: '' },
    ],
    [
      "the step's rules for tags, in the repositories of its own",
      { tags: 'type=sha' },
      { tags: 'ghcr.io/acme/api:1' },
      { images: 'ghcr.io/acme/api', tags: 'type=sha' },
    ],
    [
      "the step's images by its name, and none of its own tags",
      { images: 'ghcr.io/acme/{{name}}\ndocker.io/acme/{{ name }}' },
      { tags: 'ghcr.io/acme/x:1' },
      { images: 'ghcr.io/acme/api\ndocker.io/acme/api', tags: undefined },
    ],
  ])('are %s', (_, step, own, expected) => {
    expect(joined(step, target(own))).toMatchObject(expected);
  });

  it('have its name in lower case, as repositories do', () => {
    expect(joined({ images: 'ghcr.io/acme/{{name}}' }, target({}, { name: 'Api' }))['images']).toBe('ghcr.io/acme/api');
  });

  it('keep names that are no inputs, so that they are told of', () => {
    expect(joined({ platfroms: 'linux/amd64' }, target())).toHaveProperty('platfroms');
  });
});

it.each(['a,evil.example', 'a\nevil.example', '"a", "b'])('a directory of the name %j adds no image', (name) => {
  const { images = '' } = joined({ images: 'ghcr.io/{{name}}/app, quay.io/x' }, target({}, { name }));
  expect(parseList(images, { commas: true })).toEqual({ ok: true, value: [`ghcr.io/${name}/app`, 'quay.io/x'] });
});

it.each<[string, RawOptions, readonly string[]]>([
  ['of nobody', {}, ['registry']],
  ['of a registry', { registry: 'ghcr.io' }, []],
  ['of the images of the step', { images: 'ghcr.io/{{name}}' }, []],
])('a password %s goes nowhere that a file says', (_, more, inputs) => {
  const found = stray({ username: 'u', password: 'p', ...more }, [target({ tags: 'evil.example/a:1' })]);
  expect(found.map(({ input }) => input)).toEqual(inputs);
});

describe('inputs that do not go with several images', () => {
  const tags = 'ghcr.io/acme/app:1';
  const both = [target({ tags }), target({ tags }, { name: 'web' })];
  it.each<[string, RawOptions, string]>([
    ['a context', { context: 'app' }, 'context'],
    ['a Dockerfile', { file: 'Dockerfile' }, 'file'],
    ['a stage', { target: 'dev' }, 'target'],
    ['a repository without a name in it', { images: 'ghcr.io/acme/app' }, 'images'],
  ])('are %s', (_, step, input) => {
    expect(stray(step, both).map((problem) => problem.input)).toEqual([input]);
  });

  it('are not a repository for the one image that is asked for', () => {
    expect(stray({ images: 'ghcr.io/acme/app' }, [target(), target({}, { isRequested: false })])).toEqual([]);
  });

  it('are images without a name: neither given nor in their tags', () => {
    expect(stray({}, [target(), target({ tags }, { name: 'web' })])).toEqual([
      { input: 'images', message: expect.stringContaining('"api" has no tags that name a repository') },
    ]);
  });

  it('are not the defaults that a runner fills in', () => {
    expect(stray({ context: '.', file: '', target: '' }, both)).toEqual([]);
  });
});
