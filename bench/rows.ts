import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LayerName } from '../__tests__/support/layers.ts';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { HASH_FACTS, HASH_ROWS } from './hash-rows.ts';
import { peakBytes } from './hit.ts';
import { type Contest, setUp } from './measure.ts';
import { PRUNE_FACTS } from './prune-facts.ts';
import type { Pusher } from './push.ts';
import type { Scenes } from './scenes.ts';
import type { Comparison } from './statistics.ts';

/** Something that is compared. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  readonly ours: string;
  readonly theirs: string;
  readonly comparison: Comparison;
  /** From the design; `undefined` where it sets none. Milliseconds when the comparison is `over`. */
  readonly target: number | undefined;
  readonly needs: readonly LayerName[];
  /** Pairs per round: short processes are measured more often. */
  readonly pairs: number;
  /** Takes minutes: it is measured only where `--only` asks for it. */
  readonly slow?: boolean | undefined;
  readonly open: (scenes: Scenes) => Promise<Contest>;
}

/** Something that is counted, not timed. */
export interface Fact {
  readonly name: string;
  readonly what: string;
  readonly unit: 'MB' | 'requests' | 's' | '×';
  readonly target: number | undefined;
  readonly needs: readonly LayerName[];
  /** Takes minutes: it is counted only where `--only` asks for it. */
  readonly slow?: boolean | undefined;
  readonly count: (scenes: Scenes) => Promise<number>;
}

type Side = 'cli' | 'action' | 'start' | 'post' | 'empty' | 'head' | 'fetchHead';

const NAMES: Readonly<Record<Side, string>> = {
  cli: 'hit, `dist/cli.js build`',
  action: 'hit, `dist/index.js` on a runner',
  start: '`dist/cli.js version`',
  post: 'post step, `dist/post.js`',
  empty: '`node -e 0`',
  head: 'Node, one HEAD, `node:http`',
  fetchHead: 'Node, one HEAD, `fetch`',
};

function short(ours: Side, theirs: Side, comparison: Comparison, target?: number): Row {
  return {
    name: `${ours}-${theirs}`.toLowerCase(),
    ours: NAMES[ours],
    theirs: NAMES[theirs],
    comparison,
    target,
    needs: [],
    pairs: 3,
    async open(scenes) {
      const scene = await scenes.hit();
      return { ours: () => scene[ours], theirs: () => scene[theirs] };
    },
  };
}

type Long = Pick<Row, 'name' | 'ours' | 'theirs' | 'comparison' | 'target'> & { readonly buildkit: boolean };

function long({ buildkit, ...row }: Long, open: Row['open']): Row {
  return { ...row, needs: buildkit ? ['docker', 'buildkit'] : ['docker'], pairs: 1, open };
}

const CACHED = 'fully cached `buildx build --push`, warm';
const FRESH = 'new builder, registry cache, `build --push`, removed';
const MAX_MISS_MS = 500;

const MISSES = (['docker', 'docker-container'] as const).flatMap((driver) =>
  [false, true].map((cold) =>
    long(
      {
        name: `miss-${driver}-${cold ? 'cold' : 'cached'}`,
        ours: `miss, ${driver} driver, ${cold ? 'cold' : 'cached'}`,
        theirs: 'the same bare `buildx build --push`',
        comparison: 'over',
        target: MAX_MISS_MS,
        buildkit: driver === 'docker-container',
      },
      async (scenes) => (await scenes.docker('small')).miss(driver, cold),
    ),
  ),
);

const PUSHERS: readonly (readonly [pusher: Pusher, what: string, needs: readonly LayerName[]])[] = [
  ['ours', '`copyImage`', ['registry', 'crane']],
  ['crane', '`crane push` of the layout', ['registry', 'crane']],
  ['docker', '`docker push` (client and engine)', ['docker', 'crane']],
];

const SCANS: readonly Row[] = [
  {
    name: 'scan-platforms',
    ours: '`build-once scan`, two platforms',
    theirs: 'the same, one platform, and one more start of Trivy',
    comparison: 'slower',
    target: 1.3,
    needs: ['docker', 'trivy'],
    pairs: 1,
    open: async (scenes) => (await scenes.scan()).platforms(),
  },
  {
    name: 'scan-kept',
    ours: `${NAMES.cli}, with a kept result`,
    theirs: 'the same with `scan: false`',
    comparison: 'over',
    target: undefined,
    needs: ['docker', 'trivy'],
    pairs: 3,
    open: async (scenes) => (await scenes.scan()).kept(),
  },
  {
    name: 'scan-miss',
    ours: 'miss, docker driver, cached, with a scan of two platforms',
    theirs: 'the same with `scan: false`',
    comparison: 'over',
    target: undefined,
    needs: ['docker', 'trivy'],
    pairs: 1,
    open: async (scenes) => (await scenes.scan()).miss(),
  },
];

/** The rows, in the order in which they are measured and shown. Targets: DESIGN §8. */
export const ROWS: readonly Row[] = [
  short('start', 'empty', 'over', 60),
  short('post', 'empty', 'over'),
  short('cli', 'empty', 'over'),
  short('action', 'empty', 'over'),
  short('cli', 'head', 'slower', 2),
  short('action', 'head', 'slower', 2),
  short('cli', 'fetchHead', 'slower', 2),
  short('action', 'fetchHead', 'slower', 2),
  long(
    {
      name: 'cached-docker',
      ours: NAMES.cli,
      theirs: `${CACHED} docker driver`,
      comparison: 'faster',
      target: 2.5,
      buildkit: false,
    },
    async (scenes) => (await scenes.docker('small')).cached('docker'),
  ),
  long(
    {
      name: 'cached-container',
      ours: NAMES.cli,
      theirs: `${CACHED} docker-container builder`,
      comparison: 'faster',
      target: 2.5,
      buildkit: true,
    },
    async (scenes) => (await scenes.docker('small')).cached('docker-container'),
  ),
  long(
    {
      name: 'fresh-small',
      ours: NAMES.cli,
      theirs: `${FRESH}, small app`,
      comparison: 'faster',
      target: 8,
      buildkit: true,
    },
    async (scenes) => (await scenes.docker('small')).fresh(),
  ),
  long(
    {
      name: 'fresh-large',
      ours: NAMES.cli,
      theirs: `${FRESH}, 200 MB app`,
      comparison: 'faster',
      target: 30,
      buildkit: true,
    },
    async (scenes) => (await scenes.docker('large')).fresh(),
  ),
  ...MISSES,
  ...SCANS,
  ...PUSHERS.flatMap(([rival, what, needs]): Row[] =>
    rival === 'ours'
      ? []
      : [
          {
            name: `push-${rival}`,
            ours: 'our push of 500 MB, from an OCI layout',
            theirs: what,
            comparison: 'faster',
            target: 1,
            needs,
            pairs: 1,
            open: async (scenes) => (await scenes.push()).contest(rival),
          },
        ],
  ),
  {
    name: 'sign-cosign',
    ours: 'sign, attach, verify: an index and two platforms',
    theirs: '`cosign sign` and `cosign verify` of each',
    comparison: 'faster',
    target: undefined,
    needs: ['cosign'],
    pairs: 3,
    open: async (scenes) => (await scenes.sign()).cosign,
  },
  {
    name: 'sign-more',
    ours: 'the same with one more manifest',
    theirs: 'without it',
    comparison: 'over',
    target: 100,
    needs: [],
    pairs: 3,
    open: async (scenes) => (await scenes.sign()).more,
  },
  ...HASH_ROWS,
];

export const FACTS: readonly Fact[] = [
  {
    name: 'dist-size',
    what: '`dist/`',
    unit: 'MB',
    target: 6,
    needs: [],
    count: () => Promise.resolve(sizeOf(join(CHECKOUT, 'dist')) / 1e6),
  },
  {
    name: 'requests',
    what: 'requests of a hit, one base and one tag',
    unit: 'requests',
    target: 3,
    needs: [],
    async count(scenes) {
      const scene = await scenes.hit();
      await scene.countRequests();
      await setUp(scene.cli);
      return scene.countRequests();
    },
  },
  {
    name: 'memory',
    what: 'peak memory of a hit',
    unit: 'MB',
    target: undefined,
    needs: [],
    count: async (scenes) => (await peakBytes((await scenes.hit()).cli)) / 1e6,
  },
  {
    name: 'memory-empty',
    what: 'peak memory of `node -e 0`',
    unit: 'MB',
    target: undefined,
    needs: [],
    count: async (scenes) => (await peakBytes((await scenes.hit()).empty)) / 1e6,
  },
  ...PUSHERS.map(
    ([pusher, what, needs]): Fact => ({
      name: `push-memory-${pusher}`,
      what: `peak memory of a push of 500 MB, ${what}`,
      unit: 'MB',
      target: pusher === 'ours' ? 100 : undefined,
      needs,
      count: async (scenes) => (await (await scenes.push()).peakBytes(pusher)) / 1e6,
    }),
  ),
  ...HASH_FACTS,
  ...PRUNE_FACTS,
];

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
