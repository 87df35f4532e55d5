import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { numberAt } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import { formatRepositoryName, isLoopback, type RepositoryName } from '../core/reference.ts';
import type { CommandResult, Host } from '../host.ts';
import type { Descriptor } from '../oci/types.ts';
import type { ScanAccess } from './trivy-access.ts';
import type { TrivyDatabase } from './trivy-database.ts';
import type { Trivy } from './trivy-install.ts';
import { invalidReport, readJsonOutput, runTrivy, type ScanReport, trivyFailure } from './trivy-run.ts';

export { NO_ACCESS, openScanAccess } from './trivy-access.ts';
export { convertReport } from './trivy-convert.ts';
export { prepareDatabase } from './trivy-database.ts';
export { checkDockerfile } from './trivy-dockerfile.ts';
export { findInstalledTrivy, findTrivy } from './trivy-install.ts';
export type { ScanReport } from './trivy-run.ts';

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
  const call = {
    args,
    env: request.access.env,
    timeoutMs: request.settings.timeoutMs,
    failure: `${describe(request.target)} could not be scanned`,
    lateHint: 'Give scan-timeout more, or leave out folders with scan-skip-dirs.',
  };
  const run = (): Promise<CommandResult> => runTrivy(trivy, call);
  let result = await run();
  if (result.status !== 0 && database !== undefined && NEEDS_JAVA.test(result.stderr)) {
    await database.addJava();
    result = await run();
  }
  if (result.status !== 0) throw trivyFailure(call, result);
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

function readReport(host: Host, file: string, target: ScanTarget): ScanReport {
  const name = `the report on ${describe(target)}`;
  const { json } = readJsonOutput(host, file, name);
  const schema = numberAt(json, 'SchemaVersion');
  if (schema === REPORT_SCHEMA) return { file, json };
  const seen = toLine(String(schema ?? 'unknown'), 20);
  throw invalidReport(name, `has the schema ${seen}, and ${REPORT_SCHEMA} is understood`);
}

function describe(target: ScanTarget): string {
  return target.kind === 'registry'
    ? `${formatRepositoryName(target.repository)}@${target.digest}`
    : `${target.manifest.digest} in ${toLine(target.path, 200)}`;
}
