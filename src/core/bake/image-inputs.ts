import { cleanPath } from '../clean-path.ts';
import { compareCodePoints } from '../code-point-order.ts';
import { findContextNameProblem } from '../context-name.ts';
import { csvRecord } from '../csv.ts';
import { formatList } from '../lists.ts';
import { quote } from '../printable.ts';
import { isGitSource, isRemoteSource } from '../remote-source.ts';
import type { EntriesName, Entry } from './attributes.ts';
import { isJobToken } from './job-token.ts';
import type { ResolvedTarget } from './resolve.ts';
import type { Lookup } from './variables.ts';

/** A path of the builder's side that a target names. */
export interface PathUse {
  /** `its context`, for messages. */
  readonly what: string;
  /** Relative to the workspace, or absolute. */
  readonly path: string;
  readonly access: 'read' | 'write';
}

/** What a target asks for, by the names of inputs. */
export interface ImageInputs {
  readonly inputs: Readonly<Record<string, string>>;
  /** The Dockerfile, where the target brings it along: `inputs.file` has no path yet. */
  readonly inlineDockerfile: string | undefined;
  readonly paths: readonly PathUse[];
  /** It asks for the agent in SSH_AUTH_SOCK. */
  readonly usesAgent: boolean;
  readonly problems: readonly string[];
}

const DEFAULT_DOCKERFILE = 'Dockerfile';
const WORKING_DIRECTORY = 'cwd://';
const CACHE_KEY = /^[a-z0-9_.-]+$/;
const IMAGE_OUTPUTS = ['image', 'registry', 'docker'];

/** What comes of a target besides its image: files, or nothing at all. `undefined` where it is an image. */
export function otherOutput({ attributes }: ResolvedTarget): string | undefined {
  const call = attributes.texts.get('call') ?? '';
  if (call !== '' && call !== 'build') return `it is made for call ${quote(call)}`;
  const outputs = attributes.entries.get('output') ?? [];
  const isImage = (entry: Entry): boolean => IMAGE_OUTPUTS.includes(entry.get('type') ?? '') && !entry.has('dest');
  if (outputs.length === 0 || outputs.some(isImage)) return undefined;
  return `its output is ${quote(outputs.map((entry) => entry.get('type') ?? '').join(', '))}`;
}

/**
 * A target in the words of our inputs. Paths are the workspace's, as bake has them. Problems are what no input can carry
 * (a carriage return, an equals sign in the name of a build arg) and what bake refuses.
 */
export function imageInputs(target: ResolvedTarget, lookup: Lookup): ImageInputs {
  const { texts, flags, lists, maps, entries } = target.attributes;
  const problems: string[] = [];
  const paths: PathUse[] = [];
  const inputs: Record<string, string> = {};
  const list = (input: string, values: readonly string[] | undefined): void => {
    const bad = values?.find((value) => /[\r\0]/.test(value));
    if (bad !== undefined)
      problems.push(`${input} cannot hold ${quote(bad)}: there is a carriage return or a NUL in it`);
    else if (values !== undefined && values.length > 0) inputs[input] = formatList(values);
  };
  const pairs = (input: string, map: ReadonlyMap<string, string> | undefined): void => {
    const bad = [...(map?.keys() ?? [])].find((key) => key === '' || key.includes('=') || key !== key.trim());
    if (bad !== undefined)
      problems.push(`${input} cannot hold the name ${quote(bad)}: "=" and outer blanks are not allowed in it`);
    else list(input, map && byKey(map).map(([key, value]) => `${key}=${value}`));
  };
  const text = (input: string, value: string | undefined): void => {
    if (value === undefined) return;
    if (value !== value.trim() || /\p{Cc}/u.test(value)) {
      problems.push(`${input} cannot be ${quote(value)}: there are outer blanks or control characters in it`);
    } else inputs[input] = value;
  };

  const build = dockerfileOf(target);
  problems.push(...build.problems);
  paths.push(...build.paths);
  text('context', build.context);
  text('file', build.file);
  text('target', texts.get('target'));
  pairs('build-args', maps.get('args'));
  const contexts = byKey(maps.get('contexts') ?? new Map()).filter(([name]) => !target.links.has(name));
  problems.push(...[...target.links.keys()].flatMap((name) => findContextNameProblem(name) ?? []));
  pairs('build-contexts', new Map(contexts.map(([name, value]) => [name, withoutScheme(value)])));
  for (const [name, value] of contexts) {
    if (withoutScheme(value) !== withoutScheme(value).trim())
      problems.push(`build-contexts cannot hold ${quote(value)}: outer blanks are not allowed in it`);
    const path = localPathOf(value);
    if (path !== undefined) paths.push({ what: `its context ${quote(name)}`, path, access: 'read' });
  }
  list('platforms', lists.get('platforms'));
  list('tags', lists.get('tags'));
  pairs('labels', maps.get('labels'));
  list('annotations', lists.get('annotations'));
  const secrets = (entries.get('secret') ?? []).map((entry) => secretOf(entry, lookup));
  const agents = entries.get('ssh') ?? [];
  problems.push(...findOddKeys(secrets, agents));
  list(
    'secret-envs',
    secrets.flatMap(({ id, variable }) => (variable === undefined ? [] : [`${id}=${variable}`])),
  );
  list(
    'secret-files',
    secrets.flatMap(({ id, path }) => (path === undefined ? [] : [`${id}=${path}`])),
  );
  for (const { id, path, variable } of secrets) {
    if (variable !== undefined && isJobToken(variable)) {
      const grant = `only the workflow may grant that: secret-envs: ${id}=${variable}`;
      problems.push(`its secret ${quote(id)} is the job's own ${variable}; ${grant}`);
    }
    if (path !== undefined) paths.push({ what: `its secret ${quote(id)}`, path, access: 'read' });
  }
  list(
    'ssh',
    agents.map((entry) => [entry.get('id') ?? '', ...(entry.has('paths') ? [entry.get('paths') ?? ''] : [])].join('=')),
  );
  for (const path of agents.flatMap((entry) => (entry.get('paths') ?? '').split(','))) {
    if (path !== '') paths.push({ what: 'its ssh key', path, access: 'read' });
  }
  problems.push(
    ...['cache-from' as const, 'cache-to' as const].flatMap((name) => findOddCaches(name, entries.get(name))),
  );
  list('cache-from', entries.get('cache-from')?.map(recordOf));
  list('cache-to', entries.get('cache-to')?.map(recordOf));
  paths.push(
    ...localCaches(entries.get('cache-from'), 'src', 'read'),
    ...localCaches(entries.get('cache-to'), 'dest', 'write'),
  );
  if (flags.has('no-cache')) inputs['no-cache'] = String(flags.get('no-cache'));
  if (flags.has('pull')) inputs['pull'] = String(flags.get('pull'));
  list('no-cache-filters', lists.get('no-cache-filter'));
  text('network', texts.get('network'));
  text('shm-size', texts.get('shm-size'));
  // Of compose files, bake has them in any order.
  list('ulimit', [...(lists.get('ulimits') ?? [])].sort(compareCodePoints));
  pairs('add-hosts', maps.get('extra-hosts'));
  list('attests', entries.get('attest')?.map(recordOf));
  list('allow', lists.get('entitlements'));
  const usesAgent = agents.some((entry) => (entry.get('paths') ?? '') === '');
  return { inputs, inlineDockerfile: texts.get('dockerfile-inline'), paths, usesAgent, problems };
}

interface BuildPlace {
  readonly context: string;
  /** Empty: the one in the context. */
  readonly file: string;
  readonly paths: readonly PathUse[];
  readonly problems: readonly string[];
}

/** As buildx joins them (bake/bake.go, toBuildOpt). */
function dockerfileOf({ attributes: { texts } }: ResolvedTarget): BuildPlace {
  const given = texts.get('context') ?? '';
  const dockerfile = texts.get('dockerfile') || DEFAULT_DOCKERFILE;
  const isInline = texts.has('dockerfile-inline');
  const path = localPathOf(given);
  const context = path ?? given;
  const problems: string[] = [];
  if (given === '-' || dockerfile === '-') problems.push('there is no standard input to read "-" from');
  if (isRemoteSource(dockerfile)) problems.push(`${quote(dockerfile)} cannot be the Dockerfile: a path is allowed`);
  const isDefault = dockerfile === DEFAULT_DOCKERFILE || isInline;
  if (path === undefined) {
    const isOutside = dockerfile.startsWith(WORKING_DIRECTORY) || dockerfile.startsWith('/') || isInline;
    if (isOutside && isGitSource(given)) problems.push('the Dockerfile of a context from git must be a path in it');
    return { context, file: isDefault ? '' : dockerfile, paths: [], problems };
  }
  const paths: PathUse[] = [{ what: 'its context', path, access: 'read' }];
  const own = dockerfile.startsWith(WORKING_DIRECTORY) || dockerfile.startsWith('/');
  const file = own ? cleanPath(withoutScheme(dockerfile)) : cleanPath(`${path}/${dockerfile}`);
  if (!isInline) paths.push({ what: 'its Dockerfile', path: file, access: 'read' });
  return { context, file: isDefault ? '' : file, paths, problems };
}

/** The path behind a context on this machine; `undefined` for all others. */
function localPathOf(context: string): string | undefined {
  const layout = /^oci-layout:\/\/([^@]*?)(?::[^/:@]*)?(?:@.*)?$/s.exec(context)?.[1];
  if (layout !== undefined) return cleanPath(layout);
  if (isRemoteSource(context) || /^(?:docker-image:\/\/|target:)/.test(context)) return undefined;
  return cleanPath(withoutScheme(context));
}

function withoutScheme(path: string): string {
  return path.startsWith(WORKING_DIRECTORY) ? cleanPath(path.slice(WORKING_DIRECTORY.length)) : path;
}

/** Without more than an id, buildx takes the variable of that name, else the file. */
function secretOf(
  entry: Entry,
  lookup: Lookup,
): { readonly id: string; readonly variable?: string; readonly path?: string } {
  const id = entry.get('id') ?? '';
  const [path, variable] = [entry.get('src'), entry.get('env')];
  if (variable !== undefined) return { id, variable };
  if (path !== undefined) return { id, path };
  return lookup(id) === undefined ? { id, path: id } : { id, variable: id };
}

/** What would be another secret or key as an input, which is `ID=PATH`: there the path that was looked at is not the one that is read. */
function findOddKeys(secrets: readonly ReturnType<typeof secretOf>[], agents: readonly Entry[]): readonly string[] {
  const all = [
    ...secrets.map(({ id, path, variable }) => ({ what: 'secret', id, paths: [path ?? variable ?? ''] })),
    ...agents.map((entry) => ({
      what: 'ssh',
      id: entry.get('id') ?? '',
      paths: (entry.get('paths') ?? '').split(','),
    })),
  ];
  return all.flatMap(({ what, id, paths }) => {
    const odd = id.includes('=') ? id : [id, ...paths].find((text) => text !== text.trim());
    return odd === undefined
      ? []
      : [`${what} cannot hold ${quote(odd)}: "=" in an id and outer blanks are not allowed`];
  });
}

/** BuildKit reads the keys of a cache in lower case, so that any other spelling may hide a second `type` or `src`. */
function findOddCaches(name: EntriesName, caches: readonly Entry[] | undefined): readonly string[] {
  return (caches ?? []).flatMap((entry) => {
    const odd = [...entry.keys()].find((key) => !CACHE_KEY.test(key));
    if (odd !== undefined)
      return [`${name} cannot hold the key ${quote(odd)}: lower case, digits, "_" and "-" are allowed`];
    const service = entry.get('type') === 'gha' ? ['url', 'url_v2'].find((key) => entry.has(key)) : undefined;
    return service === undefined
      ? []
      : [
          `${name} with ${quote(service)} would send the job's token there; only the workflow may say where, in the input ${name}`,
        ];
  });
}

function recordOf(entry: Entry): string {
  const type = entry.get('type') ?? '';
  const others = byKey(entry).filter(([key]) => key !== 'type');
  return csvRecord([`type=${type}`, ...others.map(([key, value]) => `${key}=${value}`)]);
}

/** As `--print` has them. */
function byKey(map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...map].sort(([a], [b]) => compareCodePoints(a, b));
}

function localCaches(
  entries: readonly Entry[] | undefined,
  key: string,
  access: PathUse['access'],
): readonly PathUse[] {
  return (entries ?? []).flatMap((entry) => {
    const path = entry.get('type') === 'local' ? entry.get(key) : undefined;
    return path === undefined ? [] : [{ what: 'its local cache', path, access }];
  });
}
