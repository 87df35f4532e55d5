import { counted } from './core/counted.ts';
import { chooseAnnotations, type DockerfileProblem, formatProblem } from './core/dockerfile-problems.ts';
import type { Location, Log } from './host.ts';

/** GitHub shows no more of a step, of each level: https://github.com/actions/toolkit/pull/734 */
const ANNOTATIONS_PER_LEVEL = 10;
const MAX_LINES = 100;

/**
 * Says what is wrong with the Dockerfile at its lines: as warnings and notices what GitHub has room for, the rest as lines of
 * the log. `file` as in `Location`; `undefined` for a Dockerfile that is not in the workspace.
 */
export function annotateDockerfile(log: Log, file: string | undefined, problems: readonly DockerfileProblem[]): void {
  const { warnings, notices, left } = chooseAnnotations(problems, ANNOTATIONS_PER_LEVEL);
  for (const problem of warnings) log.warning(formatProblem(problem), placeOf(file, problem));
  for (const problem of notices) log.notice(formatProblem(problem), placeOf(file, problem));
  if (left.length === 0) return;
  log.info(`${counted(left.length, 'more problem')} of the Dockerfile:`);
  for (const problem of left.slice(0, MAX_LINES)) {
    const where = problem.line === undefined ? '' : `line ${problem.line}: `;
    log.info(`  ${where}${formatProblem(problem)}`);
  }
  if (left.length > MAX_LINES) log.info(`  and ${left.length - MAX_LINES} more`);
}

function placeOf(file: string | undefined, { line }: DockerfileProblem): Location | undefined {
  if (file === undefined) return undefined;
  return line === undefined ? { file } : { file, line };
}
