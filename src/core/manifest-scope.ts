import { type ContextTree, followLinks, LinkLoop } from './context-tree.ts';
import { isDependencyManifest } from './dependency-manifests.ts';
import type { ContextEntry } from './dockerignore.ts';

/**
 * Of what a context holds, what counts with `hash-scope: manifests`: dependency manifests, the files that they are links to,
 * and every link, since any of them may be on the way to one. A directory counts only when it is `unreadable`: nobody knows
 * what is in it. In the order of `entries`.
 */
export function keepManifests(
  entries: readonly ContextEntry[],
  tree: ContextTree,
  unreadable: Pick<ReadonlySet<string>, 'has'>,
): readonly ContextEntry[] {
  const targets = new Set<string>();
  for (const { path, kind } of entries) {
    if (kind !== 'symlink' || !isDependencyManifest(path)) continue;
    const target = targetOf(tree, path);
    if (target !== undefined) targets.add(target);
  }
  return entries.filter(({ path, kind }) => {
    if (kind === 'directory') return unreadable.has(path);
    return kind === 'symlink' || targets.has(path) || isDependencyManifest(path);
  });
}

function targetOf(tree: ContextTree, path: string): string | undefined {
  try {
    return followLinks(tree, path);
  } catch (error) {
    if (error instanceof LinkLoop) return undefined;
    throw error;
  }
}
