import { expect, it } from 'vitest';
import { countCases } from '../../bench/cases.ts';
import { readOutcomes } from '../../bench/test-report.ts';

/** As vitest writes it in JSON. */
function report(tests: readonly (readonly [group: string, status: string, message?: string])[]): unknown {
  const assertionResults = tests.map(([group, status, message]) => ({
    ancestorTitles: group === '' ? [] : [group],
    status,
    failureMessages: message === undefined ? [] : [message],
  }));
  return { testResults: [{ assertionResults }] };
}

it('counts cases, and of those that fail what is stale, wasted or without a hash', () => {
  const outcomes = readOutcomes(
    report([
      ['must change', 'passed'],
      ['must change', 'failed', "AssertionError: expected 'a' not to be 'a' // Object.is equality"],
      ['must not change', 'passed'],
      ['must not change', 'failed', "AssertionError: expected 'a' to be 'b' // Object.is equality"],
      ['must not change', 'failed', "AssertionError: expected '' to match /^[0-9a-f]{64}$/"],
      ['must change', 'failed', 'UsageError: there is no Dockerfile'],
      ['reads', 'failed', "AssertionError: expected 'a' to be 'b' // Object.is equality"],
      ['must change', 'skipped'],
      ['looks', 'failed', 'AssertionError: a registry'],
      ['', 'failed', 'AssertionError: none of them'],
    ]),
  );
  expect(countCases(outcomes)).toEqual({ cases: 7, stale: 1, wasted: 1, unhashed: 3 });
});

it.each([undefined, null, [], { testResults: 1 }, { testResults: [{}] }])('reads no test from %j', (json) => {
  expect(readOutcomes(json)).toEqual([]);
});
