import { devNull, homedir } from 'node:os';
import { join } from 'node:path';
import { parseJson, textAt, valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { canonicalRegistry, isDockerHub } from '../core/reference.ts';
import { BuildOnceError } from '../errors.ts';
import { MAX_DOCKER_CONFIG_BYTES, readRegularFile, whyUnreadable } from '../regular-file.ts';
import { type Credentials, Secret } from './credentials.ts';

const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

/** What `docker login` left behind. Asked by registry as in `RepositoryName`; hosts match exactly. */
export interface DockerConfigFile {
  /** The program that has this registry's credentials: of `credHelpers`, else `credsStore`. */
  helperOf(registry: string): string | undefined;
  /** Credentials in the file itself, `auths`. */
  credentialsOf(registry: string): Credentials | undefined;
}

/**
 * The folder of Docker's configuration: `DOCKER_CONFIG`, else `.docker` in the home folder, which is HOME, on Windows
 * USERPROFILE, else what the system knows. A user whom it does not know has none: a folder that is nowhere.
 */
export function dockerConfigFolder(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string {
  const named = platform === 'win32' ? env['USERPROFILE'] : env['HOME'];
  return env['DOCKER_CONFIG'] || join(named || knownHome(), '.docker');
}

function knownHome(): string {
  try {
    return homedir();
  } catch {
    return devNull;
  }
}

/**
 * Reads `config.json` of that folder; `undefined` when there is none. A file that cannot be read or parsed is an error with
 * code DOCKER_CONFIG_INVALID, which names the file and shows nothing of its content.
 * Fields: https://github.com/docker/cli/blob/v28.5.2/cli/config/configfile/file.go
 */
export function readDockerConfigFile(folder: string): DockerConfigFile | undefined {
  const path = join(folder, 'config.json');
  const json = readJson(path);
  if (json === undefined) return undefined;
  return {
    helperOf(registry) {
      const [helper] = entriesOf(json, 'credHelpers', registry);
      // An empty name means the file itself.
      return helper === undefined ? textAt(json, 'credsStore') : isText(helper) ? helper : undefined;
    },
    credentialsOf: (registry) =>
      credentialsAmong(entriesOf(json, 'auths', registry), () =>
        invalid(path, `the entry of ${quote(registry)} in "auths" is malformed`),
      ),
  };
}

/**
 * Credentials in the variable DOCKER_AUTH_CONFIG, which holds `auths` as the file does. As Docker does, what is malformed
 * there counts as absent. https://github.com/docker/cli/blob/v28.5.2/cli/config/configfile/file.go
 */
export function credentialsInEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  registry: string,
): Credentials | undefined {
  const json = parseJson(env['DOCKER_AUTH_CONFIG'] ?? '');
  return credentialsAmong(entriesOf(json, 'auths', registry), () => undefined);
}

/** How Docker names this registry to a credential helper, and in its file: docker/cli's `registry.IndexServer` for Docker Hub. */
export function serverAddressOf(registry: string): string {
  return isDockerHub(registry) ? DOCKER_HUB_KEY : registry;
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readRegularFile(path, MAX_DOCKER_CONFIG_BYTES);
  } catch (error) {
    const code = textAt(error, 'code');
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(path, `it ${whyUnreadable(error)}`);
  }
  if (text.startsWith('\uFEFF')) throw invalid(path, 'it begins with a byte order mark, which Docker does not read');
  if (text.trim() === '') return undefined;
  // The parser's own message would quote the text, which may hold a password.
  const json = parseJson(text);
  if (json === undefined) throw invalid(path, 'it is not JSON, which has no comments');
  for (const field of ['auths', 'credHelpers']) {
    const value = valueAt(json, field) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw invalid(path, `"${field}" is not an object`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(path, 'it is not a JSON object');
  return json;
}

function invalid(path: string, why: string): BuildOnceError {
  return new BuildOnceError('DOCKER_CONFIG_INVALID', `Docker's configuration ${quote(path)} is not usable: ${why}`, 2, {
    hint: 'Repair or remove the file, or set DOCKER_CONFIG to another folder.',
  });
}

/** The entries whose key is this registry in one of Docker's spellings; the spelling that Docker itself uses comes first. */
function entriesOf(json: unknown, field: string, registry: string): readonly unknown[] {
  const wanted = canonicalRegistry(registry);
  const own = serverAddressOf(registry);
  return Object.entries(valueAt(json, field) ?? {})
    .filter(([key]) => hostOfKey(key) === wanted)
    .sort(([a], [b]) => Number(b === own) - Number(a === own))
    .map(([, entry]) => entry);
}

/** The first that holds any. */
function credentialsAmong(
  entries: readonly unknown[],
  malformed: () => BuildOnceError | undefined,
): Credentials | undefined {
  for (const entry of entries) {
    const credentials = credentialsIn(entry, malformed);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

/** `https://ghcr.io/v1/` → `ghcr.io`. A key with any other path is for a part of a registry only and matches nothing. */
function hostOfKey(key: string): string | undefined {
  const host = /^(?:https?:\/\/)?([^/]+)\/?(?:v[12]\/?)?$/.exec(key)?.[1];
  return host === undefined ? undefined : canonicalRegistry(host);
}

function credentialsIn(entry: unknown, malformed: () => BuildOnceError | undefined): Credentials | undefined {
  const registryToken = textAt(entry, 'registrytoken');
  if (registryToken !== undefined) return { registryToken: new Secret(registryToken) };
  const identityToken = textAt(entry, 'identitytoken');
  if (identityToken !== undefined) return { identityToken: new Secret(identityToken) };
  const auth = textAt(entry, 'auth');
  const [username, password] =
    auth === undefined ? [textAt(entry, 'username'), textAt(entry, 'password')] : decoded(auth);
  // An empty entry says that the store has the credentials.
  if (auth === undefined && (username === undefined || password === undefined)) return undefined;
  if (username === undefined || password === undefined) {
    const error = malformed();
    if (error !== undefined) throw error;
    return undefined;
  }
  return { username, password: new Secret(password) };
}

function decoded(auth: string): readonly [username: string | undefined, password: string | undefined] {
  const text = /^[A-Za-z0-9+/]*={0,2}$/.test(auth) ? Buffer.from(auth, 'base64').toString('utf8') : '';
  const colon = text.indexOf(':');
  // Docker pads with NUL.
  return colon < 0 ? [undefined, undefined] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
