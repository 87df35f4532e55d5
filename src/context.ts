import { posix } from 'node:path';
import { textOfBytes } from './core/byte-text.ts';
import { type ContextTree, contextTree } from './core/context-tree.ts';
import {
  type ContextEntry,
  compileIgnorePatterns,
  findBadLine,
  type IgnoreMatcher,
  type ListedEntry,
  NOTHING_IGNORED,
  parseIgnoreFile,
  walkContext,
} from './core/dockerignore.ts';
import type { Entry } from './core/input-manifest.ts';
import { keepManifests } from './core/manifest-scope.ts';
import { unparsable } from './core/parsed.ts';
import { quote } from './core/printable.ts';
import { BuildOnceError, UsageError } from './errors.ts';
import { FILE_CHANGED, type Files } from './host.ts';
import { MAX_LINKS } from './inside.ts';
import type { Options } from './options.ts';
import { hasWindowsRules, type RecordedBits, recordedBits } from './recorded-bits.ts';

/** The name of a Dockerfile, and the spelling that BuildKit falls back to. */
const DOCKERFILE_NAMES = ['Dockerfile', 'dockerfile'];
const IGNORE_FILE = '.dockerignore';
/** Of Linux, with the byte that ends it. A longer path cannot be looked at, so what is there seems not to be there. */
const MAX_PATH_BYTES = 4096;

/** The Dockerfile to read: as given, else the one in the context; `undefined` when there is none. */
export function findDockerfile(files: Files, context: string, given: string | undefined): string | undefined {
  const candidates = given === undefined ? DOCKERFILE_NAMES.map((name) => files.path.join(context, name)) : [given];
  return candidates.find((file) => {
    const kind = files.kindOf(file);
    return kind === 'file' || kind === 'symlink';
  });
}

/** The ignore file of the context: the Dockerfile's own when there is one, else the context's (BuildKit 0.27, dockerui). */
export function findIgnoreFile(files: Files, context: string, dockerfile?: string): string | undefined {
  const candidates = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}${IGNORE_FILE}`]),
    files.path.join(context, IGNORE_FILE),
  ];
  return candidates.find((file) => files.kindOf(file) !== undefined);
}

/** Reads and compiles an ignore file; without one nothing is ignored. UsageError naming the file for a bad pattern. */
export function readIgnoreFile(files: Files, file: string | undefined): IgnoreMatcher {
  if (file === undefined) return NOTHING_IGNORED;
  const text = guard(
    () => textOfBytes(files.read(file) ?? new Uint8Array()),
    () => file,
  );
  const patterns = parseIgnoreFile(text);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (matcher.ok) return namingFile(matcher.value, file);
  const line = patterns.ok ? findBadLine(text) : undefined;
  const place = line === undefined ? quote(file) : `${quote(file)} line ${line}`;
  throw new UsageError(
    [{ input: IGNORE_FILE, message: `${place}: ${matcher.problem}; the build would fail on it` }],
    line === undefined ? {} : { at: { file, line } },
  );
}

/** What fails on a path only says later where it stands. */
function namingFile({ patterns }: IgnoreMatcher, file: string): IgnoreMatcher {
  const named = patterns.map((pattern) =>
    pattern.test.ok ? pattern : { ...pattern, test: unparsable(`${quote(file)}: ${pattern.test.problem}`) },
  );
  return { patterns: named };
}

export interface ContextRead {
  /** Absolute, or relative to the host's `cwd`. */
  readonly directory: string;
  readonly matcher: IgnoreMatcher;
  /** Of what is left, this does not count: `hash-ignore`. */
  readonly uncounted?: IgnoreMatcher;
  /** Of that, `manifests` takes the dependency manifests only. */
  readonly scope?: Options['hashScope'];
}

/**
 * Every entry that the builder gets, with what of it counts: `sha256` and `x` or `-` of a file, `@target` of a link, `/` of
 * a directory that stays empty, `?` of a device, pipe or socket. BuildOnceError UNREADABLE_FILE for what cannot be read.
 */
export function readContext(files: Files, read: ContextRead): readonly Entry[] {
  return entriesOf(openContext(files, read));
}

/** All that counts of a context, as {@link readContext} has it. */
export function entriesOf({ counted, leavesOf }: Pick<OpenContext, 'counted' | 'leavesOf'>): readonly Entry[] {
  const own = counted.filter(({ path: at, kind }, position) => {
    return kind !== 'directory' || counted[position + 1]?.path.startsWith(`${at}/`) !== true;
  });
  const entries: Entry[] = [];
  leavesOf(own, ({ path: at }, leaf) => entries.push([at, leaf]));
  return entries;
}

/** The names in a context, and which of them count: all that is known before the first file is read. */
export interface ContextNames {
  readonly kept: readonly ContextEntry[];
  readonly counted: readonly ContextEntry[];
  /** The paths of those; `undefined` for all. */
  readonly countedPaths: ReadonlySet<string> | undefined;
  readonly others: ReadonlySet<string> | undefined;
  readonly unreadable: ReadonlyMap<string, unknown>;
  readonly recorded: RecordedBits;
  /** What had to be read to know what counts. */
  readonly read: ReadonlyMap<string, ReadEntry>;
}

/** A context of which nothing but names was read so far. */
export interface OpenContext {
  /** As it was given. */
  readonly directory: string;
  /** What reaches the builder. */
  readonly tree: ContextTree;
  /** Of that, what counts. */
  readonly counted: readonly ContextEntry[];
  /** Whether a path of the tree counts; the context itself, too, which stands for itself where nothing is taken of it. */
  readonly counts: (path: string) => boolean;
  /** With the scope `manifests`: the files that would count without it. */
  readonly others: ReadonlySet<string> | undefined;
  /** What counts of an entry, as {@link readContext} has it; read once. */
  readonly leaf: (entry: ContextEntry) => string;
  /** The same of many, one after the other. */
  readonly leavesOf: <T extends ContextEntry>(entries: readonly T[], take: (entry: T, leaf: string) => void) => void;
  /** All that `leaf` was asked for so far, by path. */
  readonly read: ReadonlyMap<string, ReadEntry>;
}

/** What was seen of an entry when it was read. */
interface ReadEntry {
  readonly leaf: string;
  /** Of a file's bytes. */
  readonly sizeBytes: number;
  readonly isLfsPointer: boolean;
}

/** Opens a context whose names are known, or listed now. Errors as of {@link readContext}, of `leaf` too. */
export function openContext(files: Files, read: ContextRead, names = listContext(files, read)): OpenContext {
  const { kept, counted, countedPaths, others } = names;
  const seen = new Map(names.read);
  const { leaf, leavesOf } = openLeaves(files, read.directory, names, seen);
  const counts = (at: string): boolean => (at === '' ? others === undefined : countedPaths?.has(at) !== false);
  const tree = contextTree(kept, readLinks(leaf));
  return { directory: read.directory, tree, counted, counts, others, leaf, leavesOf, read: seen };
}

/** Lists a context. Errors as of {@link readContext}. */
export function listContext(files: Files, { directory, matcher, uncounted, scope }: ContextRead): ContextNames {
  const { entries: kept, unreadable } = walk(files, directory, matcher);
  const wanted = uncounted === undefined ? kept : keepCounted(kept, uncounted);
  const recorded = guard(
    () => recordedBits(files, directory),
    () => files.path.join(directory, '.git'),
  );
  const read = new Map<string, ReadEntry>();
  const known = { kept, unreadable, recorded, read };
  if (scope !== 'manifests') {
    const countedPaths = wanted === kept ? undefined : new Set(wanted.map(({ path: at }) => at));
    return { ...known, counted: wanted, countedPaths, others: undefined };
  }
  const tree = contextTree(kept, readLinks(openLeaves(files, directory, known, read).leaf));
  const counted = keepManifests(wanted, tree, unreadable);
  const countedPaths = new Set(counted.map(({ path: at }) => at));
  return { ...known, counted, countedPaths, others: filesBut(counted, wanted) };
}

/** What decides on the names in a context: contexts of which this is equal are listed alike. */
export function namesKey(files: Files, { directory, matcher, uncounted, scope }: ContextRead): string {
  const rules = (of: IgnoreMatcher | undefined): unknown =>
    of?.patterns.map(({ text, exception, test }) => [text, exception, test.ok ? '' : test.problem]);
  return JSON.stringify([files.resolve(directory), scope ?? '', rules(matcher), rules(uncounted)]);
}

/** Reads what counts of entries, each once. */
interface Leaves {
  readonly leaf: OpenContext['leaf'];
  readonly leavesOf: OpenContext['leavesOf'];
}

function openLeaves(
  files: Files,
  directory: string,
  { unreadable, recorded }: Pick<ContextNames, 'unreadable' | 'recorded'>,
  seen: Map<string, ReadEntry>,
): Leaves {
  const { path } = files;
  const root = files.resolve(directory);
  const start = root.endsWith(path.sep) ? root : `${root}${path.sep}`;
  // One join for each file would take longer than its hash.
  const inFull = (at: string): string => (path.sep === '/' ? start + at : path.join(root, at));
  const leaf = ({ path: at, kind }: Pick<ContextEntry, 'path' | 'kind'>): string => {
    const known = seen.get(at);
    if (known !== undefined) return known.leaf;
    if (unreadable.has(at)) throw unreadableFile(path.join(directory, at), unreadable.get(at));
    try {
      const entry = readEntry(files, { file: inFull(at), kind, at }, recorded);
      seen.set(at, entry);
      return entry.leaf;
    } catch (cause) {
      throw unreadableFile(path.join(directory, at), cause);
    }
  };
  const leavesOf: OpenContext['leavesOf'] = (entries, take) => {
    const work = (): void => {
      for (const entry of entries) take(entry, leaf(entry));
    };
    if (entries.length < 2) return work();
    const unread = entries.filter(({ path: at, kind }) => kind === 'file' && !seen.has(at));
    files.readingAhead({ count: unread.length, pathAt: (at) => inFull(unread[at]?.path ?? '') }, work);
  };
  return { leaf, leavesOf };
}

function readLinks(leaf: OpenContext['leaf']): ContextTree['readLink'] {
  return (at) => leaf({ path: at, kind: 'symlink' }).slice(1);
}

/**
 * `hash-files`: the entries of these files and directories, by the path that was given, with `/` between its names; a link
 * and what it points at.
 */
export function readExtraFiles(files: Files, given: readonly string[]): readonly Entry[] {
  return given.flatMap((file) => readExtra(files, withSlashes(files, file), file, MAX_LINKS));
}

function readExtra(files: Files, name: string, file: string, linksLeft: number): readonly Entry[] {
  const { path } = files;
  const kind = guard(
    () => files.kindOf(file),
    () => file,
  );
  if (kind === undefined) return [];
  const recorded: RecordedBits = (at) => recordedBits(files, path.dirname(file))(at);
  const { leaf } = guard(
    () => readEntry(files, { file: files.resolve(file), kind, at: path.basename(file) }, recorded),
    () => file,
  );
  const own: Entry = [name, leaf];
  if (kind === 'symlink' && linksLeft > 0) {
    const target = files.readLink(file);
    const next = path.isAbsolute(target) ? target : path.join(path.dirname(file), target);
    return [own, ...readExtra(files, name, next, linksLeft - 1)];
  }
  const inside = kind === 'directory' ? readContext(files, { directory: file, matcher: NOTHING_IGNORED }) : [];
  return [own, ...inside.map(([at, leaf]): Entry => [`${name}/${at}`, leaf])];
}

/** Directories that may not be listed look empty, and are named with the reason: an error only where one of them counts. */
interface Walked {
  readonly entries: readonly ContextEntry[];
  readonly unreadable: ReadonlyMap<string, unknown>;
}

function walk(files: Files, directory: string, matcher: IgnoreMatcher): Walked {
  const unreadable = new Map<string, unknown>();
  let listed = directory;
  const list = (inside: string): readonly ListedEntry[] | undefined => {
    listed = files.path.join(directory, inside);
    try {
      const entries = files.list(listed);
      if (entries === undefined && inside !== '' && Buffer.byteLength(files.resolve(listed)) >= MAX_PATH_BYTES) {
        unreadable.set(inside, Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' }));
      }
      return entries;
    } catch (error) {
      const isForbidden = error instanceof Error && 'code' in error && ['EACCES', 'EPERM'].includes(String(error.code));
      if (inside === '' || !isForbidden) throw error;
      unreadable.set(inside, error);
      return [];
    }
  };
  const entries = guard(
    () => walkContext({ matcher, list }),
    () => listed,
  );
  if (entries.ok) return { entries: entries.value, unreadable };
  throw new UsageError([{ input: IGNORE_FILE, message: `${entries.problem}; the build would fail on it` }]);
}

/** Matches `hash-ignore` against what is left, directories before what is in them, as an ignore file would. */
function keepCounted(entries: readonly ContextEntry[], uncounted: IgnoreMatcher): readonly ContextEntry[] {
  const children = new Map<string, ContextEntry[]>([['', []]]);
  for (const entry of entries) {
    const parent = posix.dirname(entry.path);
    children.get(parent === '.' ? '' : parent)?.push(entry);
    if (entry.kind === 'directory') children.set(entry.path, []);
  }
  const list = (inside: string): readonly ListedEntry[] =>
    (children.get(inside) ?? []).map(({ path: at, kind }) => ({ name: posix.basename(at), kind }));
  const counted = walkContext({ matcher: uncounted, list });
  if (counted.ok) return counted.value;
  throw new UsageError([{ input: 'hash-ignore', message: counted.problem }]);
}

/** The paths of the files that are not among these. */
function filesBut(these: readonly ContextEntry[], all: readonly ContextEntry[]): ReadonlySet<string> {
  const known = new Set(these);
  return new Set(all.flatMap((entry) => (entry.kind === 'directory' || known.has(entry) ? [] : [entry.path])));
}

/** The spelling of a path that is the same on every system. */
function withSlashes(files: Files, given: string): string {
  return hasWindowsRules(files) ? given.replaceAll('\\', '/') : given;
}

/** What a directory and what is neither file nor link looks like. */
const DIRECTORY: ReadEntry = { leaf: '/', sizeBytes: 0, isLfsPointer: false };
const OTHER: ReadEntry = { leaf: '?', sizeBytes: 0, isLfsPointer: false };

/** `recorded` has the exec bit, by the path `at`, where the disk has none. */
function readEntry(
  files: Files,
  { file, kind, at }: { readonly file: string; readonly kind: ContextEntry['kind']; readonly at: string },
  recorded: RecordedBits,
): ReadEntry {
  if (kind === 'directory') return DIRECTORY;
  if (kind === 'other') return OTHER;
  if (kind === 'symlink') {
    return { leaf: `@${withSlashes(files, files.readLink(file))}`, sizeBytes: 0, isLfsPointer: false };
  }
  const { sha256, executable, sizeBytes, isLfsPointer } = files.digest(file);
  return { leaf: sha256 + ((recorded(at) ?? executable) ? 'x' : '-'), sizeBytes, isLfsPointer };
}

/** `place` says what was read when it failed. */
function guard<T>(read: () => T, place: () => string): T {
  try {
    return read();
  } catch (cause) {
    throw unreadableFile(place(), cause);
  }
}

function unreadableFile(file: string, cause: unknown): BuildOnceError {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  if (why === FILE_CHANGED) {
    return new BuildOnceError('CONTEXT_CHANGED', `${quote(file)} changed while it was read`, 1, {
      hint: 'Do not write into the context while it is read, or leave what is written out with .dockerignore.',
      cause,
    });
  }
  return new BuildOnceError(
    'UNREADABLE_FILE',
    `${quote(file)} counts towards the content and cannot be read: ${why}`,
    1,
    { hint: 'Make it readable, or leave it out with .dockerignore.', cause },
  );
}
