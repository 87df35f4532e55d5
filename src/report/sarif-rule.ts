import { compareFindings, type Finding, rankOf, type Severity } from '../core/findings.ts';
import { subjectOf } from '../core/image-findings.ts';
import { toLine, toPrintable } from '../core/printable.ts';
import { describeFix } from '../core/scan-verdict.ts';
import { plain, table } from './markdown.ts';

/** GitHub takes 255 characters of a rule's id, and 1,024 of its descriptions. */
const MAX_ID_LENGTH = 255;
const MAX_TEXT_LENGTH = 1000;
const MAX_ROWS = 20;

/** The lowest and the highest score of what GitHub shows as severities, and where ours is put when CVSS says something else. */
const SCORES: Readonly<Record<Exclude<Severity, 'UNKNOWN'>, readonly [least: number, most: number, usual: number]>> = {
  CRITICAL: [9.1, 10, 9.5],
  HIGH: [7, 8.9, 8],
  MEDIUM: [4, 6.9, 5.5],
  LOW: [0.1, 3.9, 2],
};

const NAMES = {
  secret: 'Secret',
  misconfiguration: 'Misconfiguration',
  license: 'License',
  system: 'OsPackageVulnerability',
  language: 'LanguageSpecificPackageVulnerability',
} as const;

/** A `reportingDescriptor` (SARIF §3.49): what the page about an alert says. */
export interface SarifRule {
  readonly id: string;
  readonly name: string;
  readonly shortDescription: { readonly text: string };
  readonly fullDescription: { readonly text: string };
  readonly help: { readonly text: string; readonly markdown: string };
  readonly helpUri?: string;
  readonly defaultConfiguration: { readonly level: Level };
  readonly properties: Readonly<Record<string, unknown>>;
}

export type Level = 'error' | 'warning' | 'note';

/** The id of the rule that a finding breaks; never empty. */
export function ruleIdOf({ id }: Finding): string {
  return toLine(id, MAX_ID_LENGTH) || 'unnamed';
}

/** The level of a finding, as GitHub would show it without a score. */
export function levelOf(severity: Severity): Level {
  if (rankOf(severity) <= rankOf('HIGH')) return 'error';
  return severity === 'MEDIUM' ? 'warning' : 'note';
}

/** The rule that these findings of one id break; it is as bad as the worst of them. */
export function sarifRule(findings: readonly [Finding, ...Finding[]]): SarifRule {
  const worst = findings.reduce((a, b) => (compareFindings(b, a) < 0 ? b : a));
  const { kind, severity, title, description, url } = worst;
  const score = scoreOf(worst);
  const security = score === undefined ? {} : { 'security-severity': score };
  return {
    id: ruleIdOf(worst),
    name: kind === 'vulnerability' ? NAMES[worst.origin] : NAMES[kind],
    shortDescription: { text: textOf(title) },
    fullDescription: { text: textOf(description === '' ? title : description) },
    help: { text: helpText(worst, findings), markdown: helpMarkdown(worst, findings) },
    ...(url === undefined ? {} : { helpUri: url }),
    defaultConfiguration: { level: levelOf(severity) },
    properties: { tags: ['security', kind, severity], precision: 'very-high', ...security },
  };
}

/** The CVSS score where it says the same as the severity that the gate judges by. */
function scoreOf(finding: Finding): string | undefined {
  if (finding.severity === 'UNKNOWN') return undefined;
  const [least, most, usual] = SCORES[finding.severity];
  const score = finding.kind === 'vulnerability' ? finding.score : undefined;
  return (score !== undefined && score >= least && score <= most ? score : usual).toFixed(1);
}

function helpText(worst: Finding, findings: readonly Finding[]): string {
  const places = findings.slice(0, MAX_ROWS).map((finding) => {
    const fix = describeFix(finding);
    return `- ${toLine(subjectOf(finding))}${fix === '' ? '' : `: ${fix}`}`;
  });
  const link = worst.url === undefined ? [] : [`More: ${worst.url}`];
  const head = `${ruleIdOf(worst)} (${worst.severity})`;
  return [head, ...bodyOf(worst).map(textOf), ...places, ...more(findings), ...link].join('\n');
}

function helpMarkdown(worst: Finding, findings: readonly Finding[]): string {
  const rows = findings.slice(0, MAX_ROWS).map((finding) => {
    const where = finding.file ?? finding.target;
    return [finding.severity, plain(toLine(subjectOf(finding))), plain(toLine(where)), plain(describeFix(finding))];
  });
  return [
    `**${plain(ruleIdOf(worst))}** (${worst.severity})`,
    ...bodyOf(worst).map((text) => plain(text)),
    table(['Severity', 'In', 'Where', 'What mends it'], rows),
    ...more(findings),
    // As URL writes it, nothing in it ends the link early.
    ...(worst.url === undefined ? [] : [`More: <${worst.url}>`]),
  ].join('\n\n');
}

function bodyOf({ title, description }: Finding): readonly string[] {
  return [title, description].filter((text) => text !== '');
}

function more(findings: readonly unknown[]): readonly string[] {
  return findings.length > MAX_ROWS ? [`and ${findings.length - MAX_ROWS} more`] : [];
}

function textOf(text: string): string {
  return toPrintable(text.slice(0, MAX_TEXT_LENGTH));
}
