import { parseJson } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import { BuildOnceError, CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import { whyUnreadable } from '../regular-file.ts';
import { lastLine } from './docker.ts';
import { type Trivy, withoutOwnVariables } from './trivy-install.ts';

/** What Trivy found. The file goes with the run; with the image's configuration, there may be secrets of the image in it. */
export interface ScanReport {
  readonly file: string;
  /** The parsed JSON, `SchemaVersion` 2. */
  readonly json: unknown;
}

/** One call of Trivy. */
export interface TrivyCall {
  /** Nothing secret is among them. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** How an error begins: `ghcr.io/acme/app@sha256:… could not be scanned`. */
  readonly failure: string;
  /** What to do when it takes too long. */
  readonly lateHint: string;
}

/** Before it is ended from outside, Trivy has this long to say itself that its time is over. */
const GRACE_MS = 15_000;
const MAX_OUTPUT_BYTES = 4 << 20;
/** Node ends a process that writes a million lines faster than they are read: `write EINVAL`. */
const MAX_SHOWN_LINES = 100_000;
const MAX_REPORT_BYTES = 256 << 20;

/** Runs Trivy, and answers whatever its exit code is. CommandError `SCAN_FAILED` where it cannot run, `SCAN_TIMED_OUT`. */
export async function runTrivy({ host, program }: Trivy, call: TrivyCall): Promise<CommandResult> {
  let lines = 0;
  const show = (line: string): void => {
    lines += 1;
    if (lines <= MAX_SHOWN_LINES) host.log.debug(line);
  };
  try {
    const result = await host.exec({
      argv: [program, ...call.args],
      env: { ...withoutOwnVariables(host), ...call.env },
      timeoutMs: call.timeoutMs + GRACE_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      onLine: show,
    });
    host.signal.throwIfAborted();
    return result;
  } catch (cause) {
    host.signal.throwIfAborted();
    if (!isBuildOnceError(cause) || !cause.code.startsWith('COMMAND_')) throw cause;
    if (cause.code === 'COMMAND_TIMED_OUT') throw timedOut(call, cause);
    throw new CommandError('SCAN_FAILED', `${call.failure}: ${cause.message}`, {
      command: 'trivy',
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      cause,
    });
  }
}

/** The error for an exit code that is not 0: `SCAN_FAILED` with Trivy's own reason, or `SCAN_TIMED_OUT`. */
export function trivyFailure(call: TrivyCall, { status, stderr }: CommandResult): CommandError {
  const reason = reasonOf(stderr);
  if (/context deadline exceeded/.test(reason)) return timedOut(call, undefined);
  return new CommandError('SCAN_FAILED', `${call.failure}: ${reason}`, {
    command: 'trivy',
    status,
    stderrTail: reason,
    hint: 'With debug logging (RUNNER_DEBUG, BUILD_ONCE_DEBUG) all that Trivy says is shown.',
  });
}

interface JsonOutput {
  readonly text: string;
  readonly json: unknown;
}

/** The JSON that Trivy wrote into this file; `name` is what errors call it. BuildOnceError `SCAN_INVALID`. */
export function readJsonOutput({ files }: Host, file: string, name: string): JsonOutput {
  let text: string | undefined;
  try {
    text = files.readRegular(file, MAX_REPORT_BYTES);
  } catch (cause) {
    throw invalidReport(name, whyUnreadable(cause), cause);
  }
  if (text === undefined) throw invalidReport(name, 'was not written, though Trivy says that it succeeded');
  const json = parseJson(text);
  if (json === undefined) throw invalidReport(name, 'is not JSON');
  return { text, json };
}

export function invalidReport(name: string, problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError('SCAN_INVALID', `${name} ${problem}`, 1, {
    hint: 'Look whether the trivy that ran is the real one, and whether the disk is full.',
    cause,
  });
}

function timedOut({ failure, lateHint }: TrivyCall, cause: unknown): CommandError {
  return new CommandError('SCAN_TIMED_OUT', `${failure} in time`, { command: 'trivy', hint: lateHint, cause });
}

/** The last cause in Trivy's fatal error: it writes the whole way there, and lists several on lines of their own. */
function reasonOf(stderr: string): string {
  const fatal = stderr.split('\n').findLast((line) => /\tFATAL\t/.test(line));
  const [, said] = /\tFATAL\t(?:Fatal error\t)?(.+)$/.exec(fatal ?? '') ?? [];
  if (said === undefined) return lastLine(stderr);
  return said.endsWith('occurred:') ? `${toLine(said, 300)} ${lastLine(stderr)}` : toLine(said, 600);
}
