import { BuildOnceError, isBuildOnceError } from './errors.ts';

/**
 * What to say of an error: that the run was interrupted, when it was, whatever was cut by that – a request, a program, a
 * pause –, else the error itself. A refusal stays what it is.
 */
export function orInterruption(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || (isBuildOnceError(error) && error.exitCode !== 1)) return error;
  const reason: unknown = signal.reason;
  if (isBuildOnceError(reason)) return reason;
  return new BuildOnceError('INTERRUPTED', 'the run was interrupted', 1, {
    hint: 'Run it again: it goes on where this run stopped.',
    cause: error,
  });
}

/** What was thrown, as an error; the interruption where that is what it stands for. */
export function errorThrown(thrown: unknown, signal: AbortSignal): Error {
  const cause = orInterruption(thrown, signal);
  return cause instanceof Error ? cause : new Error('something was thrown that is no error', { cause });
}
