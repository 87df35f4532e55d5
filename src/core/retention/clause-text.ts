import type { KeepClause, SemverKeep, WhileState } from './policy.ts';

const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
const PERIODS = { hourly: 'hour', daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' } as const;
const THINGS: Readonly<Record<WhileState, string>> = {
  open: 'its pull request is closed',
  branch: 'its branch is gone',
  tag: 'its git tag is gone',
};

/** A clause as the grammar writes it. */
export function clauseText(clause: KeepClause): string {
  switch (clause.kind) {
    case 'keep':
      return `keep ${clause.count}${clause.by === 'pushed' ? '' : ` by ${clause.by}`}`;
    case 'for':
      return `for ${ageText(clause.ageMs)}${clause.since === 'pushed' ? '' : ' since updated'}`;
    case 'used':
      return `used ${ageText(clause.ageMs)}`;
    case 'semver':
      return `semver ${clause.levels.map(levelText).join(', ')}`;
    case 'calendar':
      return `${clause.period} ${clause.count}`;
    case 'while':
      return `while ${clause.state}`;
  }
}

/** Why a clause does not keep something: half a sentence, without the ages of now. */
export function missText(clause: KeepClause): string {
  switch (clause.kind) {
    case 'keep':
      return `not ${among(clause.count, clause.by === 'semver' ? 'highest' : 'newest')}`;
    case 'for':
      return `older than ${ageText(clause.ageMs)}`;
    case 'used':
      return `not pulled for ${ageText(clause.ageMs)}`;
    case 'semver':
      return `not of ${clauseText(clause)}`;
    case 'calendar':
      return `not the last of its ${PERIODS[clause.period]}, or of none of the ${clause.count} newest`;
    case 'while':
      return THINGS[clause.state];
  }
}

/** `14d`, `1d12h`: a duration as the grammar writes it. */
export function ageText(ageMs: number): string {
  let left = ageMs;
  const parts: string[] = [];
  for (const [unit, unitMs] of Object.entries(UNITS_MS)) {
    const count = Math.floor(left / unitMs);
    if (count > 0) parts.push(`${count}${unit}`);
    left -= count * unitMs;
  }
  return parts.length === 0 ? '0s' : parts.join('');
}

function among(count: number, superlative: string): string {
  return count === 1 ? `the ${superlative}` : `one of the ${count} ${superlative}`;
}

function levelText({ level, count, ageMs }: SemverKeep): string {
  return `${count} ${level}${ageMs === undefined ? '' : ` for ${ageText(ageMs)}`}`;
}
