import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

export interface ProgramResult {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
}

/** The root of this checkout. */
export const CHECKOUT = resolve(import.meta.dirname, '../..');

/** The scripts of the private toolchain. */
export const TOOLCHAIN_SCRIPTS = join(CHECKOUT, 'tools/toolchain');

/** Where the Node 24 of this checkout is; the runner's own Node is not on the PATH of a job either. */
export const NODE_DIRECTORY = dirname(process.execPath);

/** Runs a program without a shell and waits for its end; `status` is `undefined` when a signal ended it. */
export function run(argv: readonly [string, ...string[]], options: ProgramOptions = {}): Promise<ProgramResult> {
  const [program, ...args] = argv;
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env ?? process.env });
    child.stdin.on('error', () => {}); // a program that ends without reading is not a failure
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', fail);
    child.on('close', (status) => done({ status: status ?? undefined, stdout, stderr }));
    child.stdin.end(options.stdin ?? '');
  });
}

/** Like {@link run}; an exit code other than 0 is an error that shows what the program wrote. Answers its stdout, trimmed. */
export async function mustRun(argv: readonly [string, ...string[]], options: ProgramOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(argv, options);
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status ?? 'a signal'}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/** True when the program starts and ends with 0. */
export function succeeds(argv: readonly [string, ...string[]]): boolean {
  const [program, ...args] = argv;
  return spawnSync(program, args, { stdio: 'ignore', timeout: 15_000 }).status === 0;
}

/** The full path of a program of that PATH; `undefined` when there is none. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
