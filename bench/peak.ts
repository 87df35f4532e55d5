import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Step } from './measure.ts';

const LOOK_EVERY_MS = 5;

/**
 * The largest resident memory that this process ever has, in bytes, as Linux counts it; with the address of an engine that
 * wrote its pid beside its socket, the engine's processes meanwhile are added. NaN where nobody can tell.
 */
export async function peakBytesOf({ argv, env, cwd }: Step, dockerHost?: string): Promise<number> {
  const engine = dockerHost === undefined ? [] : engineOf(dockerHost);
  if (engine === undefined) return Number.NaN;
  // Begins the count again: https://www.kernel.org/doc/html/v6.18/filesystems/proc.html (clear_refs)
  for (const pid of engine) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const [program, ...args] = argv;
  const child = spawn(program, args, { env, cwd, stdio: 'ignore' });
  let ownBytes = 0;
  const timer = setInterval(() => {
    ownBytes = Math.max(ownBytes, highWaterBytes(child.pid));
  }, LOOK_EVERY_MS);
  const status = await new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', done);
  }).finally(() => clearInterval(timer));
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${String(status)}`);
  return engine.reduce((sum, pid) => sum + highWaterBytes(pid), ownBytes);
}

/** The engine's daemon and what it started; `undefined` when it is not ours to look at. */
function engineOf(dockerHost: string): readonly number[] | undefined {
  const file = join(dirname(dockerHost.replace('unix://', '')), 'dockerd.pid');
  if (!existsSync(file)) return undefined;
  const daemon = Number(readFileSync(file, 'utf8'));
  const children = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && parentOf(Number(name)) === daemon);
  return [daemon, ...children.map(Number)];
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+([0-9]+)/m.exec(statusOf(pid))?.[1]);
}

function highWaterBytes(pid: number | undefined): number {
  return Number(/^VmHWM:\s+([0-9]+) kB/m.exec(pid === undefined ? '' : statusOf(pid))?.[1] ?? 0) * 1024;
}

/** Empty when the process is gone. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
