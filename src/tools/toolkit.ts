// Importing the toolkit makes a directory and takes 0.1 s: this file is loaded by `loadToolkit` only.
import { Builder } from '@docker/actions-toolkit/lib/buildx/builder.js';
import { Context } from '@docker/actions-toolkit/lib/context.js';
import type { Host } from '../host.ts';

// The toolkit brings the library of GitHub's cache along, 1.4 MB: who wants only that gets it from here, not a copy.
export { openJobCache } from './job-cache.ts';

/** Removes the directory that the toolkit makes as it is loaded, and that nothing of ours uses. */
export async function dropToolkitDirectory(host: Host): Promise<void> {
  const path = Context.tmpDir();
  if (host.files.kindOf(path) !== undefined) await host.cleanup({ kind: 'remove', path })();
}

/** The name, driver and nodes of a builder in what `docker buildx inspect` says. */
export function parseInspect(output: string): ReturnType<typeof Builder.parseInspect> {
  return Builder.parseInspect(output);
}
