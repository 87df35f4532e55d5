import { textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import type { GitHubAnswer, GitHubApi } from './github-api.ts';
import { hasNextPage } from './next-page.ts';

const GITHUB_API = 'https://api.github.com';
const PER_PAGE = 100;
/** Of one owner. */
const MAX_PAGES = 500;

/**
 * The address of the API that looks after the packages of a registry; `undefined` when it is none of GitHub's. `apiUrl` is the
 * run's own, GITHUB_API_URL: a GitHub Enterprise Server has its registry at `containers.` and its host.
 */
export function gitHubApiUrl(registry: string, apiUrl: string = GITHUB_API): string | undefined {
  if (registry === 'ghcr.io') return GITHUB_API;
  const host = URL.canParse(apiUrl) ? new URL(apiUrl).host : '';
  return [host, host.replace(/^api\./, '')].some((own) => registry === `containers.${own}`) ? apiUrl : undefined;
}

/** The names of all containers of an owner, sorted. An error with what to do where this token may not list them. */
export async function listPackages(api: GitHubApi, owner: string): Promise<readonly string[]> {
  const who = encodeURIComponent(owner);
  let said = 'it lists none';
  for (const root of [`/orgs/${who}`, `/users/${who}`]) {
    const { names, refusal } = await namesBelow(api, root);
    if (names.length > 0) return names.toSorted();
    if (refusal !== undefined) said = `it answered ${refusal.status}: ${quote(textAt(refusal.json, 'message') ?? '')}`;
    if (refusal?.status !== 404) break;
  }
  throw new BuildOnceError('GITHUB_REFUSED', `GitHub does not tell the packages of ${quote(owner)}: ${said}`, 1, {
    hint:
      'Name the images one by one: GITHUB_TOKEN and tokens of apps cannot list packages. A classic token with the scope ' +
      'read:packages can.',
  });
}

async function namesBelow(
  api: GitHubApi,
  root: string,
): Promise<{ readonly names: readonly string[]; readonly refusal?: GitHubAnswer }> {
  const names: string[] = [];
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const path = `${root}/packages?package_type=container&per_page=${PER_PAGE}&page=${page}`;
    const answer = await api.send({ method: 'GET', path });
    // Half a list must not look like a whole one.
    if (answer.status !== 200 || !Array.isArray(answer.json)) return { names: [], refusal: answer };
    names.push(...answer.json.flatMap((item: unknown) => textAt(item, 'name') ?? []));
    if (!hasNextPage(answer)) return { names };
  }
  const message = `GitHub lists more than ${MAX_PAGES * PER_PAGE} packages, or does not come to an end`;
  throw new BuildOnceError('UNEXPECTED_ANSWER', message, 1, { hint: 'Name the images one by one.' });
}
