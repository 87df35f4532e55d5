import { describe, expect, it } from 'vitest';
import {
  auxiliaryRegistries,
  localCaches,
  parseBuildContext,
  parseBuildContexts,
  parseCacheEntry,
  parseSecret,
  parseSecretEnv,
  parseSecretFile,
  presetCaches,
} from '../../src/core/build-options.ts';
import { type Parsed, parsed } from '../../src/core/parsed.ts';

const image = { registry: 'ghcr.io', path: 'acme/app' };

function problemOf(result: Parsed<unknown>): string {
  return result.ok ? `no problem: ${JSON.stringify(result.value)}` : result.problem;
}

describe('a secret', () => {
  it.each([
    ['TOKEN=abc', { id: 'TOKEN', value: 'abc' }],
    ['TOKEN=a=b==', { id: 'TOKEN', value: 'a=b==' }],
    [' npm-rc = x ', { id: 'npm-rc', value: ' x ' }],
    ['KEY=line 1\nline 2\n', { id: 'KEY', value: 'line 1\nline 2\n' }],
    ['JSON={"a":"b,c"}', { id: 'JSON', value: '{"a":"b,c"}' }],
  ])('%j is an id and its value to the letter', (text, secret) => {
    expect(parseSecret(text)).toEqual(parsed(secret));
  });

  it.each(['hunter2', '=hunter2', 'hunter2 \0=x\0', '', 'x\nhunter2'])(
    '%j is malformed, and its text is not shown',
    (text) => {
      expect(parseSecret(text)).toMatchObject({ ok: false });
      expect(problemOf(parseSecret(text))).not.toContain('hunter2');
    },
  );

  it('that is empty is named by its id, since the variable behind it is not set', () => {
    expect(problemOf(parseSecret('NPM_TOKEN='))).toContain('"NPM_TOKEN" has no value');
  });

  it.each(['aGVsbG8gd29ybGQ=', 'aGVsbG8gd29ybGQ=='])(
    '%j, a line of a key without quotes around it, is not shown',
    (line) => {
      expect(problemOf(parseSecret(line))).toContain('has no value');
      expect(problemOf(parseSecret(line))).not.toContain('aGVs');
    },
  );
});

describe('a secret from elsewhere', () => {
  it('names an environment variable', () => {
    expect(parseSecretEnv('token=NPM_TOKEN')).toEqual(parsed({ id: 'token', env: 'NPM_TOKEN' }));
  });

  it('names a file', () => {
    expect(parseSecretFile('netrc=/home/me/.netrc')).toEqual(parsed({ id: 'netrc', path: '/home/me/.netrc' }));
  });

  it.each(['token', '=NPM_TOKEN', 'token=', 'token=hunter2!', 'token=hunter2 x'])('is no variable in %j', (text) => {
    expect(parseSecretEnv(text).ok).toBe(false);
    expect(problemOf(parseSecretEnv(text))).not.toContain('hunter2');
  });

  it.each(['netrc', '=x', 'netrc=', 'netrc=a\nb'])('is no file in %j', (text) => {
    expect(parseSecretFile(text).ok).toBe(false);
  });
});

describe('a named context', () => {
  it.each([
    ['src=./a=b', { name: 'src', value: './a=b' }],
    ['node=docker-image://node:22', { name: 'node', value: 'docker-image://node:22' }],
  ])('%j is a name and what it means', (text, context) => {
    expect(parseBuildContext(text)).toEqual(parsed(context));
  });

  it.each(['src', '=x', 'src=', 'a\0=b', 'a::linux/amd64=b'])('%j is malformed', (text) => {
    expect(parseBuildContext(text).ok).toBe(false);
  });

  it('count once under each name, by the last one, as buildx takes them', () => {
    expect(parseBuildContexts('a=one\nb=two\na=three')).toEqual(
      parsed([
        { name: 'a', value: 'three' },
        { name: 'b', value: 'two' },
      ]),
    );
  });
});

describe('a cache entry', () => {
  it.each([
    ['type=gha', 'type=gha'],
    ['type=registry,ref=ghcr.io/acme/app:cache,mode=max', 'type=registry,ref=ghcr.io/acme/app:cache,mode=max'],
    ['ghcr.io/acme/app:cache', 'type=registry,ref=ghcr.io/acme/app:cache'],
    ['type=local,"dest=/a,b"', 'type=local,"dest=/a,b"'],
    [' type=inline ', 'type=inline'],
  ])('%j is %j to buildx', (text, entry) => {
    expect(parseCacheEntry(text)).toEqual(parsed(entry));
  });

  it.each([
    ['', 'not KEY=VALUE'],
    ['type=registry,ref', 'not KEY=VALUE'],
    ['ref=x', 'has no type'],
    ['type=regstry,ref=x', 'did you mean registry?'],
    ['type=local,dest="x"', 'must enclose a whole'],
  ])('%j is malformed: %s', (text, problem) => {
    expect(problemOf(parseCacheEntry(text))).toContain(problem);
  });

  it.each(['type=gha,ghtoken=hunter2', 'type=s3,bucket=b,Secret_Access_Key=hunter2', 'type=s3,session_token=hunter2'])(
    '%j would show a credential in argv: refused without showing it',
    (text) => {
      expect(problemOf(parseCacheEntry(text))).toContain('list of processes');
      expect(problemOf(parseCacheEntry(text))).not.toContain('hunter2');
    },
  );
});

it.each<[entry: string, stays: boolean]>([
  ['type=local,dest=cache', true],
  ['type=inline', true],
  ['acme/app:cache', false],
  ['type=registry,ref=ghcr.io/acme/app:cache', false],
  ['"TYPE=registry",ref=ghcr.io/acme/app:cache', false],
  ['type=local,dest=x,type=registry,ref=ghcr.io/acme/app:cache', false],
  ['type=gha,scope=x', false],
  ['type=s3,region=x,bucket=y', false],
  ['type=azblob,name=x', false],
])('the cache %s stays on the machine: %s', (text, stays) => {
  const entry = parseCacheEntry(text);
  if (!entry.ok) throw new TypeError(entry.problem);
  expect(localCaches([entry.value])).toEqual(stays ? [entry.value] : []);
});

describe('the cache presets', () => {
  it('are entries that the parser takes', () => {
    for (const preset of ['gha', 'registry'] as const) {
      const { cacheFrom, cacheTo } = presetCaches(preset, image, true);
      for (const entry of [...cacheFrom, ...cacheTo]) expect(parseCacheEntry(entry)).toEqual(parsed(entry));
    }
  });

  it('read and write one place', () => {
    expect(presetCaches('registry', image, true)).toEqual({
      cacheFrom: ['type=registry,ref=ghcr.io/acme/app:buildcache'],
      cacheTo: [
        'type=registry,ref=ghcr.io/acme/app:buildcache,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true',
      ],
    });
    expect(presetCaches('gha', image, true)).toEqual({
      cacheFrom: ['type=gha,scope=ghcr.io/acme/app'],
      cacheTo: ['type=gha,scope=ghcr.io/acme/app,mode=min,ignore-error=true'],
    });
    expect(presetCaches('none', image, true)).toEqual({ cacheFrom: [], cacheTo: [] });
  });

  it('never write for a pull request', () => {
    expect(presetCaches('registry', image, false).cacheTo).toEqual([]);
    expect(presetCaches('gha', image, false)).toEqual({ cacheFrom: ['type=gha,scope=ghcr.io/acme/app'], cacheTo: [] });
  });
});

describe('the registries of caches and SBOM generators', () => {
  const none = { cacheFrom: [], cacheTo: [], sbom: undefined, attests: [] };

  it.each([
    ['no cache, no SBOM', none, []],
    ['a cache that is read', { ...none, cacheFrom: ['type=registry,ref=cache.lan:5000/app:c'] }, ['cache.lan:5000']],
    [
      'a cache that is written',
      { ...none, cacheTo: ['type=registry,"ref=127.0.0.1:5000/app:c",mode=max'] },
      ['127.0.0.1:5000'],
    ],
    [
      'caches elsewhere',
      { ...none, cacheFrom: ['type=gha,scope=x', 'type=local,src=a'], cacheTo: ['type=inline'] },
      [],
    ],
    ['an SBOM', { ...none, sbom: 'true' }, ['docker.io']],
    ['no SBOM, in words', { ...none, sbom: 'false' }, []],
    ['an SBOM by a generator of your own', { ...none, sbom: 'generator=ghcr.io/acme/scan:1' }, ['ghcr.io']],
    [
      'attestations',
      { ...none, attests: ['type=provenance,mode=max', 'type=sbom,generator=quay.io/a/b'] },
      ['quay.io'],
    ],
  ])('%s', (_what, settings, registries) => {
    expect(auxiliaryRegistries(settings)).toEqual(registries);
  });
});
