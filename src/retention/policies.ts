import { familiarName, formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import { parseRetention } from '../core/retention/parse-policies.ts';
import type { RetentionPolicies, RetentionPolicy } from '../core/retention/policy.ts';
import { policyFor } from '../core/retention/policy-lookup.ts';
import { type Problem, UsageError } from '../errors.ts';
import type { Run } from '../stage.ts';
import type { GivenPlan } from './plan-file.ts';

/** The rules of a run. */
export interface RunPolicies {
  /** `undefined`: nothing is to be deleted there. */
  of(name: RepositoryName): RetentionPolicy | undefined;
  readonly all: readonly RetentionPolicy[];
}

/** What stays of each repository of the local engine where nobody says more. */
const LOCAL_DEFAULT = '* : keep 3\nuntagged : keep 3';

/** The rules of the run's inputs, or those that a plan was made by. UsageError for what is none. */
export function readPolicies({ options }: Run, given: GivenPlan | undefined): RunPolicies {
  if (given !== undefined) {
    const byName = new Map(given.map(({ repository, policy }) => [repository, generalOf(parse(policy, '--plan'))]));
    return {
      of: (name) => byName.get(familiarName(formatRepositoryName(name))),
      all: [...byName.values()].filter((policy) => policy !== undefined),
    };
  }
  const policies = parse(options.retention ?? (options.local ? LOCAL_DEFAULT : 'off'), 'retention');
  if (policies === 'off') return { of: () => undefined, all: [] };
  const { general, byImage } = policies;
  return {
    of: (name) => policyFor(policies, formatRepositoryName(name)),
    all: [...(general === undefined ? [] : [general]), ...byImage.values()],
  };
}

function generalOf(policies: RetentionPolicies | 'off'): RetentionPolicy | undefined {
  return policies === 'off' ? undefined : policies.general;
}

function parse(text: string, input: Problem['input']): RetentionPolicies | 'off' {
  const parsed = parseRetention(text);
  if (parsed.ok) return parsed.value;
  throw new UsageError(parsed.problems.map((message) => ({ input, message })));
}
