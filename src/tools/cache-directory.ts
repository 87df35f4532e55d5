import path from 'node:path';
import { isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';

const STAGING = '.build-once-';
/** Nothing is on its way into a cache for as long as this. */
const STALE_MS = 24 * 60 * 60 * 1000;

/** Where this user's programs keep what they can get again; the machine's temporary folder, for one without a home. */
export function cacheDirectory({ env, files, os }: Pick<Host, 'env' | 'files' | 'os'>): string {
  const home = env['HOME'] || env['USERPROFILE'];
  const own = home && path.join(home, ...(os === 'darwin' ? ['Library', 'Caches'] : ['.cache']));
  const root = env['XDG_CACHE_HOME'] || (os === 'windows' && env['LOCALAPPDATA']) || own;
  return root ? path.join(root, 'build-once') : files.makeTemporaryDirectory('build-once-cache-');
}

/** This directory, or where nothing can be written there, one for this run: a cache must not be what a run fails for. */
export async function writableOr(host: Host, directory: string): Promise<string> {
  try {
    const probe = host.files.makeTemporaryDirectory(STAGING, directory);
    await host.cleanup({ kind: 'remove', path: probe })();
    return directory;
  } catch (error) {
    if (!isBuildOnceError(error) || error.code !== 'UNWRITABLE_FILE') throw error;
    host.log.info(`nothing is kept for the next run: ${error.message}`);
    return host.files.makeTemporaryDirectory('build-once-cache-');
  }
}

/**
 * Fills a directory beside its place and renames it, so that it is there whole or not at all. `false` when something was
 * there already. What runs that were killed have left beside it for a day goes.
 */
export async function fillDirectory(
  host: Host,
  directory: string,
  fill: (staging: string) => Promise<void>,
): Promise<boolean> {
  const parent = path.dirname(directory);
  await removeStale(host, parent);
  const staging = host.files.makeTemporaryDirectory(`${STAGING}${host.now().getTime()}-`, parent);
  try {
    await fill(staging);
    return host.files.move(staging, directory);
  } finally {
    await host.cleanup({ kind: 'remove', path: staging })();
  }
}

async function removeStale(host: Host, parent: string): Promise<void> {
  for (const { name } of host.files.list(parent) ?? []) {
    const [, madeMs] = /^\.build-once-([0-9]{1,16})-/.exec(name) ?? [];
    if (madeMs !== undefined && host.now().getTime() - Number(madeMs) > STALE_MS)
      await host.cleanup({ kind: 'remove', path: path.join(parent, name) })();
  }
}
