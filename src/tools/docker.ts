import { toLine } from '../core/printable.ts';
import { BuildOnceError, CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';

/** Docker's client as this run uses it: the environment leads to its configuration and credentials. */
export interface Docker {
  readonly host: Host;
  readonly env: Readonly<Record<string, string>>;
}

export interface DockerCall {
  /** Added to the client's environment. Secrets travel here. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  /** As in `Command`. */
  readonly onStart?: () => void;
  /** As in `Command`. */
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
}

const INSTALL =
  'Install Docker with its buildx plugin (the packages docker and docker-buildx), or set up Docker in an earlier step.';

/** Runs `docker ARGS`. Resolves with its exit code, whatever it is; CommandError `DOCKER_MISSING` when there is no docker. */
export async function runDocker(
  docker: Docker,
  args: readonly string[],
  call: DockerCall = {},
): Promise<CommandResult> {
  const { host } = docker;
  try {
    const result = await host.exec({ ...call, argv: ['docker', ...args], env: { ...docker.env, ...call.env } });
    host.signal.throwIfAborted();
    return result;
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code !== 'COMMAND_NOT_STARTED') throw cause;
    throw new CommandError('DOCKER_MISSING', 'there is no docker program here', {
      command: 'docker',
      hint: INSTALL,
      cause,
    });
  }
}

/** Makes sure that docker and its buildx plugin are there; CommandError `DOCKER_MISSING` says which is not and what to do. */
export async function checkBuildx(docker: Docker): Promise<void> {
  const plugin = await runDocker(docker, ['buildx', 'version']);
  if (plugin.status === 0) return;
  throw new CommandError('DOCKER_MISSING', 'docker has no buildx plugin', {
    command: 'docker buildx version',
    status: plugin.status,
    stderrTail: lastLine(plugin.stderr),
    hint: INSTALL,
  });
}

/** The error for an engine that does not answer; `reason` is what docker said. */
export function unreachableEngine(reason: string): BuildOnceError {
  return new CommandError('DOCKER_MISSING', `no Docker engine answers: ${lastLine(reason)}`, {
    command: 'docker version',
    stderrTail: lastLine(reason),
    hint: 'Start Docker, or point DOCKER_HOST or the docker context to an engine that runs.',
  });
}

/** What buildx says went wrong: its first error, since a stack may follow it (DEBUG), or else its last line. */
export function errorOf(stderr: string): string {
  const [, said] = /^ERROR: (.+)$/m.exec(stderr) ?? [];
  return said === undefined ? lastLine(stderr) : toLine(said, 300);
}

/** The last line that says something; docker's errors end with it. */
export function lastLine(text: string): string {
  const line = text
    .split('\n')
    .map((candidate) => candidate.trim())
    .filter((candidate) => candidate !== '')
    .at(-1);
  return toLine(line ?? 'it gave no reason', 300);
}
