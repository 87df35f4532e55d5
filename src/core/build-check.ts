import type { DockerfileProblem } from './dockerfile-problems.ts';
import { numberAt, textAt, valueAt } from './json.ts';
import { toLine } from './printable.ts';
import { parseWebUrl } from './web-url.ts';

/** What `docker buildx build --check` says. */
export interface BuildCheck {
  readonly problems: readonly DockerfileProblem[];
  /** What kept it from looking at everything, in BuildKit's words: the build would end there as well. */
  readonly stop: string | undefined;
}

/** Far more than a Dockerfile has lines worth a word. */
const MAX_PROBLEMS = 1000;
const MAX_RULE_LENGTH = 80;
const MAX_MESSAGE_LENGTH = 400;

/**
 * Reads the JSON of `--call=check,format=json` (moby/buildkit v0.27.1, frontend/subrequests/lint/lint.go); `undefined` for
 * what is none. What cannot be read in it is passed over: nothing depends on it. Rules and messages are printable lines.
 */
export function parseBuildCheck(json: unknown): BuildCheck | undefined {
  const warnings = valueAt(json, 'warnings');
  // Go writes an empty list as null.
  if (warnings !== null && !Array.isArray(warnings)) return undefined;
  const problems = (warnings ?? []).slice(0, MAX_PROBLEMS).flatMap((warning: unknown) => readProblem(warning));
  const stop = textAt(json, 'buildError', 'message');
  return { problems, stop: stop === undefined ? undefined : toLine(stop, MAX_MESSAGE_LENGTH) };
}

function readProblem(json: unknown): readonly DockerfileProblem[] {
  const rule = textAt(json, 'ruleName');
  const message = textAt(json, 'detail') ?? textAt(json, 'description');
  if (rule === undefined || message === undefined) return [];
  return [
    {
      rule: toLine(rule, MAX_RULE_LENGTH),
      message: toLine(message, MAX_MESSAGE_LENGTH),
      url: parseWebUrl(textAt(json, 'url')),
      line: readLine(json),
      severity: undefined,
      source: 'buildx',
    },
  ];
}

function readLine(json: unknown): number | undefined {
  const ranges = valueAt(json, 'location', 'ranges');
  const line = numberAt(Array.isArray(ranges) ? ranges[0] : undefined, 'start', 'line');
  return line !== undefined && Number.isSafeInteger(line) && line > 0 ? line : undefined;
}
