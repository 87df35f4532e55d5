import type { Digest } from '../../core/digest.ts';
import { type ContentStore, only, type StagedContent } from '../content-store.ts';
import { Turns } from '../turns.ts';
import { Refusal } from './answer.ts';
import type { Catalog, Shelf } from './catalog.ts';
import type { StoredManifest } from './stored-manifest.ts';

/**
 * Names and bytes together. Content appears before a name points at it and goes after the last name is gone; one turn at a
 * time, so that content which is being removed is not the content that another request has just added.
 */
export class Shelves {
  readonly catalog: Catalog;
  readonly store: ContentStore;
  readonly #turns = new Turns();

  constructor(catalog: Catalog, store: ContentStore) {
    this.catalog = catalog;
    this.store = store;
  }

  shelf(name: string): Shelf | undefined {
    return this.catalog.shelf(name);
  }

  /** Refuses the request when nobody has pushed to this repository yet. */
  requireShelf(name: string): Shelf {
    const shelf = this.catalog.shelf(name);
    if (shelf === undefined) throw new Refusal(404, 'NAME_UNKNOWN', `there is no repository ${name}`);
    return shelf;
  }

  /** `undefined` when this repository does not have the blob, whoever else has it. */
  async blobSize(name: string, digest: Digest): Promise<number | undefined> {
    return this.catalog.shelf(name)?.blobs.has(digest) ? this.store.sizeOf(digest) : undefined;
  }

  /** `false` when the staged bytes have another digest. */
  addBlob(name: string, digest: Digest, staged: StagedContent): Promise<boolean> {
    return this.#turns.take(async () => {
      if (!(await staged.commit(digest))) return false;
      this.catalog.apply({ kind: 'blob-added', repository: name, digest });
      return true;
    });
  }

  /** Makes a blob that `from` (any repository when absent) has one of this repository as well; `false` when it has not. */
  mountBlob(name: string, digest: Digest, from: string | undefined): Promise<boolean> {
    return this.#turns.take(async () => {
      const sources = from === undefined ? this.catalog.repositories() : [from];
      if (!sources.some((source) => this.catalog.shelf(source)?.blobs.has(digest))) return false;
      this.catalog.apply({ kind: 'blob-added', repository: name, digest });
      return true;
    });
  }

  async removeBlob(name: string, digest: Digest): Promise<void> {
    await this.#turns.take(async () => {
      this.catalog.apply({ kind: 'blob-removed', repository: name, digest });
      if (!this.catalog.holds(digest)) await this.store.remove(digest);
    });
  }

  /**
   * Stores a manifest, and points the tags at it in the same step; refuses it when a blob of it is missing. `bytes` have
   * the digest of `manifest`.
   */
  async addManifest(name: string, manifest: StoredManifest, bytes: Uint8Array, tags: readonly string[]): Promise<void> {
    const { digest } = manifest.descriptor;
    await this.#turns.take(async () => {
      requireBlobs(this.shelf(name), manifest);
      const staged = await this.store.stage();
      try {
        await staged.append(only(bytes));
        if (!(await staged.commit(digest))) throw new Error(`${digest} is not the digest of the manifest`);
      } finally {
        await staged.discard();
      }
      this.catalog.apply({ kind: 'manifest-added', repository: name, manifest });
      for (const tag of tags) this.catalog.apply({ kind: 'tag-set', repository: name, tag, digest });
    });
  }

  async removeManifest(name: string, digest: Digest): Promise<void> {
    await this.#turns.take(async () => {
      this.catalog.apply({ kind: 'manifest-removed', repository: name, digest });
      if (!this.catalog.holds(digest)) await this.store.remove(digest);
    });
  }
}

function requireBlobs(shelf: Shelf | undefined, { blobs }: StoredManifest): void {
  const missing = blobs.find(({ digest }) => !(shelf?.blobs.has(digest) ?? false));
  if (missing === undefined) return;
  throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN', `the manifest names the blob ${missing.digest}, which is not here`);
}
