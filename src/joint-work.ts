import type { Host } from './host.ts';

/** The same host; its programs end, and its signal aborts, when `stop` aborts as well. */
export function hostUntil(host: Host, stop: AbortSignal): Host {
  const signal = AbortSignal.any([host.signal, stop]);
  return { ...host, signal, exec: (command) => host.exec({ signal, ...command }) };
}

/**
 * Work that is done at the same time, on a host of its own. The first that fails ends the others; its error is thrown when all
 * of them have ended, so that nothing goes on behind a run that is over.
 */
export async function doJointly<T extends readonly Promise<unknown>[] | []>(
  host: Host,
  start: (host: Host) => T,
): Promise<{ -readonly [Key in keyof T]: Awaited<T[Key]> }> {
  const stopping = new AbortController();
  const started = start(hostUntil(host, stopping.signal));
  for (const one of started) one.catch((error: unknown) => stopping.abort(error));
  await Promise.allSettled(started);
  stopping.signal.throwIfAborted();
  return Promise.all(started);
}
