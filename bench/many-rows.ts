import { MANY_FILES, MANY_IMAGES, type PlanRun, SOME_IMAGES } from './many.ts';
import type { Fact, Row } from './rows.ts';

const FILES = `${MANY_FILES.toLocaleString('en')} files`;

function planFact(shown: Pick<Fact, 'name' | 'what' | 'unit' | 'target'>, pick: (plan: PlanRun) => number): Fact {
  return { ...shown, needs: [], count: async (scenes) => pick(await (await scenes.many()).plan()) };
}

/** Of a plan of many images over one tree. */
export const MANY_FACTS: readonly Fact[] = [
  planFact(
    { name: 'many-plan', what: `plan of ${MANY_IMAGES} images over ${FILES}`, unit: 's', target: 2 },
    ({ seconds }) => seconds,
  ),
  planFact(
    { name: 'many-plan-requests', what: 'its requests', unit: 'requests', target: undefined },
    ({ requests }) => requests,
  ),
  planFact(
    { name: 'many-plan-reads', what: 'the file that it read most', unit: 'reads', target: 1 },
    ({ mostReads }) => mostReads,
  ),
  planFact(
    { name: 'many-plan-copied-reads', what: 'of those that are no Dockerfile', unit: 'reads', target: 1 },
    ({ mostCopiedReads }) => mostCopiedReads,
  ),
  {
    name: 'many-requests',
    what: `requests of ${SOME_IMAGES} hits in one run`,
    unit: 'requests',
    target: undefined,
    needs: [],
    count: async (scenes) => (await scenes.many()).countRequests(),
  },
];

/** Several hits in one run. */
export const MANY_ROWS: readonly Row[] = [
  {
    name: 'many-heads',
    ours: `${SOME_IMAGES} hits in one run, \`dist/cli.js build\``,
    theirs: `Node, ${SOME_IMAGES} HEADs, \`node:http\``,
    comparison: 'slower',
    target: undefined,
    needs: [],
    pairs: 1,
    open: async (scenes) => (await scenes.many()).heads,
  },
  {
    name: 'many-singles',
    ours: `${SOME_IMAGES} hits in one run, \`dist/cli.js build\``,
    theirs: `${SOME_IMAGES} runs of one hit`,
    comparison: 'faster',
    target: undefined,
    needs: [],
    pairs: 0.5,
    open: async (scenes) => (await scenes.many()).singles,
  },
  {
    name: 'many-bake',
    ours: `${SOME_IMAGES} hits in one run, \`dist/cli.js build\``,
    theirs: `fully cached \`buildx bake --push\` of ${SOME_IMAGES}, warm docker driver`,
    comparison: 'faster',
    target: 2.5,
    needs: ['docker'],
    pairs: 0.5,
    open: async (scenes) => (await scenes.manyBake()).cached,
  },
];
