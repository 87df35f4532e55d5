import { canonicalRegistry } from '../core/reference.ts';
import { askCredentialHelper } from './credential-helper.ts';
import { type Credentials, Secret } from './credentials.ts';
import {
  credentialsInEnvironment,
  dockerConfigFolder,
  readDockerConfigFile,
  serverAddressOf,
} from './docker-config-file.ts';
import { type Clock, systemClock } from './retry.ts';
import { formatScope, type Scope } from './scope.ts';
import { scopedConfigFolders } from './scoped-login.ts';

/** Credentials that the user gave for one registry: the inputs `registry`, `username` and `password`. */
export interface ExplicitCredentials {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

export interface KeychainSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly explicit?: ExplicitCredentials | undefined;
  /** Opens the registry of the GitHub that this job runs on, when nothing else has credentials for it. */
  readonly githubToken?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** How long a credential helper may take; 30 s when absent. */
  readonly helperTimeoutMs?: number | undefined;
}

/** Finds the credentials of registries. BuildOnceError DOCKER_CONFIG_INVALID, CommandError CREDENTIAL_HELPER_FAILED. */
export interface Keychain {
  /**
   * The credentials for this registry, and no other: hosts match exactly, port included. `undefined` when there are none.
   * `scope` is what they are to allow, for logins that are for a part of the registry. What was found is kept for
   * 4.5 minutes: some helpers give tokens that live for five.
   */
  credentials(registry: string, scope?: Scope): Promise<Credentials | undefined>;
  /** The credentials for this registry that Docker's own configuration lacks, or that win over it. */
  addition(registry: string): Promise<Credentials | undefined>;
}

const DEFAULT_HELPER_TIMEOUT_MS = 30_000;
const KEPT_MS = 270_000;
/** Docker Hub serves them, and takes its own credentials there; as buildx does. */
const SERVED_BY_DOCKER_HUB = new Set(['dhi.io', 'registry.scout.docker.com']);

/**
 * Looks, in this order, at scoped logins, at what the user gave, at DOCKER_AUTH_CONFIG, at Docker's config file
 * (`credHelpers` or `credsStore`, then `auths`), and for GitHub's registry at the GitHub token. Nothing is read or run before
 * it is asked.
 */
export function createKeychain(settings: KeychainSettings): Keychain {
  const { env, clock = systemClock } = settings;
  const found = new Map<string, { readonly search: Promise<Credentials | undefined>; readonly untilMs: number }>();
  const once = (key: string, start: () => Promise<Credentials | undefined>): Promise<Credentials | undefined> => {
    const nowMs = clock.now();
    const known = found.get(key);
    if (known !== undefined && nowMs < known.untilMs) return known.search;
    const search = start();
    found.set(key, { search, untilMs: nowMs + KEPT_MS });
    return search;
  };
  const find = (registry: string): Promise<Credentials | undefined> =>
    once(registry, () => findCredentials(registry, settings));
  return {
    async credentials(host, scope) {
      const registry = canonicalRegistry(host);
      const scoped =
        scope && (await once(`${registry} ${formatScope(scope)}`, () => findScoped(registry, scope, settings)));
      const own = scoped ?? (await find(registry));
      return own === undefined && SERVED_BY_DOCKER_HUB.has(registry) ? find('docker.io') : own;
    },
    async addition(host) {
      const registry = canonicalRegistry(host);
      const given = givenFor(registry, settings);
      if (given !== undefined || registry !== githubRegistryOf(env)) return given;
      return (await findInDocker(registry, settings)) === undefined ? githubLogin(settings) : undefined;
    },
  };
}

async function findCredentials(registry: string, settings: KeychainSettings): Promise<Credentials | undefined> {
  const own = givenFor(registry, settings) ?? (await findInDocker(registry, settings));
  return own === undefined && registry === githubRegistryOf(settings.env) ? githubLogin(settings) : own;
}

function givenFor(registry: string, { explicit }: KeychainSettings): Credentials | undefined {
  if (explicit === undefined || canonicalRegistry(explicit.registry) !== registry) return undefined;
  return { username: explicit.username, password: new Secret(explicit.password) };
}

function githubLogin({ env, githubToken }: KeychainSettings): Credentials | undefined {
  if (githubToken === undefined || githubToken === '') return undefined;
  return { username: env['GITHUB_ACTOR'] || 'x-access-token', password: new Secret(githubToken) };
}

/** A token of a GitHub Enterprise server is for its own registry, and goes to no other. */
function githubRegistryOf(env: KeychainSettings['env']): string {
  const server = env['GITHUB_SERVER_URL'] || 'https://github.com';
  const host = URL.canParse(server) ? new URL(server).host : '';
  return host === 'github.com' ? 'ghcr.io' : `containers.${host}`;
}

async function findScoped(
  registry: string,
  scope: Scope,
  settings: KeychainSettings,
): Promise<Credentials | undefined> {
  for (const folder of scopedConfigFolders(settings.env, registry, scope)) {
    const credentials = await findInFolder(folder, registry, settings);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

async function findInDocker(registry: string, settings: KeychainSettings): Promise<Credentials | undefined> {
  const { env } = settings;
  return credentialsInEnvironment(env, registry) ?? findInFolder(dockerConfigFolder(env), registry, settings);
}

async function findInFolder(
  folder: string,
  registry: string,
  { env, signal, helperTimeoutMs = DEFAULT_HELPER_TIMEOUT_MS }: KeychainSettings,
): Promise<Credentials | undefined> {
  const file = readDockerConfigFile(folder);
  const helper = file?.helperOf(registry);
  const call = { serverAddress: serverAddressOf(registry), env, signal, timeoutMs: helperTimeoutMs };
  const stored = helper === undefined ? undefined : await askCredentialHelper({ ...call, helper });
  return stored ?? file?.credentialsOf(registry);
}
