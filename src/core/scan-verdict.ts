import { counted } from './counted.ts';
import { type Finding, SEVERITIES, type Severity } from './findings.ts';
import { type ImageFinding, placeOf } from './image-findings.ts';
import { toLine } from './printable.ts';
import type { GateRules } from './scan-rules.ts';

/** One rule that the image breaks. */
export interface Breach {
  /** `any` and `new` are values of `scan-fail-on`. */
  readonly rule: 'any' | 'new' | 'budget';
  readonly severity: Severity;
  /** How many there may be. */
  readonly allowed: number;
  /** All that the rule counts: more than are allowed. */
  readonly findings: readonly ImageFinding[];
}

export interface Verdict {
  readonly rules: GateRules;
  readonly passed: boolean;
  /** The worst severity first. */
  readonly breaches: readonly Breach[];
}

/** How many findings of a breach are named in an error. */
const MAX_NAMED = 10;
const MAX_NAME_LENGTH = 200;

/**
 * Judges findings. `any` allows none of the severities it speaks of, except as many as the budget of one says; `new` allows
 * none that is new; a budget is kept whatever `scan-fail-on` says. A finding on several platforms counts once.
 */
export function judge(findings: readonly ImageFinding[], rules: GateRules): Verdict {
  const counting = findings.filter(({ finding }) => !rules.ignoreUnfixed || !isUnfixed(finding));
  const breaches = SEVERITIES.flatMap((severity) => {
    const found = counting.filter(({ finding }) => finding.severity === severity);
    return limitsOf(severity, rules).flatMap(({ rule, allowed }): readonly Breach[] => {
      const against = rule === 'new' ? found.filter(({ isNew }) => isNew) : found;
      return against.length > allowed ? [{ rule, severity, allowed, findings: against }] : [];
    });
  });
  return { rules, passed: breaches.length === 0, breaches };
}

function limitsOf(
  severity: Severity,
  { failOn, severities, budget }: GateRules,
): readonly Pick<Breach, 'rule' | 'allowed'>[] {
  const allowed = budget.get(severity);
  const budgeted = allowed === undefined ? [] : [{ rule: 'budget', allowed } as const];
  if (failOn === 'none' || !severities.includes(severity)) return budgeted;
  if (failOn === 'new') return [...budgeted, { rule: 'new', allowed: 0 }];
  return allowed === undefined ? [{ rule: 'any', allowed: 0 }] : budgeted;
}

function isUnfixed(finding: Finding): boolean {
  return finding.kind === 'vulnerability' && finding.fixed === undefined;
}

/** `7 HIGH findings, and scan-budget allows 5`. */
export function describeBreach({ rule, severity, allowed, findings }: Breach): string {
  const what = counted(findings.length, `${rule === 'new' ? 'new ' : ''}${severity} finding`);
  const limit =
    rule === 'budget' ? `scan-budget allows ${allowed === 0 ? 'none' : allowed}` : `scan-fail-on: ${rule} allows none`;
  return `${what}, and ${limit}`;
}

/** What mends a finding, in a few printable words: `fixed in 4.17.12`. */
export function describeFix(finding: Finding): string {
  switch (finding.kind) {
    case 'vulnerability':
      return finding.fixed === undefined ? 'no fixed version' : `fixed in ${toLine(finding.fixed, MAX_NAME_LENGTH)}`;
    case 'secret':
      return 'remove it from the image, and revoke it';
    case 'misconfiguration':
      return toLine(finding.resolution ?? finding.message, MAX_NAME_LENGTH);
    case 'license':
      return '';
  }
}

/** Everything that broke a rule, for an error: a line for each rule, and below it the findings and what mends them. */
export function describeVerdict({ breaches }: Verdict): string {
  const linesOf = (breach: Breach): readonly string[] => {
    const more = breach.findings.length - MAX_NAMED;
    const named = breach.findings.slice(0, MAX_NAMED).map(describeFinding);
    const lines = more > 0 ? [...named, `and ${more} more`] : named;
    return [describeBreach(breach), ...lines.map((line) => `  ${line}`)];
  };
  return breaches.flatMap(linesOf).join('\n');
}

/** `CVE-2019-10744 in lodash 4.17.4: fixed in 4.17.12`. */
function describeFinding(found: ImageFinding): string {
  const { finding, occurrences } = found;
  const where = `${toLine(finding.id, MAX_NAME_LENGTH)} in ${toLine(placeOf(found), MAX_NAME_LENGTH)}`;
  const fix = describeFix(finding);
  const platforms = occurrences.map(({ platform }) => platform).join(', ');
  return `${where} (${platforms})${fix === '' ? '' : `: ${fix}`}`;
}
