import { parseWebUrl } from './web-url.ts';

/** What a runner of GitHub says of the job that it runs: https://docs.github.com/en/actions/reference/workflows-and-actions/variables */
export interface WorkflowRun {
  /** `https://github.com/acme/app` */
  readonly repository: string;
  readonly repositoryId: string | undefined;
  readonly ownerId: string | undefined;
  /** `refs/heads/main` */
  readonly ref: string;
  /** The commit that the run is for. */
  readonly commit: string;
  readonly workflow: WorkflowFile;
  readonly eventName: string | undefined;
  /** `github-hosted` or `self-hosted`. */
  readonly runnerEnvironment: string | undefined;
  readonly runId: string | undefined;
  /** Where this attempt of the run can be looked at. */
  readonly url: string | undefined;
}

/** The workflow that the run began with; a reusable one that it calls is another. */
export interface WorkflowFile {
  /** `https://github.com/acme/app` */
  readonly repository: string;
  /** `.github/workflows/release.yml` */
  readonly path: string;
  readonly ref: string;
  readonly commit: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const REPOSITORY = /^[\w.-]{1,100}\/[\w.-]{1,100}$/;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const NUMBER = /^\d{1,20}$/;
const WORD = /^[\w-]{1,64}$/;
/** Git takes no control characters in names, and GitHub no name of more than 255 bytes. */
const REF = /^refs\/[^\p{Cc}\p{Cs}]{1,512}$/u;
const WORKFLOW =
  /^([\w.-]{1,100}\/[\w.-]{1,100})\/([^\p{Cc}\p{Cs}@]{1,512})@(refs\/[^\p{Cc}\p{Cs}]{1,512}|[0-9a-f]{40,64})$/u;

/**
 * Reads it from the variables of the job. What is not of its form is no fact, and left out; `undefined` where what a run needs
 * is not there: on no runner of GitHub, or on none that tells the truth.
 */
export function readWorkflowRun(env: Environment): WorkflowRun | undefined {
  const read = (name: string, form: RegExp): string | undefined => {
    const text = env[name];
    return text !== undefined && form.test(text) ? text : undefined;
  };
  const server = parseWebUrl(env['GITHUB_SERVER_URL'] || 'https://github.com')?.replace(/\/+$/, '');
  const name = read('GITHUB_REPOSITORY', REPOSITORY);
  const ref = read('GITHUB_REF', REF);
  const commit = read('GITHUB_SHA', COMMIT);
  const [, workflowRepository, path, workflowRef] = WORKFLOW.exec(env['GITHUB_WORKFLOW_REF'] ?? '') ?? [];
  if (server === undefined || name === undefined || ref === undefined || commit === undefined) return undefined;
  if (workflowRepository === undefined || path === undefined || workflowRef === undefined) return undefined;
  const repository = `${server}/${name}`;
  const runId = read('GITHUB_RUN_ID', NUMBER);
  return {
    repository,
    repositoryId: read('GITHUB_REPOSITORY_ID', NUMBER),
    ownerId: read('GITHUB_REPOSITORY_OWNER_ID', NUMBER),
    ref,
    commit,
    workflow: {
      repository: `${server}/${workflowRepository}`,
      path,
      ref: workflowRef,
      commit: read('GITHUB_WORKFLOW_SHA', COMMIT),
    },
    eventName: read('GITHUB_EVENT_NAME', WORD),
    runnerEnvironment: read('RUNNER_ENVIRONMENT', WORD),
    runId,
    url: runId && `${repository}/actions/runs/${runId}/attempts/${read('GITHUB_RUN_ATTEMPT', NUMBER) ?? '1'}`,
  };
}

/** Who runs the build: the workflow whose certificate this is, else the one that the run began with, else some machine. */
export function builderOf(run: WorkflowRun | undefined, identity: string | undefined): string {
  if (identity !== undefined) return identity;
  if (run === undefined) return LOCAL_BUILDER;
  const { repository, path, ref } = run.workflow;
  return `${repository}/${path}@${ref}`;
}

const LOCAL_BUILDER = 'https://build-once.dev/builders/local';
