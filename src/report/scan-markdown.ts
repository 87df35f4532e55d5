import { countBySeverity, type PlatformScan, SEVERITIES } from '../core/findings.ts';
import { type ImageFinding, placeOf } from '../core/image-findings.ts';
import type { ImageScan } from '../core/image-scan.ts';
import { toLine } from '../core/printable.ts';
import { type Breach, describeBreach, describeFix, type Verdict } from '../core/scan-verdict.ts';
import { code, plain, table } from './markdown.ts';
import { summaryOf, systemOf } from './scan-text.ts';

/** Of the job summary, which holds 1 MiB and is dropped whole when it is larger. */
const MAX_BYTES = 60_000;
const MAX_CELL_LENGTH = 200;
const MAX_PLATFORMS = 50;
const HEAD = ['Severity', 'Finding', 'In', 'What mends it', 'Platforms', 'Note'];

/** The scan's part of the job summary: less than 64 KiB. What broke a rule comes first, then the worst. */
export function renderScanMarkdown(scan: ImageScan): string {
  const { findings, verdict } = scan;
  const platforms = scan.scans.slice(0, MAX_PLATFORMS).map(platformRow);
  const parts = [
    `### Scan: ${plain(summaryOf(scan))}`,
    verdictLines(verdict),
    table(['Platform', 'System', ...SEVERITIES, 'Hidden by ignore files or VEX'], platforms),
  ];
  if (findings.length > 0) parts.push(findingTable(scan, MAX_BYTES - byteLength(parts.join('\n\n'))));
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function verdictLines({ breaches }: Verdict): string {
  if (breaches.length === 0) return '';
  const lines = breaches.map((breach) => plain(describeBreach(breach)));
  return `**The scan stops this run:** ${lines.join('<br>')}`;
}

function platformRow(scan: PlatformScan): readonly string[] {
  const counts = countBySeverity(scan.findings);
  const numbers = SEVERITIES.map((severity) => String(counts[severity]));
  return [code(scan.platform), plain(shortened(systemOf(scan))), ...numbers, String(scan.hidden.length)];
}

/** As many rows as there is room for, and how many there are besides. */
function findingTable({ findings, verdict }: ImageScan, maxBytes: number): string {
  const broken = brokenRules(verdict.breaches);
  const rest = findings.filter((found) => !broken.has(found));
  const ordered = [...findings.filter((found) => broken.has(found)), ...rest];
  const rows: (readonly string[])[] = [];
  let sizeBytes = byteLength(table(HEAD, [])) + byteLength(moreRow(findings.length).join(' | ')) + 10;
  for (const found of ordered) {
    const row = findingRow(found, broken.get(found));
    sizeBytes += byteLength(row.join(' | ')) + 5;
    if (sizeBytes > maxBytes) break;
    rows.push(row);
  }
  const more = ordered.length - rows.length;
  return table(HEAD, more > 0 ? [...rows, moreRow(more)] : rows);
}

/** The rules that each finding breaks, by the name of the input. */
function brokenRules(breaches: readonly Breach[]): ReadonlyMap<ImageFinding, string> {
  const broken = new Map<ImageFinding, string>();
  for (const { rule, findings } of breaches) {
    const name = rule === 'budget' ? 'scan-budget' : `scan-fail-on: ${rule}`;
    for (const found of findings) {
      const others = broken.get(found);
      broken.set(found, others === undefined ? name : `${others}, ${name}`);
    }
  }
  return broken;
}

function findingRow(found: ImageFinding, broken: string | undefined): readonly string[] {
  const { finding, occurrences, isNew } = found;
  const platforms = occurrences.map(({ platform }) => platform).join(', ');
  const title = finding.title === finding.id ? '' : `<br>${plain(shortened(finding.title))}`;
  const path =
    finding.kind !== 'vulnerability' || finding.file === undefined ? '' : `<br>${code(shortened(finding.file))}`;
  const notes = [...(isNew ? ['new'] : []), ...(broken === undefined ? [] : [`breaks ${broken}`])];
  return [
    finding.severity,
    `${code(shortened(finding.id))}${title}`,
    `${plain(shortened(placeOf(found)))}${path}`,
    plain(describeFix(finding)),
    plain(shortened(platforms)),
    plain(notes.join('; ')),
  ];
}

function moreRow(count: number): readonly string[] {
  return [`and ${count} more`, '', '', '', '', ''];
}

function shortened(text: string): string {
  return toLine(text, MAX_CELL_LENGTH);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
