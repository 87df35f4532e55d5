/**
 * `npm run bench` – what build-once costs against what people use otherwise, as ratios from one run: whole processes, timed from
 * outside, ours and theirs in turn. Prints the tables to standard output, progress to standard error.
 *
 * `--only NAMES` measures groups and rows by name, with commas between; without it, all that does not take minutes; `--only all`
 * is everything. `--rounds N` measures N times (7). `--write` puts the rows into bench/results.json, in the place of their
 * earlier selves, and makes docs/performance.md and its chart anew. `--list` names the groups and rows, and measures nothing.
 *
 * What this machine cannot run is left out and said. A row that fails is left out and said, and the bench ends with 1; a target
 * that is missed is no failure.
 */
import { parseArgs } from 'node:util';
import { inspectMachine, type Machine } from '../__tests__/support/layers.ts';
import { startToolchain } from '../__tests__/support/toolchain.ts';
import { GROUPS, type Group, idsOf, type Measurable, measurablesOf } from './groups.ts';
import { inspectHardware, readCommit, readVersions } from './machine.ts';
import { measureGroup } from './measured-group.ts';
import { readResults, writePerformance, writeResults } from './performance.ts';
import { type Result, type Session, withSession } from './results.ts';
import { openScenes } from './scenes.ts';
import { selectGroups } from './selection.ts';
import { describeMachine, describeSession } from './session-text.ts';
import { alignTable, renderRows } from './table.ts';

const options = readOptions(process.argv.slice(2));
if (options === undefined) process.exitCode = 2;
else if (options.list) process.stdout.write(`${listGroups()}\n`);
else process.exitCode = (await runBench(options)) ? 0 : 1;

interface BenchOptions {
  readonly groups: readonly Group[];
  readonly rounds: number;
  readonly write: boolean;
  readonly list: boolean;
}

/** `undefined` when they cannot be followed, which was said. */
function readOptions(args: readonly string[]): BenchOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string', default: '7' },
        only: { type: 'string', default: '' },
        write: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
      },
    });
    const { only, write, list } = values;
    if (!/^[1-9][0-9]{0,3}$/.test(values.rounds)) throw new Error('--rounds takes a whole number from 1 to 9999');
    return { groups: selectGroups(GROUPS, only), rounds: Number(values.rounds), write, list };
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function listGroups(): string {
  const measured = new Map(readResults().rows.map((row) => [row.id, row.session.slice(0, 10)]));
  const rows = GROUPS.flatMap((group) =>
    measurablesOf(group).map(({ name, needs, slow }) => [
      group.name,
      name,
      needs.join(', '),
      slow === true ? 'takes minutes' : '',
      measured.get(name) ?? 'never',
    ]),
  );
  return alignTable([['group', 'row', 'needs', '', 'measured'], ...rows]);
}

/** True when nothing failed. */
async function runBench({ groups, rounds, write }: BenchOptions): Promise<boolean> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Error('interrupted')));
  const found = await inspectMachine(process.env);
  const wanted = groups.flatMap(measurablesOf);
  const needsToolchain = wanted.some((one) => one.needs.length > 0 && whyNot(one, found.missing) === undefined);
  const running = needsToolchain ? await startToolchain(found) : undefined;
  const missing = running?.missing ?? found.missing;
  const scenes = openScenes(running?.toolchain);
  const circumstances = {
    ...(await readCommit()),
    rounds,
    machine: inspectHardware(),
    versions: await readVersions(running?.toolchain),
  };
  const failures: string[] = [];
  try {
    for (const group of groups) {
      const possible = (one: Measurable): boolean => whyNot(one, missing) === undefined;
      const part = { ...group, facts: group.facts.filter(possible), rows: group.rows.filter(possible) };
      const measured = await measureGroup(part, { scenes, circumstances, signal: interrupt.signal, say });
      const { session, rows } = measured;
      failures.push(...measured.failures);
      if (rows.length > 0) {
        process.stdout.write(`\n${group.title}\n\n${renderRows(rows)}\n\n${describeSession(session)}\n`);
        if (write) keep(session, rows);
      }
      if (interrupt.signal.aborted) break;
    }
  } finally {
    await scenes.close();
    await running?.stop();
  }
  process.stdout.write(`\n${describeMachine(circumstances)}\n`);
  for (const one of wanted) {
    const why = whyNot(one, missing);
    if (why !== undefined) process.stdout.write(`\`${one.name}\` was left out: ${why}\n`);
  }
  for (const failure of failures) say(failure);
  if (interrupt.signal.aborted) say('interrupted: what had been measured is above');
  return failures.length === 0 && !interrupt.signal.aborted;
}

/** After each group, so that nothing is lost when a later one ends the bench. */
function keep(session: Session, rows: readonly Result[]): void {
  const results = withSession(readResults(), session, rows, idsOf(GROUPS));
  writeResults(results);
  writePerformance(results);
}

function whyNot({ needs }: Measurable, missing: Machine['missing']): string | undefined {
  const layer = needs.map((name) => missing[name]).find((one) => one !== undefined);
  return layer === undefined ? undefined : `${layer.why}; set up: ${layer.command}`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
