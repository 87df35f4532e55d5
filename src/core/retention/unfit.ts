import { nearest } from '../nearest.ts';
import { quote } from '../printable.ts';
import type { Inventory } from './inventory.ts';
import type { PlanRequest } from './plan.ts';
import type { RetentionRule } from './policy.ts';
import { SUBJECTS } from './selector.ts';

/** What a policy asks of a registry that cannot do it: sentences. */
export interface Unfit {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

/** Compares a policy with what the registry or engine can do. */
export function unfit({
  policy,
  abilities,
  inventory,
}: Pick<PlanRequest, 'policy' | 'abilities' | 'inventory'>): Unfit {
  const refusals = policy.rules.flatMap((rule) =>
    asksForPulls(rule) && !abilities.reportsPulls
      ? [`the rule ${quote(rule.text)} asks when images were last pulled, which this registry does not tell: use for`]
      : [],
  );
  refusals.push(...asksForCreation(policy.rules, inventory));
  const warnings = policy.rules.flatMap((rule) =>
    rule.subject.kind === 'untagged' && !abilities.listsUntagged
      ? [`the rule ${quote(rule.text)} finds nothing: this registry does not list what has no tag`]
      : [],
  );
  warnings.push(...misspelt(policy.rules, inventory));
  if (policy.limits.untag === 'safe' && !abilities.deletesTags)
    warnings.push('untag safe does nothing: this registry cannot take a tag off an image that stays');
  return { refusals, warnings };
}

/** A registry that tells times, and this one of none, would keep all of such a rule for ever. */
function asksForCreation(rules: readonly RetentionRule[], { entries }: Inventory): readonly string[] {
  const isTold = entries.some(({ createdAtMs }) => createdAtMs !== undefined);
  if (isTold || entries.every(({ pushedAtMs }) => pushedAtMs === undefined)) return [];
  return rules
    .filter(({ clauses }) => clauses.some((clause) => clause.kind === 'keep' && clause.by === 'image-created'))
    .map(
      ({ text }) =>
        `the rule ${quote(text)} asks when images were made, which this registry does not tell: use by pushed`,
    );
}

/** Rules for a single tag that is not there, and is nearly a word that is no tag. */
function misspelt(rules: readonly RetentionRule[], { entries }: Inventory): readonly string[] {
  return rules.flatMap(({ text, subject }) => {
    if (subject.kind !== 'tags' || !/^\w+$/.test(subject.selector.text)) return [];
    const near = nearest(subject.selector.text, SUBJECTS);
    const isThere = entries.some(({ tags }) => tags.some((tag) => subject.selector.match(tag) !== undefined));
    return near === undefined || isThere ? [] : [`the rule ${quote(text)} matches no tag here; did you mean ${near}?`];
  });
}

function asksForPulls({ clauses }: RetentionRule): boolean {
  return clauses.some(({ kind }) => kind === 'used');
}
