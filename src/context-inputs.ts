import {
  type ContextRead,
  entriesOf,
  findIgnoreFile,
  listContext,
  namesKey,
  type OpenContext,
  openContext,
  readExtraFiles,
  readIgnoreFile,
} from './context.ts';
import type { NamedContext } from './core/build-options.ts';
import { compareCodePoints } from './core/code-point-order.ts';
import { parseCsvRecord } from './core/csv.ts';
import { compileIgnorePatterns, type IgnoreMatcher, parseIgnoreFile } from './core/dockerignore.ts';
import {
  canonicalJson,
  type Entry,
  type InputManifest,
  type NamedInput,
  type TargetInput,
} from './core/input-manifest.ts';
import type { Parsed } from './core/parsed.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import { isGitSource, namesCommit } from './core/remote-source.ts';
import { type PlatformReads, readCanonical, type Unpinned } from './dockerfile-inputs.ts';
import type { Host } from './host.ts';
import type { Options } from './options.ts';
import type { SharedWork } from './shared-work.ts';
import type { GitContexts } from './stages/git-contexts.ts';
import {
  type OtherFile,
  otherFile,
  type ReadContext,
  type ReadLeaf,
  type RefusedUse,
  UseReader,
} from './use-reader.ts';

/** What of the content hash comes from the disk. */
export type ContextInputs = Pick<
  InputManifest,
  'form' | 'scope' | 'uses' | 'targets' | 'dockerfile' | 'context' | 'namedContexts' | 'files'
>;

/** What was read, and where. */
export interface ContextReading {
  readonly inputs: ContextInputs;
  /** The Dockerfile, whatever of it counts. */
  readonly dockerfile: InputManifest['dockerfile'];
  /** Paths of the build's own context that count, in order, each once. */
  readonly paths: readonly string[];
  /** With `hash-scope: manifests`: what it leaves out. */
  readonly scoped?: ScopedReading;
  /** What counted of each file when it was read, by its path as seen from here; worked out when asked: a hit never does. */
  leaves(): ReadonlyMap<string, string>;
  /** What BuildKit would refuse. */
  readonly problems: readonly RefusedUse[];
  /** The directories that were read. */
  readonly contexts: readonly ReadContext[];
}

/** What `hash-scope: manifests` takes of the files that the build reads. */
export interface ScopedReading {
  /** How many files count. */
  readonly counted: number;
  /** The files that do not, in order; `NAME:PATH` in a named context. */
  readonly others: readonly string[];
}

/** In a git context: where a submodule's repository is, which differs from builder to builder. No ignore file counts. */
const GIT_FILES = ['**/.git'];

interface Setting {
  readonly host: Pick<Host, 'files' | 'cwd' | 'env'>;
  readonly options: Pick<Options, 'context' | 'buildContexts' | 'hashFiles' | 'hashIgnore' | 'hashScope' | 'cacheTo'>;
  readonly git?: GitContexts;
  readonly shared?: Pick<SharedWork, 'files' | 'matchers' | 'names'>;
}

/** What a Dockerfile reads, as far as that is known. */
export interface ReadingOrder {
  readonly dockerfile: string;
  /** As of `readDockerfile`. */
  readonly targets: readonly PlatformReads[] | undefined;
}

/** Reads everything on the disk that counts. Errors as of `readContext`. */
export function readContextInputs(given: Setting, { dockerfile, targets }: ReadingOrder): ContextReading {
  const { git, shared } = given;
  const setting = shared === undefined ? given : { ...given, host: { ...given.host, files: shared.files } };
  if (targets === undefined || git?.main?.keepsGitDirectory === true) return readWhole(setting, dockerfile);
  const exact = readTargets(setting, dockerfile, targets);
  // Of a repository that was fetched for the hash, what BuildKit adds to it is not there.
  return exact.problems.length > 0 && git?.main !== undefined ? readWhole(setting, dockerfile) : exact;
}

function open({ host: { files }, shared }: Setting, read: ContextRead): OpenContext {
  const names = shared?.names(namesKey(files, read), () => listContext(files, read));
  return openContext(files, read, names);
}

function matcherOf({ host: { files }, shared }: Setting, directory: string, dockerfile?: string): IgnoreMatcher {
  const file = findIgnoreFile(files, directory, dockerfile);
  const read = (): IgnoreMatcher => readIgnoreFile(files, file);
  return shared?.matchers(file ?? '', read) ?? read();
}

function ownContext(setting: Setting, dockerfile: string): ContextRead {
  const { options, git } = setting;
  const matcher = git?.main === undefined ? matcherOf(setting, options.context, dockerfile) : compileOwn(GIT_FILES);
  const uncounted = compileUncounted(options);
  const read = { directory: options.context, matcher, scope: options.hashScope };
  return uncounted.ok && options.hashIgnore.length > 0 ? { ...read, uncounted: uncounted.value } : read;
}

function readTargets(setting: Setting, dockerfile: string, targets: readonly PlatformReads[]): ContextReading {
  const { host, options } = setting;
  const { files } = host;
  const reader = new UseReader((name) => {
    if (name === undefined) return open(setting, ownContext(setting, dockerfile));
    const directory = options.buildContexts.find((context) => context.name === name)?.value;
    const isListed = directory !== undefined && isDirectoryContext(directory);
    return isListed ? open(setting, namedContext(setting, directory)) : undefined;
  });
  const written = targets.map(({ platform, instructions, uses }): TargetInput => {
    return { platform: formatPlatform(platform), instructions, uses: uses.flatMap((use) => reader.read(use)) };
  });
  const reached = new Set(targets.flatMap(({ uses }) => uses.map(({ context }) => context)));
  const named = options.buildContexts.filter(({ name, value }) => reached.has(name) && !isDirectoryContext(value));
  const extra = readExtraFiles(files, options.hashFiles);
  return {
    inputs: {
      form: 'inputs',
      scope: options.hashScope,
      uses: reader.uses,
      targets: written,
      dockerfile: [],
      context: [],
      namedContexts: Object.fromEntries(named.map(({ name, value }) => [name, namedInput(value, undefined)])),
      files: extra,
    },
    dockerfile: readCanonical(files, dockerfile),
    paths: [...reader.paths].sort(compareCodePoints),
    ...scopedReading(setting, extra, () => distinct(reader.leaves()), reader.others),
    leaves: () => {
      const leaves = new Map(extra.map(([at, leaf]) => [files.path.join('', at), leaf]));
      for (const { directory, path, leaf } of reader.leaves()) leaves.set(files.path.join(directory, path), leaf);
      return leaves;
    },
    problems: reader.problems,
    contexts: reader.contexts,
  };
}

function readWhole(setting: Setting, dockerfile: string): ContextReading {
  const { host, options, git } = setting;
  const { files } = host;
  const contexts = openAll(setting, dockerfile);
  const [own] = contexts;
  const named = new Map(contexts.map(({ name, open }) => [name, open]));
  const gitEntries: readonly Entry[] = git?.main?.keepsGitDirectory === true ? [['.git', `#${git.main.commit}`]] : [];
  const inputs: ContextInputs = {
    form: 'context',
    scope: options.hashScope,
    uses: [],
    targets: [],
    dockerfile: readCanonical(files, dockerfile),
    context: [...(options.hashScope === 'manifests' ? [] : gitEntries), ...entriesOf(own.open)],
    namedContexts: Object.fromEntries(
      options.buildContexts.map(({ name, value }) => [name, namedInput(value, named.get(name))]),
    ),
    files: readExtraFiles(files, options.hashFiles),
  };
  const others = [
    ...gitEntries.map(([path]) => otherFile(undefined, own.open.directory, path)),
    ...contexts.flatMap(({ name, open }) =>
      [...(open.others ?? [])].map((path) => otherFile(name, open.directory, path)),
    ),
  ];
  const entries = Object.values(inputs.namedContexts).flatMap((one) => ('entries' in one ? one.entries : []));
  return {
    inputs,
    dockerfile: inputs.dockerfile,
    paths: inputs.context.map(([path]) => path),
    ...scopedReading(setting, inputs.files, () => inputs.context.length + entries.length, others),
    leaves: () => byPath(inputs, setting),
    problems: [],
    contexts,
  };
}

/** The build's own context, then the named ones that are directories. */
function openAll(setting: Setting, dockerfile: string): readonly [ReadContext, ...ReadContext[]] {
  const { options } = setting;
  const unknown = { lines: new Map<string, number>(), empty: new Map<string, number>() };
  const named = options.buildContexts.filter(({ value }) => isDirectoryContext(value));
  return [
    { ...unknown, name: undefined, open: open(setting, ownContext(setting, dockerfile)) },
    ...named.map(({ name, value }) => {
      return { ...unknown, name, open: open(setting, namedContext(setting, value)) };
    }),
  ];
}

/** The query of a URL may be a signature, and the manifest is published; what is fetched from a URL makes a hash unique anyway. */
function namedInput(value: string, open: OpenContext | undefined): NamedInput {
  if (open !== undefined) return { entries: entriesOf(open) };
  const isFetched = /^https?:/i.test(value) && !isGitSource(value);
  return { source: isFetched ? value.replace(/\?.*$/s, '?…') : value };
}

/** `extra`: files that count anyway. */
function scopedReading(
  { host, options }: Setting,
  extra: readonly Entry[],
  count: () => number,
  others: readonly OtherFile[],
): Pick<ContextReading, 'scoped'> {
  if (options.hashScope === 'inputs') return {};
  const { path: paths } = host.files;
  const anyway = new Set(extra.map(([at]) => paths.resolve(host.cwd, at)));
  const left = others.filter(({ directory, path }) => !anyway.has(paths.resolve(host.cwd, directory, path)));
  const counted = count() + others.length - left.length;
  return { scoped: { counted, others: left.map(({ place }) => place).sort(compareCodePoints) } };
}

/** Two uses may have read one file. */
function distinct(leaves: Iterable<ReadLeaf>): number {
  const places = new Set<string>();
  for (const { directory, path } of leaves) places.add(JSON.stringify([directory, path]));
  return places.size;
}

/** Patterns of ours, which are sound. */
function compileOwn(patterns: readonly string[]): IgnoreMatcher {
  const matcher = compileIgnorePatterns(patterns);
  if (matcher.ok) return matcher.value;
  throw new TypeError(matcher.problem);
}

/** The patterns of `hash-ignore`. */
export function compileUncounted({ hashIgnore }: Pick<Options, 'hashIgnore'>): Parsed<IgnoreMatcher> {
  const patterns = parseIgnoreFile(hashIgnore.join('\n'));
  return patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
}

/** True for the value of a named context that is a directory. */
export function isDirectoryContext(value: string): boolean {
  return !/^(?:[a-z][a-z0-9+.-]*:\/\/|target:|git@)/i.test(value);
}

/** The named contexts that are no directories and that no digest can be asked for. */
export function findUnpinnedContexts(contexts: readonly NamedContext[]): readonly Unpinned[] {
  return contexts
    .filter(({ value }) => !isDirectoryContext(value) && !/^docker-image:\/\/|@sha256:[a-f0-9]{64}$/.test(value))
    .filter(({ value }) => !namesCommit(value))
    .map(({ name, value }) => ({
      message: `the named context ${quote(name)} is ${quote(value)}`,
      line: undefined,
      hint: 'name a directory, a commit of a git repository, or docker-image://',
    }));
}

/**
 * The paths that differ by now from what was read then, but for what a build itself writes: local caches, temporary files,
 * git's index, which buildx refreshes when it asks git for the commit. What the setting shares was read before, so nothing of
 * it is taken; `again` is for several images that are looked at one after the other.
 */
export function findChanges(
  setting: Setting,
  order: ReadingOrder,
  then: ContextReading,
  again?: SharedWork,
): readonly string[] {
  const { host, options, git } = setting;
  const { path } = host.files;
  const now = readContextInputs({ host, options, ...(git && { git }), ...(again && { shared: again }) }, order);
  const before = then.leaves();
  const after = now.leaves();
  const differing = [...new Set([...before.keys(), ...after.keys()])].filter((at) => before.get(at) !== after.get(at));
  const written = writtenDirectories(setting);
  const changed = differing.filter((at) => {
    const absolute = path.resolve(host.cwd, at);
    const isWritten = written.some((directory) => contains(directory, absolute, path.sep));
    return !isWritten && !/(?:^|[\\/])\.git[\\/]index(?:\.lock)?$/.test(absolute);
  });
  const sameDockerfile = canonicalJson(now.dockerfile) === canonicalJson(then.dockerfile);
  return [...new Set([...(sameDockerfile ? [] : [path.normalize(order.dockerfile)]), ...changed.sort()])];
}

/** A named context has an ignore file of its own. */
function namedContext(setting: Setting, directory: string): ContextRead {
  return { directory, matcher: matcherOf(setting, directory), scope: setting.options.hashScope };
}

function byPath(inputs: ContextInputs, { host, options }: Setting): ReadonlyMap<string, string> {
  const { path } = host.files;
  const within = (directory: string, entries: readonly Entry[]): readonly Entry[] =>
    entries.map(([at, leaf]) => [path.join(directory, at), leaf]);
  const named = options.buildContexts.flatMap(({ name, value }) => {
    const input = inputs.namedContexts[name];
    return input !== undefined && 'entries' in input ? within(value, input.entries) : [];
  });
  return new Map([...within('', inputs.files), ...named, ...within(options.context, inputs.context)]);
}

/** Where a build may write inside of the context. */
function writtenDirectories({ host, options }: Setting): readonly string[] {
  const { path } = host.files;
  const caches = options.cacheTo.flatMap((entry) => {
    const fields = parseCsvRecord(entry);
    return (fields.ok ? fields.value : []).flatMap((field) => /^dest=(.+)$/is.exec(field)?.[1] ?? []);
  });
  const context = path.resolve(host.cwd, options.context);
  const directories = [...caches, host.env['TMPDIR'] ?? '', host.env['RUNNER_TEMP'] ?? ''].filter(
    (directory) => directory !== '',
  );
  return directories.map((at) => path.resolve(host.cwd, at)).filter((at) => !contains(at, context, path.sep));
}

function contains(directory: string, file: string, separator: string): boolean {
  return file === directory || file.startsWith(`${directory}${separator}`);
}
