import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What started the job. A push to `main` of `acme/app` unless it says otherwise. */
export interface RunnerEvent {
  /** `push`, `pull_request`, `workflow_dispatch` … */
  readonly name?: string;
  /** `refs/heads/main`, `refs/tags/v1.2.3`, `refs/pull/7/merge`. */
  readonly ref?: string;
  readonly sha?: string;
  readonly repository?: string;
  readonly actor?: string;
  /** The branch of a pull request, and the one it wants into. */
  readonly headRef?: string;
  readonly baseRef?: string;
  /** Laid over the payload that every event has. */
  readonly payload?: Readonly<Record<string, unknown>>;
  /** `github.token`, known to the runner as a secret. */
  readonly token?: string;
  readonly runAttempt?: number;
}

/** Nothing listens there: no test talks to the real GitHub. A test of the API names its stand-in in `env`. */
const NOBODY = 'http://127.0.0.1:9';

interface Places {
  readonly directory: string;
  readonly temp: string;
  readonly workspace: string;
  readonly action: string;
}

/**
 * The variables that the runner sets for a JavaScript action, and nothing of this machine's environment; writes the event
 * file. `EMULATED_GITHUB_TOKEN` is for the emulator alone: the runner puts `github.token` into no variable.
 */
export function runnerEnvironment(places: Places, event: RunnerEvent = {}): Record<string, string> {
  const { name = 'push', ref = 'refs/heads/main', repository = 'acme/app', actor = 'octocat' } = event;
  const sha = event.sha ?? '0123456789abcdef0123456789abcdef01234567';
  const [owner = ''] = repository.split('/');
  const refName = ref.replace(/^refs\/(?:heads|tags|pull)\//, '');
  const eventPath = join(places.directory, 'event.json');
  const payload = {
    ...(name === 'push' ? { ref, after: sha } : {}),
    repository: repositoryPayload(repository),
    sender: { login: actor },
    ...event.payload,
  };
  writeFileSync(eventPath, JSON.stringify(payload));
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTION_PATH: places.action,
    GITHUB_ACTION_REF: '',
    GITHUB_ACTION_REPOSITORY: '',
    GITHUB_ACTOR: actor,
    GITHUB_ACTOR_ID: '583231',
    GITHUB_API_URL: NOBODY,
    GITHUB_BASE_REF: event.baseRef ?? '',
    GITHUB_EVENT_NAME: name,
    GITHUB_EVENT_PATH: eventPath,
    GITHUB_GRAPHQL_URL: `${NOBODY}/graphql`,
    GITHUB_HEAD_REF: event.headRef ?? '',
    GITHUB_JOB: 'build',
    GITHUB_REF: ref,
    GITHUB_REF_NAME: refName,
    GITHUB_REF_PROTECTED: 'false',
    GITHUB_REF_TYPE: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    GITHUB_REPOSITORY: repository,
    GITHUB_REPOSITORY_ID: '1296269',
    GITHUB_REPOSITORY_OWNER: owner,
    GITHUB_REPOSITORY_OWNER_ID: '1',
    GITHUB_RETENTION_DAYS: '90',
    GITHUB_RUN_ATTEMPT: String(event.runAttempt ?? 1),
    GITHUB_RUN_ID: '1658821493',
    GITHUB_RUN_NUMBER: '3',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: sha,
    GITHUB_TRIGGERING_ACTOR: actor,
    GITHUB_WORKFLOW: 'build',
    GITHUB_WORKFLOW_REF: `${repository}/.github/workflows/build.yml@${ref}`,
    GITHUB_WORKFLOW_SHA: sha,
    GITHUB_WORKSPACE: places.workspace,
    RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_NAME: 'GitHub Actions 2',
    RUNNER_OS: 'Linux',
    RUNNER_TEMP: places.temp,
    RUNNER_TOOL_CACHE: join(places.directory, 'tools'),
    RUNNER_WORKSPACE: join(places.workspace, '..'),
    EMULATED_GITHUB_TOKEN: event.token ?? 'ghs_emulated0token0of0the0job0000000000000',
  };
}

function repositoryPayload(repository: string): Readonly<Record<string, unknown>> {
  const [owner = '', name = ''] = repository.split('/');
  return {
    name,
    full_name: repository,
    html_url: `https://github.com/${repository}`,
    default_branch: 'main',
    private: false,
    fork: false,
    owner: { login: owner },
  };
}
