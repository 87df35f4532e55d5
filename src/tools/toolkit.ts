// Importing the toolkit makes a directory and takes 0.1 s: this file is loaded by `loadToolkit` only.
import { Builder } from '@docker/actions-toolkit/lib/buildx/builder.js';
import { Context } from '@docker/actions-toolkit/lib/context.js';
import type { Host } from '../host.ts';
import { openJobCache } from './job-cache.ts';

/** What Docker's toolkit does for us, and GitHub's cache of jobs: the toolkit brings its library along, 1.4 MB. */
export interface Toolkit {
  readonly openJobCache: typeof openJobCache;
  /** The name, driver and nodes of a builder in what `docker buildx inspect` says. */
  readonly parseInspect: typeof Builder.parseInspect;
}

/** Removes the directory that the toolkit makes as it is loaded, and that nothing of ours uses. */
export async function openToolkit(host: Host): Promise<Toolkit> {
  const path = Context.tmpDir();
  if (host.files.kindOf(path) !== undefined) await host.cleanup({ kind: 'remove', path })();
  return {
    openJobCache,
    parseInspect: (output) => Builder.parseInspect(output),
  };
}
