import { describe, expect, it } from 'vitest';
import {
  countedLabels,
  createdOf,
  INPUTS_ANNOTATION,
  imageLabels,
  isVolatileLabel,
  readAssignments,
  revisionOf,
} from '../../src/core/labels.ts';

const facts = {
  hash: 'ab'.repeat(32),
  dependencyManifests: ['package.json', 'web/package-lock.json'],
  title: 'app',
  description: 'An app',
  license: 'MIT',
  source: 'https://github.com/acme/app',
  revision: '0123456789abcdef0123456789abcdef01234567',
  version: '1.2.3',
  created: '2026-11-21T08:00:00Z',
};

describe('the labels of an image', () => {
  it('say what it is, in the words of the image specification', () => {
    expect(imageLabels(facts)).toEqual({
      'org.opencontainers.image.title': 'app',
      'org.opencontainers.image.description': 'An app',
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.source': 'https://github.com/acme/app',
      'org.opencontainers.image.url': 'https://github.com/acme/app',
      'org.opencontainers.image.revision': '0123456789abcdef0123456789abcdef01234567',
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.created': '2026-11-21T08:00:00Z',
      'dev.build-once.manifests': 'package.json, web/package-lock.json',
      'dev.build-once.inputs': facts.hash,
    });
  });

  it('leave out what is not known', () => {
    const labels = imageLabels({
      hash: facts.hash,
      dependencyManifests: [],
      title: undefined,
      description: '',
      license: undefined,
      source: undefined,
      revision: undefined,
      version: undefined,
      created: facts.created,
    });
    expect(Object.keys(labels)).toEqual(['org.opencontainers.image.created', INPUTS_ANNOTATION]);
  });

  it('are single printable lines, whatever a stranger wrote', () => {
    const labels = imageLabels({
      ...facts,
      description: 'a\n::set-output name=x::y\u001b[31m\u202e',
      title: 'x'.repeat(1_000_000),
    });
    expect(labels['org.opencontainers.image.description']).toBe('a ::set-output name=x::y\ufffd');
    expect(labels['org.opencontainers.image.title']).toHaveLength(2048);
  });

  it('count the dependency manifests when there are too many to list', () => {
    const dependencyManifests = Array.from({ length: 500 }, (_, index) => `packages/p${index}/package.json`);
    expect(imageLabels({ ...facts, dependencyManifests })['dev.build-once.manifests']).toBe('500 files');
  });

  it('are read back from the annotations', () => {
    const labels = imageLabels(facts);
    expect([revisionOf(labels), createdOf(labels)]).toEqual([facts.revision, facts.created]);
    expect([revisionOf({}), createdOf({})]).toEqual([undefined, undefined]);
  });
});

describe('a label that says who built when', () => {
  it.each([
    'org.opencontainers.image.created=now',
    'org.opencontainers.image.revision=abc',
    'org.opencontainers.image.version=1',
    'org.opencontainers.image.ref.name=x',
    'org.opencontainers.image.source=x',
    'org.opencontainers.image.url=x',
    'org.opencontainers.image.documentation=x',
    'org.opencontainers.image.title=a=b',
    'index:org.opencontainers.image.created=now',
    'manifest[linux/amd64],index-descriptor:org.opencontainers.image.created=now',
    'manifest-descriptor[linux/arm/v7]:org.opencontainers.image.created=now',
  ])('%s does not count', (assignment) => {
    expect(isVolatileLabel(assignment)).toBe(true);
  });

  it.each([
    'org.opencontainers.image.licenses=MIT',
    'org.opencontainers.image.description=x',
    'com.acme:org.opencontainers.image.created=x',
    'x=org.opencontainers.image.created',
    'created=now',
    'org.opencontainers.image.created.x=now',
    'ORG.opencontainers.image.created=now',
    '',
    '=x',
  ])('%s does', (assignment) => {
    expect(isVolatileLabel(assignment)).toBe(false);
  });

  it.each(['index,', 'index:', 'index[', ':', 'manifest[x],'])('is looked for in 1 MB of %j in one pass', (piece) => {
    expect(isVolatileLabel(`${piece.repeat(1_000_000 / piece.length)}=x`)).toBe(false);
  });
});

describe('KEY=VALUE texts as a record', () => {
  it.each<[string[], Record<string, string>]>([
    [[], {}],
    [['a=1', 'b=x=y', 'c='], { a: '1', b: 'x=y', c: '' }],
    [['a=1', 'a=2'], { a: '2' }],
    [['bare'], { bare: '' }],
  ])('%j is %j', (texts, record) => {
    expect(readAssignments(texts)).toEqual(record);
  });

  it('may have any key', () => {
    expect(Object.entries(readAssignments(['__proto__=x']))).toEqual([['__proto__', 'x']]);
  });
});

describe('countedLabels', () => {
  it.each([
    ['the order of keys', ['b=2', 'a=1'], ['a=1', 'b=2']],
    ['what a later one replaces', ['a=1', 'b=2', 'a=3'], ['a=3', 'b=2']],
    ['volatile ones', ['org.opencontainers.image.created=now', 'index:org.opencontainers.image.created=now'], []],
  ])('leaves out %s', (_, given, counted) => {
    expect(countedLabels(given)).toEqual(counted);
  });

  it('keeps the order of levels of one key, since a later one covers an earlier one', () => {
    const covered = ['index,manifest:a=1', 'manifest:a=2'];
    expect(countedLabels([...covered, 'index:A=0'])).toEqual(['index:A=0', ...covered]);
    expect(countedLabels([...covered, 'index,manifest:a=1'])).toEqual(['manifest:a=2', 'index,manifest:a=1']);
  });
});
