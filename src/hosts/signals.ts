import type { EventEmitter } from 'node:events';
import { BuildOnceError } from '../errors.ts';

/** An interruption of this process, as a signal that the run can heed. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** 130 after SIGINT, 143 after SIGTERM; `undefined` when nothing interrupted the run. */
  exitCode(): number | undefined;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Turns the first SIGINT or SIGTERM into an abort, so that the run can clean up; a second one ends the process at once. */
export function watchSignals(process: EventEmitter): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const handlers = Object.entries(EXIT_CODES).map(([name, code]) => {
    const heed = (): void => {
      // Without a handler the next signal, of either kind, does what it does by default.
      for (const { name: one, heed: handler } of handlers) process.off(one, handler);
      exitCode = code;
      controller.abort(
        new BuildOnceError('INTERRUPTED', `interrupted by ${name}`, 1, {
          hint: 'Run it again: it goes on where this run stopped.',
        }),
      );
    };
    return { name, heed };
  });
  for (const { name, heed } of handlers) process.on(name, heed);
  return { signal: controller.signal, exitCode: () => exitCode };
}
