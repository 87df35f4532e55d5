import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { Secret } from '../../src/registry/credentials.ts';
import { openDocker, withLogins } from '../../src/tools/docker-config.ts';

const login = { registry: 'ghcr.io', credentials: { username: 'me', password: new Secret('hunter:2') } };
const auth = Buffer.from('me:hunter:2').toString('base64');

describe('the logins of this run', () => {
  it("stand beside the user's own", () => {
    const config = { auths: { 'quay.io': { auth: 'x' } }, proxies: { default: {} }, currentContext: 'desktop' };
    expect(withLogins(config, [login])).toEqual({
      auths: { 'quay.io': { auth: 'x' }, 'ghcr.io': { auth } },
      credHelpers: { 'ghcr.io': '' },
      proxies: { default: {} },
      currentContext: 'desktop',
    });
  });

  it("win over the user's helpers, which keep the other registries", () => {
    const config = {
      credsStore: 'desktop',
      credHelpers: { 'ghcr.io': 'gh', 'quay.io': 'pass' },
      auths: { 'ghcr.io': {} },
    };
    expect(withLogins(config, [login])).toEqual({
      credsStore: 'desktop',
      credHelpers: { 'ghcr.io': '', 'quay.io': 'pass' },
      auths: { 'ghcr.io': { auth } },
    });
  });

  it('are keyed for Docker Hub as docker itself does', () => {
    const { auths } = withLogins({}, [{ ...login, registry: 'docker.io' }]);
    expect(auths).toEqual({ 'https://index.docker.io/v1/': { auth } });
  });

  it('may be tokens', () => {
    const identity = { registry: 'a.example', credentials: { identityToken: new Secret('t') } };
    const bearer = { registry: 'b.example', credentials: { registryToken: new Secret('u') } };
    expect(withLogins({}, [identity, bearer])['auths']).toEqual({
      'a.example': { identitytoken: 't' },
      'b.example': { registrytoken: 'u' },
    });
  });

  it.each([null, 'x', 7, []])('do without auths that are %j', (auths) => {
    expect(withLogins({ auths, credHelpers: auths }, [login])).toEqual({
      auths: { 'ghcr.io': { auth } },
      credHelpers: { 'ghcr.io': '' },
    });
  });
});

describe("docker's configuration", () => {
  let home: string;
  beforeEach(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'docker-config-test-'));
  });
  afterEach(() => fs.rmSync(home, { recursive: true }));

  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
    fs.writeFileSync(path.join(home, file), text);
  };
  const hostAt = (env: Record<string, string> = {}): ReturnType<typeof createTerminalHost> =>
    createTerminalHost({ env: { HOME: home, ...env }, cwd: home, write: () => {} });

  it("is the user's own as it stands when there is nothing to add", () => {
    expect(openDocker(hostAt(), []).env).toEqual({});
  });

  it('is a private copy otherwise, gone at the end of the run', async () => {
    write('.docker/config.json', JSON.stringify({ auths: { 'quay.io': { auth: 'x' } } }));
    const host = hostAt();
    const directory = openDocker(host, [login]).env['DOCKER_CONFIG'] ?? '';
    const file = path.join(directory, 'config.json');
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(fs.readFileSync(file, 'utf8')).auths).toEqual({ 'quay.io': { auth: 'x' }, 'ghcr.io': { auth } });
    await host.finish();
    expect(fs.existsSync(directory)).toBe(false);
  });

  it("leads to the user's contexts, plugins and builders", async () => {
    write('.docker/config.json', JSON.stringify({ currentContext: 'far', cliPluginsExtraDirs: ['/opt/plugins'] }));
    write('.docker/contexts/meta/abc/meta.json', '{"Name":"far"}');
    write('.docker/contexts/tls/abc/docker/key.pem', 'key');
    const host = hostAt();
    const { env } = openDocker(host, [login]);
    const directory = env['DOCKER_CONFIG'] ?? '';
    const config = JSON.parse(fs.readFileSync(path.join(directory, 'config.json'), 'utf8'));
    expect(config.cliPluginsExtraDirs).toEqual([path.join(home, '.docker/cli-plugins'), '/opt/plugins']);
    expect(fs.readFileSync(path.join(directory, 'contexts/meta/abc/meta.json'), 'utf8')).toBe('{"Name":"far"}');
    expect(fs.statSync(path.join(directory, 'contexts/tls/abc/docker/key.pem')).mode & 0o777).toBe(0o600);
    expect(env['BUILDX_CONFIG']).toBe(path.join(home, '.docker/buildx'));
    await host.finish();
  });

  it('is looked for where the environment says', async () => {
    write('elsewhere/config.json', JSON.stringify({ currentContext: 'far' }));
    const host = hostAt({ DOCKER_CONFIG: 'elsewhere', BUILDX_CONFIG: '/builders', DOCKER_TLS_VERIFY: '1' });
    const { env } = openDocker(host, [login]);
    expect(env).toMatchObject({ BUILDX_CONFIG: '/builders', DOCKER_CERT_PATH: path.join(home, 'elsewhere') });
    expect(fs.readFileSync(path.join(env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8')).toContain('far');
    await host.finish();
  });

  it('takes in what DOCKER_AUTH_CONFIG holds, which would win over the logins of this run', async () => {
    write('.docker/config.json', JSON.stringify({ credsStore: 'desktop', auths: { 'quay.io': { auth: 'x' } } }));
    const auths = { 'quay.io': { auth: 'env' }, 'ghcr.io': { auth: 'env' } };
    const host = hostAt({ DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) });
    const { env } = openDocker(host, [login]);
    expect(env['DOCKER_AUTH_CONFIG']).toBe('');
    const config = JSON.parse(fs.readFileSync(path.join(env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      credsStore: 'desktop',
      credHelpers: { 'quay.io': '', 'ghcr.io': '' },
      auths: { 'quay.io': { auth: 'env' }, 'ghcr.io': { auth } },
    });
    expect(openDocker(host, []).env).toHaveProperty('DOCKER_CONFIG');
    await host.finish();
  });

  it.each(['', 'no JSON', '[]', '{"auths":{}}'])('is not copied for a DOCKER_AUTH_CONFIG of %j', (text) => {
    expect(openDocker(hostAt({ DOCKER_AUTH_CONFIG: text }), []).env).toEqual({});
  });

  it('keeps the password out of the log, also as docker writes it down', async () => {
    const host = hostAt();
    openDocker(host, [login]);
    expect(host.hide(`Authorization: Basic ${auth}`)).toBe('Authorization: Basic ***');
    await host.finish();
  });

  it.each(['', '{}'])('may be empty: %j', async (text) => {
    write('.docker/config.json', text);
    const host = hostAt();
    expect(openDocker(host, [login]).env).toHaveProperty('DOCKER_CONFIG');
    await host.finish();
  });

  it.each(['{"auths": hunter2', '[]', '"hunter2"'])(
    'that is no object is an error that shows none of it: %s',
    async (text) => {
      write('.docker/config.json', text);
      const host = hostAt();
      const open = (): unknown => openDocker(host, [login]);
      expect(open).toThrow(expect.objectContaining({ code: 'DOCKER_CONFIG_INVALID' }));
      expect(open).not.toThrow(/hunter2/);
      expect(open).not.toThrow(expect.objectContaining({ cause: expect.anything() }));
      await host.finish();
    },
  );

  it('takes no part of the contexts from elsewhere', async () => {
    write('elsewhere/meta/abc/meta.json', 'not ours');
    write('.docker/config.json', '{}');
    fs.symlinkSync(path.join(home, 'elsewhere'), path.join(home, '.docker/contexts'));
    const host = hostAt();
    expect(fs.readdirSync(openDocker(host, [login]).env['DOCKER_CONFIG'] ?? '')).toEqual(['config.json']);
    await host.finish();
  });

  it('may be a link as a whole', async () => {
    write('elsewhere/contexts/meta/abc/meta.json', '{"Name":"far"}');
    fs.symlinkSync('elsewhere', path.join(home, '.docker'));
    const host = hostAt();
    const directory = openDocker(host, [login]).env['DOCKER_CONFIG'] ?? '';
    expect(fs.readFileSync(path.join(directory, 'contexts/meta/abc/meta.json'), 'utf8')).toBe('{"Name":"far"}');
    await host.finish();
  });

  it.each(['list', 'read'] as const)('names what of its contexts cannot be read: %s', async (operation) => {
    write('.docker/contexts/meta.json', '{}');
    const host = hostAt();
    const refuse = (file: string): never => {
      throw Object.assign(new Error(file), { code: 'EACCES' });
    };
    const refusing = { ...host, files: { ...host.files, [operation]: refuse } };
    const named = operation === 'list' ? '.docker/contexts' : '.docker/contexts/meta.json';
    const message = expect.stringContaining(`${path.join(home, named)}" cannot be read (EACCES)`);
    expect(() => openDocker(refusing, [login])).toThrow(
      expect.objectContaining({ code: 'DOCKER_CONFIG_INVALID', message }),
    );
    await host.finish();
  });

  it('that cannot be read is an error that says so', async () => {
    write('.docker/config.json/x', '');
    const host = hostAt();
    const expected = { code: 'DOCKER_CONFIG_INVALID', message: expect.stringContaining('is a directory, not a file') };
    expect(() => openDocker(host, [login])).toThrow(expect.objectContaining(expected));
    await host.finish();
  });
});
