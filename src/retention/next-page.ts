import type { GitHubAnswer } from './github-api.ts';

/** True when a list goes on: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
export function hasNextPage(answer: GitHubAnswer): boolean {
  return /;\s*rel="?next"?/.test(answer.header('link') ?? '');
}
