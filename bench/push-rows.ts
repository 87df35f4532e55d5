import type { LayerName } from '../__tests__/support/layers.ts';
import type { Pusher } from './push.ts';
import type { Fact, Row } from './rows.ts';

const PUSHERS: readonly (readonly [pusher: Pusher, what: string, needs: readonly LayerName[]])[] = [
  ['ours', '`copyImage`', ['registry', 'crane']],
  ['crane', '`crane push` of the layout', ['registry', 'crane']],
  ['docker', '`docker push` (client and engine)', ['docker', 'crane']],
];

/** Our push against those of others. */
export const PUSH_ROWS: readonly Row[] = [
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
    name: 'push-hash',
    ours: 'reading 500 MB and its SHA-256, Node',
    theirs: '`node -e 0`',
    comparison: 'over',
    target: undefined,
    needs: ['registry', 'crane'],
    pairs: 1,
    open: async (scenes) => (await scenes.push()).hashing,
  },
];

/** The memory of each push. */
export const PUSH_FACTS: readonly Fact[] = PUSHERS.map(
  ([pusher, what, needs]): Fact => ({
    name: `push-memory-${pusher}`,
    what: `peak memory of a push of 500 MB, ${what}`,
    unit: 'MB',
    target: pusher === 'ours' ? 100 : undefined,
    needs,
    count: async (scenes) => (await (await scenes.push()).peakBytes(pusher)) / 1e6,
  }),
);
