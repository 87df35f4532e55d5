import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Parsed } from '../../src/core/parsed.ts';
import {
  canonicalRegistry,
  familiarName,
  formatReference,
  formatRepositoryName,
  isDockerHub,
  isLocalName,
  isLoopback,
  isTag,
  parsePinnedReference,
  parseReference,
  parseRegistryHost,
  parseRepositoryName,
  sameRepository,
} from '../../src/core/reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

function problemOf(result: Parsed<unknown>): string {
  return result.ok ? `no problem: ${JSON.stringify(result.value)}` : result.problem;
}

function spelled(text: string): string {
  const reference = parseReference(text);
  return reference.ok ? formatReference(reference.value) : reference.problem;
}

describe('a reference', () => {
  it.each([
    ['node', 'docker.io/library/node'],
    ['node:22', 'docker.io/library/node:22'],
    ['acme/app', 'docker.io/acme/app'],
    ['docker.io/node', 'docker.io/library/node'],
    ['docker.io/library/node', 'docker.io/library/node'],
    ['index.docker.io/node:22', 'docker.io/library/node:22'],
    ['registry-1.docker.io/acme/app', 'docker.io/acme/app'],
    ['registry.hub.docker.com/acme/app', 'docker.io/acme/app'],
    ['DOCKER.IO/acme/app', 'docker.io/acme/app'],
    ['evildocker.io/node', 'evildocker.io/node'],
    ['docker.io.evil.example/node', 'docker.io.evil.example/node'],
    ['docker.io:443/node', 'docker.io:443/node'],
    ['ghcr.io/acme/app:1.2.3', 'ghcr.io/acme/app:1.2.3'],
    ['GHCR.IO/acme/app', 'ghcr.io/acme/app'],
    ['localhost/app', 'localhost/app'],
    ['localhost:5000/app:1', 'localhost:5000/app:1'],
    ['127.0.0.1:5000/a/b/c:1', '127.0.0.1:5000/a/b/c:1'],
    ['[::1]:5000/app', '[::1]:5000/app'],
    ['[2001:DB8::1]/app:x', '[2001:db8::1]/app:x'],
    [`node@${DIGEST}`, `docker.io/library/node@${DIGEST}`],
    [`ghcr.io/acme/app:1@${DIGEST}`, `ghcr.io/acme/app:1@${DIGEST}`],
    ['a__b/c-d/e--f/g.h', 'docker.io/a__b/c-d/e--f/g.h'],
    ['app:Mixed_Case.1-x', 'docker.io/library/app:Mixed_Case.1-x'],
    ['localhost:5000', 'docker.io/library/localhost:5000'],
  ])('%s means %s', (text, full) => {
    expect(spelled(text)).toBe(full);
  });

  it.each([
    ['', 'not a repository name'],
    [':1', 'not a repository name'],
    ['/app', 'not a repository name'],
    ['app/', 'not a repository name'],
    ['a//b', 'not a repository name'],
    ['app:', 'malformed tag'],
    ['app:-x', 'malformed tag'],
    [`app:${'x'.repeat(129)}`, 'malformed tag'],
    ['app:a:b', 'not a repository name'],
    ['app@', 'malformed digest'],
    ['app@sha256:12', 'malformed digest'],
    [`app@${DIGEST}@${DIGEST}`, 'malformed digest'],
    [`app@${DIGEST.toUpperCase()}`, 'malformed digest'],
    ['ghcr.io/Acme/app', 'upper-case letters are not allowed'],
    ['Acme/app', 'upper-case letters are not allowed'],
    ['App', 'upper-case letters are not allowed'],
    ['a_-b', 'not a repository name'],
    ['a___b', 'not a repository name'],
    ['-a', 'not a repository name'],
    ['a-', 'not a repository name'],
    ['https://ghcr.io/acme/app', 'names no valid registry host'],
    ['user:secret@ghcr.io/acme/app', 'malformed digest'],
    ['ghcr.io:port/app', 'names no valid registry host'],
    ['ghcr.io:99999/app', 'names no valid registry host'],
    ['1.2.3.999/app', 'names no valid registry host'],
    ['[::1/app', 'names no valid registry host'],
    ['[:::::]/app', 'names no valid registry host'],
    ['-x.io/app', 'names no valid registry host'],
    ['a..b/app', 'names no valid registry host'],
    ['app\n', 'not a repository name'],
    ['a b', 'not a repository name'],
    ['app\0', 'not a repository name'],
    ['ａpp', 'not a repository name'],
    [`ghcr.io/${'a'.repeat(255)}`, 'longer than 255'],
  ])('%j is refused: %s', (text, problem) => {
    expect(problemOf(parseReference(text))).toContain(problem);
  });

  it.each(['a', 'A', '-', '/', ':', '@', '.', 'a-', 'a.', '_', '[', '\u202e', '\ud800'])(
    'of 1 MB of %j is refused in one short printable line',
    (piece) => {
      const problem = problemOf(parseReference(piece.repeat(1_000_000)));
      expect(problem.length).toBeLessThan(400);
      expect(problem).toMatch(/^[^\p{Cc}\p{Cs}\p{Bidi_Control}]+$/u);
    },
  );

  it.each([
    [`ghcr.io/acme/app:1@${DIGEST}`, `no problem: `],
    [` acme/app@${DIGEST} `, `no problem: `],
    ['ghcr.io/acme/app:1', '"ghcr.io/acme/app:1" carries no digest, and a tag may move'],
    ['acme/app', 'carries no digest'],
    ['acme/app@sha256:12', 'malformed digest'],
    ['', 'not a repository name'],
  ])('that must be pinned may be %j: %s', (text, problem) => {
    expect(problemOf(parsePinnedReference(text))).toContain(problem);
  });

  it('reads the same again from its full spelling', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,5}(?:(?:\.|_|__|-)[a-z0-9]{1,5}){0,2}$/);
    const host = fc.constantFrom(
      '',
      'ghcr.io/',
      'localhost:5000/',
      'DOCKER.io/',
      '[::1]:1/',
      'Reg.Example:8443/',
      'A/',
    );
    const suffix = fc.constantFrom('', ':1', ':Latest', `@${DIGEST}`, `:x@${DIGEST}`);
    fc.assert(
      fc.property(host, fc.array(name, { minLength: 1, maxLength: 4 }), suffix, (start, names, end) => {
        const first = parseReference(`${start}${names.join('/')}${end}`);
        if (!first.ok) return;
        expect(parseReference(formatReference(first.value))).toEqual(first);
      }),
    );
  });

  it('is refused or stable for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aA0.-_/:@[]\n ') }), (text) => {
        const first = parseReference(text);
        if (first.ok) expect(parseReference(formatReference(first.value))).toEqual(first);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a repository', () => {
  it('carries neither tag nor digest', () => {
    expect(parseRepositoryName('ghcr.io/acme/app')).toEqual({
      ok: true,
      value: { registry: 'ghcr.io', path: 'acme/app' },
    });
    expect(problemOf(parseRepositoryName('acme/app:1'))).toContain('not a repository name');
    expect(problemOf(parseRepositoryName(`acme/app@${DIGEST}`))).toContain('not a repository name');
  });

  it('is the same under every spelling of its name', () => {
    const [a, b] = [parseRepositoryName('node'), parseRepositoryName('index.docker.io/library/node')];
    expect(a.ok && b.ok && sameRepository(a.value, b.value)).toBe(true);
    expect(a.ok && formatRepositoryName(a.value)).toBe('docker.io/library/node');
    expect(sameRepository({ registry: 'a.io', path: 'x' }, { registry: 'b.io', path: 'x' })).toBe(false);
    expect(sameRepository({ registry: 'a.io', path: 'x' }, { registry: 'a.io', path: 'y' })).toBe(false);
  });
});

it.each([
  ['myapp', true, 'myapp'],
  ['docker.io/library/myapp', true, 'myapp'],
  ['acme/app', false, 'acme/app'],
  ['docker.io/acme/app', false, 'acme/app'],
  ['ghcr.io/library/app', false, 'ghcr.io/library/app'],
  ['localhost/app', false, 'localhost/app'],
])('the name %s means the local engine: %s', (text, local, familiar) => {
  const name = parseRepositoryName(text);
  expect(name.ok && isLocalName(name.value)).toBe(local);
  expect(name.ok && familiarName(`${formatRepositoryName(name.value)}:1`)).toBe(`${familiar}:1`);
});

describe('a registry', () => {
  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['Registry.Example:8443', 'registry.example:8443'],
    ['registry-1.docker.io', 'docker.io'],
    ['localhost', 'localhost'],
    ['[::1]:5000', '[::1]:5000'],
  ])('%s is %s', (text, host) => {
    expect(parseRegistryHost(text)).toEqual({ ok: true, value: host });
    expect(canonicalRegistry(text)).toBe(host);
  });

  it.each(['https://ghcr.io', 'ghcr.io/', 'ghcr.io/acme', 'a b', '', 'x:99999', 'user@host', 'host:', 'a\nb'])(
    '%j is none',
    (text) => {
      expect(problemOf(parseRegistryHost(text))).toContain('is not a registry');
    },
  );

  it.each(['evildocker.io', 'docker.io.', 'docker.io:443', 'hub.docker.com', ''])('%j is not Docker Hub', (host) => {
    expect(isDockerHub(host)).toBe(false);
  });

  it.each([
    ['localhost', true],
    ['localhost:5000', true],
    ['registry.localhost', false],
    ['registry.localhost:5000', false],
    ['.localhost', false],
    ['127.0.0.1', true],
    ['127.1.2.3:80', true],
    ['[::1]', true],
    ['127.255.0.99', true],
    ['127.0.0.256', false],
    ['[::1]:5000', true],
    ['[0:0:0:0:0:0:0:1]:5000', true],
    ['[0000:0000:0000:0000:0000:0000:0000:0001]', true],
    ['[0:0:0:0:0:0:1]', false],
    ['[0:0:0:0:0:0:0:11]', false],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['evillocalhost', false],
    ['128.0.0.1', false],
    ['[::2]', false],
    ['10.0.0.1', false],
    ['0.0.0.0', false],
  ])('%s is this machine: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

it.each([
  ['1.2.3', true],
  ['_x', true],
  ['x'.repeat(128), true],
  ['', false],
  ['.x', false],
  ['-x', false],
  ['a/b', false],
  ['a+b', false],
  ['a\n', false],
  ['x'.repeat(129), false],
])('%j is a tag: %s', (text, expected) => {
  expect(isTag(text)).toBe(expected);
});
