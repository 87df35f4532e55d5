import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchSignals } from '../../src/hosts/signals.ts';
import { type RunningScript, source, startScript } from './script.ts';

/** As the entries do it: work until interrupted, then clean up, which takes as long as it takes. */
function startRun(cleanup = ''): RunningScript {
  return startScript(`
    import { watchSignals } from '${source('hosts/signals.ts')}';
    import { createTerminalHost } from '${source('hosts/terminal.ts')}';
    const interrupt = watchSignals(process);
    const host = createTerminalHost({ signal: interrupt.signal });
    interrupt.beforeEnd(() => host.removeAtOnce());
    const directory = host.files.makeTemporaryDirectory('build-once-signals-');
    host.files.write(directory + '/secret', 'x');
    try {
      console.log('directory ' + directory + ' ready');
      await host.sleep(60_000);
    } catch (error) {
      console.log('failed with ' + error.code + ': ' + error.message);
      process.exitCode = interrupt.exitCode();
    } finally {
      console.log('cleaning up');
      ${cleanup}
      await host.finish();
    }
  `);
}

function directoryOf(stdout: string): string {
  return /^directory (.*) ready$/m.exec(stdout)?.[1] ?? '';
}

describe('an interrupted process', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('after %s cleans up and exits with %d', async (signal, status) => {
    const run = startRun();
    await run.printed('ready');
    run.child.kill(signal);
    const ended = await run.ended;
    expect(ended).toMatchObject({ status, signal: null, stderr: '' });
    expect(ended.stdout).toContain(`failed with INTERRUPTED: interrupted by ${signal}`);
    expect(path.dirname(directoryOf(ended.stdout))).toBe(os.tmpdir());
    expect(fs.existsSync(directoryOf(ended.stdout))).toBe(false);
  });

  it.each([
    ['SIGINT', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
  ] as const)(
    'that hangs while it cleans up after %s ends at once with %s, and leaves no files',
    async (first, second) => {
      const run = startRun('await new Promise((resolve) => setTimeout(resolve, 60_000));');
      await run.printed('ready');
      run.child.kill(first);
      await run.printed('cleaning up');
      run.child.kill(second);
      const ended = await run.ended;
      expect(ended).toMatchObject({ status: null, signal: second });
      expect(fs.existsSync(directoryOf(ended.stdout))).toBe(false);
    },
  );
});

describe('the watch over signals', () => {
  it('aborts once, with the first signal as the reason, and lets go of both', () => {
    const killed: unknown[] = [];
    const process = Object.assign(new EventEmitter(), { pid: 7, kill: (...args: unknown[]) => killed.push(args) });
    const interrupt = watchSignals(process);
    expect([interrupt.signal.aborted, interrupt.exitCode()]).toEqual([false, undefined]);
    process.emit('SIGTERM');
    process.emit('SIGINT');
    expect(interrupt.signal.reason).toMatchObject({ code: 'INTERRUPTED', message: 'interrupted by SIGTERM' });
    expect(interrupt.exitCode()).toBe(143);
    expect(process.eventNames()).toEqual([]);
    expect(killed).toEqual([[7, 'SIGINT']]);
  });
});
