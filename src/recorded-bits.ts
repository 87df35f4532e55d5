import { readGitIndex } from './core/git-index.ts';
import type { Files } from './host.ts';

/** The exec bit of a file, by its path below one directory, as git recorded it; `undefined` where nobody did. */
export type RecordedBits = (at: string) => boolean | undefined;

const NOTHING_RECORDED: RecordedBits = () => undefined;

/**
 * Stands in for the exec bits that Windows does not have: those of the git repository that the directory is in. A system
 * that has them is not asked about. Files of submodules, and files that git does not have, are recorded nowhere.
 */
export function recordedBits(files: Files, directory: string): RecordedBits {
  if (!hasWindowsRules(files)) return NOTHING_RECORDED;
  const { path } = files;
  const start = files.resolve(directory);
  for (let root = start; ; root = path.dirname(root)) {
    const git = gitDirectory(files, root);
    if (git !== undefined) {
      const index = readGitIndex(files.read(path.join(git, 'index')) ?? new Uint8Array()) ?? [];
      // The directory may have been given in another case than the disk, and git, have it.
      const bits = new Map([...index].map(([name, bit]) => [name.toLowerCase(), bit]));
      const prefix = path.relative(root, start).split(path.sep).join('/');
      return (at) => bits.get((prefix === '' ? at : `${prefix}/${at}`).toLowerCase());
    }
    if (path.dirname(root) === root) return NOTHING_RECORDED;
  }
}

/** True where `\` stands between names, and files have no exec bit. */
export function hasWindowsRules(files: Files): boolean {
  return files.path.sep === '\\';
}

/** In a worktree or a submodule, `.git` is a file that says where the real one is. */
function gitDirectory(files: Files, root: string): string | undefined {
  const git = files.path.join(root, '.git');
  const kind = files.kindOf(git);
  if (kind !== 'file') return kind === 'directory' ? git : undefined;
  const target = /^gitdir: (.+?)\s*$/.exec(files.readText(git) ?? '')?.[1];
  return target === undefined ? undefined : files.path.resolve(root, target);
}
