import { type Misconfiguration, rankOf, SEVERITIES, type Severity } from './findings.ts';
import { toLine } from './printable.ts';
import type { Warning } from './warning.ts';

/** Something in a Dockerfile that buildx or Trivy would have otherwise. The texts are printable lines. */
export interface DockerfileProblem {
  /** `SecretsUsedInArgOrEnv`, `DS-0002` */
  readonly rule: string;
  readonly message: string;
  /** Where to read on: http or https. */
  readonly url: string | undefined;
  /** Counted from 1; `undefined` when no line is to blame. */
  readonly line: number | undefined;
  /** buildx knows none. */
  readonly severity: Severity | undefined;
  readonly source: 'buildx' | 'trivy';
}

/** What to show at the lines of a Dockerfile, and what there is no room for. */
export interface Annotations {
  readonly warnings: readonly DockerfileProblem[];
  readonly notices: readonly DockerfileProblem[];
  readonly left: readonly DockerfileProblem[];
}

const MAX_RULE_LENGTH = 80;
const MAX_PART_LENGTH = 200;
/** Rules of Trivy (trivy-checks, checks/docker), and what BuildKit calls the same at the same line. */
const SAME_MATTER: ReadonlyMap<string, string> = new Map([
  ['DS-0009', 'WorkdirRelativePath'],
  ['DS-0022', 'MaintainerDeprecated'],
  ['DS-0031', 'SecretsUsedInArgOrEnv'],
]);
/** The run warns of it itself, by what the build args make of the name. */
const LATEST_IMAGE = 'DS-0001';
const WARNING_SEVERITIES: ReadonlySet<Severity | undefined> = new Set<Severity>(['CRITICAL', 'HIGH']);

/** A check of Trivy's that failed, without its message: in that, Trivy quotes the instruction and masks nothing. */
export function problemOf({ id, title, resolution, url, startLine, severity }: Misconfiguration): DockerfileProblem {
  const parts = [title, ...(resolution === undefined ? [] : [resolution])];
  return {
    rule: toLine(id, MAX_RULE_LENGTH),
    message: parts.map((part) => toLine(part, MAX_PART_LENGTH)).join(': '),
    url,
    line: startLine,
    severity,
    source: 'trivy',
  };
}

/**
 * One list by line, those without one first; nothing twice. Where both sources say the same of a line, buildx says it, which
 * names the variable or the path, with the severity of Trivy. `said` is what the run warned of before.
 */
export function joinProblems(
  problems: readonly DockerfileProblem[],
  said: readonly Warning[],
): readonly DockerfileProblem[] {
  const matters = new Set(problems.filter(({ source }) => source === 'buildx').map(matterOf));
  const severities = new Map<string, Severity | undefined>();
  const distinct = new Map<string, DockerfileProblem>();
  const warnedLines = new Set(said.map(({ line }) => line));
  for (const problem of problems) {
    const matter = matterOf(problem);
    const isTold = problem.source === 'trivy' && matters.has(matter);
    if (isTold) severities.set(matter, problem.severity);
    if (isTold || (problem.rule === LATEST_IMAGE && warnedLines.has(problem.line))) continue;
    distinct.set(JSON.stringify([problem.rule, problem.line, problem.message]), problem);
  }
  return [...distinct.values()]
    .map((problem) => ({ ...problem, severity: problem.severity ?? severities.get(matterOf(problem)) }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** CRITICAL and HIGH are warnings, the rest notices; of each level the worst ones, as many as fit, in their order. */
export function chooseAnnotations(problems: readonly DockerfileProblem[], limit: number): Annotations {
  const isWarning = ({ severity }: DockerfileProblem): boolean => WARNING_SEVERITIES.has(severity);
  const worst = (candidates: readonly DockerfileProblem[]): ReadonlySet<DockerfileProblem> =>
    new Set([...candidates].sort((a, b) => weightOf(a) - weightOf(b)).slice(0, limit));
  const warnings = worst(problems.filter(isWarning));
  const notices = worst(problems.filter((problem) => !isWarning(problem)));
  return {
    warnings: problems.filter((problem) => warnings.has(problem)),
    notices: problems.filter((problem) => notices.has(problem)),
    left: problems.filter((problem) => !warnings.has(problem) && !notices.has(problem)),
  };
}

/** The problem in one line, without its place. */
export function formatProblem({ message, rule, url }: DockerfileProblem): string {
  return `${message} (${url === undefined ? rule : `${rule}, ${url}`})`;
}

function matterOf({ rule, line }: DockerfileProblem): string {
  return JSON.stringify([SAME_MATTER.get(rule) ?? rule, line]);
}

/** What has no severity comes last. */
function weightOf({ severity }: DockerfileProblem): number {
  return severity === undefined ? SEVERITIES.length : rankOf(severity);
}
