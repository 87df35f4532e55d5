import {
  DEFAULT_LIMITS,
  type KeepClause,
  type ProtectItem,
  type RetentionLimits,
  type RetentionPolicy,
  type RetentionRule,
  type RuleSubject,
  type SemverLevel,
  type TagSelector,
} from '../../src/core/retention/policy.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Limits under which nothing stops a small plan, and nothing is too young. */
const NO_LIMITS: RetentionLimits = {
  ...DEFAULT_LIMITS,
  maxDelete: { kind: 'percent', percent: 100, atLeast: 0 },
  grace: { taggedMs: 0, untaggedMs: 0 },
};

export function samplePolicy(
  rules: readonly RetentionRule[],
  {
    protect = [],
    limits = {},
  }: { readonly protect?: readonly ProtectItem[]; readonly limits?: Partial<RetentionLimits> } = {},
): RetentionPolicy {
  return { text: 'sample', protect, rules, limits: { ...NO_LIMITS, ...limits } };
}

/** A rule for a glob with one star at most, or of the kind `untagged`, `orphans`, `broken`, `versions`, `others`. */
export function rule(of: string | RegExp, ...clauses: readonly KeepClause[]): RetentionRule {
  return { text: `${of}`, subject: subjectOf(of), action: 'vote', clauses };
}

export function actionRule(of: string | RegExp, action: RetentionRule['action']): RetentionRule {
  return { text: `${of}: ${action}`, subject: subjectOf(of), action, clauses: [] };
}

function subjectOf(of: string | RegExp): RuleSubject {
  switch (of) {
    case 'untagged':
    case 'orphans':
    case 'broken':
    case 'versions':
    case 'others':
      return { kind: of };
    default:
      return { kind: 'tags', selector: selector(of) };
  }
}

export function selector(of: string | RegExp): TagSelector {
  return {
    text: `${of}`,
    match: (tag) => {
      if (of instanceof RegExp) {
        const match = of.exec(tag);
        return match === null ? undefined : { variable: match[1] ?? tag };
      }
      const [before = '', after] = of.split('*');
      if (after === undefined) return tag === of ? { variable: tag } : undefined;
      const fits = tag.startsWith(before) && tag.endsWith(after) && tag.length >= before.length + after.length;
      return fits ? { variable: tag.slice(before.length, tag.length - after.length) } : undefined;
    },
  };
}

/** `latest`, `v*`, and with `?` behind it one that may match nothing. */
export function protectTag(text: string): ProtectItem {
  const bare = text.replace(/\?$/, '');
  return { kind: 'tags', text: bare, optional: bare !== text, selector: selector(bare) };
}

export function keep(count: number, by: (KeepClause & { kind: 'keep' })['by'] = 'pushed'): KeepClause {
  return { kind: 'keep', count, by };
}

export function forDays(days: number, since: 'pushed' | 'updated' = 'pushed'): KeepClause {
  return { kind: 'for', ageMs: days * DAY_MS, since };
}

/** `3 minors`, `prereleases 5 for 30d` as `{ minors: 3, prereleases: [5, 30] }`. */
export function semver(levels: Readonly<Partial<Record<SemverLevel, number | readonly [number, number]>>>): KeepClause {
  return {
    kind: 'semver',
    levels: (['majors', 'minors', 'patches', 'prereleases'] as const).flatMap((level) => {
      const given = levels[level];
      if (given === undefined) return [];
      const [count, days] = typeof given === 'number' ? [given, undefined] : given;
      return [{ level, count, ageMs: days === undefined ? undefined : days * DAY_MS }];
    }),
  };
}
