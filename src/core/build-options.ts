import type { Platform } from '../oci/types.ts';
import { findContextNameProblem } from './context-name.ts';
import { csvRecord, parseCsvRecord } from './csv.ts';
import { parseGitSource } from './git-source.ts';
import { listOf } from './kinds.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { formatRepositoryName, parseReference, type RepositoryName } from './reference.ts';
import { isGitSource } from './remote-source.ts';

/** A secret whose value the user gave. It reaches buildx by an environment variable, never by argv or a file. */
export interface BuildSecret {
  readonly id: string;
  readonly value: string;
}

/** A secret whose value is in an environment variable already. */
export interface SecretEnv {
  readonly id: string;
  /** The variable's name. */
  readonly env: string;
}

/** A secret whose value is in a file. */
export interface SecretFile {
  readonly id: string;
  /** Absolute, or relative to the host's `cwd`. */
  readonly path: string;
}

/** A named context: what `FROM name` or `--from=name` mean. */
export interface NamedContext {
  readonly name: string;
  /** A directory, `docker-image://REFERENCE`, `oci-layout://PATH`, `target:NAME` or a URL. */
  readonly value: string;
}

/** What to build and how: the inputs of docker/build-push-action 7 by their names, parsed. */
export interface BuildSettings {
  /** Absolute directory, or a git repository at a commit. */
  readonly context: string;
  /** Absolute path of the Dockerfile; inside of a git repository, relative to the context. */
  readonly file: string;
  readonly target: string | undefined;
  /** At least one. */
  readonly platforms: readonly Platform[];
  /** `KEY=VALUE`, or `KEY` to take the value from the environment. */
  readonly buildArgs: readonly string[];
  readonly buildContexts: readonly NamedContext[];
  readonly secrets: readonly BuildSecret[];
  readonly secretEnvs: readonly SecretEnv[];
  readonly secretFiles: readonly SecretFile[];
  readonly ssh: readonly string[];
  /** `KEY=VALUE`. */
  readonly labels: readonly string[];
  /** `KEY=VALUE`, or `LEVEL:KEY=VALUE` with a level of buildx; without one they go to the index and every platform. */
  readonly annotations: readonly string[];
  readonly addHosts: readonly string[];
  readonly allow: readonly string[];
  readonly network: string | undefined;
  readonly noCache: boolean;
  readonly noCacheFilters: readonly string[];
  readonly pull: boolean;
  readonly shmSize: string | undefined;
  readonly ulimit: readonly string[];
  readonly cgroupParent: string | undefined;
  /** `true`, `false` or attributes: `mode=max`. Absent: as build-push-action does, see `provenanceArgument`. */
  readonly provenance: string | undefined;
  /** `true`, `false` or attributes: `generator=IMAGE`. */
  readonly sbom: string | undefined;
  /** In buildx's own form: `type=sbom,generator=IMAGE`. */
  readonly attests: readonly string[];
  /** In buildx's own form, see {@link parseCacheEntry}. */
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
}

export type CachePreset = 'none' | 'gha' | 'registry';

/** Ids as people write them. Pieces of a key in mixed case do not look like this, so that an error never shows one. */
const SAFE_TO_SHOW = /^(?:[A-Z][A-Z0-9_]{0,63}|[a-z][a-z0-9_.-]{0,63})$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Cache storage back ends of BuildKit: https://docs.docker.com/build/cache/backends/ */
const CACHE_TYPES = ['registry', 'inline', 'local', 'gha', 's3', 'azblob'];
/** What BuildKit takes where an SBOM names no generator. */
const SBOM_GENERATOR = 'docker/buildkit-syft-scanner';
const LOCAL_CACHE_TYPES = ['inline', 'local'];
/** Cache attributes that hold a credential, and where to put it instead; argv can be read by every user of the machine. */
const CREDENTIAL_ATTRIBUTES: Readonly<Record<string, string>> = {
  ghtoken: 'leave it out: the cache works without',
  access_key_id: 'set AWS_ACCESS_KEY_ID in the environment',
  secret_access_key: 'set AWS_SECRET_ACCESS_KEY in the environment',
  session_token: 'set AWS_SESSION_TOKEN in the environment',
};

/** Parses one item of `secrets`, `ID=VALUE`. A problem never shows the value. */
export function parseSecret(text: string): Parsed<BuildSecret> {
  const [id, value] = splitAtEquals(text);
  if (value === undefined) {
    return unparsable('an entry has no "=": ID=VALUE is allowed, and a value of several lines in double quotes');
  }
  const shown = SAFE_TO_SHOW.test(id) ? quote(id) : 'an entry';
  if (id === '') return unparsable('an entry has no id before the "=": ID=VALUE is allowed');
  if (/^=*$/.test(value)) return unparsable(`${shown} has no value: is the secret set, and may this run read it?`);
  if (value.includes('\0'))
    return unparsable(`${shown} holds a NUL character, which no environment variable can carry`);
  return parsed({ id, value });
}

/** Parses one item of `secret-envs`, `ID=VARIABLE`. */
export function parseSecretEnv(text: string): Parsed<SecretEnv> {
  const [id, env] = splitAtEquals(text);
  if (id === '' || env === undefined) return unparsable('an entry is not ID=VARIABLE');
  if (!VARIABLE.test(env)) {
    const shown = SAFE_TO_SHOW.test(id) ? quote(id) : 'an entry';
    return unparsable(`${shown} names no environment variable: ID=VARIABLE is allowed; values go into secrets`);
  }
  return parsed({ id, env });
}

/** Parses one item of `secret-files`, `ID=PATH`. */
export function parseSecretFile(text: string): Parsed<SecretFile> {
  const [id, path] = splitAtEquals(text);
  if (id === '' || path === undefined || path === '' || /[\0\n]/.test(path)) {
    return unparsable('an entry is not ID=PATH; values go into secrets');
  }
  return parsed({ id, path });
}

/** Parses one item of `build-contexts`, `NAME=VALUE`. */
export function parseBuildContext(text: string): Parsed<NamedContext> {
  const [name, value] = splitAtEquals(text);
  if (name === '' || value === undefined || value === '' || text.includes('\0')) {
    return unparsable(`${quote(text)} is not a named context: NAME=PATH or NAME=docker-image://REFERENCE is allowed`);
  }
  const nameProblem = findContextNameProblem(name);
  if (nameProblem !== undefined) return unparsable(nameProblem);
  const source = isGitSource(value) ? parseGitSource(value) : undefined;
  if (source !== undefined && !source.ok) return unparsable(`${quote(name)} ${source.problem}`);
  if (/^https?:\/\/[^/?#]*@/i.test(value)) {
    return unparsable(
      `${quote(name)} is a URL with credentials in it, which every log and the image's input manifest would show; download it in an earlier step`,
    );
  }
  return parsed({ name, value });
}

/** Parses `build-contexts`. Of those under one name the last one counts, as in buildx. */
export function parseBuildContexts(text: string): Parsed<readonly NamedContext[]> {
  const contexts = listOf(parseBuildContext)(text);
  return contexts.ok ? parsed([...new Map(contexts.value.map((one) => [one.name, one])).values()]) : contexts;
}

/**
 * Parses one item of `cache-from` or `cache-to`: CSV with a `type`, or a bare reference, which is a registry cache, as
 * buildx has it. The value is CSV that buildx takes. Attributes that would show a credential in argv are problems.
 */
export function parseCacheEntry(text: string): Parsed<string> {
  const fields = parseCsvRecord(text.trim());
  if (!fields.ok) return unparsable(`a cache entry is not comma-separated KEY=VALUE: ${fields.problem}`);
  const [first = ''] = fields.value;
  if (fields.value.length === 1 && first !== '' && !first.includes('=')) {
    return parsed(csvRecord(['type=registry', `ref=${first}`]));
  }
  const attributes = fields.value.map((field) => splitAtEquals(field));
  const problem = attributes
    .map(([key, value]) => cacheAttributeProblem(key, value))
    .find((found) => found !== undefined);
  if (problem !== undefined) return unparsable(problem);
  const type = attributes.find(([key]) => key.toLowerCase() === 'type')?.[1];
  if (type === undefined)
    return unparsable(`a cache entry has no type: type=TYPE is needed, one of ${CACHE_TYPES.join(', ')}`);
  return parsed(csvRecord(attributes.map(([key, value]) => `${key}=${value ?? ''}`)));
}

/** The caches that a preset stands for. `mayExport` is false for pull requests, which read the branch's cache only. */
export function presetCaches(
  preset: CachePreset,
  image: RepositoryName,
  mayExport: boolean,
): Pick<BuildSettings, 'cacheFrom' | 'cacheTo'> {
  if (preset === 'none') return { cacheFrom: [], cacheTo: [] };
  const name = formatRepositoryName(image);
  const source = preset === 'gha' ? ['type=gha', `scope=${name}`] : ['type=registry', `ref=${name}:buildcache`];
  const mode = preset === 'gha' ? ['mode=min'] : ['mode=max', 'image-manifest=true', 'oci-mediatypes=true'];
  return {
    cacheFrom: [csvRecord(source)],
    cacheTo: mayExport ? [csvRecord([...source, ...mode, 'ignore-error=true'])] : [],
  };
}

/** The registries of caches and of images that make SBOMs: the builder talks to them, whatever the Dockerfile names. */
export function auxiliaryRegistries({
  cacheFrom,
  cacheTo,
  sbom = 'false',
  attests,
}: Pick<BuildSettings, 'cacheFrom' | 'cacheTo' | 'sbom' | 'attests'>): readonly string[] {
  const asked = sbom === 'false' ? attests : [`type=sbom,${sbom}`, ...attests];
  return [...cacheFrom, ...cacheTo, ...asked].flatMap((record) => {
    const fields = parseCsvRecord(record);
    const attributes = new Map(fields.ok ? fields.value.map((field) => splitAtEquals(field)) : []);
    const image =
      attributes.get('type') === 'sbom' ? (attributes.get('generator') ?? SBOM_GENERATOR) : attributes.get('ref');
    const reference = parseReference(image ?? '');
    return reference.ok ? [reference.value.repository.registry] : [];
  });
}

/** Those caches that a build writes on its own machine only: all that a stranger's code may write. */
export function localCaches(cacheTo: readonly string[]): readonly string[] {
  return cacheTo.filter((entry) => {
    const fields = parseCsvRecord(entry);
    const types = (fields.ok ? fields.value : []).flatMap((field) => /^type=(.*)$/is.exec(field)?.[1] ?? []);
    // All of them: of a field that is there twice, buildx takes the last.
    return types.length > 0 && types.every((type) => LOCAL_CACHE_TYPES.includes(type));
  });
}

/** The images that caches lie in, as they are named. All of them: of a field that is there twice, buildx takes the last. */
export function cacheReferences(entries: readonly string[]): readonly string[] {
  return entries.flatMap((entry) => {
    const fields = parseCsvRecord(entry);
    return (fields.ok ? fields.value : []).flatMap((field) => /^ref=(.*)$/is.exec(field)?.[1] ?? []);
  });
}

function cacheAttributeProblem(key: string, value: string | undefined): string | undefined {
  const name = key.toLowerCase();
  if (key === '' || value === undefined) return 'a field of a cache entry is not KEY=VALUE';
  const instead = CREDENTIAL_ATTRIBUTES[name];
  if (instead !== undefined) return `${name} would show a credential in the list of processes; ${instead}`;
  if (name !== 'type' || CACHE_TYPES.includes(value)) return undefined;
  const near = nearest(value, CACHE_TYPES);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return `${quote(value)} is no cache type: ${CACHE_TYPES.join(', ')} are allowed${hint}`;
}

/** The trimmed text before the first `=`, and what follows it to the letter; `undefined` without one. */
function splitAtEquals(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text.trim(), undefined] : [text.slice(0, at).trim(), text.slice(at + 1)];
}
