import { numberAt, textAt } from '../../core/json.ts';
import { namesInTags, releaseTags } from '../../core/retention/git-names.ts';
import type { GitState } from '../../core/retention/inventory.ts';
import type { RetentionRule, WhileState } from '../../core/retention/policy.ts';
import type { GitHubApi } from '../github-api.ts';
import {
  ask,
  type GitHubList,
  type GitHubRepository,
  gitHubRepository,
  isDenied,
  listAll,
  listPage,
  PAGE_SIZE,
} from './github-lists.ts';

export interface GitStateRequest {
  readonly rules: readonly RetentionRule[];
  /** Of the repository of images: pull requests that no tag names are not asked for. */
  readonly tags: readonly string[];
  readonly github: Pick<GitHubApi, 'send'> | undefined;
  /** GITHUB_REPOSITORY: `owner/name`. */
  readonly githubRepository: string | undefined;
  /** What git tags of versions begin with: image tags may leave it out. */
  readonly tagPrefix: string;
}

export interface GitStateAnswer {
  readonly git: GitState;
  /** What could not be read, what that means, and what to do: sentences. */
  readonly warnings: readonly string[];
}

type Reading<T> = { readonly ok: true; readonly value: T } | Exclude<GitHubList, { ok: true }>;

const MAX_TAG_LENGTH = 128;
/** `-` and 8 digits. */
const CUT_MARK_LENGTH = 9;

/** What each clause asks for, and what lets a workflow's token read it. */
const ASKED: Readonly<Record<WhileState, { readonly what: string; readonly permission: string }>> = {
  open: { what: 'pull requests', permission: 'pull-requests: read' },
  branch: { what: 'branches', permission: 'contents: read' },
  tag: { what: 'git tags', permission: 'contents: read' },
};

/**
 * What the `while` clauses of these rules ask of git, and nothing that no clause asks for. What cannot be read is `undefined`,
 * with a warning: the tags in question are kept. Throws when the run's allowance is spent, or it is interrupted.
 */
export async function readGitState(request: GitStateRequest): Promise<GitStateAnswer> {
  const repository = gitHubRepository(request.github, request.githubRepository);
  const warnings: string[] = [];
  const read = async <T>(state: WhileState, work: (repository: GitHubRepository) => Promise<Reading<T>>) => {
    if (!request.rules.some((rule) => asksFor(rule, state))) return undefined;
    const reading = repository === undefined ? NO_API : await work(repository);
    if (reading.ok) return reading.value;
    warnings.push(warningOf(state, reading));
    return undefined;
  };
  const pullRequests = await read('open', (from) => readPullRequests(from, pullRequestNumbers(request)));
  const branches = await read('branch', (from) =>
    readNames(from, { path: '/branches', forms: namesInTags, cut: cutParts('branch', request) }),
  );
  const gitTags = await read('tag', (from) =>
    readNames(from, {
      path: '/tags',
      forms: (tag) => releaseTags(tag, request.tagPrefix),
      cut: cutParts('tag', request),
    }),
  );
  return { git: { pullRequests, branches, gitTags }, warnings };
}

const NO_API = {
  ok: false,
  status: undefined,
  reason: 'there is no token for GitHub, or no repository on GitHub is known',
} as const;

function asksFor({ clauses }: RetentionRule, state: WhileState): boolean {
  return clauses.some((clause) => clause.kind === 'while' && clause.state === state);
}

/** In the part of a tag that varies, or else in the whole tag. */
function pullRequestNumbers({ rules, tags }: GitStateRequest): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const { subject } of rules.filter((rule) => asksFor(rule, 'open'))) {
    if (subject.kind !== 'tags') continue;
    for (const tag of tags) {
      const variable = subject.selector.match(tag)?.variable;
      if (variable === undefined) continue;
      const [digits] = /[0-9]+/.exec(variable) ?? /[0-9]+/.exec(tag) ?? [];
      const number = Number(digits ?? 'NaN');
      if (Number.isSafeInteger(number) && number > 0) numbers.add(number);
    }
  }
  return numbers;
}

/**
 * The newest first, page by page, until all are found or asking for each of the rest takes fewer requests. The first page is
 * always asked for: it tells whether this run may read any.
 */
async function readPullRequests(
  repository: GitHubRepository,
  wanted: ReadonlySet<number>,
): Promise<Reading<GitState['pullRequests']>> {
  const states = new Map<number, 'open' | number>();
  const missing = new Set(wanted);
  for (let page = 1; missing.size > 0; page += 1) {
    const answer = await listPage(repository, '/pulls?state=all&sort=created&direction=desc', page);
    if (!answer.ok) return answer;
    const numbers = answer.entries.flatMap((entry) => numberAt(entry, 'number') ?? []);
    for (const entry of answer.entries) note(entry, missing, states);
    const oldest = Math.min(...numbers);
    const ahead = [...missing].filter((number) => number < oldest);
    if (!answer.hasNext || ahead.length === 0) break;
    // Issues have numbers as well, so that there are no more pages than this.
    if (ahead.length <= Math.ceil((oldest - Math.min(...ahead)) / PAGE_SIZE))
      return await readEach(repository, ahead, states);
  }
  return { ok: true, value: states };
}

async function readEach(
  repository: GitHubRepository,
  numbers: readonly number[],
  states: Map<number, 'open' | number>,
): Promise<Reading<GitState['pullRequests']>> {
  for (const number of numbers) {
    const answer = await ask(repository, `/pulls/${number}`);
    // A number of an issue, or of nothing: it stays unknown.
    if (!answer.ok && answer.status === 404) continue;
    if (!answer.ok) return answer;
    note(answer.answer.json, new Set([number]), states);
  }
  return { ok: true, value: states };
}

function note(entry: unknown, missing: Set<number>, states: Map<number, 'open' | number>): void {
  const number = numberAt(entry, 'number');
  if (number === undefined || !missing.delete(number)) return;
  if (textAt(entry, 'state') === 'open') {
    states.set(number, 'open');
    return;
  }
  const closedAtMs = Date.parse(textAt(entry, 'closed_at') ?? '');
  if (!Number.isNaN(closedAtMs)) states.set(number, closedAtMs);
}

/** The names as they stand in tags, and of the parts of cut tags those that a name may be behind. */
async function readNames(
  repository: GitHubRepository,
  {
    path,
    forms,
    cut,
  }: {
    readonly path: string;
    readonly forms: (name: string) => readonly string[];
    readonly cut: readonly string[];
  },
): Promise<Reading<ReadonlySet<string>>> {
  const list = await listAll(repository, path);
  if (!list.ok) return list;
  const names = list.entries.flatMap((entry) => forms(textAt(entry, 'name') ?? ''));
  const alive = cut.filter((part) => names.some((name) => name.startsWith(part.slice(0, -CUT_MARK_LENGTH))));
  return { ok: true, value: new Set([...names, ...alive]) };
}

/** What varies in tags that are as long as a tag can be: `toLegalTag` ends them in a hash that says nothing here. */
function cutParts(state: WhileState, { rules, tags }: GitStateRequest): readonly string[] {
  const cut = tags.filter((tag) => tag.length === MAX_TAG_LENGTH);
  return rules
    .filter((rule) => asksFor(rule, state))
    .flatMap(({ subject }) => (subject.kind === 'tags' ? [subject.selector] : []))
    .flatMap((selector) => cut.flatMap((tag) => selector.match(tag)?.variable ?? []));
}

function warningOf(state: WhileState, { status, reason }: Exclude<GitHubList, { ok: true }>): string {
  const { what, permission } = ASKED[state];
  const advice = isDenied(status) ? ` Let the job's token read them: permissions: { ${permission} }.` : '';
  return `The ${what} cannot be read, so every tag of a rule with "while ${state}" is kept: ${reason}.${advice}`;
}
