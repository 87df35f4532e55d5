import type { HashRival, HashSize } from './hash.ts';
import type { Fact, Row } from './rows.ts';

const SIZES: readonly (readonly [name: string, size: HashSize, what: string])[] = [
  ['1k', 1_000, '1,000 files'],
  ['10k', 10_000, '10,000 files'],
  ['100k', 100_000, '100,000 files'],
  ['1gb', 'large', '1 GB in ten files'],
];

/** The targets are for 100,000 files: DESIGN §8. */
const RIVALS: readonly (readonly [rival: HashRival, what: string, target?: number])[] = [
  ['sha256sum', '`git ls-files -z | xargs -0 sha256sum | sha256sum`', 3],
  ['hashFiles', '`@actions/glob` hashFiles', 30],
  ['write-tree', '`git add --all` into a new index (objects there), `git write-tree`'],
];

/** Whole processes, from the page cache. */
export const HASH_ROWS: readonly Row[] = SIZES.flatMap(([name, size, what]) =>
  RIVALS.map(
    ([rival, theirs, target]): Row => ({
      name: `hash-${name}-${rival.toLowerCase()}`,
      ours: `\`dist/cli.js hash\`, ${what}`,
      theirs,
      comparison: 'faster',
      target: size === 100_000 ? target : undefined,
      needs: [],
      pairs: size === 100_000 ? 0.5 : 1,
      slow: size === 100_000 || size === 'large',
      open: async (scenes) => scenes.hash().contest(size, rival),
    }),
  ),
);

const MAX_PEAK_MB = 300;
const MAX_MANY_S = 2;

const PEAKS: readonly (readonly [name: string, size: HashSize, what: string, platforms: string])[] = [
  ['100k', 100_000, '100,000 files', 'linux/amd64'],
  ['100k-three', 100_000, '100,000 files, three platforms', 'linux/amd64,linux/arm64,linux/arm/v7'],
  ['1gb', 'large', '1 GB in ten files', 'linux/amd64'],
];

/** Memory, and the part of a plan that reads. */
export const HASH_FACTS: readonly Fact[] = [
  ...PEAKS.map(
    ([name, size, what, platforms]): Fact => ({
      name: `hash-memory-${name}`,
      what: `peak memory of \`dist/cli.js hash\`, ${what}`,
      unit: 'MB',
      target: MAX_PEAK_MB,
      needs: [],
      slow: true,
      count: async (scenes) => (await scenes.hash().peakBytes(size, platforms)) / 1e6,
    }),
  ),
  {
    name: 'hash-many',
    what: '500 images over 50,000 files hashed in one process',
    unit: 's',
    target: MAX_MANY_S,
    needs: [],
    slow: true,
    count: async (scenes) => (await scenes.hash().many()).tookMs / 1000,
  },
  {
    name: 'hash-many-reads',
    what: 'the file that it read most',
    unit: 'reads',
    target: 1,
    needs: [],
    slow: true,
    count: async (scenes) => (await scenes.hash().many()).mostReads,
  },
];
