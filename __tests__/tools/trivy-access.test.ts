import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { openRegistries, type RegistriesSettings } from '../../src/registry/open.ts';
import { openScanAccess, type ScanAccess } from '../../src/tools/trivy-access.ts';

const NAME = { registry: 'ghcr.io', path: 'acme/app' };

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-access-'));
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

async function access(
  env: Readonly<Record<string, string>>,
  more: Partial<RegistriesSettings> = {},
  name = NAME,
): Promise<ScanAccess> {
  lines = [];
  host = createTerminalHost({ cwd: directory, env, write: (line) => void lines.push(line) });
  const registries = openRegistries({ env, ...more });
  const settings = { registries, authorities: more.authorities, plainRegistries: more.plainRegistries ?? [] };
  try {
    return await openScanAccess(host, name, settings);
  } finally {
    registries.close();
  }
}

const configOf = ({ env }: ScanAccess): unknown =>
  JSON.parse(fs.readFileSync(path.join(env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8'));
const auth = (text: string): string => Buffer.from(text).toString('base64');

/** A Docker configuration of the user's. */
function dockerConfig(config: object): Readonly<Record<string, string>> {
  fs.writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
  return { DOCKER_CONFIG: directory };
}

it('has the credentials for this registry and no others', async () => {
  const auths = { 'ghcr.io': { auth: auth('kim:pw') }, 'elsewhere.test': { auth: auth('kim:other') } };
  const found = await access(dockerConfig({ auths, credsStore: 'desktop-of-nobody', credHelpers: { 'ghcr.io': '' } }));
  expect(configOf(found)).toEqual({ auths: { 'ghcr.io': { auth: auth('kim:pw') } }, credHelpers: { 'ghcr.io': '' } });
  expect(fs.statSync(found.env['DOCKER_CONFIG'] ?? '').mode & 0o777).toBe(0o700);
});

it.each<[string, Readonly<Record<string, string>>, Partial<RegistriesSettings>, unknown]>([
  ['the inputs', {}, { explicit: { registry: 'ghcr.io', username: 'kim', password: 'pw' } }, { auth: auth('kim:pw') }],
  ["the job's token", { GITHUB_ACTOR: 'kim' }, { githubToken: 'pw' }, { auth: auth('kim:pw') }],
  [
    'DOCKER_AUTH_CONFIG',
    { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'ghcr.io': { auth: auth('kim:pw') } } }) },
    {},
    { auth: auth('kim:pw') },
  ],
])('has those of %s', async (_, env, more, expected) => {
  const found = await access({ DOCKER_CONFIG: directory, ...env }, more);
  expect(configOf(found)).toMatchObject({ auths: { 'ghcr.io': expected } });
  expect(found.env['DOCKER_AUTH_CONFIG']).toBe('');
});

it('has those of a login that is for this repository', async () => {
  const scoped = path.join(directory, 'buildx/config/ghcr.io/acme/app');
  fs.mkdirSync(scoped, { recursive: true });
  fs.writeFileSync(
    path.join(scoped, 'config.json'),
    JSON.stringify({ auths: { 'ghcr.io': { auth: auth('kim:scoped') } } }),
  );
  expect(configOf(await access({ DOCKER_CONFIG: directory }))).toMatchObject({
    auths: { 'ghcr.io': { auth: auth('kim:scoped') } },
  });
});

it('keeps them out of what is printed', async () => {
  await access({}, { explicit: { registry: 'ghcr.io', username: 'kim', password: 'hunter-two' } });
  host.log.info(`said: ${auth('kim:hunter-two')} hunter-two`);
  expect(lines).toEqual(['said: *** ***']);
});

it('has none, and asks nobody, where there are none', async () => {
  expect(configOf(await access({ DOCKER_CONFIG: directory }))).toEqual({ auths: {}, credHelpers: {} });
});

it('names Docker Hub as Docker does', async () => {
  const explicit = { registry: 'docker.io', username: 'kim', password: 'pw' };
  const found = await access({}, { explicit }, { registry: 'docker.io', path: 'acme/app' });
  expect(configOf(found)).toMatchObject({ auths: { 'https://index.docker.io/v1/': { auth: auth('kim:pw') } } });
});

it.each<[Readonly<Record<string, string>>, Readonly<Record<string, string>>]>([
  [{}, {}],
  [
    { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'x' },
    { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'x' },
  ],
  [{ ALL_PROXY: 'http://p:1' }, { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://p:1' }],
  [{ ALL_PROXY: 'http://k:s@p:1' }, { HTTP_PROXY: 'http://k:s@p:1', HTTPS_PROXY: 'http://k:s@p:1' }],
  // It is in the environment already.
  [{ HTTPS_PROXY: 'http://k:s@p:1' }, {}],
  [{ https_proxy: 'http://k:s@p:1', all_proxy: 'http://a:1' }, { HTTP_PROXY: 'http://a:1' }],
])('with %j it is told %j', async (env, expected) => {
  const { DOCKER_CONFIG: _, DOCKER_AUTH_CONFIG: __, ...proxies } = (await access(env)).env;
  expect(proxies).toEqual(expected);
});

it('trusts what the run trusts', async () => {
  const file = path.join(directory, 'extra.pem');
  fs.writeFileSync(file, 'EXTRA');
  expect((await access({})).authorities).toBeUndefined();
  expect((await access({ NODE_EXTRA_CA_CERTS: file }, { authorities: 'OWN' })).authorities).toBe('OWN\nEXTRA');
  expect((await access({ NODE_EXTRA_CA_CERTS: '/not/there' })).authorities).toBeUndefined();
});
