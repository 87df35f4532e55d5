import path from 'node:path';
import { type DockerfileProblem, problemOf } from '../core/dockerfile-problems.ts';
import { valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { parseTrivyReport } from '../core/trivy-report.ts';
import { BuildOnceError, isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import { whyUnreadable } from '../regular-file.ts';
import type { Trivy } from './trivy-install.ts';
import { invalidReport, readJsonOutput, runTrivy, trivyFailure } from './trivy-run.ts';

export interface DockerfileCheck {
  /** The Dockerfile, whatever its name. */
  readonly file: string;
  /** As in `ScanSettings`; its paths are those of the workspace. */
  readonly ignoreFile: string | undefined;
  readonly timeoutMs: number;
}

const MAX_DOCKERFILE_BYTES = 16 << 20;
/** Trivy looks into none of these: pkg/fanal/walker/walk.go in v0.70.0. */
const UNREAD_DIRECTORY = /^(?:dev|proc|sys)\/|(?:^|\/)\.git\//;

/**
 * What Trivy's own checks, those that are in the program, say of a Dockerfile. It ends no run: where there is no answer, a line
 * of the log says why, and the list is empty.
 */
export async function checkDockerfile(trivy: Trivy, check: DockerfileCheck): Promise<readonly DockerfileProblem[]> {
  const { host } = trivy;
  try {
    return parseProblems(await askTrivy(trivy, check), check.file);
  } catch (error) {
    host.signal.throwIfAborted();
    if (!isBuildOnceError(error)) throw error;
    host.log.info(`Trivy did not look at the Dockerfile: ${error.message}`);
    return [];
  }
}

/** Scans a copy that is alone in a folder, since Trivy takes folders, and what lies beside the file is not asked for. */
async function askTrivy(trivy: Trivy, { file, ignoreFile, timeoutMs }: DockerfileCheck): Promise<unknown> {
  const { host } = trivy;
  const text = readDockerfile(host, file);
  const directory = host.files.makeTemporaryDirectory('build-once-dockerfile-');
  const at = (name: string): string => path.join(directory, name);
  host.files.write(at('empty'), '');
  host.files.write(path.join(at('files'), nameFor(host, file)), text);
  const args = [
    'config',
    `--config=${at('empty')}`,
    `--ignorefile=${ignoreFile ?? at('empty')}`,
    // With no checks in it that somebody downloaded.
    `--cache-dir=${at('cache')}`,
    '--skip-check-update',
    '--skip-version-check',
    '--disable-telemetry',
    '--misconfig-scanners=dockerfile',
    // Whatever its name.
    '--file-patterns=dockerfile:.',
    '--format=json',
    `--output=${at('report.json')}`,
    `--timeout=${timeoutMs}ms`,
    '--',
    at('files'),
  ];
  const call = { args, timeoutMs, failure: `${quote(file)} could not be scanned`, lateHint: 'Give scan-timeout more.' };
  const result = await runTrivy(trivy, call);
  if (result.status !== 0) throw trivyFailure(call, result);
  return readJsonOutput(host, at('report.json'), `the report on ${quote(file)}`).json;
}

function readDockerfile({ files }: Host, file: string): string {
  let text: string | undefined;
  try {
    text = files.readRegular(file, MAX_DOCKERFILE_BYTES);
  } catch (cause) {
    throw unreadable(file, whyUnreadable(cause), cause);
  }
  if (text === undefined) throw unreadable(file, 'is not there');
  return text;
}

/** Its path in the workspace, as ignore files name it. */
function nameFor({ files, cwd }: Host, file: string): string {
  const absolute = files.resolve(file);
  const inside = path.relative(cwd, absolute).split(path.sep).join('/');
  const isNamed = inside !== '..' && !inside.startsWith('../') && !path.isAbsolute(inside);
  return isNamed && !UNREAD_DIRECTORY.test(inside) ? inside : path.basename(absolute);
}

function parseProblems(json: unknown, file: string): readonly DockerfileProblem[] {
  const scan = parseTrivyReport(json, 'Dockerfile');
  if (!scan.ok) throw invalidReport(`the report on ${quote(file)}`, `cannot be read: ${scan.problem}`);
  // Without any result, it could not read the file; where nothing is wrong there is one.
  if (valueAt(json, 'Results') === undefined) throw unreadable(file, 'is no Dockerfile that it can read');
  return scan.value.findings.filter((finding) => finding.kind === 'misconfiguration').map(problemOf);
}

function unreadable(file: string, problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError('SCAN_FAILED', `${quote(file)} ${problem}`, 1, { cause });
}
