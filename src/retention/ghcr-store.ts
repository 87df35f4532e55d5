import { formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import { BuildOnceError, isBuildOnceError, isRegistryError } from '../errors.ts';
import type { Repository } from '../registry/repository.ts';
import { changesSince, listVersions } from './ghcr-listing.ts';
import { GhcrPackage } from './ghcr-package.ts';
import { removeVersion } from './ghcr-removal.ts';
import { restoreVersion } from './ghcr-restoration.ts';
import type { GitHubApi } from './github-api.ts';
import { readManifest } from './read-manifest.ts';
import type { ImageStore } from './store.ts';

export interface GhcrStoreSettings {
  /** `ghcr.io/acme/app`; the name of the package may have slashes of its own. */
  readonly name: RepositoryName;
  /** See `gitHubApiUrl`. */
  readonly api: GitHubApi;
  /** The same repository as the registry has it: manifests are read there, and tags set. */
  readonly repository: Pick<Repository, 'fetch' | 'resolve' | 'tag' | 'tags'>;
}

/**
 * A package of GitHub's container registry. A list is one request and one for each page, and proves that it is whole as far as
 * that can be done while nothing is to be deleted; `changes` closes the proof, in few requests, and is to be asked before the
 * first deletion: `undefined` means that the list was of no one moment, or that others delete too, so that all is to be listed
 * again.
 */
export function openGhcrStore({ name, api, repository }: GhcrStoreSettings): ImageStore {
  const one = new GhcrPackage(name, api);
  const repositoryText = formatRepositoryName(name);
  const removed = new Set<string>();
  return {
    name: repositoryText,
    kind: 'ghcr',
    abilities: { listsUntagged: true, deletesTags: false, reportsPulls: false, keepsLastTagged: true },
    async list() {
      try {
        return { repository: repositoryText, ...(await listVersions(one)) };
      } catch (error) {
        if (!isBuildOnceError(error) || error.code !== 'REPOSITORY_UNKNOWN' || !(await hasTags(repository)))
          throw error;
        const message = `${repositoryText}: GitHub's API does not show this package, but the registry has it`;
        throw new BuildOnceError('GITHUB_REFUSED', message, 1, { hint: one.accessHint('read'), cause: error });
      }
    },
    read: (digest) => readManifest(repository, digest),
    changes: (since) => changesSince(one, since, removed),
    async checkDeletion() {
      const { scopes } = await one.facts();
      if (scopes === undefined || scopes.includes('delete:packages')) return;
      const message = `${repositoryText}: this token may not delete: it has the scopes ${scopes.join(', ')}`;
      throw new BuildOnceError('GITHUB_REFUSED', message, 1, { hint: one.accessHint('delete') });
    },
    look: ({ id }) => one.version(id),
    // GitHub itself brings back what was deleted.
    save: async () => undefined,
    async remove(manifest) {
      const removal = await removeVersion(one, manifest);
      if (removal.outcome !== 'refused') removed.add(manifest.id);
      return removal;
    },
    removeTag: async () => ({ outcome: 'refused', reason: 'GitHub deletes no tag alone', isFinal: true }),
    async restore(manifest) {
      const restoration = await restoreVersion(one, repository, manifest);
      if (restoration.outcome !== 'lost') removed.delete(manifest.id);
      return restoration;
    },
    allowance: () => api.allowance(),
    // Connections are the transport's.
    close: async () => undefined,
  };
}

/** What may be read there: that a package is in the registry says that it is not the name that is wrong. */
async function hasTags(repository: Pick<Repository, 'tags'>): Promise<boolean> {
  try {
    for await (const _ of repository.tags()) return true;
  } catch (error) {
    if (!isRegistryError(error) || error.code === 'ABORTED') throw error;
  }
  return false;
}
