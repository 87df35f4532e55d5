import { quote } from '../printable.ts';
import type { PlanRequest } from './plan.ts';
import type { RetentionRule } from './policy.ts';

/** What a policy asks of a registry that cannot do it: sentences. */
export interface Unfit {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

/** Compares a policy with what the registry or engine can do. */
export function unfit({ policy, abilities }: Pick<PlanRequest, 'policy' | 'abilities'>): Unfit {
  const refusals = policy.rules.flatMap((rule) =>
    asksForPulls(rule) && !abilities.reportsPulls
      ? [`the rule ${quote(rule.text)} asks when images were last pulled, which this registry does not tell: use for`]
      : [],
  );
  const warnings = policy.rules.flatMap((rule) =>
    rule.subject.kind === 'untagged' && !abilities.listsUntagged
      ? [`the rule ${quote(rule.text)} finds nothing: this registry does not list what has no tag`]
      : [],
  );
  if (policy.limits.untag === 'safe' && !abilities.deletesTags)
    warnings.push('untag safe does nothing: this registry cannot take a tag off an image that stays');
  return { refusals, warnings };
}

function asksForPulls({ clauses }: RetentionRule): boolean {
  return clauses.some(({ kind }) => kind === 'used');
}
