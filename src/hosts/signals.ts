import type { EventEmitter } from 'node:events';
import { BuildOnceError } from '../errors.ts';

/** An interruption of this process, as a signal that the run can heed. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130 after SIGINT, 143 after SIGTERM; `undefined` when nothing interrupted the run. */
  exitCode(): number | undefined;
  /** What is still done when a second signal ends the process: short, without waiting. */
  beforeEnd(work: () => void): void;
}

/** What is used of Node's `process`. */
type Signalled = EventEmitter & { readonly pid: number; kill(pid: number, signal: NodeJS.Signals): unknown };

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Turns the first SIGINT or SIGTERM into an abort, so that the run can clean up; a second one ends the process at once. */
export function watchSignals(process: Signalled): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  let lastWork = (): void => {};
  const handlers = SIGNALS.map((name) => {
    const heed = (): void => {
      for (const { name: one, heed: handler, end } of handlers) process.off(one, handler).once(one, end);
      exitCode = EXIT_CODES[name];
      controller.abort(
        new BuildOnceError('INTERRUPTED', `interrupted by ${name}`, 1, {
          hint: 'Run it again: it goes on where this run stopped.',
        }),
      );
    };
    const end = (): void => {
      for (const { name: one, end: handler } of handlers) process.off(one, handler);
      lastWork();
      // Without a handler the signal does what it does by default.
      process.kill(process.pid, name);
    };
    return { name, heed, end };
  });
  for (const { name, heed } of handlers) process.on(name, heed);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    beforeEnd(work) {
      lastWork = work;
    },
  };
}
