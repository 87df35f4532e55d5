import { quote, toLine } from '../core/printable.ts';
import { CommandError } from '../errors.ts';
import type { Location } from '../host.ts';

/** Why a build failed, as far as buildx's plain progress says it. */
export interface BuildFailure {
  /** `[linux/amd64 2/2] RUN npm ci`; `undefined` when no step failed: a Dockerfile that does not parse, a lost builder. */
  readonly step: string | undefined;
  /** buildx's own last word, without its prefixes. */
  readonly reason: string;
  /** The line of the Dockerfile, from 1. */
  readonly line: number | undefined;
  /** What buildx shows of the Dockerfile: its lines by their numbers, each without outer blanks. */
  readonly excerpt: ReadonlyMap<number, string>;
  /** Of a call that builds several: the one that buildx blames. Its name is in neither `step` nor `reason`. */
  readonly target: string | undefined;
  /** The last lines that the failing step wrote, or else the last lines of all. */
  readonly log: readonly string[];
  /** What usually helps against this. */
  readonly hint: string | undefined;
}

const LOG_LINES = 20;
const MAX_STEP_LENGTH = 160;
const MAX_REASON_LENGTH = 400;
const MAX_LOG_LINE_LENGTH = 400;

const VERTEX = /^#(\d{1,9}) (.*)$/;
const LOG_ENTRY = /^(\d+\.\d+) (.*)$/;
/** The excerpt of the Dockerfile that buildx prints: its name and the first line, then a rule. */
const EXCERPT = /^\S.{0,1000}:(\d{1,9})$/;
const EXCERPT_RULE = /^-{20}$/;
const ERROR = /^ERROR: (.*)$/;
/** What docker says of an argument that it does not take; how it is used follows. */
const ARGUMENT = /^(invalid argument .*)$/;
const REASON_PREFIX = /^(?:failed to build: |failed to solve: )+/;
/** `docker buildx bake` puts the target's name before what went wrong, and into the brackets of each step. */
const REASON_TARGET = /^target ([A-Za-z0-9_-]+): /;
const STEP_TARGET = /^\[([A-Za-z0-9_-]+)(?:\] | (?=[^\]]*\]))/;
const EXCERPT_LINE = /^ *(\d{1,9}) \| (?:>>> |    )(.*)$/;

const LOCKED_BLOB =
  /^ERROR: \(\*service\)\.Write failed: rpc error: code = Unavailable desc = ref \S+ locked for \S+ \(since [^()]*\): unavailable$/;

/** Symptoms of what is wrong outside of the Dockerfile. Advice only: whether the build failed, its exit code says. */
const HINTS: readonly (readonly [symptom: RegExp, hint: string])[] = [
  [
    /exec format error/i,
    'The builder cannot run programs of this platform: set up emulation (docker/setup-qemu-action), use a builder of that platform, or drop the platform.',
  ],
  [
    /unknown scheme git\b/,
    'For a git context the builder has no git: use another one, or check the repository out in an earlier step and name its directory.',
  ],
  [
    /could not read Username|terminal prompts disabled/,
    'The builder may not read a git repository: give the secret GIT_AUTH_TOKEN, a token that may.',
  ],
  [
    /no match for platform in manifest/i,
    'An image that the Dockerfile names has no such platform: name another one, or drop the platform. Windows images cannot be used.',
  ],
  [/no space left on device/i, 'The builder has no disk space left: free some, for example with docker buildx prune.'],
  [
    /\b401\b|\b403\b|unauthorized|authentication required|pull access denied|insufficient_scope|\bdenied\b/i,
    'A registry refused access: give registry, username and password, or log in to it in an earlier step.',
  ],
  [
    /no such host|name resolution|i\/o timeout|connection refused|connection reset|network is unreachable|handshake timeout/i,
    'The builder could not reach the network address: check the name, the network and any proxy. A builder in a container reaches addresses of this machine only with --driver-opt network=host.',
  ],
  [/out of memory|signal: killed|exit code: 137\b/i, 'The builder ran out of memory.'],
];

/**
 * True for an error that buildx prints of a build that goes well: two platforms write one blob to the layout at the same
 * time, and the second one waits (buildx 0.29, `--output=type=oci,tar=false`).
 */
export function isHarmless(line: string): boolean {
  return LOCKED_BLOB.test(line);
}

/**
 * Reads the output of a build that failed; `targets` are the names of those that a bake builds. Pure; what the build printed
 * itself can never be taken for buildx's words.
 */
export function parseBuildFailure(output: string, targets: readonly string[] = []): BuildFailure {
  const lines = output
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => !isHarmless(line));
  const rest = lines.filter((line) => line.trim() !== '');
  const said = lastMatch(lines, ERROR) ?? lastMatch(lines, ARGUMENT) ?? rest.at(-1) ?? 'it gave no reason';
  const blamed = cutTarget(said.replace(REASON_PREFIX, ''), REASON_TARGET, targets);
  const reason = blamed.rest.replace(REASON_PREFIX, '');
  const failed = failedVertex(lines, reason);
  const ownLog = failed === undefined ? [] : vertexLog(lines, failed);
  const log = (ownLog.length > 0 ? ownLog : rest).slice(-LOG_LINES).map((line) => toLine(line, MAX_LOG_LINE_LENGTH));
  const symptoms = [reason, ...log].join('\n');
  const step = failed === undefined ? undefined : cutTarget(vertexName(lines, failed), STEP_TARGET, targets);
  const head = excerptHead(lines);
  return {
    step: step === undefined ? undefined : toLine(step.rest, MAX_STEP_LENGTH),
    reason: toLine(reason, MAX_REASON_LENGTH),
    line: head === undefined ? undefined : head.line,
    excerpt: head === undefined ? new Map() : excerptLines(lines.slice(head.index + 2)),
    target: blamed.target ?? step?.target,
    log,
    hint: HINTS.find(([symptom]) => symptom.test(symptoms))?.[1],
  };
}

/** The text without the name of one of these targets at its start. */
function cutTarget(
  text: string,
  pattern: RegExp,
  targets: readonly string[],
): { readonly target: string | undefined; readonly rest: string } {
  const [start = '', name] = pattern.exec(text) ?? [];
  const target = targets.find((candidate) => candidate === name);
  const rest = text.slice(start.length);
  if (target === undefined) return { target, rest: text };
  return { target, rest: start.startsWith('[') && !start.includes(']') ? `[${rest}` : rest };
}

/**
 * The step whose error is the build's. Others may have failed and done no harm, such as reading a cache that is not there;
 * where none is quoted in the reason, the last one it is.
 */
function failedVertex(lines: readonly string[], reason: string): string | undefined {
  const failed = lines.flatMap((line) => {
    const [, vertex, said = ''] = VERTEX.exec(line) ?? [];
    return vertex !== undefined && said.startsWith('ERROR: ') ? [{ vertex, error: said.slice('ERROR: '.length) }] : [];
  });
  return (failed.find(({ error }) => reason.endsWith(error)) ?? failed.at(-1))?.vertex;
}

function vertexLog(lines: readonly string[], vertex: string): string[] {
  return lines.flatMap((line) => {
    const [, owner, said = ''] = VERTEX.exec(line) ?? [];
    const text = owner === vertex ? LOG_ENTRY.exec(said)?.[2] : undefined;
    return text === undefined ? [] : [text];
  });
}

function vertexName(lines: readonly string[], vertex: string): string {
  const first = lines.find((line) => line.startsWith(`#${vertex} `));
  return first?.slice(vertex.length + 2) ?? '';
}

/** The last excerpt is the one of the error; earlier ones belong to warnings. */
function excerptHead(lines: readonly string[]): { readonly index: number; readonly line: number } | undefined {
  const index = lines.findLastIndex((line, at) => EXCERPT.test(line) && EXCERPT_RULE.test(lines[at + 1] ?? ''));
  const line = Number(EXCERPT.exec(lines[index] ?? '')?.[1] ?? 0);
  return line > 0 ? { index, line } : undefined;
}

function excerptLines(lines: readonly string[]): ReadonlyMap<number, string> {
  const shown = new Map<number, string>();
  for (const line of lines) {
    const [, number, text = ''] = EXCERPT_LINE.exec(line) ?? [];
    if (number === undefined) break;
    shown.set(Number(number), text.trim());
  }
  return shown;
}

function lastMatch(lines: readonly string[], pattern: RegExp): string | undefined {
  const line = lines.findLast((candidate) => pattern.test(candidate));
  return line === undefined ? undefined : pattern.exec(line)?.[1];
}

interface BuildErrorDetails {
  readonly command: string;
  readonly status: number;
  readonly location?: Location | undefined;
  readonly target?: string | undefined;
}

/** A build that failed: `BUILD_FAILED`, with the place in the Dockerfile that is to blame, where buildx names one. */
export class BuildError extends CommandError {
  override readonly name: string = 'BuildError';
  readonly location: Location | undefined;
  /** The last lines of the failing step. */
  readonly log: readonly string[];
  /** Of a call that builds several images: the name of the one that failed, where buildx says which. */
  readonly target: string | undefined;

  constructor(failure: BuildFailure, details: BuildErrorDetails) {
    const build = details.target === undefined ? 'the build' : `the build of ${quote(details.target)}`;
    const subject = failure.step === undefined ? `${build} failed` : `${build} failed at ${failure.step}`;
    const log = failure.log.map((line) => `  ${line}`);
    super('BUILD_FAILED', [`${subject}: ${failure.reason}`, ...log].join('\n'), {
      command: details.command,
      status: details.status,
      stderrTail: failure.log.join('\n'),
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    });
    this.location = details.location;
    this.log = failure.log;
    this.target = details.target;
  }
}

/** True for a {@link BuildError}, also for one raised inside a lazily loaded bundle. */
export function isBuildError(error: unknown): error is BuildError {
  return error instanceof Error && error.name === 'BuildError' && 'location' in error && 'log' in error;
}
