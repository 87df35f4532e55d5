import { counted } from '../core/counted.ts';
import { countBySeverity, type PlatformScan, SEVERITIES } from '../core/findings.ts';
import { type ImageFinding, placeOf } from '../core/image-findings.ts';
import type { ImageScan } from '../core/image-scan.ts';
import { toLine } from '../core/printable.ts';
import { describeFix, describeVerdict } from '../core/scan-verdict.ts';

const MAX_ROWS = 500;
const MAX_CELL_LENGTH = 60;
const MAX_NAME_LENGTH = 300;

/** A scan for the log: plain lines, a row for each finding, the worst first. */
export function renderScanText(scan: ImageScan): string {
  const { findings, verdict } = scan;
  const rows = findings.slice(0, MAX_ROWS).map(rowOf);
  const more = findings.length - rows.length;
  return [
    `Scan of ${toLine(scan.image, MAX_NAME_LENGTH)}: ${summaryOf(scan)}`,
    ...aligned(scan.scans.map(platformRow)),
    ...aligned(rows),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(verdict.passed ? [] : ['The scan stops this run:', ...describeVerdict(verdict).split('\n').map(indented)]),
  ].join('\n');
}

/** `1 CRITICAL, 2 HIGH; 1 of them is new since app:1.2`. */
export function summaryOf({ findings, comparedWith, verdict }: ImageScan): string {
  const counts = countBySeverity(findings.map(({ finding }) => finding));
  const found = SEVERITIES.filter((severity) => counts[severity] > 0).map((one) => `${counts[one]} ${one}`);
  const all = found.length === 0 ? 'nothing found' : found.join(', ');
  if (findings.length === 0) return all;
  if (comparedWith === undefined)
    return verdict.rules.failOn === 'new' ? `${all}; there is no published image to compare with` : all;
  const fresh = findings.filter(({ isNew }) => isNew).length;
  return `${all}; ${fresh === 0 ? 'none' : fresh} new since ${toLine(comparedWith, MAX_NAME_LENGTH)}`;
}

/** `alpine 3.20.3, which gets no more fixes`. */
export function systemOf({ system }: PlatformScan): string {
  if (system === undefined) return 'no known distribution';
  return system.isSupported ? system.name : `${system.name}, which gets no more fixes`;
}

function platformRow(scan: PlatformScan): readonly string[] {
  const hidden = scan.hidden.length === 0 ? '' : `, ${scan.hidden.length} more hidden by ignore files or VEX`;
  return [scan.platform, systemOf(scan), `${counted(scan.findings.length, 'finding')}${hidden}`];
}

function rowOf(found: ImageFinding): readonly string[] {
  const { finding, occurrences, isNew } = found;
  const platforms = occurrences.map(({ platform }) => platform).join(', ');
  const note = isNew ? 'new' : '';
  return [finding.severity, finding.id, placeOf(found), describeFix(finding), platforms, note, finding.title];
}

/** Two blanks in front; the columns as wide as their widest cell, shortened. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => row.map((text) => toLine(text, MAX_CELL_LENGTH)));
  const width = (column: number): number => Math.max(...cells.map((row) => row[column]?.length ?? 0));
  const widths = (cells[0] ?? []).map((_, column) => width(column));
  const isUsed = (_: string, column: number): boolean => widths[column] !== 0;
  return cells.map((row) => {
    const padded = row.map((text, column) => text.padEnd(widths[column] ?? 0)).filter(isUsed);
    return indented(padded.join('  ')).trimEnd();
  });
}

function indented(line: string): string {
  return `  ${line}`;
}
