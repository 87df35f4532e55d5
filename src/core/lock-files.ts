/** What an ecosystem's tools read together. */
interface Ecosystem {
  /** Say which packages are wanted. */
  readonly manifests: readonly string[];
  /** Say in which versions. */
  readonly locks: readonly string[];
  /** Where one of these is read, no lock file is needed. */
  readonly instead?: RegExp;
}

const ECOSYSTEMS: readonly Ecosystem[] = [
  {
    manifests: ['package.json'],
    locks: ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb'],
  },
  {
    manifests: ['pyproject.toml'],
    locks: ['uv.lock', 'poetry.lock', 'pdm.lock', 'pylock.toml'],
    instead: /(?:^|\/)(?:[^/]*(?:requirements|constraints)[^/]*\.txt|pylock\.[^/]+\.toml)$/,
  },
  { manifests: ['Pipfile'], locks: ['Pipfile.lock'], instead: /(?:^|\/)[^/]*requirements[^/]*\.txt$/ },
  { manifests: ['build.gradle', 'build.gradle.kts'], locks: ['gradle.lockfile'] },
  { manifests: ['go.mod'], locks: ['go.sum'], instead: /(?:^|\/)vendor\/modules\.txt$/ },
  { manifests: ['Cargo.toml'], locks: ['Cargo.lock'] },
  { manifests: ['composer.json'], locks: ['composer.lock'] },
  { manifests: ['Gemfile'], locks: ['Gemfile.lock'] },
  { manifests: ['gems.rb'], locks: ['gems.locked'] },
];

/** A lock file that is not read although the manifest beside it is. */
export interface UnreadLock {
  readonly manifest: string;
  readonly lock: string;
}

/**
 * The lock files of a directory, given relative to the context and `''` for the context itself, that the build passes by
 * though it reads their manifest. None where it reads another lock file of the same ecosystem, wherever that is. `exists`
 * is asked only about files that would be named.
 */
export function findUnreadLocks(
  directory: string,
  read: ReadonlyMap<string, unknown>,
  exists: (path: string) => boolean,
): readonly UnreadLock[] {
  const within = (name: string): string => (directory === '' ? name : `${directory}/${name}`);
  return ECOSYSTEMS.flatMap(({ manifests, locks, instead }) => {
    const manifest = manifests.map(within).find((path) => read.has(path));
    if (manifest === undefined || locks.some((name) => read.has(within(name)))) return [];
    const lock = locks.map(within).find(exists);
    if (lock === undefined) return [];
    for (const path of read.keys()) {
      const isLock = locks.includes(path.slice(path.lastIndexOf('/') + 1));
      if (isLock || instead?.test(path) === true) return [];
    }
    return [{ manifest, lock }];
  });
}
