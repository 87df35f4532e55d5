import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { digestOf } from '../core/digest.ts';
import { formatFacts, parseFacts } from '../core/retention/facts-text.ts';
import type { ManifestFacts } from '../core/retention/inventory.ts';
import { isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import { cacheDirectory } from '../tools/cache-directory.ts';
import { openCache } from '../tools/load.ts';
import type { ImageStore } from './store.ts';

/**
 * What earlier runs have read of manifests, by digest: it is never stale. In GitHub's cache of jobs where there is one, in the
 * user's folder for caches else. A cache is for time only: whatever happens to it, the run goes on.
 */
export interface FactsCaches {
  /** Of one repository. What the engine says of an image is no word about what its registry has under the same digest. */
  open(store: Pick<ImageStore, 'kind' | 'name'>): FactsCache;
  /** Keeps for later runs what was read, less what is no longer there. */
  save(): Promise<void>;
}

export interface FactsCache {
  find(digest: Digest): ManifestFacts | undefined;
  keep(digest: Digest, facts: ManifestFacts): void;
  /** Says what is in the repository: the rest is forgotten. */
  retain(digests: ReadonlySet<Digest>): void;
}

const NAME = 'manifests';
const MAX_FILE_BYTES = 256 * 1024 * 1024;

export async function openFactsCaches(host: Host): Promise<FactsCaches> {
  const shared = await openCache(host, NAME);
  const key = `build-once-${NAME}-`;
  await shared?.restore(`${key}${host.env['GITHUB_RUN_ID'] ?? ''}-${host.env['GITHUB_RUN_ATTEMPT'] ?? ''}`, key);
  const directory = shared?.directory ?? path.join(cacheDirectory(host), NAME);
  const opened = new Map<string, RepositoryCache>();
  return {
    open({ kind, name }) {
      const repository = `${kind} ${name}`;
      const file = path.join(directory, `${digestOf(repository).slice('sha256:'.length)}.txt`);
      const cache = opened.get(repository) ?? new RepositoryCache(host, file);
      opened.set(repository, cache);
      return cache;
    },
    async save() {
      const changed = [...opened.values()].filter((cache) => cache.save());
      if (changed.length > 0)
        await shared?.save(`${key}${host.env['GITHUB_RUN_ID'] ?? ''}-${host.env['GITHUB_RUN_ATTEMPT'] ?? ''}`);
    },
  };
}

class RepositoryCache implements FactsCache {
  readonly #host: Host;
  readonly #file: string;
  readonly #facts: Map<Digest, ManifestFacts>;
  #hasChanged = false;

  constructor(host: Host, file: string) {
    this.#host = host;
    this.#file = file;
    this.#facts = new Map(readFile(host, file));
  }

  find(digest: Digest): ManifestFacts | undefined {
    return this.#facts.get(digest);
  }

  keep(digest: Digest, facts: ManifestFacts): void {
    this.#facts.set(digest, facts);
    this.#hasChanged = true;
  }

  retain(digests: ReadonlySet<Digest>): void {
    for (const digest of this.#facts.keys()) {
      if (digests.has(digest)) continue;
      this.#facts.delete(digest);
      this.#hasChanged = true;
    }
  }

  /** Whether there was something to write. */
  save(): boolean {
    if (!this.#hasChanged) return false;
    try {
      this.#host.files.write(this.#file, formatFacts(this.#facts));
      return true;
    } catch (error) {
      if (!isBuildOnceError(error)) throw error;
      this.#host.log.info(`what was read of manifests is not kept for the next run: ${error.message}`);
      return false;
    }
  }
}

function readFile(host: Host, file: string): ReadonlyMap<Digest, ManifestFacts> {
  try {
    const text = host.files.readRegular(file, MAX_FILE_BYTES);
    const facts = text === undefined ? undefined : parseFacts(text);
    if (text !== undefined && facts === undefined) host.log.info('the cache of manifests is damaged, and is not used');
    return facts ?? new Map<Digest, ManifestFacts>();
  } catch (error) {
    host.log.info(`the cache of manifests cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return new Map();
  }
}
