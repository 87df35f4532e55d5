import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openRegistries, type Registries } from '../../src/registry/open.ts';
import { type ScriptedServer, type Seen, serve } from './scripted-server.ts';

/** What a registry is like, and what its command line or login action leaves in Docker's config.json. */
interface Case {
  readonly registry: string;
  /** The registry stands under this host. */
  config(host: string): object;
  /** What `docker-credential-test` prints. */
  readonly helper?: string;
  /** The path of the token service, and its name; absent where the registry takes passwords itself. */
  readonly tokens?: { readonly path: string; readonly service: string; readonly elsewhere?: boolean };
  /** What must arrive: `user:password`, a refresh token, a bearer token that goes as it is, or nobody's. */
  readonly login: { readonly basic: string } | { readonly refresh: string } | { readonly bearer: string } | undefined;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const auth = (login: string): object => ({ auth: base64(login) });
const AZURE_USER = '00000000-0000-0000-0000-000000000000';
const KEY_FILE = JSON.stringify({
  type: 'service_account',
  private_key: '-----BEGIN FAKE KEY-----\nfake:\n',
  client_email: 'ci@p.example',
});

const GHCR = { path: '/token', service: 'ghcr.io' };
const HUB = { path: '/token', service: 'registry.docker.io', elsewhere: true };
const ECR_PUBLIC = { path: '/token/', service: 'public.ecr.aws' };
const GOOGLE = { path: '/v2/token', service: 'europe-docker.pkg.dev' };
const AZURE = { path: '/oauth2/token', service: 'acme.azurecr.io' };
const QUAY = { path: '/v2/auth', service: 'quay.io' };
const GITLAB = { path: '/jwt/auth', service: 'container_registry', elsewhere: true };
const HARBOR = { path: '/service/token', service: 'harbor-registry' };

/** A login that stands in `auths` under the host itself. */
const plainly = (registry: string, basic: string, tokens?: Case['tokens']): Case => ({
  registry,
  config: (host) => ({ auths: { [host]: auth(basic) } }),
  login: { basic },
  ...(tokens === undefined ? {} : { tokens }),
});

const CASES: readonly Case[] = [
  plainly('Amazon ECR after aws ecr get-login-password | docker login', `AWS:${base64('{"payload":"fake"}')}`),
  {
    registry: 'Amazon ECR with docker-credential-ecr-login',
    config: (host) => ({ credHelpers: { [host]: 'test' } }),
    helper: '{"ServerURL":"","Username":"AWS","Secret":"fake-ecr-password"}',
    login: { basic: 'AWS:fake-ecr-password' },
  },
  plainly('Amazon ECR Public', 'AWS:fake-public', ECR_PUBLIC),
  plainly('Google Artifact Registry with an access token', 'oauth2accesstoken:ya29.fake', GOOGLE),
  plainly('Google Artifact Registry with a key file', `_json_key:${KEY_FILE}`, GOOGLE),
  plainly('Google Artifact Registry with a key file in base64', `_json_key_base64:${base64(KEY_FILE)}`, GOOGLE),
  {
    registry: 'Google Artifact Registry after gcloud auth configure-docker',
    config: (host) => ({ credHelpers: { 'gcr.io': 'gcloud', [host]: 'test' } }),
    helper: '{\n  "Secret": "ya29.fake-helper",\n  "Username": "_dcgcloud_token"\n}',
    tokens: GOOGLE,
    login: { basic: '_dcgcloud_token:ya29.fake-helper' },
  },
  {
    registry: 'Azure after az acr login',
    config: (host) => ({ auths: { [host]: { ...auth(`${AZURE_USER}:`), identitytoken: 'fake.azure.refresh' } } }),
    tokens: AZURE,
    login: { refresh: 'fake.azure.refresh' },
  },
  {
    registry: 'Azure after az acr login, with a credential store',
    config: (host) => ({ auths: { [host]: {} }, credsStore: 'test' }),
    helper: '{"Username":"<token>","Secret":"fake.azure.stored"}',
    tokens: AZURE,
    login: { refresh: 'fake.azure.stored' },
  },
  plainly('Azure with az acr login --expose-token', `${AZURE_USER}:fake.azure.exposed`, AZURE),
  plainly('Azure with the admin user', 'acme:fake-admin', AZURE),
  plainly('Quay with a robot account', 'acme+robot:FAKEROBOT', QUAY),
  plainly('Quay with an OAuth token', '$oauthtoken:fake-oauth', QUAY),
  {
    registry: 'Docker Hub with a personal access token',
    config: (host) => ({ auths: { [`https://${host}/v1/`]: auth('acme:dckr_pat_fake') } }),
    tokens: HUB,
    login: { basic: 'acme:dckr_pat_fake' },
  },
  {
    registry: 'Docker Hub after docker login in the browser',
    config: (host) => ({
      auths: {
        [`https://${host}/v1/`]: auth('acme:fake-web'),
        [`https://${host}/v1/access-token`]: auth('acme:never-sent'),
        [`https://${host}/v1/refresh-token`]: auth('acme:never-sent'),
      },
    }),
    tokens: HUB,
    login: { basic: 'acme:fake-web' },
  },
  { registry: 'Docker Hub without a login', config: () => ({ auths: {} }), tokens: HUB, login: undefined },
  plainly('GHCR with GITHUB_TOKEN', 'octocat:ghs_fake', GHCR),
  plainly('GHCR with a personal access token', 'octocat:ghp_fake', GHCR),
  { registry: 'GHCR without a login', config: () => ({}), tokens: GHCR, login: undefined },
  plainly('GitLab with CI_JOB_TOKEN', 'gitlab-ci-token:fake-job', GITLAB),
  plainly('GitLab with a deploy token', 'gitlab+deploy-token-7:gldt-fake', GITLAB),
  plainly('Harbor with a robot account', 'robot$library+ci:fake-harbor', HARBOR),
  plainly('a registry behind htpasswd', 'kim:fake:with:colons'),
  {
    registry: 'a registry with a token that the user brought',
    config: (host) => ({ auths: { [host]: { registrytoken: 'fake.bearer' } } }),
    tokens: GHCR,
    login: { bearer: 'fake.bearer' },
  },
];

/** Answers as the registry: a token of its own service opens it, or a password. */
function standIn(tokens: Case['tokens'], accepted: string | undefined, realmHost: () => string) {
  return ({ path, method, headers }: Seen, response: ServerResponse): void => {
    if (tokens !== undefined && path.startsWith(`${tokens.path}?`)) {
      response.end('{"token":"granted","expires_in":300}');
    } else if (tokens !== undefined && path === tokens.path && method === 'POST') {
      response.end('{"access_token":"granted"}');
    } else if (headers.authorization !== undefined && headers.authorization === accepted) {
      response.writeHead(method === 'POST' ? 202 : 204, { location: `/v2/acme/app/blobs/uploads/1` }).end();
    } else {
      const challenge =
        tokens === undefined
          ? 'Basic realm="the registry"'
          : `Bearer realm="http://${realmHost()}${tokens.path}",service="${tokens.service}",scope="repository:acme/app:pull,push"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
    }
  };
}

/** The header that the registry itself must get in the end. */
function headerOf({ tokens, login }: Case): string | undefined {
  if (login !== undefined && 'bearer' in login) return `Bearer ${login.bearer}`;
  if (tokens !== undefined) return 'Bearer granted';
  return login !== undefined && 'basic' in login ? `Basic ${base64(login.basic)}` : undefined;
}

interface Stand {
  readonly registry: ScriptedServer;
  readonly tokenService: ScriptedServer;
}

async function start(one: Case): Promise<Stand> {
  const host = { realm: '' };
  const answer = standIn(one.tokens, headerOf(one), () => host.realm);
  const registry = await serve(answer);
  const tokenService = one.tokens?.elsewhere === true ? await serve(answer) : registry;
  host.realm = tokenService.host;
  return { registry, tokenService };
}

function open(config: object, helper?: string): Registries {
  const folder = mkdtempSync(join(tmpdir(), 'registry-logins-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const program = join(folder, 'docker-credential-test');
  writeFileSync(program, `#!/bin/sh\ncat > /dev/null\ncat <<'END'\n${helper}\nEND\n`);
  chmodSync(program, 0o755);
  const env = { DOCKER_CONFIG: folder, PATH: [folder, process.env['PATH']].join(delimiter) };
  const registries = openRegistries({ env, githubToken: 'ghs_never-sent-here' });
  onTestFinished(() => registries.close());
  return registries;
}

const shown = ({ seen }: ScriptedServer): unknown[] =>
  seen.map(({ method, path, headers }) => [`${method} ${path.replace(/\?.*/, '')}`, headers.authorization]);

describe('what a login left opens the registry', () => {
  test.each(CASES.map((one) => [one.registry, one] as const))('%s', async (_, one) => {
    const { registry, tokenService } = await start(one);
    const registries = open(one.config(registry.host), one.helper);
    await registries.open({ registry: registry.host, path: 'acme/app' }, 'push').checkPushAccess();

    const { login, tokens } = one;
    const header = headerOf(one);
    const first = ['POST /v2/acme/app/blobs/uploads/', undefined];
    const rest = [
      ['POST /v2/acme/app/blobs/uploads/', header],
      ['DELETE /v2/acme/app/blobs/uploads/1', header],
    ];
    const exchange =
      tokens === undefined || (login !== undefined && 'bearer' in login)
        ? []
        : login !== undefined && 'refresh' in login
          ? [[`POST ${tokens.path}`, undefined]]
          : [[`GET ${tokens.path}`, login && `Basic ${base64(login.basic)}`]];
    if (tokenService === registry) expect(shown(registry)).toEqual([first, ...exchange, ...rest]);
    else {
      expect(shown(registry)).toEqual([first, ...rest]);
      expect(shown(tokenService)).toEqual(exchange);
    }
    const [asked] = tokenService.seen.filter(({ method, path }) => method === 'GET' && path.includes('?'));
    if (asked !== undefined) {
      expect(Object.fromEntries(new URL(asked.path, 'http://x').searchParams)).toEqual({
        service: tokens?.service,
        scope: 'repository:acme/app:pull,push',
      });
    }
    if (login !== undefined && 'refresh' in login) {
      expect(Object.fromEntries(new URLSearchParams(tokenService.seen[1]?.body))).toEqual({
        grant_type: 'refresh_token',
        client_id: 'build-once',
        service: tokens?.service,
        scope: 'repository:acme/app:pull,push',
        refresh_token: login.refresh,
      });
    }
  });
});

test('several registries in one run get their own credentials each, and no other', async () => {
  const cases = CASES.filter(({ helper }) => helper === undefined);
  const stands = await Promise.all(cases.map(start));
  const configs = cases.map((one, at) => one.config(stands[at]?.registry.host ?? ''));
  const auths = Object.assign({}, ...configs.map((config) => ('auths' in config ? config.auths : {})));
  const registries = open({ auths });
  await Promise.all(
    stands.map(({ registry }) =>
      registries.open({ registry: registry.host, path: 'acme/app' }, 'push').checkPushAccess(),
    ),
  );
  const secrets = cases.map(({ login }) =>
    (login === undefined ? [] : Object.values(login)).flatMap((text) => [text, base64(text)]),
  );
  stands.forEach(({ registry, tokenService }, at) => {
    const received = JSON.stringify([registry.seen, tokenService.seen]);
    const foreign = secrets.filter((_, owner) => owner !== at).flat();
    expect(foreign.filter((secret) => received.includes(secret))).toEqual([]);
    expect(received).not.toMatch(/never-sent/);
  });
});
