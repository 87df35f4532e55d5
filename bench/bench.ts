/**
 * `npm run bench` – what a reused image costs against what a build costs, as ratios from one run: whole processes, timed
 * from outside, ours and theirs in turn. Prints a Markdown table to standard output, progress to standard error.
 * `--rounds N` measures N times (7), `--only NAME` the rows whose name begins so, `--write` puts the table into
 * docs/performance.md too. What takes minutes is measured only where `--only` names them. What this machine cannot run is left out and said. A target that is missed is no failure; a
 * process that ends with an error is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inspectMachine } from '../__tests__/support/layers.ts';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { startToolchain } from '../__tests__/support/toolchain.ts';
import { currentLoad, describeMachine } from './machine.ts';
import { interleave } from './measure.ts';
import { FACTS, ROWS, type Row } from './rows.ts';
import { openScenes } from './scenes.ts';
import { factLine, renderBench, rowLine } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1');
const isWanted = ({ name }: { readonly name: string }): boolean => name.startsWith(values.only);
const isQuick = ({ slow }: Pick<Row, 'slow'>): boolean => slow !== true || values.only !== '';
const [rows, facts] = [
  ROWS.filter((row) => isWanted(row) && isQuick(row)),
  FACTS.filter((fact) => isWanted(fact) && isQuick(fact)),
];
if (rows.length + facts.length === 0) {
  throw new Error(`--only takes the beginning of one of: ${[...FACTS, ...ROWS].map(({ name }) => name).join(', ')}`);
}
if (values.write && values.only !== '') throw new Error('--write takes the whole table: leave --only out');

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort(new Error('interrupted')));
const found = await inspectMachine(process.env);
const isPossible =
  (missing: typeof found.missing) =>
  ({ needs }: Pick<Row, 'needs'>) =>
    needs.every((layer) => missing[layer] === undefined);
const needsDocker = [...facts, ...rows].some((one) => one.needs.length > 0 && isPossible(found.missing)(one));
const running = needsDocker ? await startToolchain(found) : undefined;
const missing = running?.missing ?? found.missing;
const scenes = openScenes(running?.toolchain);
try {
  const loadBefore = currentLoad();
  const lines: string[] = [];
  for (const fact of facts.filter(isPossible(missing))) {
    say(fact.name);
    lines.push(factLine(fact, await fact.count(scenes)));
  }
  for (const row of rows.filter(isPossible(missing))) {
    say(row.name);
    lines.push(rowLine(row, await interleave(await row.open(scenes), rounds * row.pairs, interrupt.signal)));
  }
  const report = {
    lines,
    rounds,
    described: await describeMachine(running?.toolchain),
    date: new Date().toISOString().slice(0, 10),
    load: [loadBefore, currentLoad()],
    skipped: skippedLines(),
  } as const;
  const table = renderBench(report);
  process.stdout.write(`${table}\n`);
  if (values.write) writePage(table);
} finally {
  await scenes.close();
  await running?.stop();
}

function skippedLines(): string[] {
  return [...facts, ...rows].flatMap(({ name, needs }) => {
    const why = needs.map((layer) => missing[layer]).find((layer) => layer !== undefined);
    return why === undefined ? [] : [`\`${name}\` was left out: ${why.why}; set up: \`${why.command}\``];
  });
}

/** Between the marks; the text around them is written by hand. */
function writePage(table: string): void {
  const page = join(CHECKOUT, 'docs/performance.md');
  const [before, , after] = readFileSync(page, 'utf8').split(/(?<=<!-- bench -->\n)|(?=<!-- \/bench -->)/);
  if (after === undefined) throw new Error(`${page} has lost the marks of the table`);
  writeFileSync(page, `${before}${table}\n${after}`);
}

function say(name: string): void {
  process.stderr.write(`${name} …\n`);
}
