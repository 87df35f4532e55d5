import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { toPrintable } from '../core/printable.ts';
import type { Location, Log, Undo } from '../host.ts';
import { createMachine, type Machine } from './machine.ts';
import { Masker } from './masker.ts';
import { formatCommand, formatFileCommand, toPlainLines } from './workflow-commands.ts';

/** The limit above which the runner drops a step's summary whole. */
const SUMMARY_LIMIT_BYTES = 1024 * 1024;
const CUT_NOTE = '\n\n_The rest of this summary was cut: it was longer than GitHub shows._\n';
const UNDO_STATE = 'undo';
const POST_STATE = 'post';

/** The host of a step on a GitHub runner. */
export interface ActionsHost extends Machine {
  setOutput(name: string, value: string): void;
  /** Adds Markdown to the job summary, cut below the runner's limit with a note. */
  appendSummary(markdown: string): void;
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
  setFileCommand('GITHUB_STATE', POST_STATE, 'true');
  return {
    ...createMachine({ env, cwd, signal, log: runnerLog(masker), remember }),
    setOutput: (name, value) => setFileCommand('GITHUB_OUTPUT', name, value),
    appendSummary: (markdown) => appendTo('GITHUB_STEP_SUMMARY', cutToLimit(masker.hide(markdown))),
  };
}

/** True in the post step: the main step has said that it began. */
export function isPostStep(env: Readonly<Record<string, string | undefined>>): boolean {
  return env[`STATE_${POST_STATE}`] === 'true';
}

/** What a main step that was killed left to undo; written by this program, read back in its post step. */
export function pendingUndos(env: Readonly<Record<string, string | undefined>>): readonly Undo[] {
  const text = env[`STATE_${UNDO_STATE}`];
  if (text === undefined || text === '') return [];
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list.filter(isUndo) : [];
}

function isUndo(value: unknown): value is Undo {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'remove') return 'path' in value && typeof value.path === 'string';
  return value.kind === 'command' && 'argv' in value && Array.isArray(value.argv) && value.argv.every(isString);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function runnerLog(masker: Masker): Log {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const command = (name: string, message: string, at?: Location): void =>
    print(formatCommand(name, toPrintable(masker.hide(message)), at ?? {}));
  return {
    debug: (message) => command('debug', message),
    info: (message) => print(toPlainLines(masker.hide(message))),
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

function cutToLimit(markdown: string): string {
  const bytes = Buffer.from(markdown);
  if (bytes.length < SUMMARY_LIMIT_BYTES) return markdown;
  const kept = bytes.subarray(0, SUMMARY_LIMIT_BYTES - CUT_NOTE.length - 8).toString('utf8');
  return kept.slice(0, kept.lastIndexOf('\n') + 1) + CUT_NOTE;
}
