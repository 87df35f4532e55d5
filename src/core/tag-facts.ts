import { createHash } from 'node:crypto';
import type { GitEvent } from './tag-rules.ts';
import type { TemplateFacts } from './tag-template.ts';

/** What the run is about, as far as it can give a tag its name. */
export type Subject =
  | { readonly kind: 'branch' | 'tag'; readonly name: string }
  | { readonly kind: 'pull-request'; readonly number: string }
  /** A branch that GitHub makes to test a merge and throws away. */
  | { readonly kind: 'merge-queue' }
  | { readonly kind: 'none' };

const SHORT_SHA_LENGTH = 7;
const MAX_NAME_LENGTH = 1024;
const MERGE_QUEUE = 'gh-readonly-queue/';

/** A pull request is one whatever its ref says: `pull_request_target` runs on the base branch. */
export function subjectOf(event: GitEvent): Subject {
  const number = event.pullRequest ?? /^refs\/pull\/([0-9]{1,15})\//.exec(event.ref ?? '')?.[1];
  if (number !== undefined) return { kind: 'pull-request', number: String(number) };
  const tag = event.tag ?? nameIn(event.ref, 'refs/tags/');
  if (tag !== undefined) return { kind: 'tag', name: clipped(tag) };
  const branch = event.branch ?? nameIn(event.ref, 'refs/heads/');
  if (branch === undefined) return { kind: 'none' };
  return branch.startsWith(MERGE_QUEUE) ? { kind: 'merge-queue' } : { kind: 'branch', name: clipped(branch) };
}

/** What the global expressions stand for in this run; empty where docker/metadata-action leaves them empty. */
export function templateFacts(event: GitEvent): TemplateFacts {
  const subject = subjectOf(event);
  const isDefaultBranch = onDefaultBranch(event, subject);
  const hasBase = subject.kind === 'pull-request' || subject.kind === 'tag';
  return {
    event: {
      branch: subject.kind === 'branch' ? subject.name : '',
      tag: subject.kind === 'tag' ? subject.name : '',
      sha: shortSha(event.sha ?? ''),
      base_ref: hasBase ? clipped((event.baseRef ?? '').replace(/^refs\/heads\//, '')) : '',
      is_default_branch: String(isDefaultBranch),
      is_not_default_branch: String(!isDefaultBranch),
    },
    dates: { date: event.date, commit_date: event.commitDate ?? event.date },
  };
}

export function shortSha(sha: string): string {
  return sha.slice(0, SHORT_SHA_LENGTH);
}

function onDefaultBranch(event: GitEvent, subject: Subject): boolean {
  if (subject.kind !== 'branch') return false;
  return event.isDefaultBranch ?? subject.name === event.defaultBranch;
}

function nameIn(ref: string | undefined, folder: string): string | undefined {
  return ref?.startsWith(folder) === true && ref.length > folder.length ? ref.slice(folder.length) : undefined;
}

/** No git host takes longer names; what is longer is cut before it is repeated in templates, and stays distinct. */
function clipped(name: string): string {
  if (name.length <= MAX_NAME_LENGTH) return name;
  return `${name.slice(0, MAX_NAME_LENGTH)}-${createHash('sha256').update(name).digest('hex')}`;
}
