import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getExecOutput } from '@actions/exec';
import { CommandError } from '../errors.ts';
import type { Command, CommandResult } from '../host.ts';

export interface ExecContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Where `node:child_process` announces each new child; the only way to reach one that a library started. */
const NEW_CHILD = 'child_process';

/** Runs a program without a shell; see `Host.exec`. An abort of the signal ends the program with SIGTERM. */
export async function execCommand(command: Command, context: ExecContext): Promise<CommandResult> {
  const [program, ...args] = command.argv;
  const children = new Set<ChildProcess>();
  const remember = (message: unknown): void => {
    const child = childOf(message);
    if (child !== undefined && child.spawnargs.slice(1).join('\0') === args.join('\0')) children.add(child);
  };
  const stop = (): void => {
    for (const child of children) child.kill('SIGTERM');
  };
  context.signal.throwIfAborted();
  subscribe(NEW_CHILD, remember);
  context.signal.addEventListener('abort', stop);
  try {
    const onLine = command.onLine;
    const result = await getExecOutput(`"${program}"`, args, {
      cwd: command.cwd ?? context.cwd,
      env: definedOnly({ ...context.env, ...command.env }),
      silent: true,
      ignoreReturnCode: true,
      ...(command.stdin === undefined ? {} : { input: Buffer.from(command.stdin) }),
      ...(onLine === undefined ? {} : { listeners: { stdline: onLine, errline: onLine } }),
    });
    return { status: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  } catch (cause) {
    throw new CommandError('COMMAND_NOT_STARTED', `${program} could not be started: ${messageOf(cause)}`, {
      command: program,
      hint: `Install ${program}, or put it on the PATH.`,
      cause,
    });
  } finally {
    unsubscribe(NEW_CHILD, remember);
    context.signal.removeEventListener('abort', stop);
  }
}

function childOf(message: unknown): ChildProcess | undefined {
  if (typeof message !== 'object' || message === null || !('process' in message)) return undefined;
  const child = message.process;
  return isChildProcess(child) ? child : undefined;
}

function isChildProcess(value: unknown): value is ChildProcess {
  return typeof value === 'object' && value !== null && 'spawnargs' in value && 'kill' in value;
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
