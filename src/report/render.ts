import { toLine, toPrintable } from '../core/printable.ts';
import { formatDuration } from '../core/timestamp.ts';
import type { Report } from './report.ts';

const MAX_ROWS = 200;

const HEADLINES: Readonly<Record<Report['status'], string>> = {
  reused: 'Reused: nothing that the build reads has changed',
  built: 'Built',
  hashed: 'Hashed',
  failed: 'Failed',
};

/** The job summary. Every text that is not ours is escaped, so that it is shown and never rendered. */
export function renderMarkdown(report: Report): string {
  const rows: [string, string][] = [];
  if (report.image !== undefined) rows.push(['Image', code(report.image)]);
  if (report.reason !== '') rows.push(['Why', plain(report.reason)]);
  if (report.hash !== undefined) rows.push(['Content', code(report.hash)]);
  if (report.inputs.length > 0) rows.push(['Hashed', report.inputs.slice(0, MAX_ROWS).map(plain).join('<br>')]);
  rows.push(['Took', plain(timeLine(report))]);
  const parts = [`### ${HEADLINES[report.status]}`, failureBlock(report), table(['', ''], rows)];
  if (report.platforms.length > 0) {
    const listed = report.platforms.map(({ platform, digest, sizeBytes }) => [
      code(platform),
      code(digest),
      plain(formatSize(sizeBytes)),
    ]);
    parts.push(table(['Platform', 'Digest', 'Size'], listed));
  }
  if (report.tags.length > 0) {
    const listed = report.tags.slice(0, MAX_ROWS).map(({ reference, outcome }) => [code(reference), plain(outcome)]);
    parts.push(table(['Tag', 'What happened'], listed));
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** The same for a terminal: plain lines. */
export function renderText(report: Report): string {
  const lines = [HEADLINES[report.status]];
  if (report.image !== undefined) lines.push(`  image     ${report.image}`);
  if (report.reason !== '') lines.push(`  why       ${report.reason}`);
  if (report.hash !== undefined) lines.push(`  content   ${report.hash}`);
  for (const { platform, digest, sizeBytes } of report.platforms) {
    lines.push(`  platform  ${platform}  ${digest}  ${formatSize(sizeBytes)}`.trimEnd());
  }
  for (const { reference, outcome } of report.tags) lines.push(`  tag       ${reference}  ${outcome}`);
  lines.push(`  took      ${timeLine(report)}`);
  return toPrintable(lines.join('\n'));
}

/** `1.2 MB`; a dash where the size is not known. Decimal units, as registries' pages show them. */
export function formatSize(sizeBytes: number | undefined): string {
  if (sizeBytes === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = sizeBytes;
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit] ?? ''}`;
}

function timeLine({ durationMs, steps }: Report): string {
  const slow = steps.filter((step) => step.skipped === undefined && step.durationMs >= 1);
  const parts = slow.map((step) => `${step.name} ${formatDuration(step.durationMs)}`);
  return parts.length === 0 ? formatDuration(durationMs) : `${formatDuration(durationMs)} (${parts.join(', ')})`;
}

function failureBlock({ failure }: Report): string {
  if (failure === undefined) return '';
  const hint = failure.hint === undefined ? '' : `\n\n${plain(failure.hint)}`;
  return `**${plain(failure.code)}**\n\n<pre>${escape(toPrintable(failure.message))}</pre>${hint}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `<code>${escape(toLine(text, 500))}</code>`;
}

function plain(text: string): string {
  return escape(toLine(text, 1000));
}

/** Everything that Markdown or HTML could take for markup, as character references. */
function escape(text: string): string {
  return text.replace(/[&<>"'`|*_~[\]()#!\\@{}$]/g, (character) => `&#${character.charCodeAt(0)};`);
}
