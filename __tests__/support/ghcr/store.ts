import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { textAt, valueAt } from '../../../src/core/json.ts';

/** A version of a package, as GitHub numbers manifests. */
export interface Version {
  readonly id: number;
  readonly digest: Digest;
  /** What it is for: `index`, `platform`, `buildx-attestation`, `bundle`, `cosign-sig`, `referrers-index`, `pushed`. */
  readonly kind: string;
  tags: readonly string[];
  createdAtMs: number;
  updatedAtMs: number;
  downloads: number;
  readonly children: readonly string[];
  readonly subject: string | undefined;
}

/** A manifest as it is put into the store. */
export interface Put {
  readonly tags?: readonly string[];
  /** Now, when absent. */
  readonly atMs?: number | undefined;
  readonly kind?: string;
  /** False for a manifest that an index names, and that is not there. */
  readonly listed?: boolean;
  readonly downloads?: number;
}

export interface Stored {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

interface TagMove {
  readonly atMs: number;
  readonly tag: string;
  readonly from: Digest | undefined;
  readonly to: Digest;
}

/** The versions, tags and manifests of one package. */
export class PackageStore {
  readonly byId = new Map<number, Version>();
  readonly byDigest = new Map<string, Version>();
  /** In the order in which they were made, as ghcr.io lists them. */
  readonly tags = new Map<string, Digest>();
  readonly bodies = new Map<string, { readonly body: string; readonly mediaType: string }>();
  readonly blobs = new Map<string, Buffer>();
  /** Those that can be restored, the oldest deletion first. */
  readonly deleted: Version[] = [];
  /** All that were deleted and not restored, by digest. */
  readonly lost = new Map<string, Version>();
  /** Those that are listed, and not there. */
  readonly stale = new Set<number>();
  readonly #now: () => number;
  readonly #moves: TagMove[] = [];
  #nextId = 100_000;
  #sorted: readonly Version[] | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes in a manifest as it is; its tags move here. */
  put(json: unknown, mediaType: string, put: Put = {}): Stored {
    const body = typeof json === 'string' ? json : JSON.stringify(json);
    const digest = digestOf(body);
    this.bodies.set(digest, { body, mediaType });
    const atMs = put.atMs ?? this.#now();
    if (!this.byDigest.has(digest) && put.listed !== false) {
      const parts = linksOf(typeof json === 'string' ? JSON.parse(json) : json);
      const id = ++this.#nextId;
      const { kind = 'image', downloads = 0 } = put;
      this.add({ id, digest, kind, downloads, tags: [], createdAtMs: atMs, updatedAtMs: atMs, ...parts });
    }
    for (const tag of put.tags ?? []) this.tag(tag, digest, put.atMs);
    return { digest, size: Buffer.byteLength(body), mediaType };
  }

  add(version: Version): void {
    this.byId.set(version.id, version);
    this.byDigest.set(version.digest, version);
    this.changed();
  }

  /** The order of the list is to be found anew. */
  changed(): void {
    this.#sorted = undefined;
  }

  /** Moves a tag; without a time it is now, and what had it before is seen to have it for a while. */
  tag(tag: string, digest: Digest, atMs?: number): void {
    const from = this.tags.get(tag);
    if (atMs === undefined) this.#moves.push({ atMs: this.#now(), tag, from, to: digest });
    const before = from === undefined || from === digest ? undefined : this.byDigest.get(from);
    if (before !== undefined) before.tags = before.tags.filter((one) => one !== tag);
    const version = this.byDigest.get(digest);
    if (version !== undefined) {
      if (!version.tags.includes(tag)) version.tags = [...version.tags, tag];
      if (atMs === undefined) version.updatedAtMs = this.#now();
    }
    this.tags.set(tag, digest);
  }

  /** The tags of a version as a list shows them that lags by so much. */
  tagsBefore(version: Version, lagMs: number): readonly string[] {
    if (lagMs === 0) return version.tags;
    const tags = new Set(version.tags);
    for (const move of this.#moves) {
      if (this.#now() - move.atMs >= lagMs) continue;
      if (move.to === version.digest) tags.delete(move.tag);
      if (move.from === version.digest) tags.add(move.tag);
    }
    return [...tags];
  }

  /** The newest first, as GitHub lists. */
  list(): readonly Version[] {
    this.#sorted ??= [...this.byDigest.values()].sort((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id);
    return this.#sorted;
  }

  /** Takes it out, as if it had never been pushed. */
  withdraw(version: Version): void {
    this.byDigest.delete(version.digest);
    this.byId.delete(version.id);
    for (const tag of version.tags) if (this.tags.get(tag) === version.digest) this.tags.delete(tag);
    this.changed();
  }

  remove(version: Version): void {
    this.withdraw(version);
    this.deleted.push(version);
    this.lost.set(version.digest, version);
  }

  /** Brings it back with those of its tags that are free; false when there is nothing to bring back. */
  restore(id: number): boolean {
    const position = this.deleted.findIndex((version) => version.id === id);
    const [version] = position < 0 ? [] : this.deleted.splice(position, 1);
    if (version === undefined) return false;
    version.tags = version.tags.filter((tag) => !this.tags.has(tag));
    for (const tag of version.tags) this.tags.set(tag, version.digest);
    this.lost.delete(version.digest);
    this.add(version);
    return true;
  }
}

function linksOf(json: unknown): Pick<Version, 'children' | 'subject'> {
  const manifests = valueAt(json, 'manifests');
  const children = Array.isArray(manifests) ? manifests.map((one: unknown) => textAt(one, 'digest') ?? '') : [];
  return { children, subject: textAt(json, 'subject', 'digest') };
}
