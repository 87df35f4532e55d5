import type { Digest } from '../../src/core/digest.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { RepositoryName } from '../../src/core/reference.ts';
import { isTag } from '../../src/core/reference.ts';
import { RegistryError } from '../../src/errors.ts';
import { describeReferrer } from '../../src/oci/links.ts';
import { parseManifest } from '../../src/oci/parse.ts';
import { type Descriptor, isManifestMediaType } from '../../src/oci/types.ts';
import type { Body, Content, Repository, Target } from '../../src/registry/repository.ts';
import { verifiedContent } from '../../src/registry/verified-content.ts';

interface Held {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A repository in memory: fast enough for thousands of runs, and open to what a test wants to break. */
export class MemoryRepository implements Repository {
  readonly name: RepositoryName;
  readonly held = new Map<Digest, Held>();
  readonly #tags = new Map<string, Digest>();
  /** Called before each push; throws to fail it. */
  readonly beforePush: (content: Descriptor) => void | Promise<void>;

  constructor(path: string, beforePush: (content: Descriptor) => void | Promise<void> = () => {}) {
    this.name = { registry: `${path}.memory`, path };
    this.beforePush = beforePush;
  }

  async resolve(target: Target): Promise<Descriptor | undefined> {
    const digest = 'digest' in target ? target.digest : this.#tags.get(target.tag);
    const descriptor = digest === undefined ? undefined : this.held.get(digest)?.descriptor;
    return descriptor !== undefined && isManifestMediaType(descriptor.mediaType) ? descriptor : undefined;
  }

  async fetch(target: Target | Descriptor): Promise<Content | undefined> {
    const descriptor = 'mediaType' in target ? target : await this.resolve(target);
    const held = descriptor === undefined ? undefined : this.held.get(descriptor.digest);
    if (descriptor === undefined || held === undefined) return undefined;
    return verifiedContent(descriptor, descriptor.digest, async function* () {
      yield held.bytes;
    });
  }

  async push(content: Descriptor, body: Body, _mountFrom?: RepositoryName): Promise<void> {
    await this.beforePush(content);
    if (this.held.has(content.digest)) return;
    const pieces: Uint8Array[] = [];
    if (body instanceof Uint8Array) pieces.push(body);
    else for await (const piece of body()) pieces.push(Buffer.from(piece));
    const bytes = Buffer.concat(pieces);
    if (digestOf(bytes, content.digest) !== content.digest) throw new RegistryError('DIGEST_INVALID', content.digest);
    const { mediaType, digest, sizeBytes } = content;
    this.held.set(digest, { descriptor: { mediaType, digest, sizeBytes }, bytes });
  }

  async tag(manifest: Descriptor, tag: string): Promise<void> {
    if (!isTag(tag)) throw new RegistryError('TAG_INVALID', 'no tag');
    if ((await this.resolve(manifest)) === undefined) throw new RegistryError('MANIFEST_UNKNOWN', manifest.digest);
    this.#tags.set(tag, manifest.digest);
  }

  async *tags(): AsyncGenerator<string> {
    yield* this.#tags.keys();
  }

  async *referrers(subject: Descriptor, artifactType?: string): AsyncGenerator<Descriptor> {
    for (const { descriptor, bytes } of this.held.values()) {
      const manifest = isManifestMediaType(descriptor.mediaType) ? parseManifest(bytes) : undefined;
      if (manifest?.ok !== true || manifest.value.subject?.digest !== subject.digest) continue;
      const referrer = describeReferrer(manifest.value, descriptor.digest, bytes.length);
      if (artifactType === undefined || referrer.artifactType === artifactType) yield referrer;
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    if ((await this.resolve({ digest })) === undefined) return false;
    for (const [tag, tagged] of this.#tags) if (tagged === digest) this.#tags.delete(tag);
    return this.held.delete(digest);
  }
}
