import { type Digest, digestOf } from '../core/digest.ts';
import { familiarName, formatRepositoryName } from '../core/reference.ts';
import type { Inventory, InventoryEntry } from '../core/retention/inventory.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { BuildOnceError, isRegistryError, RegistryError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { RegistryRepository } from '../registry/open.ts';
import { REQUESTS_AT_ONCE, RegistryCatalog } from './registry-catalog.ts';
import { lookAt, restoreManifest, saveManifest } from './registry-manifest.ts';
import { type RegistryRemoval, removalOf } from './removal.ts';

import type { ImageStore, Removal, SavedManifest } from './store.ts';

export interface RegistryStoreSettings {
  /** Opened to push. */
  readonly repository: RegistryRepository;
  /** The clock of this machine, for a registry that does not tell its own. */
  readonly now: () => number;
  /** See `canDeleteTags`: asked only where tags are to go from images that stay. */
  readonly deletesTags?: boolean;
  /** Looks for every child that an index names, one request each: where a rule speaks of broken images. */
  readonly findsMissing?: boolean;
}

/** An image says itself when it was made: one of tomorrow would be the newest for ever, and others would go in its place. */
const MAX_AHEAD_MS = 86_400_000;
/** No registry has it: only its digest could be asked for. */
const NOBODYS = digestOf('build-once asks whether this registry deletes');
const NO_TAG = 'build-once-asks-whether-tags-can-be-deleted';
/** How often tags are listed until no new ones come. */
const MAX_ROUNDS = 3;
/** More tags than this are not all asked again for what they lead to. */
const MAX_ASKED_AGAIN = 1000;
/** Tags without a number, and `1` and `1.2`: those that are moved. */
const MOVING_TAG = /^(?:v?\d+(?:\.\d+)?|\D*)$/;
const CANNOT_DELETE_HINT =
  'A docker-registry deletes with REGISTRY_STORAGE_DELETE_ENABLED=true in its environment. Others delete in their own ' +
  'interface, or by retention rules of their own.';
/** Google's registries delete no manifest before its tags. */
const TAGGED_STILL = 'GOOGLE_MANIFEST_DANGLING_TAG';

/** A repository in any registry. It lists nothing but tags: what no tag leads to is not seen, and stays. */
export function openRegistryStore(settings: RegistryStoreSettings): ImageStore {
  return new RegistryStore(settings);
}

/** Whether the registry takes a tag off a manifest that stays. RegistryError where this run may not delete. */
export async function canDeleteTags(repository: Pick<RegistryRepository, 'deleteTag'>): Promise<boolean> {
  try {
    await repository.deleteTag(NO_TAG);
    return true;
  } catch (error) {
    if (isRegistryError(error) && error.code === 'UNSUPPORTED') return false;
    throw error;
  }
}

class RegistryStore implements ImageStore {
  readonly name: string;
  readonly kind = 'registry';
  readonly abilities;
  readonly #repository: RegistryRepository;
  readonly #now: () => number;
  readonly #catalog: RegistryCatalog;

  constructor({ repository, now, deletesTags = false, findsMissing = false }: RegistryStoreSettings) {
    this.name = familiarName(formatRepositoryName(repository.name));
    this.abilities = { listsUntagged: false, deletesTags, reportsPulls: false, keepsLastTagged: false };
    this.#repository = repository;
    this.#now = now;
    this.#catalog = new RegistryCatalog(repository, findsMissing);
  }

  async list(): Promise<Inventory> {
    const tags = new Map<string, Digest>();
    let isComplete = false;
    for (let round = 0; round < MAX_ROUNDS && !isComplete; round += 1) {
      const listed = await this.#tags();
      if (round === 0 && listed.length === 0) await this.#requireRepository();
      const still = new Set(listed);
      for (const tag of tags.keys()) if (!still.has(tag)) tags.delete(tag);
      const unread = listed.filter((tag) => !tags.has(tag));
      isComplete = unread.length === 0;
      const digests = await inParallel(unread, REQUESTS_AT_ONCE, (tag) => this.#catalog.readTag(tag));
      for (const [position, tag] of unread.entries()) {
        const digest = digests[position];
        if (digest !== undefined) tags.set(tag, digest);
        else if (round > 0) throw this.#leadsNowhere(tag);
      }
    }
    const entries = await this.#catalog.entriesOf(tags);
    const listedAtMs = this.#repository.answeredAtMs ?? this.#now();
    return {
      repository: this.name,
      listedAtMs,
      entries: entries.map((entry) => undated(entry, listedAtMs)),
      isComplete,
    };
  }

  read(digest: Digest): ReturnType<ImageStore['read']> {
    return this.#catalog.read(digest);
  }

  /** New tags, and tags that were moved: all of them are asked again, of many those that look like it. */
  async changes({ entries }: Inventory): Promise<readonly InventoryEntry[] | undefined> {
    const before = new Map(entries.flatMap(({ digest, tags }) => tags.map((tag) => [tag, digest] as const)));
    const listed = await this.#tags();
    const isLong = listed.length > MAX_ASKED_AGAIN;
    const asked = listed.filter((tag) => !before.has(tag) || !isLong || MOVING_TAG.test(tag));
    const digests = await inParallel(asked, REQUESTS_AT_ONCE, (tag) => this.#digestOf(tag, before.get(tag)));
    const changed = new Map<string, Digest>();
    for (const [position, tag] of asked.entries()) {
      const digest = digests[position];
      if (digest === undefined && !before.has(tag)) return undefined;
      if (digest !== undefined && digest !== before.get(tag)) changed.set(tag, digest);
    }
    return this.#catalog.entriesOf(changed);
  }

  async checkDeletion(): Promise<void> {
    try {
      await this.#repository.delete(NOBODYS);
    } catch (error) {
      if (!isRegistryError(error) || error.code !== 'UNSUPPORTED') throw error;
      throw new BuildOnceError('DELETE_UNSUPPORTED', `${this.name}: this registry does not delete`, 2, {
        hint: CANNOT_DELETE_HINT,
        cause: error,
      });
    }
  }

  look(manifest: PlannedManifest): Promise<InventoryEntry | undefined> {
    return lookAt(this.#repository, manifest);
  }

  save(manifest: PlannedManifest): Promise<SavedManifest | undefined> {
    return saveManifest(this.#repository, manifest);
  }

  async remove(manifest: PlannedManifest): Promise<Removal> {
    const { digest, tags } = manifest;
    const removal = await this.#delete(digest);
    if (removal.outcome !== 'refused' || !removal.codes.includes(TAGGED_STILL)) return removal;
    for (const tag of tags) {
      const taken = await removalOf(() => this.#repository.deleteTag(tag));
      if (taken.outcome === 'refused') return taken;
    }
    const again = await this.#delete(digest);
    // What is there still must not have lost its tags: nothing of a refusal is undone.
    if (again.outcome === 'refused') await this.restore(manifest, undefined);
    return again;
  }

  async removeTag(manifest: PlannedManifest, tag: string): Promise<Removal> {
    const saved = await this.save(manifest);
    const removal = await removalOf(() => this.#repository.deleteTag(tag));
    if (removal.outcome !== 'deleted' || (await this.#repository.resolve({ digest: manifest.digest })) !== undefined)
      return removal;
    // Some take the manifest for the tag: all that led to it is gone with it.
    await this.restore(manifest, saved);
    return {
      outcome: 'refused',
      reason: 'this registry deletes the whole image with a tag: it is put back',
      isFinal: true,
    };
  }

  restore(manifest: PlannedManifest, saved: SavedManifest | undefined): ReturnType<ImageStore['restore']> {
    return restoreManifest(this.#repository, manifest, saved);
  }

  allowance(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    // The connections are the run's.
  }

  async #tags(): Promise<readonly string[]> {
    const tags: string[] = [];
    for await (const tag of this.#repository.tags()) tags.push(tag);
    return tags;
  }

  async #digestOf(tag: string, known: Digest | undefined): Promise<Digest | undefined> {
    if (known !== undefined && (await this.#repository.resolve({ tag }))?.digest === known) return known;
    return this.#catalog.readTag(tag);
  }

  /** A registry may have deleted a manifest and fail at what comes after it, as at the list of referrers. */
  async #delete(digest: Digest): Promise<RegistryRemoval> {
    const removal = await removalOf(() => this.#repository.delete(digest));
    if (removal.outcome !== 'refused') return removal;
    const isThere = await this.#repository.resolve({ digest }).catch(() => true);
    return isThere === undefined ? { outcome: 'deleted', codes: [] } : removal;
  }

  async #requireRepository(): Promise<void> {
    if (await this.#repository.exists()) return;
    throw new RegistryError('REPOSITORY_UNKNOWN', `there is no repository ${this.name}, or this run may not see it`, {
      hint: 'Check its spelling, and that the login may read it.',
    });
  }

  #leadsNowhere(tag: string): RegistryError {
    return new RegistryError('MANIFEST_UNKNOWN', `${this.name}:${tag} is listed, but there is no manifest behind it`, {
      hint: 'Nothing is deleted while this is so, since nobody knows what it needs. Push the tag again, or delete it.',
    });
  }
}

function undated(entry: InventoryEntry, nowMs: number): InventoryEntry {
  if (entry.pushedAtMs === undefined || entry.pushedAtMs - nowMs <= MAX_AHEAD_MS) return entry;
  return { ...entry, pushedAtMs: undefined, updatedAtMs: undefined, createdAtMs: undefined };
}
