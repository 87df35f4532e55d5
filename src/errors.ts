import type { Location } from './host.ts';

/** Exit codes of the CLI and the action: failed, bad input, refused for safety. */
export type ExitCode = 1 | 2 | 3;

export interface ErrorDetails {
  /** What the reader can do about it; one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The root of every error that we raise on purpose. The message says what failed, on what and why; `hint` says what to do.
 * Lazily loaded bundles carry their own copy of these classes, so test with {@link isBuildOnceError}, never `instanceof`.
 */
export class BuildOnceError extends Error {
  /** Written out, since bundles rename classes. */
  override readonly name: string = 'BuildOnceError';
  /** Stable name of this failure in SCREAMING_SNAKE; documented in docs/troubleshooting.md. */
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(code: string, message: string, exitCode: ExitCode, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.exitCode = exitCode;
    this.hint = details.hint;
  }
}

/** One thing wrong with what the user wrote. */
export interface Problem {
  /** The input's name, as the user knows it: `platforms`. */
  readonly input: string;
  /** What is wrong, quoting the value, and what is allowed. */
  readonly message: string;
}

/** Bad input, found before any network or write. Carries every problem, not just the first. Exit code 2. */
export class UsageError extends BuildOnceError {
  override readonly name: string = 'UsageError';
  readonly problems: readonly Problem[];
  /** The line to blame first, where it is one. */
  readonly at: Location | undefined;

  constructor(problems: readonly Problem[], details: ErrorDetails & { readonly at?: Location } = {}) {
    super('BAD_INPUT', problems.map(({ input, message }) => `${input}: ${message}`).join('\n'), 2, details);
    this.problems = problems;
    this.at = details.at;
  }
}

/** One entry of a registry's error answer. */
export interface RegistryErrorEntry {
  /** As the distribution specification spells it: `MANIFEST_UNKNOWN`, `DENIED`, `TOOMANYREQUESTS` … */
  readonly code: string;
  readonly message: string;
}

export interface RegistryErrorDetails extends ErrorDetails {
  readonly method?: string;
  /** Without credentials and query. */
  readonly url?: string;
  readonly status?: number;
  readonly entries?: readonly RegistryErrorEntry[];
}

/**
 * A registry that did not do what was asked, after the retries. Absence is not an error: reads answer `undefined` on 404.
 * Error codes: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export class RegistryError extends BuildOnceError {
  override readonly name: string = 'RegistryError';
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly status: number | undefined;
  readonly entries: readonly RegistryErrorEntry[];

  constructor(code: string, message: string, details: RegistryErrorDetails = {}) {
    super(code, message, 1, details);
    this.method = details.method;
    this.url = details.url;
    this.status = details.status;
    this.entries = details.entries ?? [];
  }
}

/** A program that could not be started or ended with a non-zero exit code. */
export class CommandError extends BuildOnceError {
  override readonly name: string = 'CommandError';
  /** The program and its arguments, safe to print. */
  readonly command: string;
  readonly status: number | undefined;
  /** The last lines of what it wrote to standard error. */
  readonly stderrTail: string;

  constructor(
    code: string,
    message: string,
    details: ErrorDetails & { command: string; status?: number; stderrTail?: string },
  ) {
    super(code, message, 1, details);
    this.command = details.command;
    this.status = details.status;
    this.stderrTail = details.stderrTail ?? '';
  }
}

/** A refusal for safety: an immutable tag held by another image, a forbidden tag, a circuit breaker. Exit code 3. */
export class PolicyError extends BuildOnceError {
  override readonly name: string = 'PolicyError';
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(code, message, 3, details);
  }
}

/** True for our own errors, also for those raised inside a lazily loaded bundle. */
export function isBuildOnceError(error: unknown): error is BuildOnceError {
  return error instanceof Error && 'code' in error && 'exitCode' in error && 'hint' in error;
}

/** True for a {@link UsageError}, also for one raised inside a lazily loaded bundle. */
export function isUsageError(error: unknown): error is UsageError {
  return isBuildOnceError(error) && error.name === 'UsageError';
}

/** True for a {@link RegistryError}, also for one raised inside a lazily loaded bundle. */
export function isRegistryError(error: unknown): error is RegistryError {
  return isBuildOnceError(error) && error.name === 'RegistryError';
}
