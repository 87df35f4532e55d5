import { NAMES } from './hit-rows.ts';
import type { Row } from './rows.ts';

type Long = Pick<Row, 'name' | 'ours' | 'theirs' | 'comparison' | 'target'> & { readonly buildkit: boolean };

function long({ buildkit, ...row }: Long, open: Row['open']): Row {
  return { ...row, needs: buildkit ? ['docker', 'buildkit'] : ['docker'], pairs: 1, open };
}

const CACHED = 'fully cached `buildx build --push`, warm';
const FRESH = 'new builder, registry cache, `build --push`, removed';
const MAX_MISS_MS = 500;

/** Hits against builds that find everything in a cache. */
export const CACHED_ROWS: readonly Row[] = [
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
];

/** What a miss costs more than the build that it makes. */
export const MISS_ROWS: readonly Row[] = [
  ...(['docker', 'docker-container'] as const).flatMap((driver) =>
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
  ),
  long(
    {
      name: 'miss-inspect',
      ours: '`docker buildx inspect`, which a miss begins with',
      theirs: '`docker buildx version`',
      comparison: 'over',
      target: undefined,
      buildkit: false,
    },
    async (scenes) => (await scenes.docker('small')).inspect(),
  ),
];
