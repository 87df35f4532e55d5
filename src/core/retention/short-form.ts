import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import { formatAge, parseAge } from './age.ts';
import { parseCount } from './count.ts';
import { DEFAULT_LIMITS, type KeepClause, type RetentionPolicy } from './policy.ts';
import { makeRule } from './policy-draft.ts';
import { suggestion } from './word-choice.ts';

/** How many images of each lane stay, however old they are, when the input is an age. */
const LEAST_OF_AGE = 5;

/**
 * Parses `10`, `30d` or `off`. Versions and all other images are two lanes, so that builds of a branch push no release out.
 */
export function parseShortForm(text: string): Parsed<RetentionPolicy | 'off'> {
  if (text === 'off') return parsed('off');
  if (text === '0') return unparsable('"0" would keep no image: off is allowed, to delete none, or a number from 1');
  const count = parseCount(text, 1);
  if (count.ok) return parsed(lanes(String(count.value), count.value, []));
  const age = parseAge(text);
  if (age.ok)
    return parsed(lanes(formatAge(age.value), LEAST_OF_AGE, [{ kind: 'for', ageMs: age.value, since: 'pushed' }]));
  // What has a number and a unit was meant for an age, so that its problem says more.
  if (/^[0-9]+[smhdwy]/.test(text)) return age;
  const forms = '10 (images), 30d (an age), off, or rules as "sha-*: keep 20, for 14d" are allowed';
  return unparsable(`${quote(text)} is no retention: ${forms}${suggestion(text, ['off'])}`);
}

function lanes(text: string, count: number, clauses: readonly KeepClause[]): RetentionPolicy {
  const rules = [
    makeRule({ kind: 'versions' }, { action: 'vote', clauses: [...clauses, { kind: 'keep', count, by: 'semver' }] }),
    makeRule({ kind: 'others' }, { action: 'vote', clauses: [...clauses, { kind: 'keep', count, by: 'pushed' }] }),
  ];
  return { text, protect: [], rules, limits: DEFAULT_LIMITS };
}
