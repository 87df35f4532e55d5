import type { Host } from '../host.ts';

/** Where this user's programs keep what they can get again. The temporary folder of the machine, for one without a home. */
export function cacheDirectory({ env, files, os }: Pick<Host, 'env' | 'files' | 'os'>): string {
  const home = env['HOME'] || env['USERPROFILE'];
  const own =
    os === 'darwin' ? home && files.path.join(home, 'Library', 'Caches') : home && files.path.join(home, '.cache');
  const root = env['XDG_CACHE_HOME'] || (os === 'windows' && env['LOCALAPPDATA']) || own;
  return root ? files.path.join(root, 'build-once') : files.makeTemporaryDirectory('build-once-cache-');
}
