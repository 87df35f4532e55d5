import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { textAt } from '../../src/core/json.ts';
import { type RegistryRepository } from '../../src/registry/open.ts';
import {
  type RegistryAuth,
  type RegistryUser,
  type RunningRegistry,
  startRegistry,
} from '../../src/registry/server.ts';
import { openRepository } from './open-repository.ts';
import { failureOf } from './open-transport.ts';
import { codeOf, requestsTo } from './registry-requests.ts';
import { all, pushImage, randomLayer, sampleImage } from './sample-image.ts';

const USERS: readonly RegistryUser[] = [
  { name: 'owner', password: 'p:w ü' },
  { name: 'reader', password: 'r', rights: { 'acme/*': ['pull'] } },
  { name: 'writer', password: 'w', rights: { 'acme/app': ['pull', 'push'], 'acme/base': ['pull'] } },
];

let registry: RunningRegistry;
afterEach(() => registry.close());
const { ask } = requestsTo(() => registry);

async function start(auth: Partial<RegistryAuth> & Pick<RegistryAuth, 'kind'>): Promise<void> {
  registry = await startRegistry({ auth: { users: USERS, ...auth } });
}

function basic(name: string, password = USERS.find((user) => user.name === name)?.password ?? ''): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

/** Our client, logged in as this user with the inputs `username` and `password`. */
function openAs(username: string, password = USERS.find((user) => user.name === username)?.password ?? '') {
  return openRepository(registry.host, { explicit: { registry: registry.host, username, password } });
}

async function pushAndRead(repository: RegistryRepository): Promise<void> {
  const image = await pushImage(repository, sampleImage());
  await repository.tag(image, 'kept');
  expect(await repository.resolve({ tag: 'kept' })).toEqual(image);
  expect(await all(repository.tags())).toEqual(['kept']);
}

const as = (name: string, authorization = basic(name)) => ({ headers: { authorization } });

describe('basic authentication', () => {
  it('asks for a login, everywhere', async () => {
    await start({ kind: 'basic' });
    for (const where of ['/v2/', '/v2/_catalog', 'tags/list', 'manifests/1']) {
      const response = await ask('GET', where);
      expect([where, response.status, await codeOf(response)]).toEqual([where, 401, 'UNAUTHORIZED']);
      expect(response.headers.get('www-authenticate')).toBe('Basic realm="build-once-registry"');
    }
  });

  it.each([
    ['the wrong password', basic('owner', 'wrong')],
    ['an unknown user', basic('nobody')],
    ['a token', 'Bearer abc'],
    ['no base64', 'Basic ***'],
    ['no colon', `Basic ${Buffer.from('owner').toString('base64')}`],
  ])('refuses %s', async (_, authorization) => {
    await start({ kind: 'basic' });
    const response = await ask('GET', '/v2/', { headers: { authorization } });
    expect([response.status, response.headers.has('www-authenticate')]).toEqual([401, true]);
  });

  it('says who it was in the log, never how', async () => {
    await start({ kind: 'basic' });
    expect((await ask('GET', '/v2/', as('owner'))).status).toBe(200);
    expect(registry.requests).toEqual([{ method: 'GET', path: '/v2/', status: 200, kind: 'base', user: 'owner' }]);
  });

  it.each([
    ['reader', 'GET', '/v2/acme/app/tags/list', 404],
    ['reader', 'POST', '/v2/acme/app/blobs/uploads/', 403],
    ['reader', 'DELETE', '/v2/acme/app/manifests/1', 403],
    ['reader', 'GET', '/v2/other/tags/list', 403],
    ['reader', 'GET', '/v2/acme/tags/list', 403],
    ['reader', 'GET', '/v2/_catalog', 200],
    ['writer', 'POST', '/v2/acme/app/blobs/uploads/', 202],
    ['writer', 'POST', '/v2/acme/app2/blobs/uploads/', 403],
    ['writer', 'DELETE', '/v2/acme/app/manifests/1', 403],
    ['owner', 'DELETE', '/v2/acme/app/manifests/1', 404],
  ])('lets %s do what the rights say: %s %s is %d', async (name, method, where, status) => {
    await start({ kind: 'basic' });
    const response = await ask(method, where, as(name));
    expect([response.status, status === 403 ? await codeOf(response) : '']).toEqual([
      status,
      status === 403 ? 'DENIED' : '',
    ]);
  });

  it('lets everybody read what is open to all', async () => {
    await start({ kind: 'basic', anonymous: { 'open/*': ['pull'] } });
    expect((await ask('GET', '/v2/open/app/tags/list')).status).toBe(404);
    expect((await ask('POST', '/v2/open/app/blobs/uploads/')).status).toBe(401);
    expect((await ask('GET', '/v2/acme/app/tags/list')).status).toBe(401);
    expect((await ask('GET', '/v2/')).status).toBe(401);
  });

  it('opens for our client', async () => {
    await start({ kind: 'basic' });
    await pushAndRead(openAs('owner'));
    expect(await failureOf(openAs('owner', 'wrong').resolve({ tag: 'kept' }))).toMatchObject({ status: 401 });
    expect(await failureOf(pushImage(openAs('reader'), sampleImage()))).toMatchObject({ status: 403, code: 'DENIED' });
  });
});

describe('tokens', () => {
  const challengeOf = async (where: string, init = {}): Promise<string> => {
    const response = await ask('GET', where, init);
    expect(response.status).toBe(401);
    return response.headers.get('www-authenticate') ?? '';
  };
  const tokenOf = async (name: string | undefined, ...scopes: readonly string[]): Promise<string> => {
    const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&');
    const response = await ask('GET', `/token?${query}`, name === undefined ? {} : as(name));
    expect(response.status).toBe(200);
    return `Bearer ${textAt(await response.json(), 'token')}`;
  };
  const form = (fields: Readonly<Record<string, string>>): Promise<Response> =>
    ask('POST', '/token', {
      body: new URLSearchParams({ service: 'build-once-registry', client_id: 'test', ...fields }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const identityTokenOf = async (username: string, password: string): Promise<string> => {
    const response = await form({ grant_type: 'password', username, password, access_type: 'offline' });
    return textAt(await response.json(), 'refresh_token') ?? '';
  };

  it('are asked for with a realm, a service and a scope', async () => {
    await start({ kind: 'bearer' });
    const realm = `Bearer realm="${registry.url}/token",service="build-once-registry"`;
    expect(await challengeOf('/v2/')).toBe(realm);
    expect(await challengeOf('tags/list')).toBe(`${realm},scope="repository:acme/app:pull"`);
    const upload = await ask('POST', 'blobs/uploads/');
    expect(upload.headers.get('www-authenticate')).toBe(`${realm},scope="repository:acme/app:pull,push"`);
    const deletion = await ask('DELETE', 'manifests/1');
    expect(deletion.headers.get('www-authenticate')).toBe(`${realm},scope="repository:acme/app:delete"`);
  });

  it('open what they were made for, and nothing else', async () => {
    await start({ kind: 'bearer' });
    const authorization = await tokenOf('owner', 'repository:acme/app:pull');
    expect((await ask('GET', '/v2/', { headers: { authorization } })).status).toBe(200);
    expect((await ask('GET', 'tags/list', { headers: { authorization } })).status).toBe(404);
    expect(await challengeOf('/v2/other/tags/list', { headers: { authorization } })).toMatch(
      /scope="repository:other:pull",error="insufficient_scope"$/,
    );
    const upload = await ask('POST', 'blobs/uploads/', { headers: { authorization } });
    expect([upload.status, await codeOf(upload)]).toEqual([401, 'UNAUTHORIZED']);
  });

  it('hold several scopes, in one parameter or in many', async () => {
    await start({ kind: 'bearer' });
    for (const scopes of [['repository:a:pull', 'repository:b:pull'], ['repository:a:pull repository:b:pull']]) {
      const authorization = await tokenOf('owner', ...scopes);
      expect((await ask('GET', '/v2/a/tags/list', { headers: { authorization } })).status).toBe(404);
      expect((await ask('GET', '/v2/b/tags/list', { headers: { authorization } })).status).toBe(404);
    }
  });

  it('allow no more than their user may do; a refusal for good is a 403', async () => {
    await start({ kind: 'bearer' });
    const authorization = await tokenOf('reader', 'repository:acme/app:pull,push,delete');
    expect((await ask('GET', 'tags/list', { headers: { authorization } })).status).toBe(404);
    const upload = await ask('POST', 'blobs/uploads/', { headers: { authorization } });
    expect([upload.status, await codeOf(upload)]).toEqual([403, 'DENIED']);
  });

  it.each([
    ['unknown', 'Bearer abc'],
    ['a password in their place', basic('owner')],
  ])('are refused when they are %s', async (_, authorization) => {
    await start({ kind: 'bearer' });
    expect(await challengeOf('/v2/', { headers: { authorization } })).toMatch(/error="invalid_token"$/);
  });

  it('are good until they are expired', async () => {
    await start({ kind: 'bearer' });
    const authorization = await tokenOf('owner');
    expect((await ask('GET', '/v2/', { headers: { authorization } })).status).toBe(200);
    registry.expireTokens();
    expect(await challengeOf('/v2/', { headers: { authorization } })).toMatch(/error="invalid_token"$/);
  });

  it('are good for their lifetime', async () => {
    await start({ kind: 'bearer', tokenLifetimeMs: 0 });
    expect(await challengeOf('/v2/', { headers: { authorization: await tokenOf('owner') } })).toContain(
      'invalid_token',
    );
  });

  it('are good for as many requests as was said', async () => {
    await start({ kind: 'bearer', tokenUses: 2 });
    const authorization = await tokenOf('owner');
    expect((await ask('GET', '/v2/', { headers: { authorization } })).status).toBe(200);
    expect((await ask('GET', '/v2/', { headers: { authorization } })).status).toBe(200);
    expect(await challengeOf('/v2/', { headers: { authorization } })).toContain('invalid_token');
  });

  it('say how long they are good for', async () => {
    await start({ kind: 'bearer', tokenLifetimeMs: 60_000 });
    const body: unknown = await (await ask('GET', '/token?scope=repository:acme/app:push,pull', as('owner'))).json();
    expect(body).toEqual({
      token: expect.any(String),
      access_token: expect.any(String),
      scope: 'repository:acme/app:pull,push',
      expires_in: 60,
      issued_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it.each([
    ['GET', 'the wrong password'],
    ['POST', 'the wrong password'],
  ])('are not given by %s for %s', async (method) => {
    await start({ kind: 'bearer' });
    const response =
      method === 'GET'
        ? await ask('GET', '/token', as('owner', basic('owner', 'wrong')))
        : await form({ grant_type: 'password', username: 'owner', password: 'wrong' });
    expect([response.status, await codeOf(response)]).toEqual([401, 'UNAUTHORIZED']);
  });

  it('are given to a form with a password', async () => {
    await start({ kind: 'bearer' });
    const scope = 'repository:acme/app:pull';
    const response = await form({ grant_type: 'password', username: 'owner', password: 'p:w ü', scope });
    const body: unknown = await response.json();
    expect(textAt(body, 'refresh_token')).toBeUndefined();
    const authorization = `Bearer ${textAt(body, 'access_token')}`;
    expect((await ask('GET', 'tags/list', { headers: { authorization } })).status).toBe(404);
  });

  it('are given for an identity token, which outlives them', async () => {
    await start({ kind: 'bearer' });
    const refreshToken = await identityTokenOf('reader', 'r');
    registry.expireTokens();
    const scope = 'repository:acme/app:pull,push';
    const response = await form({ grant_type: 'refresh_token', refresh_token: refreshToken, scope });
    expect(await response.json()).toMatchObject({ scope: 'repository:acme/app:pull', refresh_token: refreshToken });
  });

  it('come with an identity token when a login asks for one', async () => {
    await start({ kind: 'bearer' });
    const body: unknown = await (await ask('GET', '/token?offline_token=true', as('owner'))).json();
    const refreshToken = textAt(body, 'refresh_token') ?? '';
    expect((await form({ grant_type: 'refresh_token', refresh_token: refreshToken })).status).toBe(200);
  });

  it.each([
    ['an unknown identity token', { grant_type: 'refresh_token', refresh_token: 'x' }, 401],
    ['another grant', { grant_type: 'client_credentials' }, 400],
    ['a form without end', { grant_type: 'x'.repeat(100_000) }, 413],
  ])('are not given for %s', async (_, fields, status) => {
    await start({ kind: 'bearer' });
    expect((await form(fields)).status).toBe(status);
  });

  it('are given to everybody for what is open to all', async () => {
    await start({ kind: 'bearer', anonymous: { 'open/*': ['pull'] } });
    const authorization = await tokenOf(undefined, 'repository:open/app:pull', 'repository:acme/app:pull');
    expect((await ask('GET', '/v2/open/app/tags/list', { headers: { authorization } })).status).toBe(404);
    expect(await challengeOf('tags/list', { headers: { authorization } })).toContain('insufficient_scope');
    const body: unknown = await (await ask('GET', '/token?offline_token=true')).json();
    expect(textAt(body, 'refresh_token')).toBeUndefined();
  });

  it('list the repositories for those who have a name', async () => {
    await start({ kind: 'bearer', anonymous: { '*': ['pull'] } });
    const headers = { authorization: await tokenOf('reader', 'registry:catalog:*') };
    expect((await ask('GET', '/v2/_catalog', { headers })).status).toBe(200);
    const nobody = { authorization: await tokenOf(undefined, 'registry:catalog:*') };
    expect(await challengeOf('/v2/_catalog', { headers: nobody })).toContain('scope="registry:catalog:*"');
  });

  it('are not to be had where nobody asks for them', async () => {
    registry = await startRegistry();
    expect((await ask('GET', '/token')).status).toBe(404);
  });

  it('name the address that the client knows, unless that is none', async () => {
    await start({ kind: 'bearer' });
    const { request } = await import('node:http');
    const realmFor = (host: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const asked = request(`${registry.url}/v2/`, { headers: { host } }, (response) => {
          response.resume();
          resolve(/realm="([^"]*)"/.exec(response.headers['www-authenticate'] ?? '')?.[1] ?? '');
        });
        asked.on('error', reject).end();
      });
    expect(await realmFor('localhost:1234')).toBe('http://localhost:1234/token');
    expect(await realmFor('a"b')).toBe(`${registry.url}/token`);
  });

  describe('for a mount', () => {
    const blob = randomLayer();
    async function prepare(from: string): Promise<string> {
      await start({ kind: 'bearer' });
      const { digest } = blob.descriptor;
      const authorization = await tokenOf('owner', `repository:${from}:pull,push`);
      const where = `/v2/${from}/blobs/uploads/?digest=${digest}`;
      expect((await ask('POST', where, { body: blob.bytes, headers: { authorization } })).status).toBe(201);
      return `blobs/uploads/?mount=${digest}&from=${from}`;
    }

    it('must allow to read the source', async () => {
      const where = await prepare('acme/base');
      const narrow = { authorization: await tokenOf('writer', 'repository:acme/app:pull,push') };
      const refused = await ask('POST', where, { headers: narrow });
      expect(refused.headers.get('www-authenticate')).toContain(
        'scope="repository:acme/app:pull,push repository:acme/base:pull",error="insufficient_scope"',
      );
      const scopes = ['repository:acme/app:pull,push', 'repository:acme/base:pull'];
      const both = { authorization: await tokenOf('writer', ...scopes) };
      expect((await ask('POST', where, { headers: both })).status).toBe(201);
    });

    it('of what the user may not read make it an upload', async () => {
      const where = await prepare('secret/base');
      const headers = { authorization: await tokenOf('writer', 'repository:acme/app:pull,push') };
      expect((await ask('POST', where, { headers })).status).toBe(202);
      const anywhere = where.replace(/&from=.*/, '');
      expect((await ask('POST', anywhere, { headers })).status).toBe(202);
    });
  });

  describe('and our client', () => {
    it('get on by a password', async () => {
      await start({ kind: 'bearer' });
      await pushAndRead(openAs('owner'));
      expect(await failureOf(openAs('owner', 'wrong').resolve({ tag: 'kept' }))).toMatchObject({ status: 401 });
      expect(await failureOf(pushImage(openAs('reader'), sampleImage()))).toMatchObject({ status: 403 });
    });

    it('get on by an identity token from the config file of docker', async () => {
      await start({ kind: 'bearer' });
      const directory = await mkdtemp(path.join(os.tmpdir(), 'login-'));
      onTestFinished(() => rm(directory, { recursive: true }));
      const identitytoken = await identityTokenOf('owner', 'p:w ü');
      const auths = { [registry.host]: { auth: '', identitytoken } };
      await writeFile(path.join(directory, 'config.json'), JSON.stringify({ auths }));
      await pushAndRead(openRepository(registry.host, { env: { DOCKER_CONFIG: directory } }));
    });

    it('get on with tokens that expire in the middle of a run', async () => {
      await start({ kind: 'bearer' });
      const repository = openAs('owner');
      const image = await pushImage(repository, sampleImage());
      registry.expireTokens();
      await repository.tag(image, '1');
      registry.expireTokens();
      expect(await repository.resolve({ tag: '1' })).toEqual(image);
      expect(await registry.integrity()).toEqual([]);
    });

    it('get on with tokens for few requests', async () => {
      await start({ kind: 'bearer', tokenUses: 2 });
      await pushAndRead(openAs('owner'));
    });

    it('read without a login what is open to all', async () => {
      await start({ kind: 'bearer', anonymous: { '*': ['pull'] } });
      await pushAndRead(openAs('owner'));
      expect(await all(openRepository(registry.host).tags())).toEqual(['kept']);
      expect(await failureOf(pushImage(openRepository(registry.host), sampleImage()))).toMatchObject({ status: 401 });
    });
  });
});
