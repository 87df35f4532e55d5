import { quote } from '../printable.ts';
import { type RuleVerdict, verdictText } from './clauses.ts';
import { clauseText } from './keep-clause.ts';
import { limitsText } from './limits.ts';
import type { Piece, Report } from './piece.ts';
import type {
  KeepClause,
  ProtectItem,
  RetentionLimits,
  RetentionPolicy,
  RetentionRule,
  RuleSubject,
} from './policy.ts';
import { protectText } from './protect-item.ts';
import { picksAllTags, subjectText } from './selector.ts';

/** A rule and where it stands. What is wrong with it was reported. */
export interface RuleDraft {
  readonly place: Piece;
  readonly subject: RuleSubject | undefined;
  readonly verdict: RuleVerdict | undefined;
}

/** What a form of the input says, before its rules are compared. */
export interface PolicyDraft {
  readonly place: Piece;
  readonly protect: readonly ProtectItem[];
  readonly rules: readonly RuleDraft[];
  readonly limits: RetentionLimits;
}

const MAX_RULES = 200;

/** The policy of a draft; what its rules are to each other is looked at here. */
export function finishPolicy(draft: PolicyDraft, report: Report): RetentionPolicy {
  const { place, limits, rules: drafts } = draft;
  if (drafts.length > MAX_RULES) {
    report(place, `${drafts.length} rules are too many: ${MAX_RULES} are allowed`);
  } else {
    reportUnreachable(drafts, report);
  }
  if (drafts.length === 0) {
    report(place, 'the policy has no rule, and would delete nothing: add one, as sha-*: keep 20, for 14d');
  }
  const rules = drafts.flatMap(({ subject, verdict, place }) => {
    if (subject === undefined || verdict === undefined) return [];
    reportTagless(subject, verdict.clauses, (problem) => report(place, problem));
    return makeRule(subject, verdict);
  });
  const protect = [...new Map(draft.protect.map((item) => [protectText(item), item])).values()];
  return { text: policyText(protect, rules, limits), protect, rules, limits };
}

/** A rule with its text. */
export function makeRule(subject: RuleSubject, verdict: RuleVerdict): RetentionRule {
  return { text: `${subjectText(subject)}: ${verdictText(verdict)}`, subject, ...verdict };
}

function policyText(protect: readonly ProtectItem[], rules: readonly RetentionRule[], limits: RetentionLimits): string {
  const limited = limitsText(limits);
  const lines = [
    protect.length === 0 ? '' : `protect ${protect.map(protectText).join(', ')}`,
    ...rules.map(({ text }) => text),
    limited === '' ? '' : `limits: ${limited}`,
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function reportUnreachable(rules: readonly RuleDraft[], report: Report): void {
  const seen = new Map<string, Piece>();
  let all: Piece | undefined;
  for (const { subject, place } of rules) {
    if (subject === undefined) continue;
    const text = subjectText(subject);
    const earlier = seen.get(text);
    if (earlier !== undefined) {
      report(place, `${quote(text)} has a rule in line ${earlier.line} already, and the first one counts`);
    } else if (all !== undefined && subject.kind === 'tags') {
      report(place, `${quote(text)} is never reached: the rule ${quote(all.text)} in line ${all.line} takes every tag`);
    }
    seen.set(text, earlier ?? place);
    if (picksAllTags(subject)) all ??= place;
  }
}

/** Clauses that read tags would keep nothing that has none. */
function reportTagless({ kind }: RuleSubject, clauses: readonly KeepClause[], report: (problem: string) => void): void {
  if (kind === 'tags') return;
  for (const clause of clauses) {
    if (clause.kind === 'semver' || clause.kind === 'while' || (clause.kind === 'keep' && clause.by === 'semver')) {
      report(`${kind}: ${quote(clauseText(clause))} reads tags, of which there are none: keep N, for AGE are allowed`);
    }
  }
}
