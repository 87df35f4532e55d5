import type { Log } from '../host.ts';
import { createMachine, type Machine } from './machine.ts';
import { Masker } from './masker.ts';

export interface TerminalSettings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Where messages go; standard error when absent. Results are the caller's to print. */
  readonly write?: (line: string) => void;
}

/** The host of the CLI and of library users: messages on standard error, nothing on standard output. */
export function createTerminalHost(settings: TerminalSettings = {}): Machine {
  const env = settings.env ?? process.env;
  const write = settings.write ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const masker = new Masker();
  return createMachine({
    env,
    cwd: settings.cwd ?? process.cwd(),
    signal: settings.signal ?? new AbortController().signal,
    masker,
    log: terminalLog(write, masker, env['BUILD_ONCE_DEBUG'] === 'true'),
  });
}

function terminalLog(write: (line: string) => void, masker: Masker, debug: boolean): Log {
  const say = (prefix: string, message: string): void => write(prefix + masker.toPrintable(message));
  return {
    debug: (message) => (debug ? say('debug: ', message) : undefined),
    info: (message) => say('', message),
    notice: (message) => say('note: ', message),
    warning: (message, at) => say('warning: ', located(message, at)),
    error: (message, at) => say('error: ', located(message, at)),
    group: async (title, work) => {
      say('', title);
      return work();
    },
    mask: (secret) => void masker.add(secret),
  };
}

function located(message: string, at?: { file: string; line?: number }): string {
  if (at === undefined) return message;
  return `${at.line === undefined ? at.file : `${at.file}:${at.line}`}: ${message}`;
}
