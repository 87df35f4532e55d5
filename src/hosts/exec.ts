import { AsyncLocalStorage } from 'node:async_hooks';
import { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { accessSync, constants, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { getExecOutput } from '@actions/exec';
import { quote, toLine } from '../core/printable.ts';
import { CommandError } from '../errors.ts';
import type { Command, CommandResult } from '../host.ts';

export interface ExecContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Where `node:child_process` announces each new child; the only way to reach one that a library started. */
const NEW_CHILD = 'child_process';
/** Tells the children of one call from those of others that run at the same time. */
const CALLS = new AsyncLocalStorage<{ child?: ChildProcess }>();
/** How long a program that was asked to end may take. */
const GRACE_MS = 5000;
/** How long what it wrote before it ended may be on its way. */
const LAST_WORDS_MS = 500;
/** Linux takes no longer text (MAX_ARG_STRLEN), and no more of them together with an ordinary stack; macOS half of that. */
const MAX_TEXT_BYTES = 1 << 17;
const MAX_TOTAL_BYTES = process.platform === 'darwin' ? 1 << 20 : 2 << 20;

/**
 * Runs a program without a shell; see `Host.exec`. The program is looked for on the PATH of the given environment. An
 * abort of a signal ends it with SIGTERM, after 5 seconds with SIGKILL, and rejects with the signal's reason. A program
 * that a signal ended has the status that a shell would give: 128 and the signal's number.
 */
export async function execCommand(command: Command, context: ExecContext): Promise<CommandResult> {
  const [program, ...args] = command.argv;
  const env = definedOnly({ ...context.env, ...command.env });
  context.signal.throwIfAborted();
  command.signal?.throwIfAborted();
  checkArguments(command.argv, env);
  const bounds = boundsOf(command);
  const signal = AbortSignal.any([context.signal, bounds.signal, ...(command.signal ? [command.signal] : [])]);
  const [stdout, stderr] = [lineReader(command.onLine), lineReader(command.onLine)];
  const counted =
    (read: (data: Buffer) => void) =>
    (data: Buffer): void => {
      bounds.count(data.length);
      // What comes after its end is decided is not worth the memory.
      if (!bounds.signal.aborted) read(data);
    };
  try {
    const tool = `"${findProgram(program, env).replaceAll('"', '\\"')}"`;
    const options = {
      cwd: command.cwd ?? context.cwd,
      env,
      silent: true,
      ignoreReturnCode: true,
      // An empty one closes the stream: a program that reads it would wait for ever.
      input: Buffer.from(command.stdin ?? ''),
      listeners: { stdout: counted(stdout.read), stderr: counted(stderr.read) },
    };
    const { result, child } = await followChild({ signal, onStart: command.onStart }, () =>
      getExecOutput(tool, args, options),
    );
    stdout.end();
    stderr.end();
    signal.throwIfAborted();
    return { status: result.exitCode ?? signalStatus(child), stdout: result.stdout, stderr: result.stderr };
  } catch (cause) {
    signal.throwIfAborted();
    throw new CommandError('COMMAND_NOT_STARTED', `${quote(program)} could not be started: ${messageOf(cause)}`, {
      command: program,
      hint: `Install ${toLine(program)}, or put it on the PATH.`,
      cause,
    });
  } finally {
    bounds.end();
  }
}

interface Bounds {
  /** Aborts with the error to throw when the command went beyond what it is allowed. */
  readonly signal: AbortSignal;
  /** Told of what the command wrote. */
  count(sizeBytes: number): void;
  end(): void;
}

function boundsOf({ argv: [command], timeoutMs, maxOutputBytes = Number.POSITIVE_INFINITY }: Command): Bounds {
  const ending = new AbortController();
  let leftBytes = maxOutputBytes;
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => ending.abort(timedOut(command, timeoutMs)), timeoutMs);
  return {
    signal: ending.signal,
    count(sizeBytes) {
      leftBytes -= sizeBytes;
      if (leftBytes < 0) ending.abort(tooLoud(command, maxOutputBytes));
    },
    end: () => clearTimeout(timer),
  };
}

function timedOut(command: string, timeoutMs: number): CommandError {
  return new CommandError('COMMAND_TIMED_OUT', `${quote(command)} was ended: it took more than ${timeoutMs / 1000} s`, {
    command,
    hint: 'Look what it waits for: a network that does not answer, or a machine with too much to do.',
  });
}

function tooLoud(command: string, maxBytes: number): CommandError {
  return new CommandError('COMMAND_TOO_LOUD', `${quote(command)} was ended: it wrote more than ${maxBytes} bytes`, {
    command,
    hint: 'Look whether it is the program that it claims to be.',
  });
}

/** Runs work that starts one child, ends that child when the signal aborts, and answers both. */
async function followChild<T>(
  { signal, onStart }: { readonly signal: AbortSignal; readonly onStart: Command['onStart'] },
  work: () => Promise<T>,
): Promise<{ result: T; child: ChildProcess | undefined }> {
  const call: { child?: ChildProcess } = {};
  let lastWord: NodeJS.Timeout | undefined;
  const stop = (): void => {
    call.child?.kill('SIGTERM');
    call.child?.once('exit', () => setTimeout(closeOutput, LAST_WORDS_MS).unref());
    lastWord ??= setTimeout(() => call.child?.kill('SIGKILL'), GRACE_MS);
  };
  // What it started itself may live on, keep them open and go on writing.
  const closeOutput = (): void => {
    call.child?.stdout?.destroy();
    call.child?.stderr?.destroy();
  };
  const remember = (message: unknown): void => {
    const child = childOf(message);
    if (child === undefined || CALLS.getStore() !== call) return;
    call.child = child;
    // It is announced before it starts; its streams are there a moment later.
    queueMicrotask(() => {
      // A program need not read all that it is sent.
      child.stdin?.on('error', () => {});
      if (signal.aborted) stop();
      onStart?.();
    });
  };
  subscribe(NEW_CHILD, remember);
  signal.addEventListener('abort', stop);
  try {
    const result = await CALLS.run(call, work);
    return { result, child: call.child };
  } finally {
    clearTimeout(lastWord);
    unsubscribe(NEW_CHILD, remember);
    signal.removeEventListener('abort', stop);
  }
}

/** Cuts what a stream brings into lines; the last one may lack its line feed. */
function lineReader(onLine: Command['onLine']): { read: (data: Buffer) => void; end: () => void } {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  return {
    read(data) {
      const [first = '', ...rest] = decoder.write(data).split('\n');
      pieces.push(first);
      for (const piece of rest) {
        onLine?.(pieces.join('').replace(/\r$/, ''));
        pieces = [piece];
      }
    },
    end() {
      const last = pieces.join('') + decoder.end();
      if (last !== '') onLine?.(last);
    },
  };
}

/** On Windows the extension decides as well, so that the library looks for itself. */
function findProgram(program: string, env: Readonly<Record<string, string>>): string {
  if (process.platform === 'win32' || program.includes('/')) return program;
  const directories = (env['PATH'] ?? '').split(path.delimiter).filter((directory) => directory !== '');
  const found = directories.map((directory) => path.resolve(directory, program)).find(isProgram);
  if (found === undefined) throw new Error('there is no such program on the PATH');
  return found;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What the system would refuse makes `@actions/exec` 3.0 throw where nobody can catch it. */
function checkArguments(argv: Command['argv'], env: Readonly<Record<string, string>>): void {
  const texts = [...argv, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const sizes = texts.map((text) => Buffer.byteLength(text) + 1);
  const total = sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  const isLong = total > MAX_TOTAL_BYTES || sizes.some((sizeBytes) => sizeBytes > MAX_TEXT_BYTES);
  const hasNul = texts.some((text) => text.includes('\0'));
  if (!hasNul && (!isLong || process.platform === 'win32')) return;
  const why = hasNul ? 'hold a NUL character' : 'are longer than the system allows';
  throw new CommandError('COMMAND_REFUSED', `the arguments and variables of ${quote(argv[0])} ${why}`, {
    command: argv[0],
    hint: 'Shorten build args, labels and annotations, or put long values into files.',
  });
}

function signalStatus(child: ChildProcess | undefined): number {
  const name = child?.signalCode ?? undefined;
  return 128 + (name === undefined ? 0 : os.constants.signals[name]);
}

function childOf(message: unknown): ChildProcess | undefined {
  if (typeof message !== 'object' || message === null || !('process' in message)) return undefined;
  return message.process instanceof ChildProcess ? message.process : undefined;
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
