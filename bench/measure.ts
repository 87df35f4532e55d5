import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pair } from './statistics.ts';

/** One process. */
export interface Step {
  readonly argv: readonly [program: string, ...rest: string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Processes that run one after the other and are timed as one. */
export interface Work {
  readonly steps: readonly Step[];
  /**
   * Looks at all that the steps wrote and throws when they did not do what the row says. Answers what is worth a note,
   * such as the number of cached steps.
   */
  readonly check: (written: string) => string;
  /** What a process says when it failed by a known chance that has nothing to do with the row. */
  readonly chance?: RegExp;
}

/** What work took, and what its check answered. */
export interface Sample {
  readonly tookMs: number;
  readonly note: string;
}

/** The measured pairs, and what was noted of each side, without repetitions. */
export interface Measured {
  readonly pairs: readonly Pair[];
  readonly notes: { readonly ours: readonly string[]; readonly theirs: readonly string[] };
  /** Pairs that were measured again, since {@link Work.chance} had spoilt them. */
  readonly repeats: number;
}

/** The two sides of a row; `round` is 0 in the warm-up. What they do before they answer is not timed. */
export interface Contest {
  readonly ours: (round: number) => Work | Promise<Work>;
  readonly theirs: (round: number) => Work | Promise<Work>;
}

/** A row or a set-up is tried no more often than this when chance spoils it. */
const MAX_REPEATS = 3;

/** A process ended with an error, by chance as far as anybody knows. */
class ChanceError extends Error {}

/**
 * Ours, theirs, ours, theirs …: after one pair that only warms up, `rounds` pairs that count. A pair that was spoilt by chance is
 * measured again, three times in all.
 */
export async function interleave(contest: Contest, rounds: number, signal: AbortSignal): Promise<Measured> {
  const pairs: Pair[] = [];
  const notes = { ours: new Set<string>(), theirs: new Set<string>() };
  let repeats = 0;
  for (let round = 0; round <= rounds; round++) {
    signal.throwIfAborted();
    const pair = await measurePair(contest, round).catch((error: unknown) => {
      if (error instanceof ChanceError && repeats < MAX_REPEATS) return undefined;
      throw error;
    });
    if (pair === undefined) {
      repeats += 1;
      round -= 1;
      continue;
    }
    if (round === 0) continue;
    const { ours, theirs } = pair;
    pairs.push({ oursMs: ours.tookMs, theirsMs: theirs.tookMs });
    notes.ours.add(ours.note);
    notes.theirs.add(theirs.note);
  }
  const listed = (side: ReadonlySet<string>): string[] => [...side].filter((note) => note !== '');
  return { pairs, notes: { ours: listed(notes.ours), theirs: listed(notes.theirs) }, repeats };
}

async function measurePair(
  contest: Contest,
  round: number,
): Promise<{ readonly ours: Sample; readonly theirs: Sample }> {
  const ours = await time(await contest.ours(round));
  return { ours, theirs: await time(await contest.theirs(round)) };
}

/** From before the first process is started until the last has exited. An exit status other than 0 is an error. */
export async function time({ steps, check, chance }: Work): Promise<Sample> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-bench-'));
  const file = join(directory, 'written');
  // A file, so that this process has nothing to read meanwhile.
  const descriptor = openSync(file, 'a');
  try {
    const startedAt = process.hrtime.bigint();
    for (const step of steps) {
      const status = await run(step, descriptor);
      if (status === 0) continue;
      const written = readFileSync(file, 'utf8');
      const message = `${step.argv.join(' ')} ended with ${status}:\n${written.slice(-4000)}`;
      throw chance?.test(written) === true ? new ChanceError(message) : new Error(message);
    }
    const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
    return { tookMs, note: check(readFileSync(file, 'utf8')) };
  } finally {
    closeSync(descriptor);
    rmSync(directory, { recursive: true, force: true });
  }
}

function run({ argv, env, cwd }: Step, descriptor: number): Promise<number | NodeJS.Signals> {
  const [program, ...args] = argv;
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env, cwd, stdio: ['ignore', descriptor, descriptor] });
    child.on('error', fail);
    child.on('exit', (status, signal) => done(status ?? signal ?? 'SIGKILL'));
  });
}

/** Runs work without timing it: to set a stage up; again when chance spoilt it. Answers what its check did. */
export async function setUp(work: Work): Promise<string> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return (await time(work)).note;
    } catch (error) {
      if (!(error instanceof ChanceError) || repeats === MAX_REPEATS) throw error;
    }
  }
}
