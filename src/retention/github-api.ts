/** GitHub's API, inside its limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
export interface GitHubApi {
  /**
   * One request, repeated where that may help; waits as the limits ask. Answers whatever status is no limit and does not pass.
   * Throws a BuildOnceError: `RETENTION_SPENT` when the allowance is used up, `GITHUB_UNAVAILABLE` when there is no answer.
   */
  send(request: GitHubRequest): Promise<GitHubAnswer>;
}

export interface GitHubRequest {
  readonly method: 'GET' | 'DELETE' | 'POST';
  /** Below the API's address, encoded: `/orgs/acme/packages/container/a%2Fb/versions?per_page=100`. */
  readonly path: string;
}

export interface GitHubAnswer {
  readonly status: number;
  /** By its name in lower case. */
  header(name: string): string | undefined;
  /** `undefined` where there is none. */
  readonly json: unknown;
  /** When it was sent, by GitHub's clock, in milliseconds since 1970. */
  readonly dateMs: number;
}
