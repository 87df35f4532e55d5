import { momentIn } from './timestamp.ts';

/** What is different in the next run. */
export interface RunFacts {
  /** The commits that the run is about, in full. */
  readonly commits: readonly string[];
  /** Empty outside of a runner. */
  readonly runId: string;
  readonly runNumber: string;
  /** When the run started, since 1970. */
  readonly startedMs: number;
  /** When its commit was made, where that is known. */
  readonly committedMs: number | undefined;
}

/** How often a value is another one. */
export type Change = 'commit' | 'run';

/** A commit in short. */
const MIN_COMMIT_DIGITS = 7;
/** A run number is short: other numbers are the same by chance. */
const NUMBER_NAME = /build|run|number|pipeline/i;
/** As long as a job may take. */
const LONGEST_JOB_MS = 6 * 3_600_000;
const MAX_LENGTH = 1000;

/**
 * Whether this value holds the run's commit, the commit's time, the run's id, its number or its time, so that the next run
 * has another one. A date without a time is no such value: it may be there to build once a day.
 */
export function changeOf(name: string, value: string, facts: RunFacts): Change | undefined {
  const text = value.slice(0, MAX_LENGTH);
  const { commits, runId, runNumber, startedMs, committedMs } = facts;
  const numbers: readonly string[] = text.match(/\d+/g) ?? [];
  if (runId !== '' && numbers.includes(runId)) return 'run';
  if (runNumber !== '' && text === runNumber && NUMBER_NAME.test(name)) return 'run';
  const moment = momentIn(text);
  if (moment !== undefined && moment === committedMs) return 'commit';
  if (moment !== undefined && Math.abs(moment - startedMs) <= LONGEST_JOB_MS) return 'run';
  const words: readonly string[] = text.toLowerCase().match(/[0-9a-f]+/g) ?? [];
  const isCommit = (word: string): boolean =>
    word.length >= MIN_COMMIT_DIGITS && commits.some((commit) => commit.startsWith(word));
  return words.some(isCommit) ? 'commit' : undefined;
}
