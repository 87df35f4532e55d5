import type { Measured } from './measure.ts';
import type { Fact, Row } from './rows.ts';
import { type Comparison, comparePairs, reaches, spreadOf } from './statistics.ts';

/** A whole run of the bench. */
export interface BenchReport {
  readonly lines: readonly string[];
  /** Machine and versions. */
  readonly described: readonly string[];
  /** ISO 8601, the day. */
  readonly date: string;
  readonly rounds: number;
  /** The machine's load before and after. */
  readonly load: readonly [before: number, after: number];
  /** What could not be measured, and why. */
  readonly skipped: readonly string[];
}

const SIGNS: Readonly<Record<Comparison, { readonly limit: string; readonly unit: string; readonly digits: number }>> =
  {
    slower: { limit: '≤', unit: '×', digits: 2 },
    faster: { limit: '≥', unit: '× faster', digits: 1 },
    over: { limit: '≤', unit: ' ms more', digits: 0 },
  };

/** The report as Markdown. */
export function renderBench({ lines, described, date, rounds, load, skipped }: BenchReport): string {
  return [
    '| ours | theirs | median of the pairs (lowest – highest) | target | |',
    '|---|---|---|---|---|',
    ...lines,
    '',
    `${date}; ${described.join(', ')}; ${rounds} rounds; load ${load.map((value) => value.toFixed(1)).join(' → ')}.`,
    ...skipped.map((line) => `\n${line}.`),
  ].join('\n');
}

/** One line for what was compared. */
export function rowLine({ ours, theirs, comparison, target }: Row, { pairs, notes }: Measured): string {
  const { limit, unit, digits } = SIGNS[comparison];
  const spread = comparePairs(pairs, comparison);
  const number = (value: number): string => value.toFixed(digits);
  return cells([
    `${ours}: ${milliseconds(pairs.map(({ oursMs }) => oursMs))}${noted(notes.ours)}`,
    `${theirs}: ${milliseconds(pairs.map(({ theirsMs }) => theirsMs))}${noted(notes.theirs)}`,
    `${number(spread.median)}${unit} (${number(spread.lowest)} – ${number(spread.highest)}), ${pairs.length} pairs`,
    target === undefined ? '' : `${limit} ${target}${unit}`,
    target === undefined ? '' : verdict(reaches(spread, comparison, target)),
  ]);
}

const DIGITS: Readonly<Record<Fact['unit'], number>> = { MB: 1, requests: 0, s: 1, '×': 2 };

/** One line for what was counted. */
export function factLine({ what, unit, target }: Fact, value: number): string {
  const shown = value.toFixed(DIGITS[unit]);
  return cells([
    what,
    '',
    `${shown} ${unit}`,
    target === undefined ? '' : `≤ ${target} ${unit}`,
    target === undefined ? '' : verdict(value <= target),
  ]);
}

function milliseconds(values: readonly number[]): string {
  return `${spreadOf(values).median.toFixed(0)} ms`;
}

function noted(notes: readonly string[]): string {
  return notes.length === 0 ? '' : ` (${notes.join(' or ')})`;
}

function verdict(reached: boolean): string {
  return reached ? 'reached' : '**short**';
}

function cells(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`;
}
