import type { Digest } from '../core/digest.ts';

const MAX_MANIFESTS = 16;

/** The last manifests that passed through here, so that tagging one needs no second download. */
export class ManifestCache {
  readonly #manifests = new Map<Digest, Uint8Array>();

  find(digest: Digest): Uint8Array | undefined {
    return this.#manifests.get(digest);
  }

  keep(digest: Digest, bytes: Uint8Array): void {
    this.#manifests.delete(digest);
    this.#manifests.set(digest, bytes);
    const [oldest] = this.#manifests.keys();
    if (oldest !== undefined && this.#manifests.size > MAX_MANIFESTS) this.#manifests.delete(oldest);
  }

  forget(digest: Digest): void {
    this.#manifests.delete(digest);
  }
}
