import path from 'node:path';
import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache';
import { toLine } from '../core/printable.ts';
import type { Host } from '../host.ts';
import type { DirectoryCache } from './trivy-database.ts';

/**
 * GitHub's cache for the jobs of a repository; `undefined` where there is none, as on a laptop. The library honours
 * ACTIONS_CACHE_MODE. A directory goes by its path, so that this one has the same path in every job.
 */
export function openJobCache(host: Host, name: string): DirectoryCache | undefined {
  const temporary = host.env['RUNNER_TEMP'];
  if (!isFeatureAvailable() || !temporary) return undefined;
  const directory = path.join(temporary, `build-once-cache-${name}`);
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // A cache is for time only: nothing that happens to it may end the run.
      host.log.info(`the cache of GitHub was not ${what}: ${toLine(error instanceof Error ? error.message : '', 300)}`);
    }
  };
  return {
    directory,
    restore: (key, prefix) =>
      attempt('read', () => restoreCache([directory], key, prefix === undefined ? [] : [prefix])),
    save: (key) => attempt('written', () => saveCache([directory], key)),
  };
}
