/** The variables of a job that releases `acme/app`, as GitHub's runner sets them; `changes` stand in for them. */
export function workflowEnv(changes: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return {
    GITHUB_ACTIONS: 'true',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'acme/app',
    GITHUB_REPOSITORY_ID: '1296269',
    GITHUB_REPOSITORY_OWNER_ID: '583231',
    GITHUB_REF: 'refs/tags/v1.2.3',
    GITHUB_SHA: '0123456789012345678901234567890123456789',
    GITHUB_WORKFLOW_REF: 'acme/app/.github/workflows/release.yml@refs/tags/v1.2.3',
    GITHUB_WORKFLOW_SHA: '0123456789012345678901234567890123456789',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_RUN_ID: '1658821493',
    GITHUB_RUN_ATTEMPT: '2',
    RUNNER_ENVIRONMENT: 'github-hosted',
    ...changes,
  };
}
