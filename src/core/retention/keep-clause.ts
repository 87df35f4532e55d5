import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import { formatAge, parseAge } from './age.ts';
import { parseCount } from './count.ts';
import type { Piece, Report } from './piece.ts';
import type { CalendarPeriod, KeepClause, KeepOrder, WhileState } from './policy.ts';
import { parseSemverLevels, SEMVER_LEVELS, semverLevelText } from './semver-levels.ts';
import { chooseWord, suggestion } from './word-choice.ts';

const ORDERS: readonly KeepOrder[] = ['pushed', 'updated', 'semver', 'image-created'];
const SINCE = ['pushed', 'updated'] as const;
const PERIODS: readonly CalendarPeriod[] = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];
const STATES: readonly WhileState[] = ['open', 'branch', 'tag'];
/** The words that clauses begin with. */
export const CLAUSE_WORDS: readonly string[] = ['keep', 'for', 'used', 'semver', ...PERIODS, 'while'];
/** What stands for all clauses of a rule. */
const ACTION_WORDS: readonly string[] = ['delete', 'report'];
const FORMS =
  'keep N, for AGE, used AGE, semver N LEVEL, hourly|daily|weekly|monthly|yearly N, while open|branch|tag, ' +
  'or alone: keep all, delete, report';

/** Parses one clause; its words may stand at several places. */
export function parseKeepClause(words: readonly Piece[], report: Report): KeepClause | undefined {
  const [keyword] = words;
  if (keyword === undefined) return undefined;
  if (keyword.text === 'semver') {
    const levels = parseSemverLevels(words, report);
    return levels === undefined ? undefined : { kind: 'semver', levels };
  }
  const clause = parseWords(
    keyword.text,
    words.slice(1).map(({ text }) => text),
  );
  if (clause.ok) return clause.value;
  report(keyword, clause.problem);
  return undefined;
}

/** A clause in one form. */
export function clauseText(clause: KeepClause): string {
  switch (clause.kind) {
    case 'keep':
      return `keep ${clause.count}${clause.by === 'pushed' ? '' : ` by ${clause.by}`}`;
    case 'for':
      return `for ${formatAge(clause.ageMs)}${clause.since === 'pushed' ? '' : ` since ${clause.since}`}`;
    case 'used':
      return `used ${formatAge(clause.ageMs)}`;
    case 'semver':
      return `semver ${clause.levels.map(semverLevelText).join(', ')}`;
    case 'calendar':
      return `${clause.period} ${clause.count}`;
    case 'while':
      return `while ${clause.state}`;
  }
}

function parseWords(keyword: string, rest: readonly string[]): Parsed<KeepClause> {
  const period = PERIODS.find((one) => one === keyword);
  if (period !== undefined) return parseCalendar(period, rest);
  switch (keyword) {
    case 'keep':
      return parseKeep(rest);
    case 'for':
      return parseFor(rest);
    case 'used':
      return parseUsed(rest);
    case 'while':
      return parseWhile(rest);
    default:
      return unparsable(unknownClause(keyword));
  }
}

function unknownClause(keyword: string): string {
  const near = suggestion(keyword, [...CLAUSE_WORDS, ...ACTION_WORDS, ...SEMVER_LEVELS]);
  return `${quote(keyword)} begins no clause: ${FORMS} are allowed${near}`;
}

function parseKeep([count, by, order, ...rest]: readonly string[]): Parsed<KeepClause> {
  if (count === undefined) return unparsable('keep needs a number: keep 20 is allowed, or keep all');
  const number = parseCount(count, 0);
  if (!number.ok) return unparsable(`keep ${number.problem}`);
  if (by === undefined) return parsed({ kind: 'keep', count: number.value, by: 'pushed' });
  if (by !== 'by' || order === undefined || rest.length > 0) {
    return unparsable(
      `${quote(['keep', count, by, order, ...rest].join(' '))} is no clause: keep 20 by semver is allowed`,
    );
  }
  const chosen = chooseWord(order, 'order', ORDERS);
  return chosen.ok ? parsed({ kind: 'keep', count: number.value, by: chosen.value }) : chosen;
}

function parseFor(rest: readonly string[]): Parsed<KeepClause> {
  const at = rest.indexOf('since');
  const age = parseAge(rest.slice(0, at < 0 ? rest.length : at).join(' '));
  if (!age.ok) return unparsable(`for ${age.problem}`);
  if (at < 0) return parsed({ kind: 'for', ageMs: age.value, since: 'pushed' });
  const since = chooseWord(rest.slice(at + 1).join(' '), 'moment', SINCE);
  return since.ok ? parsed({ kind: 'for', ageMs: age.value, since: since.value }) : since;
}

function parseUsed(rest: readonly string[]): Parsed<KeepClause> {
  const age = parseAge(rest.join(' '));
  return age.ok ? parsed({ kind: 'used', ageMs: age.value }) : unparsable(`used ${age.problem}`);
}

function parseWhile(rest: readonly string[]): Parsed<KeepClause> {
  const state = chooseWord(rest.join(' '), 'state for while', STATES);
  return state.ok ? parsed({ kind: 'while', state: state.value }) : state;
}

function parseCalendar(period: CalendarPeriod, rest: readonly string[]): Parsed<KeepClause> {
  if (rest.length === 0) return unparsable(`${period} needs a number: ${period} 7 is allowed`);
  const count = parseCount(rest.join(' '), 1);
  return count.ok ? parsed({ kind: 'calendar', period, count: count.value }) : unparsable(`${period} ${count.problem}`);
}
