import path from 'node:path';
import type { Host } from '../host.ts';

/** Where a file that outlives this run goes: the runner's folder of the job, else the user's folder for such things. */
export function runFile(host: Host, name: string, ending: string): string {
  const { env, os } = host;
  const home = env['HOME'] || env['USERPROFILE'] || '.';
  const own = os === 'darwin' ? ['Library', 'Application Support'] : ['.local', 'state'];
  const state = env['XDG_STATE_HOME'] || (os === 'windows' && env['LOCALAPPDATA']) || path.join(home, ...own);
  const directory = env['RUNNER_TEMP'] || state;
  const moment = host.now().toISOString().replace(/\D/g, '').slice(0, 14);
  return path.join(directory, 'build-once-prune', `${name}-${moment}-${host.randomId().slice(0, 8)}.${ending}`);
}
