import type { Digest } from '../digest.ts';

/** What is in one repository, as its registry or engine lists it. */
export interface Inventory {
  /** As a person names it: `ghcr.io/acme/app`. */
  readonly repository: string;
  /** When it was listed, by the clock of the registry or engine, in milliseconds since 1970. Ages count from here. */
  readonly listedAtMs: number;
  /** Every manifest that is known, by no order. No digest twice. */
  readonly entries: readonly InventoryEntry[];
  /**
   * The list is proved to be whole and of one moment. When it is not, nothing may go, since what names it may be missing
   * here.
   */
  readonly isComplete: boolean;
}

/** One manifest in a repository; in the local engine, one image. */
export interface InventoryEntry {
  /** What the registry calls it: GitHub's number of the version; elsewhere the digest. */
  readonly id: string;
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** When it was pushed; where the registry does not tell, when the image was made. `undefined`: not known, so it is kept. */
  readonly pushedAtMs: number | undefined;
  /** When its tags were last moved, where that is told; else as `pushedAtMs`. */
  readonly updatedAtMs: number | undefined;
  /** When the image was made, by its own word, where that is known without another request. */
  readonly createdAtMs?: number | undefined;
  /** When it was last pulled; `undefined` where the registry does not tell, or it never was. */
  readonly usedAtMs?: number | undefined;
  /** Of all that would be freed with it, where the registry or engine tells. */
  readonly sizeBytes?: number | undefined;
  /** What it belongs to, where the registry itself tells: it counts though an index names the manifest as a part of its own. */
  readonly subject?: Digest | undefined;
}

/** What a manifest says, as far as retention asks. Depends on nothing but the digest, so that it can be kept for ever. */
export type ManifestFacts =
  | {
      readonly kind: 'index';
      readonly children: readonly ChildFacts[];
      /** What it points at as a referrer. */
      readonly subject: Digest | undefined;
      /** Its own bytes. */
      readonly sizeBytes: number;
    }
  | {
      readonly kind: 'manifest';
      readonly subject: Digest | undefined;
      readonly sizeBytes: number;
      /** Config and layers. */
      readonly blobs: readonly BlobFacts[];
    };

export interface ChildFacts {
  readonly digest: Digest;
  /**
   * `manifest`: its media type says that it names no other manifest, so it need not be read. `blob`: no manifest at all, as in
   * indexes of build caches. `unknown`: an index, or no known type: it is to be read.
   */
  readonly type: 'manifest' | 'blob' | 'unknown';
  readonly sizeBytes: number;
}

export interface BlobFacts {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A manifest that could not be read, or that nobody can make sense of: nothing in its repository may go. */
export interface Unreadable {
  readonly kind: 'unreadable';
  /** Half a sentence. */
  readonly reason: string;
}

/** What is known of the manifests of a repository, by digest. */
export type KnownManifests = ReadonlyMap<Digest, ManifestFacts | Unreadable>;

/** Images that somebody needs, and who says so. */
export interface Protection {
  /** `@releases`, `this run`, `compose.yml:12`. */
  readonly by: string;
  readonly tags: readonly string[];
  readonly digests: readonly Digest[];
}

/** What is known of the git repository that tags were made from. `undefined`: it could not be read, so that all is kept. */
export interface GitState {
  /** When each pull request was closed, in milliseconds since 1970; `open` while it is not. One that is not here is unknown. */
  readonly pullRequests: ReadonlyMap<number, 'open' | number> | undefined;
  /** As they stand in tags: see `toLegalTag`. */
  readonly branches: ReadonlySet<string> | undefined;
  readonly gitTags: ReadonlySet<string> | undefined;
}
