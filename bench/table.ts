import { type Compared, type Counted, isCompared, isCounted, isReached, type Result } from './results.ts';
import type { Fact } from './rows.ts';
import type { Comparison } from './statistics.ts';

const SIGNS: Readonly<Record<Comparison, { readonly limit: string; readonly unit: string; readonly digits: number }>> =
  {
    slower: { limit: '≤', unit: '×', digits: 2 },
    faster: { limit: '≥', unit: '× faster', digits: 1 },
    over: { limit: '≤', unit: ' ms more', digits: 0 },
  };

/** Of a count; a sign stands behind its number without a blank. */
const UNITS: Readonly<Record<Fact['unit'], { readonly unit: string; readonly digits: number }>> = {
  MB: { unit: ' MB', digits: 1 },
  requests: { unit: ' requests', digits: 0 },
  s: { unit: ' s', digits: 1 },
  '×': { unit: '×', digits: 2 },
  reads: { unit: '×', digits: 0 },
  cases: { unit: ' cases', digits: 0 },
  packages: { unit: ' packages', digits: 0 },
  violations: { unit: ' violations', digits: 0 },
};

const SECONDS_FROM_MS = 10_000;

/** Everything that a row has to say, each in words. */
export interface Figures {
  readonly median: string;
  readonly spread: string;
  readonly target: string;
  readonly ours: string;
  readonly theirs: string;
  /** Without its unit. */
  readonly number: string;
}

/** The figures of a row; what it does not have is empty. */
export function figuresOf(result: Result): Figures {
  if (isCompared(result)) return figuresOfCompared(result);
  const { unit, digits } = UNITS[result.unit];
  const number = formatNumber(result.value, digits);
  const target = result.target === undefined ? '' : `≤ ${formatTarget(result.target)}${unit}`;
  return { median: `${number}${unit}`, number, spread: '', target, ours: '', theirs: '' };
}

function figuresOfCompared({ comparison, ours, theirs, spread, target }: Compared): Figures {
  const { limit, unit, digits } = SIGNS[comparison];
  const number = formatNumber(spread.median, digits);
  return {
    median: `${number}${unit}`,
    number,
    spread: `${formatNumber(spread.lowest, digits)} – ${formatNumber(spread.highest, digits)}`,
    target: target === undefined ? '' : `${limit} ${formatTarget(target)}${unit}`,
    ours: formatMs(ours.medianMs),
    theirs: formatMs(theirs.medianMs),
  };
}

/** Tables of what was compared and of what was counted, as Markdown whose columns are aligned. */
export function renderRows(rows: readonly Result[]): string {
  const comparisons = rows.filter(isCompared);
  const counts = rows.filter(isCounted);
  return [
    ...(counts.length === 0 ? [] : [alignTable([['counted', '', 'target', ''], ...counts.map(countedCells)])]),
    ...(comparisons.length === 0
      ? []
      : [
          alignTable([
            ['ours', 'theirs', 'median of the pairs (lowest – highest)', 'target', ''],
            ...comparisons.map(comparedCells),
          ]),
        ]),
  ].join('\n\n');
}

function comparedCells(row: Compared): readonly string[] {
  const { median, spread, target, ours, theirs } = figuresOf(row);
  const repeated = row.repeats === undefined ? '' : `, ${row.repeats} measured again`;
  return [
    `${row.ours.what}: ${ours}${noted(row.ours.notes)}`,
    `${row.theirs.what}: ${theirs}${noted(row.theirs.notes)}`,
    `${median} (${spread}), ${row.pairs} ${row.pairs === 1 ? 'pair' : 'pairs'}${repeated}`,
    target,
    verdict(row),
  ];
}

function countedCells(row: Counted): readonly string[] {
  const { median, target } = figuresOf(row);
  return [row.what, median, target, verdict(row)];
}

/** A Markdown table whose first row is the header; each column is as wide as its widest cell. */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const safe = rows.map((cells) => cells.map((text) => text.replaceAll('|', '\\|')));
  const [header = []] = safe;
  const widths = header.map((_, column) => Math.max(3, ...safe.map((cells) => widthOf(cells[column] ?? ''))));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [line(header), line(rule), ...safe.slice(1).map(line)].join('\n');
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(width - widthOf(text));
}

function widthOf(text: string): number {
  return [...text].length;
}

function formatMs(value: number): string {
  return value >= SECONDS_FROM_MS ? `${formatNumber(value / 1000, 1)} s` : `${formatNumber(value, 0)} ms`;
}

/** With commas between the thousands; never `-0`. */
export function formatNumber(value: number, digits: number): string {
  const text = value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return /^-[0.,]+$/.test(text) ? text.slice(1) : text;
}

/** As it was set. */
function formatTarget(target: number): string {
  return target.toLocaleString('en', { maximumFractionDigits: 4 });
}

function noted(notes: readonly string[] | undefined): string {
  return notes === undefined ? '' : ` (${notes.join(' or ')})`;
}

function verdict(row: Result): string {
  const reached = isReached(row);
  if (reached === undefined) return '';
  return reached ? 'reached' : '**short**';
}
