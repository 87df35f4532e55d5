import { randomBytes } from 'node:crypto';
import { appendFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseJson, textAt, valueAt } from '../core/json.ts';
import type { Location, Log, Undo } from '../host.ts';
import { type ArtifactSubject, artifactLines } from './artifacts.ts';
import { createMachine, type Machine } from './machine.ts';
import { Masker } from './masker.ts';
import { formatCommand, formatFileCommand, toPlainLines } from './workflow-commands.ts';

/** The limit above which the runner drops a step's summary whole. */
const SUMMARY_LIMIT_BYTES = 1024 * 1024;
const CUT_NOTE = '\n\n_The rest of this summary was cut: it was longer than GitHub shows._\n';
const UNDO_STATE = 'undo';
/** What `makeTemporaryDirectory` and @docker/actions-toolkit make. */
const OUR_DIRECTORY = /^(?:build-once|docker-actions-toolkit)-[A-Za-z0-9-]+$/;
const REMOVE_BUILDER = ['docker', 'buildx', 'rm', '--force'];
const OUR_BUILDER = /^build-once-[0-9a-f]{16}$/;

/** The host of a step on a GitHub runner. */
export interface ActionsHost extends Machine {
  setOutput(name: string, value: string): void;
  /** Adds Markdown to the job summary, cut below the runner's limit with a note. */
  appendSummary(markdown: string): void;
  /** Declares images that this step made, for a later step that attests them; says in a notice what it may not declare. */
  addArtifacts(subjects: readonly ArtifactSubject[]): void;
}

export interface ActionsSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

export function createActionsHost({ env, cwd, signal }: ActionsSettings): ActionsHost {
  const masker = new Masker();
  const appendTo = (variable: string, text: string): void => {
    const file = env[variable];
    if (file !== undefined && file !== '') appendFileSync(file, text);
  };
  const setFileCommand = (variable: string, name: string, value: string): void =>
    appendTo(variable, formatFileCommand(name, value, `build-once-${randomBytes(16).toString('hex')}`));
  const remember = (pending: readonly Undo[]): void =>
    setFileCommand('GITHUB_STATE', UNDO_STATE, JSON.stringify(pending));
  // The runner empties it before and after each job, also when nothing of ours could.
  const temporary = env['RUNNER_TEMP'] || undefined;
  const machine = createMachine({
    env: withoutInputs(env),
    cwd,
    signal,
    log: runnerLog(masker),
    masker,
    temporary,
    remember,
  });
  return {
    ...machine,
    setOutput: (name, value) => setFileCommand('GITHUB_OUTPUT', name, value),
    appendSummary: (markdown) =>
      appendTo('GITHUB_STEP_SUMMARY', cutToLimit(masker.hide(markdown), sizeOf(env['GITHUB_STEP_SUMMARY']))),
    addArtifacts(subjects) {
      if (subjects.length === 0 || (env['GITHUB_ARTIFACTS'] ?? '') === '') return;
      const list = env['GITHUB_ARTIFACTS_LIST'] || undefined;
      const { text, left } = artifactLines(subjects, list === undefined ? undefined : machine.files.readText(list));
      for (const why of left) machine.log.notice(`not in GITHUB_ARTIFACTS: ${why}`);
      if (text !== '') appendTo('GITHUB_ARTIFACTS', text);
    },
  };
}

/** Programs that are started need no inputs, and some of these are secrets. */
function withoutInputs(env: ActionsSettings['env']): ActionsSettings['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_')));
}

function sizeOf(file: string | undefined): number {
  return (file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.size) ?? 0;
}

/**
 * What a main step that was killed left to undo. Whoever can print a line or set a variable in this job could have written
 * it, so that only what this program makes is taken back: its temporary directories and its builders.
 */
export function pendingUndos(env: Readonly<Record<string, string | undefined>>): readonly Undo[] {
  const list = parseJson(env[`STATE_${UNDO_STATE}`] ?? '');
  // A step in between may have set TMPDIR for those that follow.
  const temporary = new Set([tmpdir(), '/tmp', env['RUNNER_TEMP'] ?? ''].map((directory) => path.resolve(directory)));
  return Array.isArray(list) ? list.flatMap((value) => undoOf(value, temporary)) : [];
}

function undoOf(value: unknown, temporary: ReadonlySet<string>): Undo[] {
  const at = textAt(value, 'path') ?? '';
  if (textAt(value, 'kind') === 'remove') {
    // With a slash at its end it would be what a link leads to.
    const isPlain = at === path.join(path.dirname(at), path.basename(at));
    const isOurs = isPlain && temporary.has(path.dirname(at)) && OUR_DIRECTORY.test(path.basename(at));
    return isOurs ? [{ kind: 'remove', path: at }] : [];
  }
  const argv = valueAt(value, 'argv');
  const builder = Array.isArray(argv) ? String(argv.at(-1)) : '';
  const command = [...REMOVE_BUILDER, builder];
  const isOurs = OUR_BUILDER.test(builder) && JSON.stringify(argv) === JSON.stringify(command);
  return isOurs ? [{ kind: 'command', argv: command }] : [];
}

function runnerLog(masker: Masker): Log {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const command = (name: string, message: string, at?: Location): void =>
    print(
      formatCommand(
        name,
        masker.toPrintable(message),
        at === undefined ? {} : { ...at, file: masker.toPrintable(at.file) },
      ),
    );
  return {
    debug: (message) => command('debug', message),
    info: (message) => print(toPlainLines(masker.toPrintable(message))),
    notice: (message, at) => command('notice', message, at),
    warning: (message, at) => command('warning', message, at),
    error: (message, at) => command('error', message, at),
    async group(title, work) {
      command('group', title);
      try {
        return await work();
      } finally {
        command('endgroup', '');
      }
    },
    mask(secret) {
      for (const line of masker.add(secret)) print(formatCommand('add-mask', line));
    },
  };
}

/** `takenBytes`: what the step has written to its summary before. */
function cutToLimit(markdown: string, takenBytes: number): string {
  const bytes = Buffer.from(markdown);
  const leftBytes = SUMMARY_LIMIT_BYTES - takenBytes - 1;
  if (bytes.length <= leftBytes) return markdown;
  const kept = bytes.subarray(0, Math.max(0, leftBytes - CUT_NOTE.length - 8)).toString('utf8');
  return leftBytes < CUT_NOTE.length ? '' : kept.slice(0, kept.lastIndexOf('\n') + 1) + CUT_NOTE;
}
