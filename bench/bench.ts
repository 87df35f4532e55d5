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
import { startToolchain, type Toolchain } from '../__tests__/support/toolchain.ts';
import { GROUPS, type Group, idsOf, type Measurable, measurablesOf } from './groups.ts';
import { inspectHardware, readCommit, readVersions } from './machine.ts';
import { type MeasuredGroup, measureGroup } from './measured-group.ts';
import { readResults, writePerformance, writeResults } from './performance.ts';
import { withSession } from './results.ts';
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
  const failures: string[] = [];
  const wanted = groups.flatMap(measurablesOf);
  const { toolchain, missing, stop } = await startNeeded(wanted, failures);
  const scenes = openScenes(toolchain);
  const circumstances = {
    ...(await readCommit()),
    rounds,
    machine: inspectHardware(),
    versions: await readVersions(toolchain),
  };
  try {
    for (const group of groups) {
      if (interrupt.signal.aborted) break;
      const possible = (one: Measurable): boolean => whyNot(one, missing) === undefined;
      const part = { ...group, facts: group.facts.filter(possible), rows: group.rows.filter(possible) };
      const measured = await measureGroup(part, { scenes, circumstances, signal: interrupt.signal, say });
      failures.push(...measured.failures);
      if (measured.rows.length === 0) continue;
      const shown = [group.title, renderRows(measured.rows), describeSession(measured.session)];
      process.stdout.write(`\n${shown.join('\n\n')}\n`);
      if (write) keep(measured);
    }
  } finally {
    failures.push(...(await scenes.close()));
    await stop();
  }
  process.stdout.write(`\n${describeMachine(circumstances)}\n`);
  for (const line of leftOut(wanted, missing)) process.stdout.write(`${line}\n`);
  for (const failure of failures) say(failure);
  if (interrupt.signal.aborted) say('interrupted: what had been measured is above');
  return failures.length === 0 && !interrupt.signal.aborted;
}

interface Started {
  readonly toolchain: Toolchain | undefined;
  readonly missing: Machine['missing'];
  readonly stop: () => Promise<void>;
}

/** Starts engine and registries where a row can use them. What needs them is missing when they do not start. */
async function startNeeded(wanted: readonly Measurable[], failures: string[]): Promise<Started> {
  const found = await inspectMachine(process.env);
  const nothing = { toolchain: undefined, missing: found.missing, stop: () => Promise.resolve() };
  const layers = wanted.flatMap(({ needs }) => needs);
  if (!wanted.some((one) => one.needs.length > 0 && whyNot(one, found.missing) === undefined)) return nothing;
  try {
    return await startToolchain(found);
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
    const broken = { why: 'the toolchain did not start', command: 'see docs/development.md' };
    return { ...nothing, missing: { ...Object.fromEntries(layers.map((layer) => [layer, broken])), ...found.missing } };
  }
}

/** One line for each reason, with the rows that it keeps from being measured. */
function leftOut(wanted: readonly Measurable[], missing: Machine['missing']): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const one of wanted) {
    const why = whyNot(one, missing);
    if (why !== undefined) byReason.set(why, [...(byReason.get(why) ?? []), one.name]);
  }
  return [...byReason].map(([why, names]) => `left out, with what is kept of it: ${names.join(', ')}: ${why}`);
}

/** After each group, so that nothing is lost when a later one ends the bench. */
function keep({ session, rows }: MeasuredGroup): void {
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
