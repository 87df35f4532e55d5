import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { numberAt, parseJson } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import { formatRepositoryName, isLoopback, type RepositoryName } from '../core/reference.ts';
import { BuildOnceError, CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import type { Descriptor } from '../oci/types.ts';
import { whyUnreadable } from '../regular-file.ts';
import { lastLine } from './docker.ts';
import { withoutVariables } from './pinned-program.ts';
import type { ScanAccess } from './trivy-access.ts';
import type { TrivyDatabase } from './trivy-database.ts';
import { TRIVY_VARIABLES, type Trivy } from './trivy-install.ts';

export { NO_ACCESS, openScanAccess } from './trivy-access.ts';
export { prepareDatabase } from './trivy-database.ts';
export { findTrivy } from './trivy-install.ts';

/** One platform of an image, by the digest of its own manifest: no emulation, and no choice is left to Trivy. */
export type ScanTarget =
  | { readonly kind: 'registry'; readonly repository: RepositoryName; readonly digest: Digest }
  | { readonly kind: 'layout'; readonly path: string; readonly manifest: Descriptor };

/** What is looked for, and where not. Severities and fixes are the gate's: the report is whole. */
export interface ScanSettings {
  /** `vuln`, `secret`, `misconfig`, `license` */
  readonly scanners: readonly string[];
  /** `os`, `library` */
  readonly pkgTypes: readonly string[];
  readonly skipDirs: readonly string[];
  readonly skipFiles: readonly string[];
  /** A `.trivyignore` or `.trivyignore.yaml`; what it hides is in the report's `ExperimentalModifiedFindings`. */
  readonly ignoreFile: string | undefined;
  /** Files, or `repo` and `oci` in Trivy's own sense. */
  readonly vex: readonly string[];
  readonly timeoutMs: number;
}

export interface ScanRequest {
  readonly target: ScanTarget;
  readonly settings: ScanSettings;
  readonly access: ScanAccess;
}

/** What Trivy found. The file goes with the run; with the image's configuration, there may be secrets of the image in it. */
export interface ScanReport {
  readonly file: string;
  /** The parsed JSON, `SchemaVersion` 2. */
  readonly json: unknown;
}

/** Before it is ended from outside, Trivy has this long to say itself that its time is over. */
const GRACE_MS = 15_000;
const MAX_OUTPUT_BYTES = 4 << 20;
const MAX_REPORT_BYTES = 256 << 20;
const REPORT_SCHEMA = 2;
const NEEDS_JAVA = /Java DB/;

/**
 * Scans one platform and answers everything that Trivy found. Scans of several platforms may run at the same time on one
 * database; see `needsDatabase` for those without. CommandError `SCAN_FAILED`, `SCAN_TIMED_OUT`; BuildOnceError `SCAN_INVALID`
 * for a report that is none; and what fetching the database for Java may throw. Relative paths start at `host.cwd`.
 */
export async function scanImage(
  trivy: Trivy,
  database: TrivyDatabase | undefined,
  request: ScanRequest,
): Promise<ScanReport> {
  const { host } = trivy;
  const directory = host.files.makeTemporaryDirectory('build-once-scan-');
  const place = preparePlace(host, directory, request);
  const args = scanArguments(request, { ...place, cache: database?.directory ?? place.cache });
  const run = (): Promise<CommandResult> => runTrivy(trivy, args, request);
  let result = await run();
  if (result.status !== 0 && database !== undefined && NEEDS_JAVA.test(result.stderr)) {
    await database.addJava();
    result = await run();
  }
  if (result.status !== 0) throw scanFailure(request.target, result);
  return readReport(host, place.report, request.target);
}

/** Whether these scanners look anything up; the others work without a database. */
export function needsDatabase({ scanners }: Pick<ScanSettings, 'scanners'>): boolean {
  return scanners.some((scanner) => scanner === 'vuln' || scanner === 'license');
}

interface Place {
  /** Where Trivy finds its databases. */
  readonly cache: string;
  /** Where the report goes. */
  readonly report: string;
  /** Instead of the configuration and the ignore file that Trivy would take from the current directory. */
  readonly empty: string;
  readonly authorities: string | undefined;
  /** A layout with nothing but the manifest to scan. */
  readonly layout: string | undefined;
}

function preparePlace({ files }: Host, directory: string, { target, access }: ScanRequest): Place {
  const at = (name: string): string => path.join(directory, name);
  files.write(at('empty'), '');
  if (access.authorities !== undefined) files.write(at('ca.pem'), access.authorities);
  if (target.kind === 'layout') {
    files.write(at('layout/oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    files.write(at('layout/index.json'), layoutIndex(target.manifest));
    files.linkDirectory(path.join(files.resolve(target.path), 'blobs'), at('layout/blobs'));
  }
  return {
    cache: at('cache'),
    report: at('report.json'),
    empty: at('empty'),
    authorities: access.authorities === undefined ? undefined : at('ca.pem'),
    layout: target.kind === 'layout' ? at('layout') : undefined,
  };
}

/** Trivy finds a manifest by what `index.json` names only, not by what an index there names. */
function layoutIndex({ mediaType, digest, sizeBytes }: Descriptor): string {
  return JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size: sizeBytes }] });
}

/** Arguments of `trivy`; nothing secret is among them. */
export function scanArguments({ target, settings, access }: ScanRequest, place: Place): readonly string[] {
  const { scanners, pkgTypes, skipDirs, skipFiles, ignoreFile, vex, timeoutMs } = settings;
  const each = (flag: string, values: readonly string[]): readonly string[] =>
    values.map((value) => `--${flag}=${csvField(value)}`);
  const joined = (flag: string, values: readonly string[]): readonly string[] =>
    values.length === 0 ? [] : [`--${flag}=${values.join(',')}`];
  const image = scanners.filter((scanner) => scanner === 'secret' || scanner === 'misconfig');
  return [
    'image',
    // What the run decided, and nothing that lies about in the current directory.
    `--config=${place.empty}`,
    `--ignorefile=${ignoreFile ?? place.empty}`,
    `--cache-dir=${place.cache}`,
    // Trivy locks its file cache: a second scan would wait five seconds for it, and fail.
    '--cache-backend=memory',
    '--skip-db-update',
    '--skip-java-db-update',
    '--skip-check-update',
    '--skip-version-check',
    '--disable-telemetry',
    '--offline-scan',
    '--no-progress',
    '--format=json',
    `--output=${place.report}`,
    '--list-all-pkgs',
    '--show-suppressed',
    `--timeout=${timeoutMs}ms`,
    ...joined('scanners', scanners),
    ...joined('image-config-scanners', image),
    ...joined('pkg-types', pkgTypes),
    ...each('skip-dirs', skipDirs),
    ...each('skip-files', skipFiles),
    ...each('vex', vex),
    ...(place.authorities === undefined ? [] : [`--cacert=${place.authorities}`]),
    ...targetArguments(target, access, place),
  ];
}

function targetArguments(target: ScanTarget, access: ScanAccess, { layout }: Place): readonly string[] {
  if (target.kind === 'layout') return [`--input=${layout ?? target.path}`];
  const { registry } = target.repository;
  const insecure = access.plainRegistries.includes(registry) && !isLoopback(registry) ? ['--insecure'] : [];
  return ['--image-src=remote', ...insecure, '--', `${formatRepositoryName(target.repository)}@${target.digest}`];
}

/** A list in one flag is CSV: https://pkg.go.dev/github.com/spf13/pflag@v1.0.10#StringSlice */
function csvField(value: string): string {
  return /[",\n\r]|^\s/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

async function runTrivy(trivy: Trivy, args: readonly string[], request: ScanRequest): Promise<CommandResult> {
  const { host, program } = trivy;
  const { timeoutMs } = request.settings;
  try {
    const result = await host.exec({
      argv: [program, ...args],
      env: { ...withoutVariables(host, TRIVY_VARIABLES), ...request.access.env },
      timeoutMs: timeoutMs + GRACE_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      onLine: (line) => host.log.debug(line),
    });
    host.signal.throwIfAborted();
    return result;
  } catch (cause) {
    host.signal.throwIfAborted();
    if (!isBuildOnceError(cause) || !cause.code.startsWith('COMMAND_')) throw cause;
    if (cause.code === 'COMMAND_TIMED_OUT') throw timedOut(request, cause);
    throw new CommandError('SCAN_FAILED', `${describe(request.target)} could not be scanned: ${cause.message}`, {
      command: 'trivy',
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      cause,
    });
  }
}

function readReport({ files }: Host, file: string, target: ScanTarget): ScanReport {
  const problem = (what: string, cause?: unknown): BuildOnceError =>
    new BuildOnceError('SCAN_INVALID', `the report on ${describe(target)} ${what}`, 1, {
      hint: 'Look whether the trivy that ran is the real one, and whether the disk is full.',
      cause,
    });
  let text: string | undefined;
  try {
    text = files.readRegular(file, MAX_REPORT_BYTES);
  } catch (cause) {
    throw problem(whyUnreadable(cause), cause);
  }
  if (text === undefined) throw problem('was not written, though Trivy says that it succeeded');
  const json = parseJson(text);
  if (json === undefined) throw problem('is not JSON');
  const schema = numberAt(json, 'SchemaVersion');
  if (schema === REPORT_SCHEMA) return { file, json };
  throw problem(`has the schema ${toLine(String(schema ?? 'unknown'), 20)}, and ${REPORT_SCHEMA} is understood`);
}

function scanFailure(target: ScanTarget, { status, stderr }: CommandResult): CommandError {
  const reason = reasonOf(stderr);
  if (/context deadline exceeded/.test(reason)) return timedOut({ target }, undefined);
  return new CommandError('SCAN_FAILED', `${describe(target)} could not be scanned: ${reason}`, {
    command: 'trivy',
    status,
    stderrTail: reason,
    hint: 'With debug logging (RUNNER_DEBUG, BUILD_ONCE_DEBUG) all that Trivy says is shown.',
  });
}

function timedOut({ target }: Pick<ScanRequest, 'target'>, cause: unknown): CommandError {
  return new CommandError('SCAN_TIMED_OUT', `the scan of ${describe(target)} was not done in time`, {
    command: 'trivy',
    hint: 'Give scan-timeout more, or leave out folders with scan-skip-dirs.',
    cause,
  });
}

/** The last cause in Trivy's fatal error: it writes the whole way there, and lists several on lines of their own. */
function reasonOf(stderr: string): string {
  const fatal = stderr.split('\n').findLast((line) => /\tFATAL\t/.test(line));
  const [, said] = /\tFATAL\t(?:Fatal error\t)?(.+)$/.exec(fatal ?? '') ?? [];
  if (said === undefined) return lastLine(stderr);
  return said.endsWith('occurred:') ? `${toLine(said, 300)} ${lastLine(stderr)}` : toLine(said, 600);
}

function describe(target: ScanTarget): string {
  return target.kind === 'registry'
    ? `${formatRepositoryName(target.repository)}@${target.digest}`
    : `${target.manifest.digest} in ${toLine(target.path, 200)}`;
}
