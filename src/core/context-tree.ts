import { cleanPath } from './clean-path.ts';
import { comparePaths } from './code-point-order.ts';
import type { ContextEntry } from './dockerignore.ts';

/** What of a context reaches the builder. Paths are relative to it, with `/` between names; `''` is the context itself. */
export interface ContextTree {
  /** What a path is, itself and no link on the way followed; `undefined` when there is nothing. */
  kindOf(path: string): ContextEntry['kind'] | undefined;
  /** All that is below a directory, it left out: depth first, each directory by code point. */
  below(directory: string): readonly ContextEntry[];
  /** What a link says. */
  readLink(path: string): string;
}

/**
 * The tree of these entries, which are in the order of `walkContext`. They are searched: a map of all paths would be as large
 * as they are.
 */
export function contextTree(entries: readonly ContextEntry[], readLink: (path: string) => string): ContextTree {
  const pathAt = (position: number): string => entries[position]?.path ?? '';
  const placeOf = (path: string): number =>
    firstWhere([0, entries.length], (position) => comparePaths(pathAt(position), path) >= 0);
  return {
    readLink,
    kindOf: (path) => {
      if (path === '') return 'directory';
      const found = entries[placeOf(path)];
      return found?.path === path ? found.kind : undefined;
    },
    below: (directory) => {
      if (directory === '') return entries;
      const start = placeOf(directory);
      if (pathAt(start) !== directory) return [];
      const within = `${directory}/`;
      const end = firstWhere([start + 1, entries.length], (position) => !pathAt(position).startsWith(within));
      return entries.slice(start + 1, end);
    },
  };
}

/** The first position of which this is true, where it is true of all behind that one, too; else the end. */
function firstWhere([start, end]: readonly [number, number], isReached: (position: number) => boolean): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** As many links as BuildKit follows for one path (containerd/continuity v0.4, fs.RootPath). */
const MAX_LINKS = 255;
/** Beyond this, links have written a path that no system takes. */
const MAX_LENGTH = 1 << 16;
/** As many as Linux follows on the way to a file. */
const MAX_STEPS = 40;

/** Thrown for links that lead in circles. */
export class LinkLoop extends Error {}

/**
 * The path with all of its links followed, inside of the context: absolute targets and `..` never lead out of it. The same
 * result as containerd/continuity v0.4, fs.RootPath, which takes `..` in a link's target off the path as it is written.
 * What is not there stays as it is. LinkLoop after 255 links.
 */
export function followLinks(tree: ContextTree, path: string): string {
  const walk: Walk = { tree, links: 0 };
  let current = cleanPath(`/${path}`);
  for (;;) {
    const before = walk.links;
    current = cleanPath(`/${followOnce(walk, current)}`);
    if (walk.links === before) return current.slice(1);
  }
}

interface Walk {
  readonly tree: ContextTree;
  links: number;
}

/** Follows each name of the path once, from the first to the last. */
function followOnce(walk: Walk, path: string): string {
  let directory = '/';
  for (const name of path.split('/').filter((one) => one !== '')) {
    const at = cleanPath(`${directory}/${name}`);
    const target = linkAt(walk.tree, at);
    if (target === undefined) {
      directory = at;
      continue;
    }
    walk.links += 1;
    if (walk.links > MAX_LINKS || directory.length > MAX_LENGTH) throw new LinkLoop(path);
    directory = cleanPath(target.startsWith('/') ? target : `${directory}/${target}`);
  }
  return directory;
}

/** The target of the link at a path, links on the way followed as Linux does; `undefined` when there is none. */
function linkAt(tree: ContextTree, path: string): string | undefined {
  // What the tree has by this very path has no link on the way.
  const at = tree.kindOf(path.slice(1)) === undefined ? realPath(tree, path.slice(1)) : path.slice(1);
  return at !== undefined && tree.kindOf(at) === 'symlink' ? tree.readLink(at) : undefined;
}

/** Where a path leads when all links but the last are followed; `undefined` when it leaves the context or ends nowhere. */
function realPath(tree: ContextTree, path: string): string | undefined {
  const waiting = path.split('/').reverse();
  const names: string[] = [];
  let steps = 0;
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (names.pop() === undefined) return undefined;
      continue;
    }
    const at = [...names, name].join('/');
    const kind = tree.kindOf(at);
    if (kind === undefined) return undefined;
    if (kind !== 'symlink' || waiting.length === 0) {
      if (waiting.length > 0 && kind !== 'directory') return undefined;
      names.push(name);
      continue;
    }
    steps += 1;
    const target = tree.readLink(at);
    if (steps > MAX_STEPS) throw new LinkLoop(path);
    if (target.startsWith('/')) return undefined;
    waiting.push(...target.split('/').reverse());
  }
  return names.join('/');
}
