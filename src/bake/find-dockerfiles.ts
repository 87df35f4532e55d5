import { cleanPath } from '../core/clean-path.ts';
import { compareCodePoints } from '../core/code-point-order.ts';
import { compileIgnorePattern } from '../core/ignore-pattern.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { quote } from '../core/printable.ts';
import type { Files } from '../host.ts';

/** Where nobody keeps a Dockerfile of his own; entered only by a glob that names them. */
const PASSED_OVER = ['node_modules', '.git'];
const WILDCARD = /[*?[]/;

/** True for a line of `files` that stands for any number of files. */
export function isGlob(line: string): boolean {
  return WILDCARD.test(line);
}

/**
 * The files of the workspace that match a glob, in the syntax of `.dockerignore`, by code point. Directories without a
 * match below them are not entered, links to directories never. A problem for a bad glob and for one that matches nothing.
 */
export function findDockerfiles(files: Files, glob: string): Parsed<readonly string[]> {
  const clean = cleanPath(glob);
  if (clean.startsWith('/') || clean.startsWith('../')) return unparsable(`${quote(glob)} leads out of the workspace`);
  const pattern = compileIgnorePattern(clean);
  const test = pattern.ok ? pattern.value.test : pattern;
  if (!test.ok) return unparsable(`${quote(glob)} is no glob: ${test.problem}`);
  const names = clean.split('/');
  const passedOver = new Set(PASSED_OVER.filter((name) => !names.includes(name)));
  const start = names
    .slice(
      0,
      Math.max(
        0,
        names.findIndex((name) => WILDCARD.test(name)),
      ),
    )
    .join('/');
  const found: string[] = [];
  const left = [start];
  for (let directory = left.pop(); directory !== undefined; directory = left.pop()) {
    for (const { name, kind } of list(files, directory)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (kind === 'directory' && !passedOver.has(name) && test.value.mayMatchBelow(path)) left.push(path);
      if ((kind === 'file' || kind === 'symlink') && !name.endsWith('.dockerignore') && test.value.matches(path))
        found.push(path);
    }
  }
  if (found.length === 0) return unparsable(`no file matches ${quote(glob)}; is the repository checked out?`);
  return parsed(found.sort(compareCodePoints));
}

/** What may not be listed has nothing in it that a build could use. */
function list(files: Files, directory: string): NonNullable<ReturnType<Files['list']>> {
  try {
    return files.list(directory === '' ? '.' : directory) ?? [];
  } catch {
    return [];
  }
}
