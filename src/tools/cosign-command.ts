import { toLine } from '../core/printable.ts';
import { CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult } from '../host.ts';
import { COSIGN_VARIABLES, type Cosign } from './cosign-install.ts';
import { lastLine } from './docker.ts';
import { withoutVariables } from './pinned-program.ts';

/** Cosign itself gives up after three minutes. */
const TIMEOUT_MS = 210_000;
const MAX_OUTPUT_BYTES = 4 << 20;

/**
 * Runs `cosign ARGS` and answers its exit code, whatever it is; CommandError `COMMAND_…` when it cannot start or does not end.
 * Secrets travel in `env`. The user's own settings of cosign do not count, and its home is left alone: a key service's login
 * is there.
 */
export async function runCosign(
  { host, program }: Cosign,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  const result = await host.exec({
    argv: [program, ...args],
    env: { ...withoutVariables(host, COSIGN_VARIABLES), ...withoutVariables(host, 'SIGSTORE_'), ...env },
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    onLine: (line) => host.log.debug(line),
  });
  host.signal.throwIfAborted();
  return result;
}

/** {@link runCosign} for what a signature needs: CommandError `SIGN_KEY_FAILED` when it cannot start or does not end. */
export async function runToSign(
  cosign: Cosign,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  try {
    return await runCosign(cosign, args, env);
  } catch (cause) {
    cosign.host.signal.throwIfAborted();
    if (!isBuildOnceError(cause) || !cause.code.startsWith('COMMAND_')) throw cause;
    throw signingProblem(cause.message, cause);
  }
}

export function signingProblem(reason: string, cause?: unknown): CommandError {
  return new CommandError('SIGN_KEY_FAILED', `cosign could not sign: ${reason}`, {
    command: 'cosign',
    stderrTail: reason,
    hint: 'For a key in a service: look whether this job is logged in there, and may use the key to sign.',
    cause,
  });
}

/** What cosign says went wrong. */
export function reasonOf(stderr: string): string {
  const [, said] = /^Error: (.+)$/m.exec(stderr) ?? [];
  return said === undefined ? lastLine(stderr) : toLine(said, 400);
}
