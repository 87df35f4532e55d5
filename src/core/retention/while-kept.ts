import { quote } from '../printable.ts';
import type { GitState, InventoryEntry } from './inventory.ts';
import type { RetentionRule, WhileState } from './policy.ts';

interface NamedTag {
  readonly entry: InventoryEntry;
  readonly tag: string | undefined;
  readonly variable: string;
}

interface WhileSetting {
  readonly nowMs: number;
  readonly git: GitState;
  readonly rule: RetentionRule;
  readonly warnings: string[];
}

/**
 * Which of the tags a `while` clause keeps: their pull request is open, their branch or git tag is there. What cannot be read is
 * taken to be there still. A closed pull request keeps for as long as the rule's `for` says, from its closing or the push,
 * whichever is later.
 */
export function keptWhile(state: WhileState, voters: readonly NamedTag[], setting: WhileSetting): readonly boolean[] {
  const { git, rule, warnings } = setting;
  if (state === 'open') return keptWhileOpen(voters, setting);
  const names = state === 'branch' ? git.branches : git.gitTags;
  if (names !== undefined) return voters.map(({ variable }) => names.has(variable));
  if (voters.length > 0)
    warnings.push(
      `the ${state === 'branch' ? 'branches' : 'git tags'} could not be read: all of ${quote(rule.text)} stay`,
    );
  return voters.map(() => true);
}

function keptWhileOpen(voters: readonly NamedTag[], setting: WhileSetting): readonly boolean[] {
  const { git, rule, warnings } = setting;
  const { pullRequests } = git;
  if (pullRequests === undefined) {
    if (voters.length > 0) warnings.push(`the pull requests could not be read: all of ${quote(rule.text)} stay`);
    return voters.map(() => true);
  }
  const unknown = new Set<string>();
  const kept = voters.map(({ entry, tag = '', variable }) => {
    const closed = pullRequests.get(pullRequestOf(tag, variable) ?? Number.NaN);
    if (closed === undefined) unknown.add(tag);
    return closed === undefined || closed === 'open' || isYetKept(closed, entry, setting);
  });
  if (unknown.size > 0) {
    const [first = ''] = unknown;
    const others = unknown.size > 1 ? ` and ${unknown.size - 1} more` : '';
    warnings.push(`no pull request is known for ${quote(first)}${others}: they stay; the rule is ${quote(rule.text)}`);
  }
  return kept;
}

/** The first number in the part that varies, else in the tag. */
export function pullRequestOf(tag: string, variable: string): number | undefined {
  const digits = /[0-9]+/.exec(variable)?.[0] ?? /[0-9]+/.exec(tag)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

function isYetKept(closedMs: number, entry: InventoryEntry, { rule, nowMs }: WhileSetting): boolean {
  return rule.clauses.some((clause) => {
    if (clause.kind !== 'for') return false;
    const sinceMs = clause.since === 'updated' ? entry.updatedAtMs : entry.pushedAtMs;
    return sinceMs === undefined || nowMs - Math.max(sinceMs, closedMs) <= clause.ageMs;
  });
}
