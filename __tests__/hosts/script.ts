import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** How a script ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A script that runs, and its end. */
export interface RunningScript {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard output holds this text. */
  printed(text: string): Promise<void>;
}

/** The address of a source file, for a script to import. */
export function source(file: string): string {
  return pathToFileURL(path.join(import.meta.dirname, '../../src', file)).href;
}

/** Starts a JavaScript module in a Node process of its own, with these variables and nothing of ours. */
export function startScript(module: string, env: Readonly<Record<string, string>> = {}): RunningScript {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', module], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const waiting: (() => void)[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, ...output }));
  });
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.stdout.includes(text)) resolve();
      };
      waiting.push(look);
      look();
      ended.then((end) => reject(new Error(`ended without ${text}: ${JSON.stringify(end)}`)), reject);
    });
  return { child, ended, printed };
}
