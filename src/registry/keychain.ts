import { canonicalRegistry } from '../core/reference.ts';
import { askCredentialHelper } from './credential-helper.ts';
import { type Credentials, Secret } from './credentials.ts';
import { readDockerConfigFile, serverAddressOf } from './docker-config-file.ts';

/** Credentials that the user gave for one registry: the inputs `registry`, `username` and `password`. */
export interface ExplicitCredentials {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

export interface KeychainSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly explicit?: ExplicitCredentials | undefined;
  /** Opens ghcr.io when nothing else has credentials for it. */
  readonly githubToken?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long a credential helper may take; 30 s when absent. */
  readonly helperTimeoutMs?: number | undefined;
}

/** Finds the credentials of registries. */
export interface Keychain {
  /**
   * The credentials for this registry, and no other: hosts match exactly, port included. `undefined` when there are none.
   * Each registry is looked up once. BuildOnceError DOCKER_CONFIG_INVALID, CommandError CREDENTIAL_HELPER_FAILED.
   */
  credentials(registry: string): Promise<Credentials | undefined>;
}

const DEFAULT_HELPER_TIMEOUT_MS = 30_000;
const GITHUB_REGISTRY = 'ghcr.io';

/**
 * Looks, in this order, at what the user gave, at Docker's config file (`credHelpers`, `auths`, `credsStore`), and for
 * ghcr.io at the GitHub token. Nothing is read or run before it is asked.
 */
export function createKeychain(settings: KeychainSettings): Keychain {
  const found = new Map<string, Promise<Credentials | undefined>>();
  return {
    credentials(host) {
      const registry = canonicalRegistry(host);
      const known = found.get(registry);
      if (known !== undefined) return known;
      const search = findCredentials(registry, settings);
      found.set(registry, search);
      return search;
    },
  };
}

async function findCredentials(registry: string, settings: KeychainSettings): Promise<Credentials | undefined> {
  const { explicit, githubToken } = settings;
  if (explicit !== undefined && canonicalRegistry(explicit.registry) === registry) {
    return { username: explicit.username, password: new Secret(explicit.password) };
  }
  const stored = await findInDockerConfig(registry, settings);
  if (stored !== undefined || registry !== GITHUB_REGISTRY || githubToken === undefined || githubToken === '')
    return stored;
  return { username: settings.env['GITHUB_ACTOR'] || 'x-access-token', password: new Secret(githubToken) };
}

async function findInDockerConfig(registry: string, settings: KeychainSettings): Promise<Credentials | undefined> {
  const file = readDockerConfigFile(settings.env);
  if (file === undefined) return undefined;
  const ask = (helper: string | undefined): Promise<Credentials | undefined> =>
    helper === undefined
      ? Promise.resolve(undefined)
      : askCredentialHelper({
          helper,
          serverAddress: serverAddressOf(registry),
          env: settings.env,
          signal: settings.signal,
          timeoutMs: settings.helperTimeoutMs ?? DEFAULT_HELPER_TIMEOUT_MS,
        });
  return (await ask(file.helperOf(registry))) ?? file.credentialsOf(registry) ?? (await ask(file.store));
}
