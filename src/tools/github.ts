import { getOctokit } from '@actions/github';
import { textAt } from '../core/json.ts';

export { openGitHubApi } from '../retention/github-api.ts';

export interface BranchQuery {
  /** GITHUB_API_URL: `https://api.github.com`, or that of a GitHub Enterprise Server. */
  readonly apiUrl: string;
  readonly token: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly branch: string;
}

/** The commit at the head of a branch; `undefined` when there is no such branch. Other failures are thrown as they come. */
export async function branchHead({ apiUrl, token, repository, branch }: BranchQuery): Promise<string | undefined> {
  const [owner = '', repo = ''] = repository.split('/');
  const octokit = getOctokit(token, { baseUrl: apiUrl });
  try {
    const { data } = await octokit.rest.git.getRef({ owner, repo, ref: `heads/${branch}` });
    return textAt(data, 'object', 'sha');
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 404) return undefined;
    throw error;
  }
}
