import { DELETED_VERSIONS, LATENCY_MS, LISTED_VERSIONS, leaderRequests, type PruneRun } from './prune.ts';
import type { Fact } from './rows.ts';
import type { Scenes } from './scenes.ts';

type Shown = Pick<Fact, 'name' | 'what' | 'unit'> & Partial<Pick<Fact, 'target' | 'slow'>>;

function fact(shown: Shown, count: Fact['count']): Fact {
  return { target: undefined, needs: [], ...shown, count };
}

/** What a dry run over so many versions takes; those of 10,000 stand in DESIGN §8. */
function planFacts(versions: number, target?: number): readonly Fact[] {
  const slow = versions > 1000;
  const over = `${versions.toLocaleString('en')} versions`;
  const cold = async (scenes: Scenes): Promise<PruneRun> => (await scenes.prune().plan(versions))[0];
  const warm = async (scenes: Scenes): Promise<PruneRun> => (await scenes.prune().plan(versions))[1];
  return [
    fact(
      { name: `prune-plan-${versions}`, what: `plan for ${over}`, unit: 'requests', target, slow },
      async (scenes) => (await cold(scenes)).requests,
    ),
    fact(
      {
        name: `prune-plan-${versions}-field`,
        what: `its requests in those of the field’s leader, ${over}`,
        unit: '×',
        target: 0.25,
        slow,
      },
      async (scenes) => (await cold(scenes)).requests / leaderRequests(versions),
    ),
    fact(
      {
        name: `prune-plan-${versions}-time`,
        what: `plan for ${over}, ${LATENCY_MS} ms for each request`,
        unit: 's',
        slow,
      },
      async (scenes) => (await cold(scenes)).tookMs / 1000,
    ),
    fact(
      { name: `prune-again-${versions}`, what: `the same plan again, ${over}, cache warm`, unit: 'requests', slow },
      async (scenes) => (await warm(scenes)).requests,
    ),
    fact(
      {
        name: `prune-again-${versions}-time`,
        what: `the same plan again, ${over}, cache warm, ${LATENCY_MS} ms for each request`,
        unit: 's',
        slow,
      },
      async (scenes) => (await warm(scenes)).tookMs / 1000,
    ),
  ];
}

const IDLE = 10_000;

/** Of pruning; the targets are those of DESIGN §8 and of the issue that asked for it. */
export const PRUNE_FACTS: readonly Fact[] = [
  ...planFacts(100),
  ...planFacts(1000),
  ...planFacts(10_000, 2200),
  fact(
    {
      name: 'prune-idle',
      what: 'requests for 10,000 versions, nothing old enough to go',
      unit: 'requests',
      target: 1 + IDLE / 100,
    },
    async (scenes) => (await scenes.prune().idle(IDLE)).requests,
  ),
  fact(
    { name: 'prune-idle-manifests', what: 'of them for manifests', unit: 'requests', target: 0 },
    async (scenes) => (await scenes.prune().idle(IDLE)).manifests,
  ),
  fact(
    { name: 'prune-full', what: 'delete, 1,000 versions, inside GitHub’s limits', unit: 's', target: 300, slow: true },
    async (scenes) => (await scenes.prune().full(DELETED_VERSIONS)).tookMs / 1000,
  ),
  fact(
    { name: 'prune-full-requests', what: 'its requests', unit: 'requests', slow: true },
    async (scenes) => (await scenes.prune().full(DELETED_VERSIONS)).requests,
  ),
  fact(
    { name: 'prune-full-deletions', what: 'of them deletions', unit: 'requests', slow: true },
    async (scenes) => (await scenes.prune().full(DELETED_VERSIONS)).deletions,
  ),
  fact(
    { name: 'prune-full-refusals', what: 'of them refused by a limit', unit: 'requests', target: 0, slow: true },
    async (scenes) => (await scenes.prune().full(DELETED_VERSIONS)).refusals,
  ),
  fact(
    {
      name: 'prune-memory',
      what: 'peak memory of a plan for 100,000 versions, in a file',
      unit: 'MB',
      target: 400,
      slow: true,
    },
    async (scenes) => (await scenes.prune().peakBytes(LISTED_VERSIONS)) / 1e6,
  ),
  fact(
    {
      name: 'prune-worlds',
      what: 'random packages, pruned by random rules while things go wrong',
      unit: 'packages',
      slow: true,
    },
    async (scenes) => (await scenes.worlds()).packages,
  ),
  fact(
    {
      name: 'prune-violations',
      what: 'of them with a tag broken or a signature lost; the first one ends the run',
      unit: 'violations',
      target: 0,
      slow: true,
    },
    async (scenes) => (await scenes.worlds()).violations,
  ),
];
