import { join } from 'node:path';
import { textAt } from '../../src/core/json.ts';
import { CHECKOUT, mustRun, NODE_DIRECTORY } from './programs.ts';

const PLATFORM = ['--platforms=linux/amd64'];

/** The full content hash of a workspace, as the built CLI tells it. */
export async function hashOf(workspace: string, flags: readonly string[] = PLATFORM): Promise<string> {
  const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'hash', '--json', ...flags] as const;
  const hash = textAt(JSON.parse(await mustRun(argv, { cwd: workspace })), 'hash');
  if (hash === undefined) throw new TypeError('the CLI told no hash');
  return hash;
}
