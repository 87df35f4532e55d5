import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { peakBytes } from './hit.ts';
import { setUp } from './measure.ts';
import type { Fact, Row } from './rows.ts';
import type { Comparison } from './statistics.ts';

type Side = 'cli' | 'action' | 'start' | 'post' | 'empty' | 'head' | 'fetchHead';

/** What the sides of a hit are called. */
export const NAMES: Readonly<Record<Side, string>> = {
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

/** What a start costs. */
export const START_ROWS: readonly Row[] = [short('start', 'empty', 'over', 60), short('post', 'empty', 'over')];

/** Our hits against the least that a process of Node can do. */
export const HIT_ROWS: readonly Row[] = [
  short('cli', 'empty', 'over'),
  short('action', 'empty', 'over'),
  short('cli', 'head', 'slower', 2),
  short('action', 'head', 'slower', 2),
  short('cli', 'fetchHead', 'slower', 2),
  short('action', 'fetchHead', 'slower', 2),
];

/** Of the files that are run. */
export const START_FACTS: readonly Fact[] = [
  {
    name: 'dist-size',
    what: '`dist/`',
    unit: 'MB',
    target: 6,
    needs: [],
    count: () => Promise.resolve(sizeOf(join(CHECKOUT, 'dist')) / 1e6),
  },
];

/** Of a hit. */
export const HIT_FACTS: readonly Fact[] = [
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
];

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
