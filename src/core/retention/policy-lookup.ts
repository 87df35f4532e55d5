import { formatRepositoryName, parseRepositoryName } from '../reference.ts';
import type { RetentionPolicies, RetentionPolicy } from './policy.ts';

/** The policy of a repository: its own, else the general one, else none. */
export function policyFor(policies: RetentionPolicies, repository: string): RetentionPolicy | undefined {
  const name = parseRepositoryName(repository.toLowerCase());
  const own = name.ok ? policies.byImage.get(formatRepositoryName(name.value)) : undefined;
  return own ?? policies.general;
}
