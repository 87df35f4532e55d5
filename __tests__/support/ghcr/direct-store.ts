import type { InventoryEntry } from '../../../src/core/retention/inventory.ts';
import { parseManifestFacts, unreadable } from '../../../src/core/retention/manifest-facts.ts';
import type { PlannedManifest } from '../../../src/core/retention/plan.ts';
import type { ImageStore, Removal } from '../../../src/retention/store.ts';
import type { PackageStore, Version } from './store.ts';

/** What goes wrong in a package that is reached without HTTP. */
export interface DirectFaults {
  /** Called before each deletion: it may push, throw, or answer a refusal. */
  readonly beforeRemove?: (manifest: PlannedManifest, count: number) => Removal | undefined;
  readonly isUnreadable?: (digest: string) => boolean;
}

/** A package of the stand-in as a store, for thousands of runs: what HTTP adds is tested where it is. */
export function directStore(store: PackageStore, now: () => number, faults: DirectFaults = {}): ImageStore {
  let count = 0;
  const entryOf = ({ id, digest, tags, createdAtMs, updatedAtMs }: Version): InventoryEntry => ({
    id: String(id),
    digest,
    tags: [...tags],
    pushedAtMs: createdAtMs,
    updatedAtMs,
  });
  const find = ({ id }: PlannedManifest): Version | undefined => store.byId.get(Number(id));
  return {
    name: 'ghcr.io/acme/app',
    kind: 'ghcr',
    abilities: { listsUntagged: true, deletesTags: false, reportsPulls: false, keepsLastTagged: true },
    list: async () => ({
      repository: 'ghcr.io/acme/app',
      listedAtMs: now(),
      entries: store.list().map(entryOf),
      isComplete: true,
    }),
    async read(digest) {
      const body = store.byDigest.has(digest) ? store.bodies.get(digest) : undefined;
      if (body === undefined || faults.isUnreadable?.(digest)) return unreadable('the registry does not have it');
      return parseManifestFacts(Buffer.from(body.body), body.mediaType);
    },
    async changes({ entries }) {
      const known = new Map(entries.map((entry) => [entry.id, entry.tags.join()]));
      return store
        .list()
        .map(entryOf)
        .filter((entry) => known.get(entry.id) !== entry.tags.join());
    },
    checkDeletion: async () => {},
    async look(manifest) {
      const version = find(manifest);
      return version && entryOf(version);
    },
    save: async () => undefined,
    async remove(manifest) {
      count += 1;
      const refusal = faults.beforeRemove?.(manifest, count);
      if (refusal !== undefined) return refusal;
      const version = find(manifest);
      if (version === undefined) return { outcome: 'gone' };
      const isLastTagged = version.tags.length > 0 && store.list().filter(({ tags }) => tags.length > 0).length === 1;
      if (isLastTagged || store.byDigest.size === 1)
        return { outcome: 'refused', reason: 'the last one cannot be deleted', isFinal: true };
      store.remove(version);
      return { outcome: 'deleted' };
    },
    removeTag: () => Promise.reject(new Error('GHCR cannot')),
    async restore(manifest) {
      if (find(manifest) !== undefined) return { outcome: 'present', tags: find(manifest)?.tags ?? [] };
      if (!store.restore(Number(manifest.id))) return { outcome: 'lost', reason: 'it is unknown' };
      return { outcome: 'restored', tags: find(manifest)?.tags ?? [] };
    },
    allowance: () => undefined,
    close: async () => {},
  };
}
