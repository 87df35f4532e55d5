import { planTags, type TagPlan, type TagRequest } from '../../src/core/tag-candidates.ts';
import type { GitEvent } from '../../src/core/tag-rules.ts';

export const SHA = '860c1904a1ce19322e91ac35af1ab07466440c37';
export const DATE = new Date('2020-01-10T00:30:00.000Z');

/** A push to a branch. */
export function onBranch(branch: string, more: Partial<GitEvent> = {}): GitEvent {
  return { ref: `refs/heads/${branch}`, sha: SHA, eventName: 'push', defaultBranch: 'master', date: DATE, ...more };
}

/** A push of a git tag. */
export function onTag(tag: string, more: Partial<GitEvent> = {}): GitEvent {
  return { ref: `refs/tags/${tag}`, sha: SHA, eventName: 'push', defaultBranch: 'master', date: DATE, ...more };
}

export const onPullRequest: GitEvent = {
  ref: 'refs/pull/2/merge',
  sha: SHA,
  eventName: 'pull_request',
  pullRequest: 2,
  baseRef: 'master',
  defaultBranch: 'master',
  date: DATE,
};
export const onSchedule = onBranch('master', { eventName: 'schedule' });

function request(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): TagRequest {
  return { tags, flavor: [], version: undefined, tagPrefix: 'v', immutableTags: undefined, event, ...more };
}

/** The tags of a run with these rules; throws the problems, if any. */
export function plan(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): TagPlan {
  const result = planTags(request(tags, event, more));
  if (!result.ok) throw new Error(result.problems.map(({ input, message }) => `${input}: ${message}`).join('\n'));
  return result.value;
}

export function tagsOf(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): readonly string[] {
  return plan(tags, event, more).candidates.map(({ tag }) => tag);
}

export function kindsOf(
  tags: readonly string[],
  event: GitEvent,
  more: Partial<TagRequest> = {},
): Record<string, string> {
  return Object.fromEntries(plan(tags, event, more).candidates.map(({ tag, kind }) => [tag, kind]));
}

/** What is wrong with these rules, as `input: message`. */
export function problemsOf(tags: readonly string[], more: Partial<TagRequest> = {}): readonly string[] {
  const result = planTags(request(tags, onTag('v1.2.3'), more));
  return result.ok ? [] : result.problems.map(({ input, message }) => `${input}: ${message}`);
}
