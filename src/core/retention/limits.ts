import { isTimeZone } from '../date-format.ts';
import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import { formatAge, parseAge } from './age.ts';
import { parseCount } from './count.ts';
import type { Piece, Report } from './piece.ts';
import { DEFAULT_LIMITS, type RetentionLimits } from './policy.ts';
import { chooseWord } from './word-choice.ts';

const UNTAG = ['off', 'safe'] as const;
/** The names of limits. */
export const LIMIT_NAMES = ['max-delete', 'min-keep', 'max-time', 'grace', 'reserve', 'tz', 'untag'] as const;

/** Parses limits, each given as its words: `max-delete 30%`, `tz Europe/Athens`. The others are as they are by default. */
export function parseLimits(all: readonly (readonly Piece[])[], report: Report): RetentionLimits {
  const given = new Set<string>();
  let limits = DEFAULT_LIMITS;
  for (const words of all) {
    const [name] = words;
    if (name === undefined) continue;
    const value = words
      .slice(1)
      .map(({ text }) => text)
      .join(' ');
    const limit = given.has(name.text)
      ? unparsable(`${quote(name.text)} is given twice`)
      : parseLimit(name.text, value);
    given.add(name.text);
    if (limit.ok) limits = { ...limits, ...limit.value };
    else report(name, limit.problem);
  }
  return limits;
}

/** The limits that are not as by default, in one form; empty when all are. */
export function limitsText({
  maxDelete,
  minKeep,
  maxTimeMs,
  grace,
  reserve,
  timeZone,
  untag,
}: RetentionLimits): string {
  const isDefaultGrace =
    grace.taggedMs === DEFAULT_LIMITS.grace.taggedMs && grace.untaggedMs === DEFAULT_LIMITS.grace.untaggedMs;
  const parts = [
    maxDelete.kind === 'count' ? `max-delete ${maxDelete.count}` : '',
    maxDelete.kind === 'percent' && maxDelete.atLeast === 0 ? `max-delete ${maxDelete.percent}%` : '',
    minKeep === DEFAULT_LIMITS.minKeep ? '' : `min-keep ${minKeep}`,
    maxTimeMs === undefined ? '' : `max-time ${formatAge(maxTimeMs)}`,
    isDefaultGrace ? '' : `grace ${formatAge(grace.taggedMs)}`,
    reserve === DEFAULT_LIMITS.reserve ? '' : `reserve ${reserve}`,
    timeZone === DEFAULT_LIMITS.timeZone ? '' : `tz ${timeZone}`,
    untag === DEFAULT_LIMITS.untag ? '' : `untag ${untag}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function parseLimit(text: string, value: string): Parsed<Partial<RetentionLimits>> {
  const name = chooseWord(text, 'limit', LIMIT_NAMES);
  if (!name.ok) return name;
  const limit = parseValue(name.value, value);
  return limit.ok ? limit : unparsable(`${name.value} ${limit.problem}`);
}

function parseValue(name: (typeof LIMIT_NAMES)[number], value: string): Parsed<Partial<RetentionLimits>> {
  switch (name) {
    case 'max-delete':
      return withValue(parseMaxDelete(value), (maxDelete) => ({ maxDelete }));
    case 'min-keep':
      return withValue(parseCount(value, 0), (minKeep) => ({ minKeep }));
    case 'max-time':
      return withValue(parseAge(value), (maxTimeMs) => ({ maxTimeMs }));
    case 'grace':
      return withValue(parseAge(value), (ageMs) => ({ grace: { taggedMs: ageMs, untaggedMs: ageMs } }));
    case 'reserve':
      return withValue(parseCount(value, 0), (reserve) => ({ reserve }));
    case 'tz':
      return /^[A-Za-z]/.test(value) && isTimeZone(value)
        ? parsed({ timeZone: value })
        : unparsable(`${quote(value)} is no time zone: an IANA name is allowed, as in Europe/Athens`);
    case 'untag':
      return withValue(chooseWord(value, 'way to untag', UNTAG), (untag) => ({ untag }));
  }
}

function withValue<T>(
  value: Parsed<T>,
  wrap: (value: T) => Partial<RetentionLimits>,
): Parsed<Partial<RetentionLimits>> {
  return value.ok ? parsed(wrap(value.value)) : value;
}

function parseMaxDelete(value: string): Parsed<RetentionLimits['maxDelete']> {
  if (!value.endsWith('%')) {
    const count = parseCount(value, 0);
    return count.ok ? parsed({ kind: 'count', count: count.value }) : count;
  }
  const percent = parseCount(value.slice(0, -1), 0);
  if (!percent.ok || percent.value > 100) return unparsable(`${quote(value)} is no share: 0% to 100% are allowed`);
  return parsed({ kind: 'percent', percent: percent.value, atLeast: 0 });
}
