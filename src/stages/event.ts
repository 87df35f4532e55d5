import { booleanAt, numberAt, textAt, valueAt } from '../core/json.ts';
import { quote, toLine } from '../core/printable.ts';
import type { GitEvent } from '../core/tag-rules.ts';
import { parseDate } from '../core/timestamp.ts';
import { UsageError } from '../errors.ts';
import type { Host } from '../host.ts';

/** The repository on GitHub whose workflow runs. */
export interface GitHubRepository {
  /** `owner/name`, as GitHub spells it. */
  readonly fullName: string;
  readonly url: string;
  readonly description: string | undefined;
  /** SPDX identifier. */
  readonly license: string | undefined;
  /** `undefined` when the event does not say. */
  readonly isPrivate: boolean | undefined;
}

/** What started this run. Without a runner there is no event: then only tags that are given are made. */
export interface RunEvent {
  readonly git: GitEvent;
  readonly repository: GitHubRepository | undefined;
  /** Where this run can be looked at. */
  readonly runUrl: string | undefined;
  /** Whether this run pushes: never when it is untrusted, nor when the option says no. */
  readonly push: boolean;
  /** Why the run must not push whatever was asked, or `undefined`. */
  readonly untrusted: string | undefined;
  /** That a branch or tag was deleted, in words: the run is on the default branch then, and nothing was pushed there. */
  readonly deleted: string | undefined;
}

type Env = Host['env'];

/**
 * Where Dependabot's runs get a token that may only read: "Troubleshooting Dependabot on GitHub Actions", restrictions when
 * Dependabot triggers events, https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot
 */
const READ_ONLY_FOR_DEPENDABOT = new Set([
  'pull_request',
  'pull_request_target',
  'pull_request_review',
  'pull_request_review_comment',
  'push',
  'create',
  'deployment',
  'deployment_status',
]);
/** The part of an event that says where the code comes from, and where in it. */
const HEADS = [
  { events: /^pull_request/, part: 'pull_request', head: ['head', 'repo', 'full_name'] },
  { events: /^workflow_run$/, part: 'workflow_run', head: ['head_repository', 'full_name'] },
];

/** Reads the event that the runner wrote down; `push` is whether the run may. UsageError when that file is not JSON. */
export function readEvent(host: Host): RunEvent {
  const { env } = host;
  const payload = readPayload(host);
  const untrusted = whyUntrusted(env, payload);
  return {
    git: gitEvent(host, payload),
    repository: repositoryOf(env, payload),
    runUrl: runUrl(env),
    push: untrusted === undefined,
    untrusted,
    deleted: deletedRef(env, payload),
  };
}

function readPayload(host: Host): unknown {
  const path = host.env['GITHUB_EVENT_PATH'];
  const text = path === undefined || path === '' ? undefined : host.files.readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${quote(path ?? '')} is not JSON; the runner writes the event there`;
    throw new UsageError([{ input: 'GITHUB_EVENT_PATH', message }], { cause });
  }
}

function gitEvent(host: Host, payload: unknown): GitEvent {
  const { env } = host;
  const ref = refOf(env, payload);
  const defaultBranch = textAt(payload, 'repository', 'default_branch');
  const branch = ref?.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : undefined;
  const commitDate = textAt(payload, 'head_commit', 'timestamp');
  return {
    date: host.now(),
    eventName: given(env['GITHUB_EVENT_NAME']),
    ref,
    sha: given(env['GITHUB_SHA']),
    headSha: textAt(payload, 'pull_request', 'head', 'sha'),
    branch,
    tag: ref?.startsWith('refs/tags/') ? ref.slice('refs/tags/'.length) : undefined,
    defaultBranch,
    isDefaultBranch: branch !== undefined && branch === defaultBranch,
    baseRef: given(env['GITHUB_BASE_REF']) ?? textAt(payload, 'base_ref')?.replace(/^refs\/heads\//, ''),
    pullRequest: pullRequestOf(payload),
    commitDate: commitDate === undefined ? undefined : parseDate(commitDate),
  };
}

/** Runs after a comment or a workflow are on the default branch, also where they are about a pull request: see `refOf`. */
function pullRequestOf(payload: unknown): number | undefined {
  if (isThere(payload, 'issue', 'pull_request')) return numberAt(payload, 'issue', 'number');
  if (isAfterPullRequest(payload)) return numberAt(payload, 'workflow_run', 'pull_requests', '0', 'number');
  return numberAt(payload, 'pull_request', 'number');
}

/** After the workflow of a pull request that is closed by now, the event has its branch only; the default branch it is not. */
function refOf(env: Env, payload: unknown): string | undefined {
  if (!isAfterPullRequest(payload) || pullRequestOf(payload) !== undefined) return given(env['GITHUB_REF']);
  const branch = textAt(payload, 'workflow_run', 'head_branch');
  return branch === undefined ? undefined : `refs/heads/${branch}`;
}

function isAfterPullRequest(payload: unknown): boolean {
  return textAt(payload, 'workflow_run', 'event')?.startsWith('pull_request') === true;
}

function deletedRef(env: Env, payload: unknown): string | undefined {
  const eventName = given(env['GITHUB_EVENT_NAME']);
  const ref = textAt(payload, 'ref');
  if (eventName === 'delete') {
    return `the ${textAt(payload, 'ref_type') === 'tag' ? 'tag' : 'branch'} ${toLine(ref ?? '')} was deleted`;
  }
  if (eventName !== 'push' || booleanAt(payload, 'deleted') !== true) return undefined;
  const kind = ref?.startsWith('refs/tags/') ? 'tag' : 'branch';
  return `the ${kind} ${toLine(ref?.replace(/^refs\/(?:heads|tags)\//, '') ?? '')} was deleted`;
}

function repositoryOf(env: Env, payload: unknown): GitHubRepository | undefined {
  const fullName = given(env['GITHUB_REPOSITORY']);
  if (fullName === undefined) return undefined;
  const license = textAt(payload, 'repository', 'license', 'spdx_id');
  return {
    fullName,
    url: `${given(env['GITHUB_SERVER_URL']) ?? 'https://github.com'}/${fullName}`,
    description: textAt(payload, 'repository', 'description'),
    license: license === 'NOASSERTION' ? undefined : license,
    isPrivate: booleanAt(payload, 'repository', 'private'),
  };
}

function runUrl(env: Env): string | undefined {
  const server = given(env['GITHUB_SERVER_URL']);
  const repository = given(env['GITHUB_REPOSITORY']);
  const runId = given(env['GITHUB_RUN_ID']);
  if (server === undefined || repository === undefined || runId === undefined) return undefined;
  return `${server}/${repository}/actions/runs/${runId}/attempts/${given(env['GITHUB_RUN_ATTEMPT']) ?? '1'}`;
}

/** Code of another repository, and Dependabot's, runs with a token that may only read, and must not plant images. */
function whyUntrusted(env: Env, payload: unknown): string | undefined {
  const own = given(env['GITHUB_REPOSITORY']);
  const eventName = given(env['GITHUB_EVENT_NAME']) ?? '';
  if (own === undefined) return undefined;
  for (const { events, part, head } of HEADS) {
    const isNamed = isThere(payload, part);
    if (!isNamed && events.test(eventName)) return 'the event does not say where the code comes from';
    const repository = textAt(payload, part, ...head);
    if (isNamed && repository === undefined) return 'the code comes from a fork that was deleted';
    if (repository !== undefined && repository.toLowerCase() !== own.toLowerCase()) {
      return `the code comes from ${toLine(repository)}, a fork`;
    }
  }
  if (isThere(payload, 'issue', 'pull_request') || (eventName === 'issue_comment' && !isThere(payload, 'issue'))) {
    return 'a comment on a pull request does not say where the code comes from';
  }
  if (env['GITHUB_ACTOR'] === 'dependabot[bot]' && READ_ONLY_FOR_DEPENDABOT.has(eventName)) {
    return "Dependabot's runs have a token that may only read";
  }
  return undefined;
}

/** Webhooks give null for what they do not have. */
function isThere(payload: unknown, ...path: readonly string[]): boolean {
  return (valueAt(payload, ...path) ?? null) !== null;
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
