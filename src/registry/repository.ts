import type { Digest } from '../core/digest.ts';
import type { RepositoryName } from '../core/reference.ts';
import type { Descriptor } from '../oci/types.ts';

/** What a read is asked for: a tag, or content by digest. */
export type Target = { readonly tag: string } | { readonly digest: Digest };

/** Content that was found. Size and digest are checked as it is read; a mismatch is a RegistryError. */
export interface Content {
  /** `digest` is computed from the bytes for manifests, so it holds also where the registry sends none. */
  readonly descriptor: Descriptor;
  /** The whole content in memory; RegistryError `TOO_LARGE` above `limitBytes` (4 MiB when absent). Call once. */
  bytes(limitBytes?: number): Promise<Uint8Array>;
  /**
   * The content in pieces, for blobs of any size. Call once, instead of `bytes`. A piece is good until the next one is asked
   * for: who keeps it copies it.
   */
  stream(): AsyncIterable<Uint8Array>;
}

/** What a push reads: bytes, or a function that starts a fresh stream (see `Content`), so that a cut upload can start again. */
export type Body = Uint8Array | (() => AsyncIterable<Uint8Array>);

/**
 * One repository of images: in a registry, in an OCI layout folder, in memory. Manifests and blobs are told apart by media
 * type (`isManifestMediaType`). Absence is `undefined` or `false`; every other failure is a typed error.
 */
export interface Repository {
  readonly name: RepositoryName;
  /** The descriptor behind a tag or a manifest's digest, without its content. */
  resolve(target: Target): Promise<Descriptor | undefined>;
  /** A manifest by tag or digest, or a blob by its descriptor, in one request. */
  fetch(target: Target | Descriptor): Promise<Content | undefined>;
  /** Makes the content exist under its digest. Skips blobs that are there; mounts from `mountFrom` where that works. */
  push(content: Descriptor, body: Body, mountFrom?: RepositoryName): Promise<void>;
  /** Points the tag at a manifest that is in this repository already, replacing what it pointed at. */
  tag(manifest: Descriptor, tag: string): Promise<void>;
  /** Every tag, in the registry's order. */
  tags(): AsyncIterable<string>;
  /** What points at this manifest: signatures, SBOMs, attestations. */
  referrers(subject: Descriptor, artifactType?: string): AsyncIterable<Descriptor>;
  /** Deletes a manifest by digest, and with it every tag on it; `false` when it was not there. */
  delete(digest: Digest): Promise<boolean>;
}

/** Optional capability: can tell before any work whether this run may push. */
export interface PushAccess {
  /** Starts an upload and cancels it. RegistryError `DENIED` or `UNAUTHORIZED` with a hint when pushing is not allowed. */
  checkPushAccess(): Promise<void>;
}

/** Optional capability: a tag can go while its manifest stays. */
export interface TagDeletion {
  /** `false` when there was no such tag. RegistryError `UNSUPPORTED` where the registry cannot. */
  deleteTag(tag: string): Promise<boolean>;
}

/** Optional capability: what only a registry tells of a repository. */
export interface RegistryKnowledge {
  /** Whether there is such a repository; `true` also where that cannot be told from an empty one. */
  exists(): Promise<boolean>;
  /** The registry's own list of referrers, the fallback tag aside; `undefined` where it keeps no such lists. */
  listedReferrers(subject: Digest): Promise<readonly Descriptor[] | undefined>;
  /** When the last answer was sent, by the registry's clock, in milliseconds since 1970; `undefined` where it does not say. */
  readonly answeredAtMs: number | undefined;
}
