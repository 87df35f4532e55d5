import { quote } from '../core/printable.ts';
import { familiarName, formatRepositoryName, isLocalName } from '../core/reference.ts';
import { parseRetention } from '../core/retention/parse-policies.ts';
import { POLICY_EXAMPLES } from '../core/retention/policy-examples.ts';
import type { Problem } from '../errors.ts';
import type { Options } from '../options.ts';

/** What is wrong with the inputs of retention; `prunes`: this is the command's one purpose; `hasPlan`: it has all from a plan. */
export function findPruneProblems(
  { retention = '', images, local }: Options,
  { prunes, hasPlan }: { readonly prunes: boolean; readonly hasPlan: boolean },
): readonly Problem[] {
  const problems: Problem[] = [];
  const parsed = retention.trim() === '' ? undefined : parseRetention(retention);
  if (parsed?.ok === false) problems.push(...parsed.problems.map((message) => ({ input: 'retention', message })));
  if (!prunes || hasPlan || local) return problems;
  if (images.length === 0) problems.push({ input: 'images', message: 'is required: name the repository to prune' });
  if (parsed === undefined) {
    problems.push({
      input: 'retention',
      message: `is required: without a rule nothing is deleted from a registry. For example:\n${examples()}`,
    });
  }
  for (const image of images.filter(isLocalName)) {
    const name = quote(familiarName(formatRepositoryName(image)));
    problems.push({ input: 'images', message: `${name} names no registry; local: true prunes the local engine` });
  }
  return problems;
}

function examples(): string {
  return POLICY_EXAMPLES.map(({ about, policy }) => `${policy}\n  # ${about}`).join('\n');
}
