import { cleanPath } from './clean-path.ts';
import { type ContextTree, followLinks, LinkLoop } from './context-tree.ts';
import { type ContextUse, hasWildcards } from './context-use.ts';
import { type ContextEntry, compileIgnorePatterns, type IgnoreMatcher, isIgnored } from './dockerignore.ts';
import { compileGlob } from './go-match.ts';
import { type Located, located, misplaced } from './located.ts';
import type { Parsed } from './parsed.ts';
import { quote } from './printable.ts';

/** One thing that a use takes. */
export interface UsedEntry {
  /**
   * Relative to what the use names: inside of a directory the path from there, of a file its last name, `.` for a directory
   * that holds nothing else. Two entries may have one name: the later one replaces the earlier.
   */
  readonly name: string;
  /** The use names it itself, and it is no directory: where it goes may be a file then. Else it is in what the use names. */
  readonly isNamed: boolean;
  /** Where it is, relative to the context. */
  readonly path: string;
  readonly kind: ContextEntry['kind'];
}

/**
 * What a use takes of a context, in the order in which BuildKit copies it (BuildKit v0.29, solver/llbsolver/file; fsutil,
 * copy). Links that the source itself names are followed inside of the context, those further down are taken as links. A
 * glob never enters a link and may match nothing; anything else that is missing is a problem, and so are links in circles
 * and patterns that BuildKit refuses.
 */
export function resolveUse(tree: ContextTree, use: ContextUse): Located<readonly UsedEntry[]> {
  try {
    return resolve(tree, use);
  } catch (error) {
    if (error instanceof LinkLoop) return misplaced(`${describe(use)}: its links lead in circles`, use.line);
    throw error;
  }
}

function resolve(tree: ContextTree, use: ContextUse): Located<readonly UsedEntry[]> {
  const filter = compileFilter(use);
  if (!filter.ok) return misplaced(`${describe(use)}: ${filter.problem}`, use.line);
  const sources = use.op === 'copy' || use.op === 'add' ? expandGlob(tree, use.source) : [use.source.slice(1)];
  if (sources === undefined) return missing(use);
  const taken: UsedEntry[] = [];
  for (const source of sources) {
    const at = followLinks(tree, source);
    const kind = tree.kindOf(at);
    if (kind === undefined) return missing(use);
    if (kind !== 'directory') {
      taken.push({ name: source.slice(source.lastIndexOf('/') + 1), isNamed: true, path: at, kind });
      continue;
    }
    const inside = takeDirectory(tree, at, filter.value);
    if (!inside.ok) return misplaced(`${describe(use)}: ${inside.problem}`, use.line);
    taken.push(...inside.value);
  }
  const { required } = use;
  if (required === undefined) return located(taken);
  const isThere = ({ name }: UsedEntry) => cleanPath(`${use.source}/${name}`).startsWith(required);
  // What is named itself and is no directory has nothing in it. An empty pattern matches nothing: `COPY --parents .`.
  const isDirectory = sources.some((source) => tree.kindOf(followLinks(tree, source)) === 'directory');
  return isDirectory && use.include?.[0] !== '' && taken.some(isThere) ? located(taken) : missing(use);
}

function missing(use: ContextUse): Located<never> {
  return misplaced(`${describe(use)} is not in the context`, use.line);
}

function describe({ op, source, required, context }: ContextUse): string {
  const instruction = { copy: 'COPY', add: 'ADD', bind: 'RUN --mount', from: 'FROM' }[op];
  return `${instruction} ${quote(required ?? source)}${context === undefined ? '' : ` of the context ${quote(context)}`}`;
}

/**
 * The paths that a source stands for; a source without wildcards stands for itself. `undefined` when what stands before the
 * first wildcard is not there. What is below a match is not looked at any more.
 */
function expandGlob(tree: ContextTree, source: string): readonly string[] | undefined {
  const names = source.split('/').filter((name) => name !== '');
  const first = names.findIndex(hasWildcards);
  if (first < 0) return [names.join('/')];
  const base = followLinks(tree, names.slice(0, first).join('/'));
  const kind = tree.kindOf(base);
  if (kind === undefined) return undefined;
  if (kind !== 'directory') return [];
  const isMatch = compileGlob(names.slice(first).join('/'));
  const matches: string[] = [];
  for (const { path } of tree.below(base)) {
    const last = matches.at(-1);
    if (last !== undefined && path.startsWith(`${last}/`)) continue;
    if (isMatch(base === '' ? path : path.slice(base.length + 1))) matches.push(path);
  }
  return matches;
}

interface Filter {
  readonly include: IgnoreMatcher | undefined;
  readonly exclude: IgnoreMatcher | undefined;
}

function compileFilter({ include, exclude }: ContextUse): Parsed<Filter> {
  const included = include === undefined ? undefined : compileIgnorePatterns(include);
  if (included?.ok === false) return included;
  const excluded = exclude.length === 0 ? undefined : compileIgnorePatterns(exclude);
  if (excluded?.ok === false) return excluded;
  return { ok: true, value: { include: included?.value, exclude: excluded?.value } };
}

/** Directories count where nothing is taken of what they hold. */
function takeDirectory(tree: ContextTree, directory: string, filter: Filter): Parsed<readonly UsedEntry[]> {
  const start = directory === '' ? 0 : directory.length + 1;
  const taken: UsedEntry[] = [];
  const below = tree.below(directory);
  // From the end, so that a directory comes after what is in it, and right after that.
  for (let index = below.length - 1; index >= 0; index -= 1) {
    const entry = below[index];
    if (entry === undefined) continue;
    const name = entry.path.slice(start);
    const isTaken = passes(filter, name);
    if (!isTaken.ok) return isTaken;
    const isFull = entry.kind === 'directory' && taken.at(-1)?.path.startsWith(`${entry.path}/`) === true;
    if (isTaken.value && !isFull) taken.push({ name, isNamed: false, path: entry.path, kind: entry.kind });
  }
  if (taken.length === 0) taken.push({ name: '.', isNamed: false, path: directory, kind: 'directory' });
  return { ok: true, value: taken.reverse() };
}

function passes({ include, exclude }: Filter, name: string): Parsed<boolean> {
  const included = include === undefined ? { ok: true as const, value: true } : isIgnored(include, name);
  if (!included.ok || !included.value || exclude === undefined) return included;
  const excluded = isIgnored(exclude, name);
  return excluded.ok ? { ok: true, value: !excluded.value } : excluded;
}
