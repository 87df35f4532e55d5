import type { Digest } from './digest.ts';

/** The severities that Trivy knows, the worst first. */
export const SEVERITIES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'UNKNOWN'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Which layer of the image brought something. Not the instruction that made it: there may be a secret in that. */
export interface FindingLayer {
  readonly digest: Digest | undefined;
  readonly diffId: Digest | undefined;
  /** Counted from 1, of all layers of the image; `undefined` when the report does not list it. */
  readonly position: number | undefined;
}

interface FindingFacts {
  /** `CVE-2024-5535`, `github-pat`, `DS-0002`, `AGPL-3.0-only`: what a rule is called. */
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly description: string;
  /** Where to read on: http or https. */
  readonly url: string | undefined;
  /** What was looked at, in words that are the same for every build: `alpine`, `Node.js`, `app/.env`, `configuration`. */
  readonly target: string;
  /** The path in the image; `undefined` for packages of the system and for the image's configuration. */
  readonly file: string | undefined;
  readonly layer: FindingLayer | undefined;
}

/** Lines are counted from 1; `undefined` where there are none. */
interface FindingLines {
  readonly startLine: number | undefined;
  readonly endLine: number | undefined;
}

export interface Vulnerability extends FindingFacts {
  readonly kind: 'vulnerability';
  /** Packages of the system, or of a language. */
  readonly origin: 'system' | 'language';
  readonly package: string;
  readonly purl: string | undefined;
  readonly installed: string;
  /** The version, or several, that have it no more; `undefined` when there is none. */
  readonly fixed: string | undefined;
  /** `fixed`, `affected`, `will_not_fix` … */
  readonly status: string | undefined;
  /** The CVSS base score of the source of the severity, 0 to 10. */
  readonly score: number | undefined;
}

/** A secret, without the secret. */
export interface Secret extends FindingFacts, FindingLines {
  readonly kind: 'secret';
  readonly category: string | undefined;
}

export interface Misconfiguration extends FindingFacts, FindingLines {
  readonly kind: 'misconfiguration';
  readonly message: string;
  readonly resolution: string | undefined;
}

export interface License extends FindingFacts {
  readonly kind: 'license';
  readonly package: string | undefined;
  readonly category: string | undefined;
}

/** One thing that a scan of one platform found. All texts are a stranger's. */
export type Finding = Vulnerability | Secret | Misconfiguration | License;

/** A finding that an ignore file or VEX took out of the report. */
export interface HiddenFinding {
  readonly kind: string;
  readonly id: string;
  /** `ignored`, `not_affected`, `fixed` … */
  readonly status: string | undefined;
  readonly statement: string | undefined;
  /** The file that says so. */
  readonly source: string | undefined;
}

/** What a scan of one platform says. */
export interface PlatformScan {
  /** `linux/arm64` */
  readonly platform: string;
  /** The version of Trivy. */
  readonly scanner: string | undefined;
  /** The distribution; `isSupported` is false when its makers mend it no more, which only a look for vulnerabilities finds out. */
  readonly system: { readonly name: string; readonly isSupported: boolean } | undefined;
  /** The worst first. */
  readonly findings: readonly Finding[];
  readonly hidden: readonly HiddenFinding[];
}

/** 0 for the worst: the position among {@link SEVERITIES}. */
export function rankOf(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

/** The package that a finding is about; `undefined` where it is about none. */
export function packageOf(finding: Finding): string | undefined {
  return 'package' in finding ? finding.package : undefined;
}

/** The lines that a finding names. */
export function linesOf(finding: Finding): FindingLines {
  return 'startLine' in finding ? finding : { startLine: undefined, endLine: undefined };
}

/**
 * What makes a finding the same one in another build of the image: neither versions, nor lines, nor severity, nor the path of
 * a package, in which there may be a version.
 */
export function identityOf(finding: Finding): string {
  return JSON.stringify(identityParts(finding));
}

/** The same before it is one text. */
export function identityParts(finding: Finding): readonly string[] {
  return [finding.kind, finding.id, packageOf(finding) ?? '', finding.target];
}

/** The worst first, then by name: one order for the same findings. */
export function compareFindings(a: Finding, b: Finding): number {
  const byText = (of: (finding: Finding) => string | undefined): number => {
    const [one, other] = [of(a) ?? '', of(b) ?? ''];
    return one === other ? 0 : one < other ? -1 : 1;
  };
  return (
    rankOf(a.severity) - rankOf(b.severity) ||
    KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind) ||
    byText(packageOf) ||
    byText(({ id }) => id) ||
    byText(({ target }) => target) ||
    byText(({ file }) => file) ||
    (linesOf(a).startLine ?? 0) - (linesOf(b).startLine ?? 0) ||
    byText((finding) => ('installed' in finding ? finding.installed : undefined))
  );
}

const KIND_ORDER: readonly Finding['kind'][] = ['secret', 'vulnerability', 'misconfiguration', 'license'];

/** How many there are of each severity, zeros left in. */
export function countBySeverity(findings: Iterable<Pick<Finding, 'severity'>>): Readonly<Record<Severity, number>> {
  const counts: Record<Severity, number> = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0, UNKNOWN: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}
