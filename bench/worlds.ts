import { runTests, type TestOutcome } from './test-report.ts';

/** Random packages that were pruned by random rules while things went wrong. */
export interface WorldCounts {
  readonly packages: number;
  /** The first one ends the run. */
  readonly violations: number;
}

const FILE = '__tests__/retention/random-worlds.test.ts';
const FIRST_SEED = 1;

/** Runs the test that demands that no tag breaks and no signature is lost, on so many packages. */
export async function measureWorlds(packages: number): Promise<WorldCounts> {
  const variables = { BUILD_ONCE_SEED: String(FIRST_SEED), BUILD_ONCE_RUNS: String(packages) };
  return countWorlds(await runTests([FILE], variables), packages);
}

/** By the seed that a failure names. Error when the failure is none of a package. */
export function countWorlds(outcomes: readonly TestOutcome[], packages: number): WorldCounts {
  const failed = outcomes.find(({ status }) => status === 'failed');
  if (failed === undefined) return { packages, violations: 0 };
  const seed = /BUILD_ONCE_SEED=([0-9]+)/.exec(failed.message)?.[1];
  if (seed === undefined) throw new Error(`the random packages were not pruned:\n${failed.message.slice(0, 4000)}`);
  return { packages: Number(seed) - FIRST_SEED + 1, violations: 1 };
}
