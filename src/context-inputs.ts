import { findIgnoreFile, readContext, readExtraFiles, readIgnoreFile } from './context.ts';
import { parseCsvRecord } from './core/csv.ts';
import { compileIgnorePatterns, type IgnoreMatcher, parseIgnoreFile } from './core/dockerignore.ts';
import { canonicalJson, type Entry, type InputManifest, type NamedInput } from './core/input-manifest.ts';
import type { Parsed } from './core/parsed.ts';
import { quote } from './core/printable.ts';
import { namesCommit } from './core/remote-source.ts';
import { readCanonical, type Unpinned } from './dockerfile-inputs.ts';
import type { Host } from './host.ts';
import type { Options } from './options.ts';
import type { GitContexts } from './stages/git-contexts.ts';

/** What of the content hash comes from the disk. */
export type ContextInputs = Pick<InputManifest, 'dockerfile' | 'context' | 'namedContexts' | 'files'>;

/** In a git context: where a submodule's repository is, which differs from builder to builder. No ignore file counts. */
const GIT_FILES = ['**/.git'];

interface Setting {
  readonly host: Pick<Host, 'files' | 'cwd' | 'env'>;
  readonly options: Pick<Options, 'context' | 'buildContexts' | 'hashFiles' | 'hashIgnore' | 'cacheTo'>;
  readonly git?: GitContexts;
}

/** Reads everything on the disk that counts. Errors as of `readContext`. */
export function readContextInputs({ host, options, git }: Setting, dockerfile: string): ContextInputs {
  const { files } = host;
  const main = git?.main;
  const matcher =
    main === undefined
      ? readIgnoreFile(files, findIgnoreFile(files, options.context, dockerfile))
      : compileOwn(GIT_FILES);
  const uncounted = compileUncounted(options);
  const read = { directory: options.context, matcher };
  const isNarrowed = uncounted.ok && options.hashIgnore.length > 0;
  const context = readContext(files, isNarrowed ? { ...read, uncounted: uncounted.value } : read);
  return {
    dockerfile: readCanonical(files, dockerfile),
    context: main?.keepsGitDirectory === true ? [['.git', `#${main.commit}`], ...context] : context,
    namedContexts: Object.fromEntries(options.buildContexts.map((named) => [named.name, readNamed(host, named.value)])),
    files: readExtraFiles(files, options.hashFiles),
  };
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
export function findUnpinnedContexts({ buildContexts }: Pick<Options, 'buildContexts'>): readonly Unpinned[] {
  return buildContexts
    .filter(({ value }) => !isDirectoryContext(value) && !/^docker-image:\/\/|@sha256:[a-f0-9]{64}$/.test(value))
    .filter(({ value }) => !namesCommit(value))
    .map(({ name, value }) => ({
      message: `the named context ${quote(name)} is ${quote(value)}`,
      line: undefined,
    }));
}

/**
 * The paths that differ by now from what was read then, but for what a build itself writes: local caches, temporary files,
 * git's index, which buildx refreshes when it asks git for the commit.
 */
export function findChanges(setting: Setting, dockerfile: string, then: ContextInputs): readonly string[] {
  const { host } = setting;
  const { path } = host.files;
  const now = readContextInputs(setting, dockerfile);
  const before = byPath(then, setting);
  const after = byPath(now, setting);
  const differing = [...new Set([...before.keys(), ...after.keys()])].filter((at) => before.get(at) !== after.get(at));
  const written = writtenDirectories(setting);
  const changed = differing.filter((at) => {
    const absolute = path.resolve(host.cwd, at);
    const isWritten = written.some((directory) => contains(directory, absolute, path.sep));
    return !isWritten && !/(?:^|[\\/])\.git[\\/]index(?:\.lock)?$/.test(absolute);
  });
  const sameDockerfile = canonicalJson(now.dockerfile) === canonicalJson(then.dockerfile);
  return [...new Set([...(sameDockerfile ? [] : [path.normalize(dockerfile)]), ...changed.sort()])];
}

function readNamed({ files }: Setting['host'], value: string): NamedInput {
  if (!isDirectoryContext(value)) return { source: value };
  const matcher = readIgnoreFile(files, findIgnoreFile(files, value));
  return { entries: readContext(files, { directory: value, matcher }) };
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
