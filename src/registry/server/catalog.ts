import type { Digest } from '../../core/digest.ts';
import type { StoredManifest } from './stored-manifest.ts';

/** Something that happened to a repository. The state of a registry is the sum of these. */
export type Change = { readonly repository: string } & (
  | { readonly kind: 'blob-added' | 'blob-removed'; readonly digest: Digest }
  | { readonly kind: 'manifest-added'; readonly manifest: StoredManifest }
  | { readonly kind: 'manifest-removed'; readonly digest: Digest }
  | { readonly kind: 'tag-set'; readonly tag: string; readonly digest: Digest }
  | { readonly kind: 'tag-removed'; readonly tag: string }
);

/** What one repository holds: names and links; the bytes are in the content store. */
export interface Shelf {
  readonly blobs: Set<Digest>;
  readonly manifests: Map<Digest, StoredManifest>;
  readonly tags: Map<string, Digest>;
  /** Subject → the manifests that point at it, whether it exists or not. */
  readonly referrers: Map<Digest, Set<Digest>>;
}

/** Which repository holds what, after these changes; `record` hears of those that follow. */
export class Catalog {
  readonly #shelves = new Map<string, Shelf>();
  readonly #record: (change: Change) => void;

  constructor(changes: readonly Change[] = [], record: (change: Change) => void = () => {}) {
    for (const change of changes) this.#take(change);
    this.#record = record;
  }

  /** A repository exists from its first blob or manifest on, and stays when it is emptied. */
  shelf(repository: string): Shelf | undefined {
    return this.#shelves.get(repository);
  }

  repositories(): readonly string[] {
    return [...this.#shelves.keys()].toSorted();
  }

  /** True when any repository still needs this content. */
  holds(digest: Digest): boolean {
    return [...this.#shelves.values()].some(({ blobs, manifests }) => blobs.has(digest) || manifests.has(digest));
  }

  apply(change: Change): void {
    this.#take(change);
    this.#record(change);
  }

  #take(change: Change): void {
    const shelf = this.#shelves.get(change.repository) ?? emptyShelf();
    this.#shelves.set(change.repository, shelf);
    applyTo(shelf, change);
  }
}

function emptyShelf(): Shelf {
  return { blobs: new Set(), manifests: new Map(), tags: new Map(), referrers: new Map() };
}

function applyTo(shelf: Shelf, change: Change): void {
  switch (change.kind) {
    case 'blob-added':
      shelf.blobs.add(change.digest);
      return;
    case 'blob-removed':
      shelf.blobs.delete(change.digest);
      return;
    case 'manifest-added':
      addManifest(shelf, change.manifest);
      return;
    case 'manifest-removed':
      removeManifest(shelf, change.digest);
      return;
    case 'tag-set':
      // Only in a damaged folder is it absent: a tag that leads nowhere is no tag.
      if (shelf.manifests.has(change.digest)) shelf.tags.set(change.tag, change.digest);
      return;
    case 'tag-removed':
      shelf.tags.delete(change.tag);
      return;
  }
}

function addManifest(shelf: Shelf, manifest: StoredManifest): void {
  const { descriptor, subject } = manifest;
  shelf.manifests.set(descriptor.digest, manifest);
  if (subject === undefined) return;
  const referrers = shelf.referrers.get(subject) ?? new Set();
  shelf.referrers.set(subject, referrers.add(descriptor.digest));
}

function removeManifest(shelf: Shelf, digest: Digest): void {
  const subject = shelf.manifests.get(digest)?.subject;
  if (subject !== undefined) shelf.referrers.get(subject)?.delete(digest);
  shelf.manifests.delete(digest);
  for (const [tag, tagged] of shelf.tags) if (tagged === digest) shelf.tags.delete(tag);
}
