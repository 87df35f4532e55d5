import { textAt } from '../core/json.ts';
import type { Host } from '../host.ts';
import { unwritable } from '../unwritable-file.ts';
import type { Toolkit } from './toolkit.ts';
import type { DirectoryCache } from './trivy-database.ts';

/** buildx: a bundle of its own, loaded when a build is needed. */
export function loadBuildx(): Promise<typeof import('./buildx.ts')> {
  return import(/* webpackIgnore: true */ './buildx.ts');
}

/**
 * Docker's toolkit and GitHub's cache of jobs: one bundle, the largest, loaded for what only they do. The toolkit makes a
 * temporary folder as soon as it is loaded, which goes at once: BuildOnceError `UNWRITABLE_FILE` when it cannot be made.
 */
export async function loadToolkit(host: Host): Promise<Toolkit> {
  try {
    const { openToolkit } = await import(/* webpackIgnore: true */ './toolkit.ts');
    return await openToolkit(host);
  } catch (cause) {
    if (textAt(cause, 'syscall') !== 'mkdtemp') throw cause;
    throw unwritable((textAt(cause, 'path') ?? '').replace(/[\\/][^\\/]*$/, ''), cause);
  }
}

/** GitHub's cache of jobs, which fetches what is large; `undefined` where there is none, and then nothing is loaded. */
export async function openCache(host: Host, name: string): Promise<DirectoryCache | undefined> {
  if (!host.env['ACTIONS_RESULTS_URL'] && !host.env['ACTIONS_CACHE_URL']) return undefined;
  const { openJobCache } = await loadToolkit(host);
  return openJobCache(host, name);
}

/** What buildx says of a Dockerfile: a bundle of its own, without the toolkit, loaded when an image is to be scanned. */
export function loadBuildCheck(): Promise<typeof import('./build-check.ts')> {
  return import(/* webpackIgnore: true */ './build-check.ts');
}

/** The local engine: a bundle of its own, loaded when an image is to be in it. */
export function loadEngine(): Promise<typeof import('./engine.ts')> {
  return import(/* webpackIgnore: true */ './engine.ts');
}

/** The git program: a bundle of its own, loaded when a context is a git repository. */
export function loadGit(): Promise<typeof import('./git.ts')> {
  return import(/* webpackIgnore: true */ './git.ts');
}

/** GitHub's API client: a bundle of its own, loaded when a branch tag is to move, or packages of GitHub's are pruned. */
export function loadGitHub(): Promise<typeof import('./github.ts')> {
  return import(/* webpackIgnore: true */ './github.ts');
}

/** Trivy, where to find it and what it looks things up in: a bundle of its own, loaded when an image is to be scanned. */
export function loadTrivy(): Promise<typeof import('./trivy.ts')> {
  return import(/* webpackIgnore: true */ './trivy.ts');
}

/** Cosign and where to find it: a bundle of its own, loaded when an image is to be signed with a key, or verified with one. */
export function loadCosign(): Promise<typeof import('./cosign.ts')> {
  return import(/* webpackIgnore: true */ './cosign.ts');
}

/** Sigstore: signing with the job's identity, and verifying. A bundle of its own, loaded when an image is to be signed or trusted. */
export function loadSigstore(): Promise<typeof import('./sigstore.ts')> {
  return import(/* webpackIgnore: true */ './sigstore.ts');
}
