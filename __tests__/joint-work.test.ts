import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Command, Host } from '../src/host.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { doJointly, hostUntil } from '../src/joint-work.ts';

function openHost(signal = new AbortController().signal): Host {
  return createTerminalHost({ env: { PATH: process.env['PATH'] }, signal, write: () => {} });
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

const SLEEP: Command = { argv: [process.execPath, '-e', 'setTimeout(() => {}, 600000)'] };

describe('work that is done at the same time', () => {
  it('ends with what each has made', async () => {
    const made = await doJointly(openHost(), () => [Promise.resolve(1), Promise.resolve('two'), Promise.resolve()]);
    expect(made).toEqual([1, 'two', undefined]);
  });

  it('ends with the first error, once the others have ended', async () => {
    const seen: string[] = [];
    const first = new Error('first');
    const work = doJointly(openHost(), ({ signal }) => [
      ended(signal).then(async () => {
        await setImmediate();
        seen.push('ended');
        throw new Error('second');
      }),
      Promise.reject(first),
    ]);
    await expect(work).rejects.toBe(first);
    expect(seen).toEqual(['ended']);
  });

  it('ends the programs that it has started', async () => {
    const error = new Error('broken');
    const work = doJointly(openHost(), (host) => [host.exec(SLEEP), Promise.reject(error)]);
    await expect(work).rejects.toBe(error);
  });
});

describe('a host that ends early', () => {
  it.each(['run', 'outer', 'inner'])('ends its programs when the signal of the %s aborts', async (which) => {
    const signals = { run: new AbortController(), outer: new AbortController(), inner: new AbortController() };
    const host = hostUntil(hostUntil(openHost(signals.run.signal), signals.outer.signal), signals.inner.signal);
    const reason = new Error(which);
    const result = host.exec(SLEEP);
    for (const [name, controller] of Object.entries(signals)) if (name === which) controller.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(host.signal.reason).toBe(reason);
  });
});
