import type { Location, Log } from './host.ts';

/** Says each warning and notice once: a stage that runs again, with more knowledge, comes to the same ones. */
export function saidOnce(log: Log): Log {
  const said = new Set<string>();
  const isNew = (message: string, at: Location | undefined): boolean => {
    const key = JSON.stringify([message, at?.file, at?.line]);
    const before = said.size;
    return said.add(key).size > before;
  };
  return {
    debug: (message) => log.debug(message),
    info: (message) => log.info(message),
    notice: (message, at) => (isNew(message, at) ? log.notice(message, at) : undefined),
    warning: (message, at) => (isNew(message, at) ? log.warning(message, at) : undefined),
    error: (message, at) => log.error(message, at),
    group: (title, work) => log.group(title, work),
    mask: (secret) => log.mask(secret),
  };
}
