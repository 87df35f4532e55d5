import type { Host } from '../host.ts';

const EVERY_MS = 10_000;

/** Says how far something is, every ten seconds at most. */
export function progressOf(
  { log, now }: Pick<Host, 'log' | 'now'>,
  say: (count: number) => string,
): (count: number) => void {
  let saidAtMs = now().getTime();
  return (count) => {
    const nowMs = now().getTime();
    if (nowMs - saidAtMs < EVERY_MS) return;
    saidAtMs = nowMs;
    log.info(say(count));
  };
}
