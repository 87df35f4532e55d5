import type { Files } from '../../src/host.ts';

/** Files that count how often each path was listed, and how often the bytes of each were read. */
export interface CountedFiles {
  readonly files: Files;
  /** By absolute path. */
  readonly lists: ReadonlyMap<string, number>;
  readonly reads: ReadonlyMap<string, number>;
}

export function countedFiles(files: Files): CountedFiles {
  const lists = new Map<string, number>();
  const reads = new Map<string, number>();
  const counting =
    <T>(counts: Map<string, number>, look: (path: string) => T) =>
    (path: string): T => {
      const at = files.resolve(path);
      counts.set(at, (counts.get(at) ?? 0) + 1);
      return look(path);
    };
  return {
    lists,
    reads,
    files: {
      ...files,
      list: counting(lists, (path) => files.list(path)),
      digest: counting(reads, (path) => files.digest(path)),
    },
  };
}
