import type { BuildSecret } from './core/build-options.ts';
import type { GitSource } from './core/git-source.ts';
import type { Host } from './host.ts';
import type { Options } from './options.ts';

/** The secrets that a build is given, as options name them. */
type Given = Pick<Options, 'secrets' | 'secretEnvs' | 'secretFiles'>;

/** GitHub's repository of this run, and the token that the job has for it. */
export interface OwnRepository {
  readonly url: string;
  readonly token: string;
}

/** BuildKit's ids of the secrets for a repository over http(s); the first that is given counts. */
const KINDS = [
  { id: 'GIT_AUTH_HEADER', header: (value: string) => value },
  { id: 'GIT_AUTH_TOKEN', header: tokenHeader },
] as const;

/**
 * The `Authorization` header for a repository, as BuildKit makes it (v0.29, source/git): from the secrets GIT_AUTH_HEADER
 * and GIT_AUTH_TOKEN, those with `.HOST` behind them first. For the run's own repository, the job's token stands in.
 */
export function gitAuthorization(
  source: GitSource,
  { host, given, own }: { readonly host: Host; readonly given: Given; readonly own: OwnRepository | undefined },
): string | undefined {
  const server = httpHost(source.remote);
  if (server === undefined) return undefined;
  for (const suffix of [`.${server}`, '']) {
    for (const { id, header } of KINDS) {
      const value = secretValue(host, given, `${id}${suffix}`);
      if (value !== undefined) return header(value);
    }
  }
  return isOwn(source, own) ? tokenHeader(own.token) : undefined;
}

/** The job's token as a secret for the builder, where it fetches the run's own repository and was given no secret for that. */
export function ownTokenSecret(
  source: GitSource,
  given: Given,
  own: OwnRepository | undefined,
): readonly BuildSecret[] {
  const server = httpHost(source.remote);
  const ids = [...given.secrets, ...given.secretEnvs, ...given.secretFiles].map(({ id }) => id);
  const hasOne = KINDS.some(({ id }) => ids.includes(id) || ids.includes(`${id}.${server}`));
  return !hasOne && isOwn(source, own) ? [{ id: `GIT_AUTH_TOKEN.${server}`, value: own.token }] : [];
}

function isOwn({ remote }: GitSource, own: OwnRepository | undefined): own is OwnRepository {
  return own !== undefined && remote.toLowerCase() === `${own.url.toLowerCase()}.git`;
}

function tokenHeader(token: string): string {
  return `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
}

function secretValue(host: Host, given: Given, id: string): string | undefined {
  const secret = given.secrets.find((one) => one.id === id);
  if (secret !== undefined) return secret.value;
  const variable = given.secretEnvs.find((one) => one.id === id);
  if (variable !== undefined) return host.env[variable.env];
  const file = given.secretFiles.find((one) => one.id === id);
  return file === undefined ? undefined : host.files.readText(file.path);
}

/** Host and port of an http(s) address. */
function httpHost(remote: string): string | undefined {
  return /^https?:\/\/([^/]+)/.exec(remote)?.[1];
}
