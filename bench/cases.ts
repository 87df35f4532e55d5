import { runTests, type TestOutcome } from './test-report.ts';

/** How the content hash does in the cases that it was specified by. */
export interface CaseCounts {
  readonly cases: number;
  /** What the build reads changed and the hash did not. */
  readonly stale: number;
  /** The hash changed and what the build reads did not. */
  readonly wasted: number;
  /** There was no hash. */
  readonly unhashed: number;
}

/** Where the cases are tests, and the groups of tests that are cases. */
const FILES = ['__tests__/stages/hash.test.ts', '__tests__/bundle/acceptance.test.ts'];
const GROUPS = ['must change', 'must not change', 'reads'];

/** Runs the cases, which are tests, and counts what they say. */
export async function measureCases(): Promise<CaseCounts> {
  return countCases(await runTests(FILES));
}

export function countCases(outcomes: readonly TestOutcome[]): CaseCounts {
  const cases = outcomes.filter(({ group }) => GROUPS.includes(group));
  const failed = cases.filter(({ status }) => status === 'failed');
  // Else something was thrown on the way to a hash, or there was none to compare.
  const compared = failed.filter(
    ({ group, message }) => group !== 'reads' && /^AssertionError(?!.* to match )/.test(message),
  );
  return {
    cases: cases.length,
    stale: compared.filter(({ group }) => group === 'must change').length,
    wasted: compared.filter(({ group }) => group === 'must not change').length,
    unhashed: failed.length - compared.length,
  };
}
