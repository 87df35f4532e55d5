import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Credentials, Secret } from '../../src/registry/credentials.ts';
import { dockerConfigFolder } from '../../src/registry/docker-config-file.ts';
import { createKeychain, type KeychainSettings } from '../../src/registry/keychain.ts';
import { fakeClock } from './scripted-server.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keychain-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** Looks a registry up with this as Docker's config.json. */
function lookUp(
  registry: string,
  config: unknown,
  settings: Partial<KeychainSettings> = {},
): Promise<Credentials | undefined> {
  if (config !== undefined)
    writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  const env = { DOCKER_CONFIG: folder, PATH: [folder, process.env['PATH']].join(delimiter), ...settings.env };
  return createKeychain({ ...settings, env }).credentials(registry);
}

/** A credential helper that notes what it was asked. */
function installHelper(name: string, script: string): string {
  const asked = join(folder, 'asked');
  const path = join(folder, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\necho "$1 $(cat)" >> ${asked}\n${script}\n`);
  chmodSync(path, 0o755);
  return asked;
}

/** What a set of credentials says, with its secrets. */
function reveal(credentials: Credentials | undefined): unknown {
  const entries = Object.entries(credentials ?? {}).map(([key, value]) => [
    key,
    value instanceof Secret ? value.reveal() : value,
  ]);
  return credentials === undefined ? undefined : Object.fromEntries(entries);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const KIM = { username: 'kim', password: 'secret' };
const KIM_AUTH = { auth: base64('kim:secret') };

describe('auths', () => {
  test.each<[string, string, string]>([
    ['the host', 'ghcr.io', 'ghcr.io'],
    ['the host and port', 'localhost:5000', 'localhost:5000'],
    ['https and host', 'https://ghcr.io', 'ghcr.io'],
    ['https, host and slash', 'https://ghcr.io/', 'ghcr.io'],
    ['https, host and version', 'https://ghcr.io/v1/', 'ghcr.io'],
    ['https, host and version 2', 'https://ghcr.io/v2', 'ghcr.io'],
    ['http and host', 'http://localhost:5000', 'localhost:5000'],
    ['upper case', 'GHCR.io', 'ghcr.io'],
    ['what Docker writes for Docker Hub', 'https://index.docker.io/v1/', 'docker.io'],
    ['the name of Docker Hub', 'docker.io', 'docker.io'],
    ["the host of Docker Hub's registry", 'registry-1.docker.io', 'docker.io'],
  ])('are found under %s', async (_, key, registry) => {
    expect(reveal(await lookUp(registry, { auths: { [key]: KIM_AUTH } }))).toEqual(KIM);
  });

  test.each([
    ['another host', 'ghcr.io.evil.example'],
    ['a host that ends alike', 'evil-ghcr.io'],
    ['another port', 'ghcr.io:8443'],
    ['a part of the registry', 'ghcr.io/acme'],
    ['a host after a user', 'https://ghcr.io@evil.example/'],
  ])('of %s are not used', async (_, key) => {
    expect(await lookUp('ghcr.io', { auths: { [key]: KIM_AUTH } })).toBeUndefined();
  });

  test.each<[string, object, unknown]>([
    ['user and password in base64', KIM_AUTH, KIM],
    [
      'a password with colons',
      { auth: base64('_json_key:{"a":"b:c"}') },
      { username: '_json_key', password: '{"a":"b:c"}' },
    ],
    ['padding as Docker adds it', { auth: base64('kim:secret\0\0') }, KIM],
    ['user and password in the open', KIM, KIM],
    ['an empty password', { auth: base64('kim:') }, { username: 'kim', password: '' }],
    [
      'an identity token, over a password',
      { auth: base64('0000:'), identitytoken: 'refresh' },
      { identityToken: 'refresh' },
    ],
    [
      'a registry token, over all',
      { ...KIM_AUTH, identitytoken: 'x', registrytoken: 'bearer' },
      { registryToken: 'bearer' },
    ],
    ['an empty entry as nothing', {}, undefined],
    ['an entry with an e-mail only as nothing', { email: 'kim@example.org' }, undefined],
  ])('hold %s', async (_, entry, expected) => {
    expect(reveal(await lookUp('ghcr.io', { auths: { 'ghcr.io': entry } }))).toEqual(expected);
  });

  test('prefer the spelling that Docker uses itself, and skip entries that are empty', async () => {
    const other = { auth: base64('other:x') };
    const auths = { 'docker.io': other, 'https://index.docker.io/v1/': KIM_AUTH };
    expect(reveal(await lookUp('docker.io', { auths }))).toEqual(KIM);
    expect(reveal(await lookUp('docker.io', { auths: { ...auths, 'https://index.docker.io/v1/': {} } }))).toMatchObject(
      { username: 'other' },
    );
  });
});

describe('a config file', () => {
  test.each(['', ' \n'])('that is empty holds nothing: %j', async (text) => {
    expect(await lookUp('ghcr.io', text)).toBeUndefined();
  });

  test('that is not there is none', async () => {
    expect(await lookUp('ghcr.io', undefined)).toBeUndefined();
    expect(await lookUp('ghcr.io', undefined, { env: { DOCKER_CONFIG: join(folder, 'missing') } })).toBeUndefined();
  });

  test('is found in the home folder', async () => {
    const home = { HOME: join(folder, 'home'), DOCKER_CONFIG: '' };
    expect(await lookUp('ghcr.io', { auths: { 'ghcr.io': KIM_AUTH } }, { env: home })).toBeUndefined();
    const there = { HOME: join(folder, '..', 'x'), DOCKER_CONFIG: folder };
    expect(reveal(await lookUp('ghcr.io', undefined, { env: there }))).toEqual(KIM);
  });

  test.each<[string, string]>([
    ['no JSON', '{"auths": {"ghcr.io": {"auth": "c2VjcmV0"'],
    ['comments', '{ // c2VjcmV0\n"auths": {} }'],
    ['a byte order mark', '\ufeff{"auths": {}}'],
    ['no object', '[]'],
    ['a list of auths', '{"auths": []}'],
    ['credHelpers that are text', '{"credHelpers": "x"}'],
    ['no base64', JSON.stringify({ auths: { 'ghcr.io': { auth: 'top secret' } } })],
    ['no colon', JSON.stringify({ auths: { 'ghcr.io': { auth: base64('topsecret') } } })],
  ])('with %s is an error that names the file and no secret', async (_, text) => {
    const error: unknown = await lookUp('ghcr.io', text).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'DOCKER_CONFIG_INVALID',
      message: expect.stringContaining(join(folder, 'config.json')),
    });
    expect(inspect(error, { depth: 9 })).not.toMatch(/c2VjcmV0|top secret|topsecret|dG9wc2VjcmV0/);
  });

  test('with a bad entry for one registry serves the others', async () => {
    const auths = { 'ghcr.io': { auth: '!' }, 'quay.io': KIM_AUTH };
    expect(reveal(await lookUp('quay.io', { auths }))).toEqual(KIM);
  });
});

describe('the variable DOCKER_AUTH_CONFIG', () => {
  test.each([
    '',
    'no JSON',
    '/builds/acme/auth.json',
    '[]',
    '{}',
    '{"auths":[]}',
    '{"auths":{"ghcr.io":{"auth":"!"}}}',
  ])('that is %j counts as absent, as for Docker', async (DOCKER_AUTH_CONFIG) => {
    const auths = { 'ghcr.io': KIM_AUTH };
    expect(reveal(await lookUp('ghcr.io', { auths }, { env: { DOCKER_AUTH_CONFIG } }))).toEqual(KIM);
  });

  test('serves the registries that it names', async () => {
    const auths = { 'https://index.docker.io/v1/': KIM_AUTH };
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths, credHelpers: { 'ghcr.io': 'never-run' } }) };
    expect(reveal(await lookUp('docker.io', undefined, { env }))).toEqual(KIM);
    expect(await lookUp('ghcr.io', undefined, { env })).toBeUndefined();
  });
});

describe('the order', () => {
  const explicit = { registry: 'GHCR.io', username: 'me', password: 'given' };

  test('is: given, DOCKER_AUTH_CONFIG, credHelpers or credsStore, auths, GitHub token', async () => {
    installHelper('one', `echo '{"Username":"helper","Secret":"s"}'`);
    installHelper('two', `echo '{"Username":"store","Secret":"s"}'`);
    const full = { credHelpers: { 'ghcr.io': 'one' }, auths: { 'ghcr.io': KIM_AUTH }, credsStore: 'two' };
    const who = async (config: unknown, settings: Partial<KeychainSettings>): Promise<unknown> =>
      reveal(await lookUp('ghcr.io', config, { githubToken: 'ghs_x', ...settings }));
    expect(await who(full, { explicit })).toEqual({ username: 'me', password: 'given' });
    expect(await who(full, {})).toMatchObject({ username: 'helper' });
    expect(await who({ ...full, credHelpers: {} }, {})).toMatchObject({ username: 'store' });
    expect(await who({ ...full, credHelpers: { 'ghcr.io': '' } }, {})).toMatchObject({ username: 'kim' });
    expect(await who({ credsStore: 'two', auths: { 'ghcr.io': {} } }, {})).toMatchObject({ username: 'store' });
    installHelper('two', 'echo credentials not found in native keychain; exit 1');
    expect(await who({ ...full, credHelpers: {} }, {})).toMatchObject({ username: 'kim' });
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'ghcr.io': { auth: base64('env:s') } } }) };
    expect(await who(full, { env })).toMatchObject({ username: 'env' });
    expect(await who(full, { env, explicit })).toMatchObject({ username: 'me' });
    expect(await who({}, {})).toEqual({ username: 'x-access-token', password: 'ghs_x' });
    expect(await who({}, { env: { GITHUB_ACTOR: 'octocat' } })).toEqual({ username: 'octocat', password: 'ghs_x' });
    expect(await who({}, { githubToken: '' })).toBeUndefined();
  });

  test.each([
    ['https://github.com', 'ghcr.io', 'containers.github.com'],
    ['', 'ghcr.io', 'containers.'],
    ['https://github.acme.example', 'containers.github.acme.example', 'ghcr.io'],
    ['https://acme.ghe.com/', 'containers.acme.ghe.com', 'ghcr.io'],
  ])('gives the GitHub token to the registry of %j: to %s, not to %s', async (server, own, other) => {
    const settings = { githubToken: 'ghs_x', env: { GITHUB_SERVER_URL: server } };
    expect(reveal(await lookUp(own, {}, settings))).toMatchObject({ password: 'ghs_x' });
    expect(await lookUp(other, {}, settings)).toBeUndefined();
  });

  test.each(['dhi.io', 'registry.scout.docker.com'])(
    'takes those of Docker Hub for %s, which it serves',
    async (host) => {
      const auths = { 'https://index.docker.io/v1/': KIM_AUTH };
      expect(reveal(await lookUp(host, { auths }))).toEqual(KIM);
      const own = { ...auths, [host]: { auth: base64('own:x') } };
      expect(reveal(await lookUp(host, { auths: own }))).toMatchObject({ username: 'own' });
    },
  );

  test.each(['docker.io', 'ghcr.io.evil.example', 'ghcr.io:443', 'containers.ghcr.io', '127.0.0.1:5000'])(
    'gives the GitHub token to ghcr.io, not to %s',
    async (registry) => {
      expect(await lookUp(registry, {}, { githubToken: 'ghs_x', explicit })).toBeUndefined();
    },
  );

  test('knows Docker Hub by all of its names', async () => {
    const hub = { ...explicit, registry: 'index.docker.io' };
    expect(reveal(await lookUp('registry-1.docker.io', {}, { explicit: hub }))).toEqual({
      username: 'me',
      password: 'given',
    });
  });
});

describe('a credential helper', () => {
  const config = { credHelpers: { 'ghcr.io': 'test', 'docker.io': 'test' } };

  test('is asked for the registry on standard input, once', async () => {
    const asked = installHelper('test', `echo '{"ServerURL":"x","Username":"kim","Secret":"secret"}'`);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    const keychain = createKeychain({
      env: { DOCKER_CONFIG: folder, PATH: `${folder}${delimiter}${process.env['PATH']}` },
    });
    expect(reveal(await keychain.credentials('ghcr.io'))).toEqual(KIM);
    await Promise.all([keychain.credentials('ghcr.io'), keychain.credentials('docker.io')]);
    expect(readFileSync(asked, 'utf8')).toBe('get ghcr.io\nget https://index.docker.io/v1/\n');
  });

  test('is asked again after a while: what it gave may have expired', async () => {
    const asked = installHelper('test', `echo '{"Username":"kim","Secret":"secret"}'`);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    const clock = fakeClock();
    const env = { DOCKER_CONFIG: folder, PATH: `${folder}${delimiter}${process.env['PATH']}` };
    const keychain = createKeychain({ env, clock });
    const timesAsked = async (): Promise<number> => {
      await keychain.credentials('ghcr.io');
      return readFileSync(asked, 'utf8').split('\n').length - 1;
    };
    expect(await timesAsked()).toBe(1);
    clock.advance(4 * 60_000);
    expect(await timesAsked()).toBe(1);
    clock.advance(60_000);
    expect(await timesAsked()).toBe(2);
  });

  test('gives an identity token under the user name <token>', async () => {
    installHelper('test', `echo '{"Username":"<token>","Secret":"refresh"}'`);
    expect(reveal(await lookUp('ghcr.io', config))).toEqual({ identityToken: 'refresh' });
  });

  test.each([
    ['says so', `echo 'credentials not found in native keychain'; exit 1`],
    ['answers with nothing in it', `echo '{}'`],
    ['answers with empty fields', `echo '{"Username":"","Secret":""}'`],
  ])('has none when it %s', async (_, script) => {
    installHelper('test', script);
    expect(await lookUp('ghcr.io', config)).toBeUndefined();
  });

  test.each([
    ['fails', `echo 'secret=hunter2'; echo hunter2 >&2; exit 3`, 'ended with exit code 3'],
    ['answers no JSON', `echo hunter2`, 'its answer is not JSON'],
    ['answers without a secret', `echo '{"Username":"hunter2"}'`, 'holds no secret'],
    ['takes too long', `sleep 30; echo hunter2`, 'gave no answer within 0.3 s'],
    ['is killed', `kill -9 $$`, 'could not be run'],
  ])('that %s is an error which names it and nothing that it wrote', async (_, script, problem) => {
    installHelper('test', script);
    const error: unknown = await lookUp('ghcr.io', config, { helperTimeoutMs: 300 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'CREDENTIAL_HELPER_FAILED',
      command: 'docker-credential-test',
      message: expect.stringContaining(problem),
    });
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
  });

  test('that takes too long is ended', async () => {
    const pidFile = join(folder, 'pid');
    installHelper('test', `echo $$ > ${pidFile}; exec sleep 600`);
    await expect(lookUp('ghcr.io', config, { helperTimeoutMs: 300 })).rejects.toThrow('no answer');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  test('that is not installed is an error with a hint', async () => {
    await expect(lookUp('ghcr.io', { credsStore: 'no-such-helper' })).rejects.toMatchObject({
      code: 'CREDENTIAL_HELPER_FAILED',
      message: expect.stringContaining('no such program on the PATH'),
      hint: expect.stringContaining('credsStore'),
    });
  });

  test.each(['../../bin/sh', 'a b', '-x', ''])('named %j is never started', async (name) => {
    const work = lookUp('ghcr.io', { credHelpers: { 'ghcr.io': name } });
    if (name === '') expect(await work).toBeUndefined();
    else await expect(work).rejects.toMatchObject({ message: expect.stringContaining('its name is not valid') });
  });

  test('for another registry is not started', async () => {
    expect(await lookUp('quay.io', { credHelpers: { 'ghcr.io': 'no-such-helper' } })).toBeUndefined();
  });
});

test('credentials do not show their secrets by accident', async () => {
  const all = [
    await lookUp('ghcr.io', { auths: { 'ghcr.io': KIM_AUTH } }),
    await lookUp('ghcr.io', { auths: { 'ghcr.io': { identitytoken: 'secret' } } }),
    await lookUp('ghcr.io', { auths: { 'ghcr.io': { registrytoken: 'secret' } } }),
  ];
  const shown = `${inspect(all, { depth: 9, showHidden: true })} ${JSON.stringify(all)} ${all.flatMap((one) => Object.values(one ?? {})).join(' ')}`;
  expect(shown.replaceAll('[secret]', '')).not.toContain('secret');
});

describe("the folder of Docker's configuration", () => {
  const homes = { HOME: '/home/kim', USERPROFILE: '/users/kim' };

  test.each<[NodeJS.Platform, Readonly<Record<string, string>>, string]>([
    ['linux', homes, '/home/kim/.docker'],
    ['darwin', homes, '/home/kim/.docker'],
    ['win32', homes, '/users/kim/.docker'],
    ['win32', { HOME: '/home/kim' }, join(homedir(), '.docker')],
    ['linux', { HOME: '' }, join(homedir(), '.docker')],
    ['linux', { ...homes, DOCKER_CONFIG: '/elsewhere' }, '/elsewhere'],
  ])('on %s, given %o, is %s', (platform, env, expected) => {
    expect(dockerConfigFolder(env, platform)).toBe(expected);
  });
});
