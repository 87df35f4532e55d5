import { parseBuildCheck } from '../core/build-check.ts';
import type { BuildSettings } from '../core/build-options.ts';
import type { DockerfileProblem } from '../core/dockerfile-problems.ts';
import { parseJson } from '../core/json.ts';
import { isBuildOnceError } from '../errors.ts';
import { checkArguments } from './buildx-arguments.ts';
import { type Docker, errorOf, runDocker } from './docker.ts';

/** What is to be looked at, and who looks. */
export interface BuildCheckRequest {
  readonly settings: BuildSettings;
  /** The builder's name. */
  readonly builder: string;
}

/** Frontends and the metadata of base images may have to be fetched. */
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 16 << 20;

/**
 * What `docker buildx build --check` says of the Dockerfile, as far as the target reaches. It ends no run: where there is no
 * answer, as of a frontend that checks nothing, a line of the log says why, and the list is empty.
 */
export async function checkBuild(docker: Docker, request: BuildCheckRequest): Promise<readonly DockerfileProblem[]> {
  const { host } = docker;
  const answer = await askBuildx(docker, request);
  if ('reason' in answer) {
    host.log.info(`docker buildx build --check did not look at the Dockerfile: ${answer.reason}`);
    return [];
  }
  if (answer.stop !== undefined) host.log.info(`docker buildx build --check stopped: ${answer.stop}`);
  return answer.problems;
}

type Answer = NonNullable<ReturnType<typeof parseBuildCheck>> | { readonly reason: string };

async function askBuildx(docker: Docker, { settings, builder }: BuildCheckRequest): Promise<Answer> {
  try {
    const bounds = { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES };
    const { status, stdout, stderr } = await runDocker(docker, checkArguments(settings, builder), bounds);
    // The exit code is 1 when there is anything to say as well, so that it only tells something when there is no answer.
    const check = parseBuildCheck(parseJson(stdout));
    if (check !== undefined) return check;
    return { reason: status === 0 ? 'its answer is not understood' : errorOf(stderr) };
  } catch (error) {
    docker.host.signal.throwIfAborted();
    if (!isBuildOnceError(error)) throw error;
    return { reason: error.message };
  }
}
