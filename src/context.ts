import path from 'node:path';
import {
  type ContextEntry,
  compileIgnorePatterns,
  type IgnoreMatcher,
  type ListedEntry,
  NOTHING_IGNORED,
  parseIgnoreFile,
  walkContext,
} from './core/dockerignore.ts';
import type { Entry } from './core/input-manifest.ts';
import type { Parsed } from './core/parsed.ts';
import { quote } from './core/printable.ts';
import { BuildOnceError, UsageError } from './errors.ts';
import type { Files } from './host.ts';

/** The name of a Dockerfile, and the spelling that BuildKit falls back to. */
const DOCKERFILE_NAMES = ['Dockerfile', 'dockerfile'];
const IGNORE_FILE = '.dockerignore';

/** The Dockerfile to read: as given, else the one in the context; `undefined` when there is none. */
export function findDockerfile(files: Files, context: string, given: string | undefined): string | undefined {
  const candidates = given === undefined ? DOCKERFILE_NAMES.map((name) => path.join(context, name)) : [given];
  return candidates.find((file) => {
    const kind = files.kindOf(file);
    return kind === 'file' || kind === 'symlink';
  });
}

/** The ignore file of the context: the Dockerfile's own when there is one, else the context's (BuildKit 0.27, dockerui). */
export function findIgnoreFile(files: Files, context: string, dockerfile?: string): string | undefined {
  const candidates = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}${IGNORE_FILE}`]),
    path.join(context, IGNORE_FILE),
  ];
  return candidates.find((file) => files.kindOf(file) !== undefined);
}

/** Reads and compiles an ignore file; without one nothing is ignored. UsageError naming the file for a bad pattern. */
export function readIgnoreFile(files: Files, file: string | undefined): IgnoreMatcher {
  if (file === undefined) return NOTHING_IGNORED;
  const patterns = parseIgnoreFile(files.readText(file) ?? '');
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (matcher.ok) return matcher.value;
  throw new UsageError([
    { input: IGNORE_FILE, message: `${quote(file)}: ${matcher.problem}; the build would fail on it` },
  ]);
}

export interface ContextRead {
  /** Absolute, or relative to the host's `cwd`. */
  readonly directory: string;
  readonly matcher: IgnoreMatcher;
  /** Of what is left, this does not count: `hash-ignore`. */
  readonly uncounted?: IgnoreMatcher;
}

/**
 * Every entry that the builder gets, with what of it counts: `sha256` and `x` or `-` of a file, `@target` of a link, `/` of
 * a directory that stays empty. BuildOnceError UNREADABLE_FILE for what cannot be read.
 */
export function readContext(files: Files, { directory, matcher, uncounted }: ContextRead): readonly Entry[] {
  const kept = walk(files, directory, matcher);
  const counted = uncounted === undefined ? kept : keepCounted(kept, uncounted);
  const parents = new Set(counted.map((entry) => path.posix.dirname(entry.path)));
  return counted.flatMap((entry): Entry[] => {
    const leaf = leafOf(files, path.join(directory, entry.path), entry.kind);
    return leaf === undefined || (entry.kind === 'directory' && parents.has(entry.path)) ? [] : [[entry.path, leaf]];
  });
}

/** `hash-files`: the entries of these files and directories, by the path that was given. */
export function readExtraFiles(files: Files, given: readonly string[]): readonly Entry[] {
  return given.flatMap((file): Entry[] => {
    const kind = files.kindOf(file);
    if (kind === 'directory') {
      const inside = readContext(files, { directory: file, matcher: NOTHING_IGNORED });
      return [[file, '/'], ...inside.map(([name, leaf]): Entry => [`${file}/${name}`, leaf])];
    }
    const leaf = kind === undefined ? undefined : leafOf(files, file, kind);
    return leaf === undefined ? [] : [[file, leaf]];
  });
}

function walk(files: Files, directory: string, matcher: IgnoreMatcher): readonly ContextEntry[] {
  const entries = guard(directory, () =>
    walkContext({ matcher, list: (inside) => files.list(path.join(directory, inside)) }),
  );
  return orThrow(entries, IGNORE_FILE);
}

/** Matches `hash-ignore` against what is left, directories before what is in them, as an ignore file would. */
function keepCounted(entries: readonly ContextEntry[], uncounted: IgnoreMatcher): readonly ContextEntry[] {
  const children = new Map<string, ContextEntry[]>([['', []]]);
  for (const entry of entries) {
    const parent = path.posix.dirname(entry.path);
    children.get(parent === '.' ? '' : parent)?.push(entry);
    if (entry.kind === 'directory') children.set(entry.path, []);
  }
  const list = (inside: string): readonly ListedEntry[] =>
    (children.get(inside) ?? []).map(({ path: at, kind }) => ({ name: path.posix.basename(at), kind }));
  return orThrow(walkContext({ matcher: uncounted, list }), 'hash-ignore');
}

function leafOf(files: Files, file: string, kind: ContextEntry['kind']): string | undefined {
  return guard(file, () => {
    if (kind === 'directory') return '/';
    if (kind === 'symlink') return `@${files.readLink(file)}`;
    if (kind === 'other') return '?';
    const { sha256, executable } = files.digest(file);
    return `${sha256}${executable ? 'x' : '-'}`;
  });
}

function guard<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new BuildOnceError(
      'UNREADABLE_FILE',
      `${quote(file)} counts towards the content and cannot be read: ${why}`,
      1,
      {
        hint: 'Make it readable, or leave it out with .dockerignore.',
        cause,
      },
    );
  }
}

function orThrow<T>(result: Parsed<T>, input: string): T {
  if (result.ok) return result.value;
  throw new UsageError([{ input, message: `${result.problem}; the build would fail on it` }]);
}
