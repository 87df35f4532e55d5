import { toLine, toPrintable } from '../core/printable.ts';
import { familiarName } from '../core/reference.ts';
import { formatSize } from '../core/size-text.ts';
import { formatDuration } from '../core/timestamp.ts';
import { explanationLines } from './explanation.ts';
import { code, escape, MAX_LINE_LENGTH, plain, table } from './markdown.ts';
import type { Report, ScanSection } from './report.ts';

const MAX_ROWS = 200;
/** Of the names that facts have in a terminal. */
const NAME_WIDTH = 10;
/** Of a failure's message, so that what follows it is never cut off. */
const MAX_MESSAGE_LENGTH = 20_000;

/** The job summary. Every text that is not ours is escaped, so that it is shown and never rendered. */
export function renderMarkdown(report: Report): string {
  const rows: [string, string][] = [];
  if (report.image !== undefined) rows.push(['Image', code(familiarName(report.image))]);
  if (report.notPushed !== undefined) rows.push(['Not pushed', plain(report.notPushed)]);
  if (report.loaded !== undefined) rows.push(['Loaded into the local engine', code(report.loaded)]);
  if (report.reason !== '') rows.push(['Why', plain(report.reason)]);
  const { explanation } = report;
  if (explanation !== undefined) {
    const lines = [explanation.summary, ...explanationLines(explanation)];
    rows.push(['What has changed', lines.map(plain).join('<br>')]);
  }
  if (report.hash !== undefined) rows.push(['Content', code(report.hash)]);
  if (report.inputs.length > 0)
    rows.push(['Hashed', [...shown(report.inputs).map(plain), ...rest(report.inputs)].join('<br>')]);
  if (report.warnings.length > 0)
    rows.push(['Warnings', [...shown(report.warnings).map(plain), ...rest(report.warnings)].join('<br>')]);
  rows.push(['Took', plain(timeLine(report))]);
  if (report.signatures.length > 0) rows.push(['Signed', report.signatures.map(plain).join('<br>')]);
  if (report.scan?.keptSince !== undefined) rows.push(['Scan', plain(scanLine(report.scan))]);
  if (report.savedSeconds !== undefined) rows.push(['Saved', plain(savedLine(report.savedSeconds))]);
  const parts = [`### ${plain(report.headline)}`, failureBlock(report), table(['', ''], rows)];
  if (report.platforms.length > 0) {
    const listed = report.platforms.map(({ platform, digest, sizeBytes }) => [
      code(platform),
      code(digest),
      plain(formatSize(sizeBytes)),
    ]);
    parts.push(table(['Platform', 'Digest', 'Size'], listed));
  }
  if (report.tags.length > 0) {
    const listed = shown(report.tags).map(({ reference, outcome }) => [code(familiarName(reference)), plain(outcome)]);
    parts.push(table(['Tag', 'What happened'], [...listed, ...rest(report.tags).map((more) => [more, ''])]));
  }
  if (report.several !== undefined) parts.push(report.several.markdown);
  if (report.scan !== undefined) parts.push(report.scan.markdown);
  if (report.prune !== undefined) {
    const { summary, markdown } = report.prune;
    // Where nothing else was done, it is the headline.
    if (!report.headline.endsWith(summary)) parts.push(`#### Retention\n\n${plain(summary)}`);
    parts.push(markdown);
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** The same for a terminal: plain lines, one for each fact; `all` for every difference. */
export function renderText(report: Report, all = false): string {
  const lines = [toLine(report.headline, MAX_LINE_LENGTH)];
  const add = (name: string, ...texts: readonly string[]): void => {
    lines.push(`  ${name.padEnd(NAME_WIDTH)}${texts.map((text) => toLine(text, MAX_LINE_LENGTH)).join('  ')}`);
  };
  if (report.image !== undefined) add('image', familiarName(report.image));
  if (report.notPushed !== undefined) add('unpushed', report.notPushed);
  if (report.loaded !== undefined) add('loaded', report.loaded);
  if (report.reason !== '') add('why', report.reason);
  if (report.explanation !== undefined) {
    const isMain = report.status === 'explained';
    if (!isMain) add('changed', report.explanation.summary);
    const indent = ' '.repeat(isMain ? 2 : 2 + NAME_WIDTH);
    for (const line of explanationLines(report.explanation, all)) lines.push(`${indent}${line}`);
  }
  if (report.several !== undefined) lines.push(report.several.text);
  if (report.hash !== undefined) add('content', report.hash);
  for (const { platform, digest, sizeBytes } of report.platforms)
    add('platform', platform, digest, formatSize(sizeBytes));
  for (const { reference, outcome } of report.tags) add('tag', familiarName(reference), outcome);
  for (const line of report.signatures) add('signed', line);
  if (report.scan !== undefined) add('scan', scanLine(report.scan));
  if (report.prune !== undefined) add('retention', report.prune.summary);
  add('took', timeLine(report));
  if (report.savedSeconds !== undefined) add('saved', savedLine(report.savedSeconds));
  return lines.join('\n');
}

function scanLine({ passed, summary, keptSince }: ScanSection): string {
  const when = keptSince === undefined ? '' : ` (kept since ${keptSince})`;
  return `${passed ? 'passed' : 'failed'}: ${summary}${when}`;
}

function timeLine({ durationMs, steps }: Report): string {
  const slow = steps.filter((step) => step.skipped === undefined && step.durationMs >= 1);
  const parts = slow.map((step) => `${step.name} ${formatDuration(step.durationMs)}`);
  return parts.length === 0 ? formatDuration(durationMs) : `${formatDuration(durationMs)} (${parts.join(', ')})`;
}

function savedLine(seconds: number): string {
  return `${formatDuration(seconds * 1000)} of building`;
}

function failureBlock({ failure }: Report): string {
  if (failure === undefined) return '';
  const hint = failure.hint === undefined ? '' : `\n\nHint: ${plain(failure.hint)}`;
  return `**${plain(failure.code)}**\n\n<pre>${escape(toPrintable(shortened(failure.message)))}</pre>${hint}`;
}

/** The beginning says what failed, the end holds the last lines of a log. */
function shortened(message: string): string {
  if (message.length <= MAX_MESSAGE_LENGTH) return message;
  return `${message.slice(0, MAX_MESSAGE_LENGTH / 2)}\n…\n${message.slice(-MAX_MESSAGE_LENGTH / 2)}`;
}

function shown<T>(list: readonly T[]): readonly T[] {
  return list.slice(0, MAX_ROWS);
}

function rest(list: readonly unknown[]): readonly string[] {
  return list.length > MAX_ROWS ? [`and ${list.length - MAX_ROWS} more`] : [];
}
