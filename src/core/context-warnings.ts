import { quote } from './printable.ts';
import { someOf } from './some-of.ts';
import type { Warning } from './warning.ts';

/** A context, and what of it counts. Paths are relative to it, with `/` between the names. */
export interface SeenContext {
  /** By which it was given; `undefined` for the build's own. */
  readonly name: string | undefined;
  readonly read: ReadonlyMap<string, SeenFile>;
  /** Where the Dockerfile reads a path first, as far as that is known. */
  readonly lines: ReadonlyMap<string, number>;
}

interface SeenFile {
  readonly sizeBytes: number;
  readonly isLfsPointer: boolean;
}

const MAX_NAMED = 3;

/** Git's own directory among what is read: each checkout has another one. A `.git` that is a file says where that one is. */
export function findGitDirectory({ name, read, lines }: SeenContext): readonly Warning[] {
  for (const path of read.keys()) {
    const start = path.startsWith('.git/') ? 0 : path.indexOf('/.git/') + 1;
    if (start === 0 && !path.startsWith('.git/')) continue;
    const directory = path.slice(0, start + '.git'.length);
    const message = `the build reads ${quote(directory)}${inContext(name)}, which differs in every checkout, so that nothing is ever reused; add ${directory === '.git' ? '.git' : '**/.git'} to .dockerignore`;
    return [{ message, line: lines.get(path) }];
  }
  return [];
}

/** Files that git LFS has not fetched: what is copied are a few lines that stand for them. One warning a line. */
export function findLfsPointers({ name, read, lines }: SeenContext): readonly Warning[] {
  const pointers = new Map<number | undefined, string[]>();
  for (const [path, { isLfsPointer }] of read) {
    if (!isLfsPointer) continue;
    const line = lines.get(path);
    const paths = pointers.get(line);
    if (paths === undefined) pointers.set(line, [path]);
    else paths.push(path);
  }
  return [...pointers].map(([line, paths]) => {
    const names = someOf(paths, MAX_NAMED, quote);
    const what =
      paths.length === 1 ? 'is a pointer of git LFS and not the file' : 'are pointers of git LFS and not the files';
    const message = `${names}${inContext(name)} ${what}, and the image gets it so; check out with lfs: true, or run git lfs pull before`;
    return { message, line };
  });
}

/** What follows a path of a context. */
export function inContext(name: string | undefined): string {
  return name === undefined ? '' : ` of the context ${quote(name)}`;
}
