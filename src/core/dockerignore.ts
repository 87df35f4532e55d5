import { cleanPath } from './clean-path.ts';
import { compareCodePoints } from './code-point-order.ts';
import { compileIgnorePattern, type IgnorePattern } from './ignore-pattern.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { trimSpace } from './unicode-space.ts';

/** BuildKit reads ignore files line by line into a buffer of 64 KiB. */
const MAX_LINE_BYTES = 65_535;

/**
 * The patterns of a `.dockerignore` file, cleaned, in order (moby/patternmatcher v0.6, ignorefile): comments begin in
 * column 0 only, blanks around a line are dropped, `.`, `..` and double slashes are resolved, one leading `/` is taken
 * off. A problem for a line over 64 KiB, on which a build fails as well.
 */
export function parseIgnoreFile(text: string): Parsed<readonly string[]> {
  const patterns: string[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    if (exceedsBytes(line, MAX_LINE_BYTES)) {
      return unparsable(`line ${index + 1} of the ignore file is longer than ${MAX_LINE_BYTES} bytes`);
    }
    const trimmed = line.startsWith('#') ? '' : trimSpace(line);
    if (trimmed === '') continue;
    const exception = trimmed.startsWith('!');
    const pattern = exception ? trimSpace(trimmed.slice(1)) : trimmed;
    const clean = pattern === '' ? '' : cleanPath(pattern);
    const relative = clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean;
    patterns.push(exception ? `!${relative}` : relative);
  }
  return parsed(patterns);
}

/** Compiled patterns. Pass it to {@link isIgnored} or {@link walkContext}. */
export interface IgnoreMatcher {
  readonly patterns: readonly IgnorePattern[];
}

/** Matches nothing: what stands in where there is no ignore file. */
export const NOTHING_IGNORED: IgnoreMatcher = { patterns: [] };

/**
 * Compiles what {@link parseIgnoreFile} read. A problem for a lone `!` and for broken syntax, on which a build fails; some
 * patterns fail only when a path is compared with them, here as in BuildKit.
 */
export function compileIgnorePatterns(lines: readonly string[]): Parsed<IgnoreMatcher> {
  const patterns: IgnorePattern[] = [];
  for (const line of lines) {
    const trimmed = trimSpace(line);
    if (trimmed === '') continue;
    const clean = cleanPath(trimmed);
    if (clean === '!') return unparsable('a lone "!" in the ignore file excepts nothing: a pattern must follow it');
    const pattern = compileIgnorePattern(clean);
    if (!pattern.ok) return pattern;
    patterns.push(pattern.value);
  }
  return parsed({ patterns });
}

/** An entry of a directory. */
export interface ListedEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
}

/** An entry of the context that reaches the builder. */
export interface ContextEntry {
  /** Relative to the context, with `/` between the names. */
  readonly path: string;
  readonly kind: ListedEntry['kind'];
}

export interface ContextWalk {
  /**
   * The entries of a directory, given relative to the context and `''` for the context itself; `undefined` when it is
   * gone. May throw; a permission error (EACCES, EPERM) on an ignored directory is passed over.
   */
  readonly list: (directory: string) => readonly ListedEntry[] | undefined;
  readonly matcher: IgnoreMatcher;
}

/**
 * What is left of the context when the ignore file is applied, depth first, the names of each directory by code point: a
 * directory before what is in it, ignored directories only where a `!` pattern brought something below them back. The
 * same set as fsutil's filtered walk in BuildKit v0.29. An ignored directory is not listed unless a `!` pattern could
 * match below it. A problem when a pattern fails on a path.
 */
export function walkContext(walk: ContextWalk): Parsed<readonly ContextEntry[]> {
  const entries: ContextEntry[] = [];
  try {
    walkDirectory(walk, entries, []);
    return parsed(entries);
  } catch (error) {
    if (error instanceof BadPattern) return unparsable(error.message);
    throw error;
  }
}

/** Whether BuildKit would leave this path out; each of its parents is judged first, as in a walk. */
export function isIgnored(matcher: IgnoreMatcher, path: string): Parsed<boolean> {
  const decision = decide(matcher, path);
  return decision.ok ? parsed(hides(matcher, decision.value)) : decision;
}

/** The place of the pattern that has the last word on a path; {@link UNDECIDED} when none has. */
function decide(matcher: IgnoreMatcher, path: string): Parsed<number> {
  try {
    let parent: Uint8Array | undefined;
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const matched = new Uint8Array(matcher.patterns.length);
      judge(matcher, path.slice(0, end), parent, matched);
      parent = matched;
    }
    return parsed(judge(matcher, path, parent));
  } catch (error) {
    if (error instanceof BadPattern) return unparsable(error.message);
    throw error;
  }
}

/**
 * The line of an ignore file that hides this path: the last one, from 1, whose pattern decides; `undefined` when the path is
 * not ignored, or the file cannot be read. Slow; for messages.
 */
export function findHidingLine(
  text: string,
  path: string,
): { readonly line: number; readonly text: string } | undefined {
  const patterns = parseIgnoreFile(text);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (!matcher.ok) return undefined;
  const decision = decide(matcher.value, path);
  if (!decision.ok || !hides(matcher.value, decision.value)) return undefined;
  const decisive = matcher.value.patterns[decision.value]?.text;
  const lines = linesOf(text);
  const index = lines.findLastIndex((line) => {
    const [pattern] = asPatterns(line);
    return pattern !== undefined && pattern === decisive;
  });
  return index < 0 ? undefined : { line: index + 1, text: trimSpace(lines[index] ?? '') };
}

/** The first line, from 1, with a pattern on which every build fails, or one that looks at a path with it. For messages. */
export function findBadLine(text: string): number | undefined {
  const index = linesOf(text).findIndex((line) => {
    const matcher = compileIgnorePatterns(asPatterns(line));
    return !matcher.ok || matcher.value.patterns.some(({ test }) => !test.ok);
  });
  return index < 0 ? undefined : index + 1;
}

function linesOf(text: string): readonly string[] {
  return text.replace(/^\ufeff/, '').split('\n');
}

function asPatterns(line: string): readonly string[] {
  const read = parseIgnoreFile(line);
  return read.ok ? read.value : [];
}

/** Thrown and caught in this file only. */
class BadPattern extends Error {}

/** A directory on the way down, and whether it is among the entries yet. */
interface Ancestor {
  readonly path: string;
  readonly matched: Uint8Array | undefined;
  readonly ignored: boolean;
  entered: boolean;
}

function walkDirectory(walk: ContextWalk, entries: ContextEntry[], ancestors: readonly Ancestor[]): void {
  const { matcher } = walk;
  const parent = ancestors.at(-1);
  const start = parent === undefined ? '' : `${parent.path}/`;
  for (const { name, kind } of [...listOf(walk, parent)].sort((a, b) => compareCodePoints(a.name, b.name))) {
    const path = start + name;
    const isDirectory = kind === 'directory';
    const matched = isDirectory ? new Uint8Array(matcher.patterns.length) : undefined;
    const ignored = hides(matcher, judge(matcher, path, parent?.matched, matched));
    if (!ignored) {
      for (const ancestor of ancestors) {
        if (!ancestor.entered) entries.push({ path: ancestor.path, kind: 'directory' });
        ancestor.entered = true;
      }
      entries.push({ path, kind });
    }
    if (isDirectory && (!ignored || mayBringBack(matcher, path))) {
      walkDirectory(walk, entries, [...ancestors, { path, matched, ignored, entered: !ignored }]);
    }
  }
}

function listOf(walk: ContextWalk, directory: Ancestor | undefined): readonly ListedEntry[] {
  try {
    return walk.list(directory?.path ?? '') ?? [];
  } catch (error) {
    if (directory?.ignored === true && isPermissionError(error)) return [];
    throw error;
  }
}

function isPermissionError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}

/** No pattern has matched. */
const UNDECIDED = -1;

/**
 * The last pattern that matches decides: answers its place. A pattern that could not change the verdict so far is not compared
 * at all, and then counts as not matching for everything below, too: BuildKit's results depend on that. `parent` has for each
 * pattern whether it matched a parent, and `matched`, all zeros, takes that for what is below this path.
 */
function judge(
  { patterns }: IgnoreMatcher,
  path: string,
  parent: Uint8Array | undefined,
  matched?: Uint8Array,
): number {
  let ignored = false;
  let decidedBy = UNDECIDED;
  for (let index = 0; index < patterns.length; index += 1) {
    const pattern = patterns[index];
    if (pattern === undefined) continue;
    if (parent?.[index] !== 1) {
      if (pattern.exception !== ignored) continue;
      if (!pattern.test.ok) throw new BadPattern(pattern.test.problem);
      if (!pattern.test.value.matches(path)) continue;
    }
    if (matched !== undefined) matched[index] = 1;
    ignored = !pattern.exception;
    decidedBy = index;
  }
  return decidedBy;
}

/** Whether a path is ignored on which this pattern has the last word. */
function hides({ patterns }: IgnoreMatcher, decidedBy: number): boolean {
  return patterns[decidedBy]?.exception === false;
}

function mayBringBack({ patterns }: IgnoreMatcher, directory: string): boolean {
  return patterns.some(({ exception, test }) => exception && (!test.ok || test.value.mayMatchBelow(directory)));
}

function exceedsBytes(text: string, limit: number): boolean {
  if (text.length * 3 <= limit) return false;
  return text.length > limit || new TextEncoder().encode(text).length > limit;
}
