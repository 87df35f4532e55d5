import path from 'node:path';
import { parseJson, valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import type { Files, Host } from '../host.ts';
import type { Credentials, Secret } from '../registry/credentials.ts';
import { serverAddressOf } from '../registry/docker-config-file.ts';
import { MAX_DOCKER_CONFIG_BYTES, whyUnreadable } from '../regular-file.ts';
import type { Docker } from './docker.ts';

/** Credentials for one registry that Docker's own configuration does not have, or that shall win over it. */
export interface RegistryLogin {
  /** As in `RepositoryName`. */
  readonly registry: string;
  readonly credentials: Credentials;
}

/** https://github.com/docker/cli/pull/6008 */
const AUTH_VARIABLE = 'DOCKER_AUTH_CONFIG';

/**
 * Docker's client with these logins. Without any it is the user's own configuration as it stands; otherwise a private copy
 * of it, with the logins added, in a directory that only this user can read and that goes at the end of the run. Contexts,
 * plugins and builders are the user's. What DOCKER_AUTH_CONFIG holds moves into the copy: clients before 28.3 do not read
 * it, and later ones would let it win. BuildOnceError `DOCKER_CONFIG_INVALID` when the user's file is not JSON or cannot be read.
 */
export function openDocker(host: Host, logins: readonly RegistryLogin[]): Docker {
  const fromEnvironment = entriesOf(parseJson(host.env[AUTH_VARIABLE] ?? ''), 'auths');
  if (logins.length === 0 && Object.keys(fromEnvironment).length === 0) return { host, env: {} };
  maskEncoded(host, logins);
  const own = ownDirectory(host);
  const directory = host.files.makeTemporaryDirectory('build-once-docker-');
  const config = withLogins(withAuths(readConfig(host.files, own), fromEnvironment), logins);
  const plugins = own === undefined ? config : withPlugins(config, path.join(own, 'cli-plugins'));
  host.files.write(path.join(directory, 'config.json'), JSON.stringify(plugins));
  const env = { DOCKER_CONFIG: directory, [AUTH_VARIABLE]: '' };
  if (own === undefined) return { host, env };
  copyTree(host.files, path.join(own, 'contexts'), path.join(directory, 'contexts'));
  const builders = host.env['BUILDX_CONFIG'] || path.join(own, 'buildx');
  return { host, env: { ...env, BUILDX_CONFIG: builders, ...certificates(host, own) } };
}

/** The variables of a program that is to know these logins only, and nothing of the user's own configuration. */
export function openLogins(host: Host, logins: readonly RegistryLogin[]): Readonly<Record<string, string>> {
  maskEncoded(host, logins);
  for (const { credentials } of logins) host.log.mask(secretOf(credentials).reveal());
  const directory = host.files.makeTemporaryDirectory('build-once-docker-');
  host.files.write(path.join(directory, 'config.json'), JSON.stringify(withLogins({}, logins)));
  return { DOCKER_CONFIG: directory, [AUTH_VARIABLE]: '' };
}

function secretOf(credentials: Credentials): Secret {
  if ('password' in credentials) return credentials.password;
  return 'identityToken' in credentials ? credentials.identityToken : credentials.registryToken;
}

function maskEncoded(host: Host, logins: readonly RegistryLogin[]): void {
  for (const { credentials } of logins) {
    if ('password' in credentials) host.log.mask(encoded(credentials.username, credentials.password));
  }
}

/** With DOCKER_TLS_VERIFY or DOCKER_TLS, docker looks for its certificates in the configuration's directory. */
function certificates(host: Host, own: string): Readonly<Record<string, string>> {
  return host.env['DOCKER_TLS_VERIFY'] || host.env['DOCKER_TLS']
    ? { DOCKER_CERT_PATH: host.env['DOCKER_CERT_PATH'] || own }
    : {};
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Pure: this configuration with the logins in it. An empty helper for the registry keeps `credsStore` and `credHelpers`
 * from answering first (docker/cli `ConfigFile.GetCredentialsStore`: an empty name means the file's own `auths`).
 */
export function withLogins(config: Json, logins: readonly RegistryLogin[]): Json {
  const auths = logins.map(({ registry, credentials }) => [serverAddressOf(registry), authEntry(credentials)]);
  return withAuths(config, Object.fromEntries(auths));
}

function withAuths(config: Json, auths: Json): Json {
  const unhelped = Object.fromEntries(Object.keys(auths).map((key) => [key, '']));
  return {
    ...config,
    auths: { ...entriesOf(config, 'auths'), ...auths },
    credHelpers: { ...entriesOf(config, 'credHelpers'), ...unhelped },
  };
}

function authEntry(credentials: Credentials): Json {
  if ('identityToken' in credentials) return { identitytoken: credentials.identityToken.reveal() };
  if ('registryToken' in credentials) return { registrytoken: credentials.registryToken.reveal() };
  const { username, password } = credentials;
  return { auth: encoded(username, password) };
}

/** As it stands in the file, and in the header that docker sends. */
function encoded(username: string, password: Secret): string {
  return Buffer.from(`${username}:${password.reveal()}`).toString('base64');
}

/** Plugins are found in the user's directory, which is no longer the configuration's own. */
function withPlugins(config: Json, directory: string): Json {
  const extra = valueAt(config, 'cliPluginsExtraDirs');
  return { ...config, cliPluginsExtraDirs: [directory, ...(Array.isArray(extra) ? extra : [])] };
}

function readConfig(files: Files, directory: string | undefined): Json {
  const file = directory === undefined ? undefined : path.join(directory, 'config.json');
  const text = file === undefined ? undefined : readText(files, file);
  if (file === undefined || text === undefined || text.trim() === '') return {};
  // No `cause`: the parser's message quotes the text, and there are passwords in it.
  const config = parseJson(text);
  if (isJsonObject(config)) return config;
  throw invalid(file, 'is not a JSON object');
}

function readText(files: Files, file: string): string | undefined {
  return reading(file, () => files.readRegular(file, MAX_DOCKER_CONFIG_BYTES));
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalid(file, whyUnreadable(error));
  }
}

function invalid(file: string, why: string): BuildOnceError {
  return new BuildOnceError('DOCKER_CONFIG_INVALID', `Docker's configuration ${quote(file)} ${why}`, 2, {
    hint: 'Repair the file, or log in to the registry again with docker login.',
  });
}

function ownDirectory(host: Host): string | undefined {
  const configured = host.env['DOCKER_CONFIG'];
  if (configured) return path.resolve(host.cwd, configured);
  const { HOME, USERPROFILE } = host.env;
  const home = host.files.path.sep === '/' ? HOME : USERPROFILE;
  return home ? path.join(home, '.docker') : undefined;
}

/** Copied, not linked: links need a privilege on Windows, and contexts are a few small files. Links may lead anywhere. */
function copyTree(files: Files, from: string, to: string): void {
  if (reading(from, () => files.kindOf(from)) !== 'directory') return;
  for (const { name, kind } of reading(from, () => files.list(from)) ?? []) {
    const source = path.join(from, name);
    const target = path.join(to, name);
    if (kind === 'directory') copyTree(files, source, target);
    const content = kind === 'file' ? reading(source, () => files.read(source)) : undefined;
    if (content !== undefined) files.write(target, content);
  }
}

function entriesOf(config: unknown, key: string): Json {
  const value = valueAt(config, key);
  return isJsonObject(value) ? value : {};
}

function isJsonObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
