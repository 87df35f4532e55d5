import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/core/reference.ts';
import { formatTrustedRegistry, isTrusted, parseTrustedRegistry } from '../../src/core/trusted-registry.ts';

describe('an entry', () => {
  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['ghcr.io/', 'ghcr.io'],
    ['GHCR.io/Acme', 'ghcr.io/acme'],
    ['ghcr.io/acme/', 'ghcr.io/acme'],
    ['localhost', 'localhost'],
    ['registry.lan:5000/a/b', 'registry.lan:5000/a/b'],
    ['[::1]:5000', '[::1]:5000'],
    ['docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io/acme', 'docker.io/acme'],
    ['library/node', 'docker.io/library/node'],
    ['acme/app', 'docker.io/acme/app'],
  ])('%s is %s', (text, expected) => {
    const entry = parseTrustedRegistry(text);
    expect(entry.ok && formatTrustedRegistry(entry.value)).toBe(expected);
  });

  it.each([
    'acme',
    'library',
    'https://ghcr.io',
    '*.gcr.io',
    'ghcr.io/acme/*',
    'ghcr.io/acme:1',
    'ghcr.io/acme@sha256:1',
    'ghcr.io//acme',
    'ghcr.io/acme//',
    '/acme',
    '/',
    '',
    'ghcr.io/../acme',
    'ghcr.io:99999',
    'ghcr.io\u001b[31m',
    'user@ghcr.io/acme',
    `${'a/'.repeat(500_000)}!`,
  ])('is refused: %.40j', (text) => {
    const entry = parseTrustedRegistry(text);
    expect(entry).toMatchObject({ ok: false, problem: expect.stringContaining('is no registry and no path in one') });
    expect(!entry.ok && entry.problem).not.toMatch(/\p{Cc}/u);
    expect(!entry.ok && entry.problem.length).toBeLessThan(400);
  });
});

/** What is named in a Dockerfile, the entries, and whether one of them covers it. */
const COVERS: readonly (readonly [reference: string, entries: readonly string[], expected: boolean])[] = [
  ['ghcr.io/acme/app:1', ['ghcr.io'], true],
  ['ghcr.io/acme/app:1', ['ghcr.io/acme'], true],
  ['ghcr.io/acme/app:1', ['ghcr.io/acme/app'], true],
  ['ghcr.io/acme', ['ghcr.io/acme'], true],
  ['ghcr.io/acme-evil/app', ['ghcr.io/acme'], false],
  ['ghcr.io/acmeevil/app', ['ghcr.io/acme'], false],
  ['ghcr.io/acme/app-evil', ['ghcr.io/acme/app'], false],
  ['ghcr.io/other/acme', ['ghcr.io/acme'], false],
  ['ghcr.io.evil.example/acme/app', ['ghcr.io'], false],
  ['evil.example/ghcr.io/acme', ['ghcr.io'], false],
  ['ghcr.io:444/acme/app', ['ghcr.io'], false],
  ['GHCR.IO/acme/app', ['ghcr.io'], true],
  ['localhost:5000/app', ['localhost'], false],
  ['quay.io/a/b', ['ghcr.io', 'quay.io/a'], true],
  ['quay.io/a/b', ['ghcr.io', 'quay.io/b'], false],
  ['node:22', ['docker.io'], true],
  ['node:22', ['index.docker.io'], true],
  ['node:22', ['docker.io/library'], true],
  ['node:22', ['library/node'], true],
  ['index.docker.io/node', ['docker.io/library/node'], true],
  ['docker.io/library/node', ['library/node'], true],
  ['library/node-evil', ['library/node'], false],
  ['acme/app', ['docker.io/library'], false],
  ['acme/app', ['docker.io/acme'], true],
  // One segment is a user's name at Docker Hub.
  ['node:22', ['docker.io/node'], false],
  ['node:22', ['ghcr.io'], false],
  ['node:22', [], false],
];

describe('coverage', () => {
  it.each(COVERS)('%s by %j: %s', (text, entries, expected) => {
    const reference = parseReference(text);
    const trusted = entries.map(parseTrustedRegistry).flatMap((entry) => (entry.ok ? [entry.value] : []));
    expect(trusted).toHaveLength(entries.length);
    expect(reference.ok && isTrusted(reference.value.repository, trusted)).toBe(expected);
  });
});
