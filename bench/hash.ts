import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { numberAt, parseJson } from '../src/core/json.ts';
import { CLI, peakBytes, plainEnvironment } from './hit.ts';
import { type Contest, type Step, setUp, time, type Work } from './measure.ts';
import { writeLargeFiles, writeManyImages, writeSourceTree } from './source-tree.ts';
import { spreadOf } from './statistics.ts';

/** What is hashed: so many files of a repository, or `large`: 1 GB in ten files. */
export type HashSize = 1_000 | 10_000 | 100_000 | 'large';

/** Others that come to one sum of a tree. */
export type HashRival = 'sha256sum' | 'hashFiles' | 'write-tree';

/** What hashing the images of a monorepo took, in one process that makes no request: the median time, the most reads. */
export interface ManyHashed {
  readonly tookMs: number;
  readonly fileCount: number;
  /** How often the bytes of a file were read, all in all; and of the one that was read most often. */
  readonly reads: number;
  readonly mostReads: number;
}

/** Trees of files that are not in any git repository by themselves: theirs stands beside them. */
export interface HashScene {
  contest(size: HashSize, rival: HashRival): Promise<Contest>;
  /** The largest resident memory of `dist/cli.js hash`. */
  peakBytes(size: HashSize, platforms: string): Promise<number>;
  /** 500 images over 50,000 files. */
  many(): Promise<ManyHashed>;
  close(): Promise<void>;
}

const IMAGES = 500;
const FILES = 50_000;
/** Of which the median counts. */
const MANY_ROUNDS = 5;

export function openHashScene(): HashScene {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-hash-'));
  const trees = new Map<HashSize, Promise<Tree>>();
  const treeOf = (size: HashSize): Promise<Tree> => {
    const tree = trees.get(size) ?? openTree(join(directory, String(size)), size);
    trees.set(size, tree);
    return tree;
  };
  let many: Promise<ManyHashed> | undefined;
  return {
    async contest(size, rival) {
      const tree = await treeOf(size);
      return { ours: () => ours(tree, 'linux/amd64'), theirs: () => THEIRS[rival](tree) };
    },
    peakBytes: async (size, platforms) => peakBytes(ours(await treeOf(size), platforms)),
    many() {
      many ??= hashMany(join(directory, 'many'));
      return many;
    },
    async close() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A tree, and the git repository that has it. */
interface Tree {
  readonly workspace: string;
  /** For git: the repository, with every file in it as an object. */
  readonly env: Step['env'];
  /** Where an index may be made. */
  readonly index: string;
}

async function openTree(directory: string, size: HashSize): Promise<Tree> {
  const workspace = join(directory, 'workspace');
  mkdirSync(workspace, { recursive: true });
  if (size === 'large') writeLargeFiles(workspace);
  else writeSourceTree(workspace, size);
  const repository = join(directory, 'repository.git');
  const env = { ...plainEnvironment(directory), GIT_DIR: repository, GIT_WORK_TREE: workspace };
  const git = (...args: string[]): Step => ({ argv: ['git', ...args], env, cwd: workspace });
  // Only set-up: objects that are not compressed, and not forced to the disk, are there sooner.
  const quick = ['-c', 'core.looseCompression=0', '-c', 'core.fsync=none'];
  await setUp({ steps: [git('init', '--quiet', repository), git(...quick, 'add', '--all')], check: nothing });
  return { workspace, env, index: join(directory, 'index') };
}

function ours({ workspace, env }: Tree, platforms: string): Work {
  const { PATH, HOME } = env;
  const argv = [process.execPath, CLI, 'hash', '--platforms', platforms] as const;
  return { steps: [{ argv, env: { PATH, HOME }, cwd: workspace }], check: says(/^hash-[0-9a-f]{32}$/m) };
}

/** Each comes to one sum of all files, from the page cache, as ours does. */
const THEIRS: Readonly<Record<HashRival, (tree: Tree) => Work>> = {
  sha256sum: ({ workspace, env }) => ({
    steps: [{ argv: ['sh', '-c', 'git ls-files -z | xargs -0 sha256sum | sha256sum'], env, cwd: workspace }],
    check: says(/^[0-9a-f]{64} {2}-$/m),
  }),
  // The function behind `hashFiles` of GitHub's runner, over all files.
  hashFiles: ({ workspace, env: { PATH, HOME } }) => {
    const glob = pathToFileURL(join(CHECKOUT, 'node_modules/@actions/glob/lib/glob.js')).href;
    const script = `import(${JSON.stringify(glob)}).then(({ hashFiles }) => hashFiles('**', process.cwd(), { followSymbolicLinks: false })).then(console.log)`;
    const argv = [process.execPath, '-e', script] as const;
    return { steps: [{ argv, env: { PATH, HOME }, cwd: workspace }], check: says(/^[0-9a-f]{64}$/m) };
  },
  // Every file is read and hashed by SHA-1, since the index is new; none is written, since the objects are there.
  'write-tree': ({ workspace, env: known, index }) => {
    rmSync(index, { force: true });
    const env = { ...known, GIT_INDEX_FILE: index };
    const git = (...args: string[]): Step => ({ argv: ['git', ...args], env, cwd: workspace });
    return { steps: [git('add', '--all'), git('write-tree')], check: says(/^[0-9a-f]{40}$/m) };
  },
};

async function hashMany(directory: string): Promise<ManyHashed> {
  const { fileCount, dockerfiles } = writeManyImages(directory, IMAGES, FILES);
  const argv = [process.execPath, join(CHECKOUT, 'bench/hash-many.ts'), ...dockerfiles] as const;
  const work: Work = {
    steps: [{ argv, env: plainEnvironment(directory), cwd: directory }],
    check: (written) => /^\{.*\}$/m.exec(written)?.[0] ?? '',
  };
  // As with pairs, the first one is not counted.
  await setUp(work);
  const found: ManyHashed[] = [];
  for (let round = 0; round < MANY_ROUNDS; round += 1) {
    const counted = parseJson((await time(work)).note);
    const read = (name: string): number => numberAt(counted, name) ?? Number.NaN;
    found.push({ fileCount, tookMs: read('tookMs'), reads: read('reads'), mostReads: read('mostReads') });
  }
  const tookMs = spreadOf(found.map((one) => one.tookMs)).median;
  return { fileCount, tookMs, reads: most(found, 'reads'), mostReads: most(found, 'mostReads') };
}

function most(found: readonly ManyHashed[], name: 'reads' | 'mostReads'): number {
  return Math.max(...found.map((one) => one[name]));
}

function says(pattern: RegExp): Work['check'] {
  return (written) => {
    if (pattern.test(written)) return '';
    throw new Error(`this was to say what it came to:\n${written.slice(-2000)}`);
  };
}

function nothing(): string {
  return '';
}
