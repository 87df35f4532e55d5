import { textAt } from '../../core/json.ts';
import { toLine } from '../../core/printable.ts';
import { isBuildOnceError } from '../../errors.ts';
import type { GitHubAnswer, GitHubApi } from '../github-api.ts';
import { SPENT } from '../store.ts';

/** A repository of code on GitHub, and how it is asked. */
export interface GitHubRepository {
  readonly github: Pick<GitHubApi, 'send'>;
  /** Of the API, without a slash at its end: `/repos/acme/app`. */
  readonly path: string;
}

/** What GitHub answers, or why it does not; `status` is `undefined` when there was no answer at all. */
export type GitHubList =
  | { readonly ok: true; readonly entries: readonly unknown[] }
  | { readonly ok: false; readonly status: number | undefined; readonly reason: string; readonly cause?: unknown };

export const PAGE_SIZE = 100;
/** Of one list. */
const MAX_PAGES = 500;

/** `undefined` where there is no API, or no repository. */
export function gitHubRepository(
  github: Pick<GitHubApi, 'send'> | undefined,
  repository: string | undefined,
): GitHubRepository | undefined {
  const [, owner, name] = /^([^/\s]+)\/([^/\s]+)$/.exec(repository ?? '') ?? [];
  if (github === undefined || owner === undefined || name === undefined) return undefined;
  return { github, path: `/repos/${encodeURIComponent(owner)}/${encodeURIComponent(name)}` };
}

/** All pages of a list; `path` is below the repository's: `/releases`. Throws when the run's allowance is spent, or it is interrupted. */
export async function listAll(repository: GitHubRepository, path: string): Promise<GitHubList> {
  const entries: unknown[] = [];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const answer = await listPage(repository, path, page);
    if (!answer.ok) return answer;
    entries.push(...answer.entries);
    if (!answer.hasNext) return { ok: true, entries };
  }
  return { ok: false, status: undefined, reason: `the list has more than ${MAX_PAGES * PAGE_SIZE} entries` };
}

export type GitHubPage =
  | Exclude<GitHubList, { ok: true }>
  | {
      readonly ok: true;
      readonly entries: readonly unknown[];
      readonly hasNext: boolean;
    };

/** One page of a list, counted from 1; errors as of `listAll`. */
export async function listPage(repository: GitHubRepository, path: string, page: number): Promise<GitHubPage> {
  const separator = path.includes('?') ? '&' : '?';
  const answer = await ask(repository, `${path}${separator}per_page=${PAGE_SIZE}&page=${page}`);
  if (!answer.ok) return answer;
  const { json } = answer.answer;
  if (!Array.isArray(json)) return { ok: false, status: answer.answer.status, reason: 'GitHub answered no list' };
  // Pages may be short: what this run may not see is left out of them.
  const hasNext = /\brel="?next"?/.test(answer.answer.header('link') ?? '') || json.length >= PAGE_SIZE;
  return { ok: true, entries: json, hasNext };
}

/** One request below the repository. Not ok: any status but 200. */
export async function ask(
  { github, path: root }: GitHubRepository,
  path: string,
): Promise<Exclude<GitHubList, { ok: true }> | { readonly ok: true; readonly answer: GitHubAnswer }> {
  try {
    const answer = await github.send({ method: 'GET', path: `${root}${path}` });
    if (answer.status === 200) return { ok: true, answer };
    const said = textAt(answer.json, 'message');
    const reason = `GitHub answered ${answer.status}${said === undefined ? '' : ` (${toLine(said)})`}`;
    return { ok: false, status: answer.status, reason };
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code === SPENT) throw cause;
    return { ok: false, status: undefined, reason: toLine(cause.message, 300), cause };
  }
}

/** True for an answer that says: not for this token, or not there. GitHub answers 404 for what a token may not see. */
export function isDenied(status: number | undefined): boolean {
  return status === 401 || status === 403 || status === 404;
}
