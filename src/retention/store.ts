import type { Digest } from '../core/digest.ts';
import type { Inventory, InventoryEntry, ManifestFacts, Unreadable } from '../core/retention/inventory.ts';
import type { PlannedManifest, StoreAbilities } from '../core/retention/plan.ts';
import { BuildOnceError } from '../errors.ts';

/** One repository of images that can be pruned: a package on GitHub, a repository in a registry or of the local engine. */
export interface ImageStore {
  /** As a person names it: `ghcr.io/acme/app`. */
  readonly name: string;
  readonly kind: 'ghcr' | 'registry' | 'docker-hub' | 'engine';
  readonly abilities: StoreAbilities;
  /**
   * Everything in it. An error when it cannot be listed, or does not exist (`REPOSITORY_UNKNOWN`), or this run may not see it.
   */
  list(): Promise<Inventory>;
  /** What a manifest says. What cannot be read after the repetitions is answered as such, never thrown; an interruption is. */
  read(digest: Digest): Promise<ManifestFacts | Unreadable>;
  /** What came since `list` and what has other tags now, as far as a few requests tell; `undefined` when it is too much to tell. */
  changes(since: Inventory): Promise<readonly InventoryEntry[] | undefined>;
  /** Before the first write: an error with what to do when this run cannot delete here. */
  checkDeletion(): Promise<void>;
  /** What is there now under this id; `undefined` when it is gone. */
  look(manifest: PlannedManifest): Promise<InventoryEntry | undefined>;
  /** What has to be kept to bring it back; `undefined` where the registry does so itself, or cannot. */
  save(manifest: PlannedManifest): Promise<SavedManifest | undefined>;
  /** Deletes a manifest and its tags. Throws only what ends the run: an interruption, a spent allowance (see `Spent`). */
  remove(manifest: PlannedManifest): Promise<Removal>;
  /** Takes a tag off a manifest that stays; only where `abilities.deletesTags`. */
  removeTag(manifest: PlannedManifest, tag: string): Promise<Removal>;
  /** Brings back what was removed; a tag that is on something else by now stays there. What became of it, in the end. */
  restore(manifest: PlannedManifest, saved: SavedManifest | undefined): Promise<Restoration>;
  /** How many requests this run may still make before its allowance is spent; `undefined` when nothing limits it. */
  allowance(): number | undefined;
  /** Lets go of connections and files. */
  close(): Promise<void>;
}

/** A manifest as it was, so that it can be pushed again while its blobs live. */
export interface SavedManifest {
  readonly mediaType: string;
  /** Its bytes in base64: the digest is theirs. */
  readonly content: string;
}

/** What became of one deletion. `refused`: it is there still; `isFinal`: the registry will never do it (docs: undeletable). */
export type Removal =
  | { readonly outcome: 'deleted' }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'refused'; readonly reason: string; readonly isFinal: boolean };

export type Restoration =
  | { readonly outcome: 'restored'; readonly tags: readonly string[] }
  /** It is there, with all of its tags that are not on something else. */
  | { readonly outcome: 'present'; readonly tags: readonly string[] }
  | { readonly outcome: 'lost'; readonly reason: string };

/** The `code` of a BuildOnceError that says that the allowance of requests or time is spent: what is left is for the next run. */
export const SPENT = 'RETENTION_SPENT';

/** The error for it; `why` is half a sentence. */
export function spent(why: string): BuildOnceError {
  const hint = 'The next run goes on where this one stops.';
  return new BuildOnceError(SPENT, `stopped, since ${why}`, 1, { hint });
}
