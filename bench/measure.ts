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
}

/** The two sides of a row; `round` is 0 in the warm-up. What they do before they answer is not timed. */
export interface Contest {
  readonly ours: (round: number) => Work | Promise<Work>;
  readonly theirs: (round: number) => Work | Promise<Work>;
}

/** Ours, theirs, ours, theirs …: after one pair that only warms up, `rounds` pairs that count. */
export async function interleave(contest: Contest, rounds: number, signal: AbortSignal): Promise<Measured> {
  const pairs: Pair[] = [];
  const notes = { ours: new Set<string>(), theirs: new Set<string>() };
  for (let round = 0; round <= rounds; round++) {
    signal.throwIfAborted();
    const ours = await time(await contest.ours(round));
    const theirs = await time(await contest.theirs(round));
    if (round === 0) continue;
    pairs.push({ oursMs: ours.tookMs, theirsMs: theirs.tookMs });
    notes.ours.add(ours.note);
    notes.theirs.add(theirs.note);
  }
  const listed = (side: ReadonlySet<string>): string[] => [...side].filter((note) => note !== '');
  return { pairs, notes: { ours: listed(notes.ours), theirs: listed(notes.theirs) } };
}

/** From before the first process is started until the last has exited. An exit status other than 0 is an error. */
export async function time({ steps, check }: Work): Promise<Sample> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-bench-'));
  const file = join(directory, 'written');
  // A file, so that this process has nothing to read meanwhile.
  const descriptor = openSync(file, 'a');
  try {
    const startedAt = process.hrtime.bigint();
    for (const step of steps) {
      const status = await run(step, descriptor);
      if (status === 0) continue;
      throw new Error(`${step.argv.join(' ')} ended with ${status}:\n${readFileSync(file, 'utf8').slice(-4000)}`);
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

/** Runs work without timing it: to set a stage up. Answers what it wrote last. */
export async function setUp(work: Work): Promise<string> {
  return (await time(work)).note;
}
