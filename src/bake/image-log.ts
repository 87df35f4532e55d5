import type { Log } from '../host.ts';

/** A log that keeps what it is told, for work that goes on beside other work. */
export interface KeptLog {
  readonly log: Log;
  /** Passes on what was kept so far, and keeps no longer. */
  release(): void;
}

/** Each message begins with the image's name; groups are left out, since they would overlap. */
export function namedLog(log: Log, name: string): Log {
  const named = (message: string): string => message.replace(/^/gm, `${name}: `);
  return {
    debug: (message) => log.debug(named(message)),
    info: (message) => log.info(named(message)),
    notice: (message, at) => log.notice(named(message), at),
    warning: (message, at) => log.warning(named(message), at),
    error: (message, at) => log.error(named(message), at),
    group: (_, work) => work(),
    mask: (secret) => log.mask(secret),
  };
}

/** Keeps messages until they are released; secrets are masked at once. */
export function keptLog(log: Log): KeptLog {
  const kept: (() => void)[] = [];
  let isOpen = false;
  const later = (say: () => void): void => {
    if (isOpen) say();
    else kept.push(say);
  };
  return {
    log: {
      debug: (message) => later(() => log.debug(message)),
      info: (message) => later(() => log.info(message)),
      notice: (message, at) => later(() => log.notice(message, at)),
      warning: (message, at) => later(() => log.warning(message, at)),
      error: (message, at) => later(() => log.error(message, at)),
      group: (_, work) => work(),
      mask: (secret) => log.mask(secret),
    },
    release() {
      isOpen = true;
      for (const say of kept.splice(0)) say();
    },
  };
}
