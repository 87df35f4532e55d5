import path from 'node:path';
import type { Files } from './host.ts';

/** So many links Linux follows in one path. */
export const MAX_LINKS = 40;

/**
 * Where a path leads when `root` is all there is, as in a builder: links are followed, and one that is absolute or climbs
 * begins again at the root, never outside. `undefined` for a path to nothing, or with too many links.
 */
export function resolveInside(files: Files, root: string, inside: string): string | undefined {
  const left = inside.split(/[\\/]/);
  const at: string[] = [];
  let links = 0;
  for (let segment = left.shift(); segment !== undefined; segment = left.shift()) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') {
      at.pop();
      continue;
    }
    const next = path.join(root, ...at, segment);
    const kind = files.kindOf(next);
    if (kind === undefined) return undefined;
    if (kind !== 'symlink') {
      at.push(segment);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    const target = files.readLink(next);
    if (path.posix.isAbsolute(target)) at.length = 0;
    left.unshift(...target.split('/'));
  }
  return path.join(root, ...at);
}
