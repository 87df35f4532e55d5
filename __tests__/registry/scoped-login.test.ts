import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { createKeychain } from '../../src/registry/keychain.ts';
import { openRegistries, type Registries } from '../../src/registry/open.ts';
import { mainScope, mergeScopes, repositoryScope } from '../../src/registry/scope.ts';
import { scopedConfigFolders } from '../../src/registry/scoped-login.ts';
import { serve } from './scripted-server.ts';
import { serveTokens } from './token-registry.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scoped-login-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** What docker/login-action leaves with `scope:`; without one, what `docker login` leaves. */
function logIn(registry: string, user: string, scope = ''): void {
  const key = registry === 'registry-1.docker.io' ? 'https://index.docker.io/v1/' : registry;
  const at = scope === '' ? folder : join(folder, 'buildx', 'config', `${registry}${scope}`);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'config.json'), JSON.stringify({ auths: { [key]: { auth: base64(`${user}:secret`) } } }));
}

const env = (): Record<string, string> => ({ DOCKER_CONFIG: folder });

/** The user whose credentials serve this. */
async function userOf(registry: string, path: string, ...actions: string[]): Promise<string | undefined> {
  const found = await createKeychain({ env: env() }).credentials(registry, repositoryScope(path, actions));
  return found !== undefined && 'username' in found ? found.username : undefined;
}

describe('of the logins that fit, the most specific is taken', () => {
  test.each<[string, string, string[], string | undefined]>([
    ['a repository and actions', 'acme/app', ['pull', 'push'], '/acme/app@push'],
    ['a repository, for less', 'acme/app', ['pull'], '/acme/app'],
    ['the registry and actions', 'acme/other', ['pull', 'push'], '@pull,push'],
    ['the registry, for less', 'acme/other', ['pull'], '@pull'],
    ['part of a path is another repository', 'acme', ['push'], undefined],
    ['a longer path is another repository', 'acme/app/x', ['push'], undefined],
  ])('%s', async (_, path, actions, expected) => {
    for (const scope of ['/acme/app', '/acme/app@push', '@pull', '@pull,push']) logIn('a.example', scope, scope);
    logIn('a.example', 'unscoped');
    expect(await userOf('a.example', path, ...actions)).toBe(expected ?? 'unscoped');
  });

  test('and where none fits, the usual ones', async () => {
    logIn('a.example', 'scoped', '/acme/app');
    logIn('b.example', 'usual');
    expect(await userOf('a.example', 'acme/other', 'pull')).toBeUndefined();
    expect(await userOf('b.example', 'acme/app', 'pull')).toBe('usual');
  });

  test('also for Docker Hub, under the name of its host', async () => {
    logIn('registry-1.docker.io', 'hub', '/library/node@pull');
    expect(await userOf('docker.io', 'library/node', 'pull')).toBe('hub');
    expect(await userOf('docker.io', 'library/alpine', 'pull')).toBeUndefined();
  });

  test('before what the user gave: buildx takes them first', async () => {
    logIn('a.example', 'scoped', '/acme/app');
    const explicit = { registry: 'a.example', username: 'given', password: 'x' };
    const keychain = createKeychain({ env: env(), explicit });
    const scope = (path: string): ReturnType<typeof repositoryScope> => repositoryScope(path, ['pull']);
    expect(await keychain.credentials('a.example', scope('acme/app'))).toMatchObject({ username: 'scoped' });
    expect(await keychain.credentials('a.example', scope('acme/other'))).toMatchObject({ username: 'given' });
  });

  test('and one that is empty, as a logout leaves it, is none', async () => {
    logIn('a.example', 'scoped', '/acme/app');
    writeFileSync(join(folder, 'buildx/config/a.example/acme/app/config.json'), '{"auths":{}}');
    logIn('a.example', 'usual');
    expect(await userOf('a.example', 'acme/app', 'pull')).toBe('usual');
  });
});

test('they are looked for in BUILDX_CONFIG, else beside the builders', () => {
  const scope = repositoryScope('acme/app', ['pull', 'push']);
  const names = [
    'a.example',
    'a.example/acme/app',
    'a.example/acme/app@push',
    'a.example/acme/app@delete',
    'a.example@push,pull',
  ];
  for (const name of names) mkdirSync(join(folder, 'elsewhere/config', name), { recursive: true });
  const elsewhere = { DOCKER_CONFIG: '/nonexistent', BUILDX_CONFIG: join(folder, 'elsewhere') };
  expect(scopedConfigFolders(elsewhere, 'a.example', scope)).toEqual(
    ['a.example/acme/app@push', 'a.example/acme/app', 'a.example@push,pull', 'a.example'].map((name) =>
      join(folder, 'elsewhere/config', name),
    ),
  );
  expect(scopedConfigFolders(env(), 'a.example', scope)).toEqual([]);
});

describe('over the wire', () => {
  function open(): Registries {
    const registries = openRegistries({ env: env() });
    onTestFinished(() => registries.close());
    return registries;
  }

  test('each repository and right has its own credentials at the token service', async () => {
    const server = await serveTokens({ answer: (_, response) => response.writeHead(404).end() });
    logIn(server.host, 'reader', '@pull');
    logIn(server.host, 'writer', '/acme/app@push');
    const registries = open();
    await registries.open({ registry: server.host, path: 'acme/app' }, 'push').fetch({ tag: '1' });
    await registries.open({ registry: server.host, path: 'acme/base' }).fetch({ tag: '1' });
    const asked = server.seen.filter(({ path }) => path.startsWith('/token'));
    expect(asked.map(({ path, headers }) => [decodeURIComponent(path), headers.authorization])).toEqual([
      [expect.stringContaining('scope=repository:acme/app:pull,push'), `Basic ${base64('writer:secret')}`],
      [expect.stringContaining('repository:acme/base:pull'), `Basic ${base64('reader:secret')}`],
    ]);
  });

  test('a mount shows the credentials of the repository that it writes to', async () => {
    const server = await serveTokens({
      answer: ({ method }, response) => response.writeHead(method === 'HEAD' ? 404 : 201).end(),
    });
    logIn(server.host, 'reader', '/acme/a-base@pull');
    logIn(server.host, 'writer', '/acme/app@push');
    const bytes = Buffer.from('layer');
    const blob = { mediaType: 'application/octet-stream', digest: digestOf(bytes), sizeBytes: bytes.length };
    const target = open().open({ registry: server.host, path: 'acme/app' });
    await target.push(blob, bytes, { registry: server.host, path: 'acme/a-base' });
    const asked = server.seen.find(({ path }) => path.startsWith('/token') && path.includes('a-base'));
    expect(asked?.headers.authorization).toBe(`Basic ${base64('writer:secret')}`);
    const write = repositoryScope('acme/app', ['pull', 'push']);
    expect(mainScope(mergeScopes([write, repositoryScope('acme/a-base', ['pull'])]))).toEqual(write);
  });

  test.each([
    ['another repository', 'repository:acme/secret:pull,push'],
    ['a folder elsewhere', 'repository:../../../elsewhere:pull,push'],
  ])('whatever scope the registry asks for: %s has no say in whose they are', async (_, scope) => {
    const server = await serve(({ path, headers }, response) => {
      if (path.startsWith('/token')) return void response.end('{"token":"t"}');
      const challenge = `Bearer realm="http://${headers.host ?? ''}/token",scope="${scope}"`;
      response.writeHead(headers.authorization === undefined ? 401 : 404, { 'www-authenticate': challenge }).end();
    });
    for (const name of ['/acme/app', '/acme/secret', '/../../../elsewhere']) logIn(server.host, name, name);
    await open().open({ registry: server.host, path: 'acme/app' }).fetch({ tag: '1' });
    const asked = server.seen.find(({ path }) => path.startsWith('/token'));
    expect(decodeURIComponent(asked?.path ?? '')).toContain(scope);
    expect(asked?.headers.authorization).toBe(`Basic ${base64('/acme/app:secret')}`);
  });

  test('and where the registry takes passwords itself', async () => {
    const server = await serve(({ headers }, response) => {
      const status = headers.authorization === undefined ? 401 : 404;
      response.writeHead(status, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    logIn(server.host, 'one', '/acme/one');
    logIn(server.host, 'two', '/acme/two');
    const registries = open();
    for (const path of ['acme/one', 'acme/two', 'acme/one']) {
      expect(await registries.open({ registry: server.host, path }).fetch({ tag: '1' })).toBeUndefined();
    }
    const [one, two] = [`Basic ${base64('one:secret')}`, `Basic ${base64('two:secret')}`];
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, one, two, one]);
  });
});
