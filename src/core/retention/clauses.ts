import { quote } from '../printable.ts';
import { clauseText, parseKeepClause } from './keep-clause.ts';
import { type Piece, type Report, splitWords } from './piece.ts';
import type { KeepClause, RetentionRule } from './policy.ts';
import { continuesSemver } from './semver-levels.ts';

/** What a rule does: by clauses that vote, or at once. */
export type RuleVerdict = Pick<RetentionRule, 'action' | 'clauses'>;

/** Splits `keep 20, semver 2 majors, 3 minors` into the words of each clause. */
export function splitClauses(piece: Piece, report: Report): readonly (readonly Piece[])[] {
  const clauses: Piece[][] = [];
  for (const words of splitWords(piece, 'a clause is missing: as keep 20, or for 14d', report)) {
    const last = clauses.at(-1);
    if (words[0] === undefined) continue;
    if (last?.[0]?.text === 'semver' && continuesSemver(words[0].text)) last.push(...words);
    else clauses.push([...words]);
  }
  return clauses;
}

/** Parses the clauses of a rule, each given as its words. `undefined` when any of them is wrong, or there is none. */
export function parseClauses(all: readonly (readonly Piece[])[], report: Report): RuleVerdict | undefined {
  for (const words of all) {
    const text = words.map((word) => word.text).join(' ');
    const action = actionOf(text);
    if (action === undefined) continue;
    if (all.length === 1) return { action, clauses: [] };
    if (words[0] !== undefined) report(words[0], `${quote(text)} stands alone: no other clause is allowed beside it`);
    return undefined;
  }
  const clauses: KeepClause[] = [];
  for (const words of all) {
    const clause = parseKeepClause(words, report);
    const twice = clauses.find((other) => clause !== undefined && clauseKey(other) === clauseKey(clause));
    if (twice !== undefined && words[0] !== undefined) {
      report(
        words[0],
        `${quote(words.map((word) => word.text).join(' '))} comes after ${quote(clauseText(twice))}: one of them is allowed in a rule`,
      );
    }
    if (clause !== undefined) clauses.push(clause);
  }
  return clauses.length > 0 && clauses.length === all.length ? { action: 'vote', clauses } : undefined;
}

/** What a rule does, in one form. */
export function verdictText({ action, clauses }: RuleVerdict): string {
  if (action === 'vote') return clauses.map(clauseText).join(', ');
  return action === 'keep' ? 'keep all' : action;
}

function actionOf(text: string): 'keep' | 'delete' | 'report' | undefined {
  if (text === 'keep all') return 'keep';
  return text === 'delete' || text === 'report' ? text : undefined;
}

function clauseKey(clause: KeepClause): string {
  return clause.kind === 'calendar' ? clause.period : clause.kind;
}
