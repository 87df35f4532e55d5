import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import { formatAge, parseAge } from './age.ts';
import { parseCount } from './count.ts';
import type { Piece, Report } from './piece.ts';
import type { SemverKeep, SemverLevel } from './policy.ts';
import { chooseWord } from './word-choice.ts';

export const SEMVER_LEVELS: readonly SemverLevel[] = ['majors', 'minors', 'patches', 'prereleases'];

/** Parses `semver 2 majors, 3 minors, prereleases 5 for 30d`, whose commas are gone: no level twice, at least one. */
export function parseSemverLevels(words: readonly Piece[], report: Report): readonly SemverKeep[] | undefined {
  const levels: SemverKeep[] = [];
  for (let at = 1; at < words.length || levels.length === 0; ) {
    const [first, second, then, age] = words.slice(at, at + 4);
    const hasAge = then?.text === 'for';
    const level = parseLevel(first?.text ?? '', second?.text ?? '', hasAge ? (age?.text ?? '') : undefined);
    const problem = level.ok ? whyTwice(level.value, levels) : level.problem;
    const place = first ?? words[0];
    if (problem !== undefined && place !== undefined) report(place, `semver ${problem}`);
    if (!level.ok || problem !== undefined) return undefined;
    levels.push(level.value);
    at += hasAge ? 4 : 2;
  }
  return levels;
}

/** True for what goes on with a semver clause after a comma: `3 minors`, `prereleases 5`. */
export function continuesSemver(word: string): boolean {
  return /^[0-9]/.test(word) || SEMVER_LEVELS.some((level) => level === word);
}

/** A level in one form: `5 prereleases for 30d`. */
export function semverLevelText({ level, count, ageMs }: SemverKeep): string {
  return `${count} ${level}${ageMs === undefined ? '' : ` for ${formatAge(ageMs)}`}`;
}

function parseLevel(first: string, second: string, age: string | undefined): Parsed<SemverKeep> {
  if (first === '' || second === '') {
    return unparsable(`needs numbers and levels: semver 2 majors, 3 minors, 2 patches, 5 prereleases for 30d`);
  }
  const isNumberFirst = !/^[A-Za-z]/.test(first);
  const level = chooseWord(isNumberFirst ? second : first, 'level', SEMVER_LEVELS);
  if (!level.ok) return level;
  const count = parseCount(isNumberFirst ? first : second, level.value === 'prereleases' ? 0 : 1);
  if (!count.ok) return unparsable(`${level.value} ${count.problem}`);
  const ageMs = age === undefined ? parsed(undefined) : parseAge(age);
  return ageMs.ok ? parsed({ level: level.value, count: count.value, ageMs: ageMs.value }) : ageMs;
}

function whyTwice({ level }: SemverKeep, levels: readonly SemverKeep[]): string | undefined {
  return levels.some((one) => one.level === level) ? `has ${quote(level)} twice` : undefined;
}
