import type { Digest } from '../core/digest.ts';
import { familiarName, formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import type { Inventory, InventoryEntry, ManifestFacts } from '../core/retention/inventory.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { type Docker, lastLine, runDocker } from '../tools/docker.ts';
import { inspectLocalImages, type LocalImage, type LocalNames, listLocalImages } from './engine-images.ts';
import type { ImageStore, Removal, Restoration } from './store.ts';

/** The engine hides what an image is made of: it deletes what no other image needs. */
const LEAF: ManifestFacts = { kind: 'manifest', subject: undefined, sizeBytes: 0, blobs: [] };
const LOST = 'the local engine keeps nothing of an image that was deleted: build it or pull it again';

/**
 * The images of one repository in the local engine, through docker. An image without a tag is among them when the engine knows
 * a digest of it in that repository; other images without a name belong to nobody, and stay. Nothing is forced: the engine
 * refuses to delete what a container needs, one that is stopped too.
 */
export function openEngineStore(docker: Docker, repository: RepositoryName): ImageStore {
  return new EngineStore(docker, repository);
}

class EngineStore implements ImageStore {
  readonly name: string;
  readonly kind = 'engine';
  readonly abilities = { listsUntagged: true, deletesTags: true, reportsPulls: false, keepsLastTagged: false };
  readonly #docker: Docker;
  readonly #repository: string;

  constructor(docker: Docker, repository: RepositoryName) {
    this.name = familiarName(formatRepositoryName(repository));
    this.#docker = docker;
    this.#repository = formatRepositoryName(repository);
  }

  async list(): Promise<Inventory> {
    const listedAtMs = this.#docker.host.now().getTime();
    const images = await listLocalImages(this.#docker);
    const entries = images.flatMap((image) => this.#entryOf(image) ?? []);
    return { repository: this.name, listedAtMs, entries, isComplete: true };
  }

  async read(_digest: Digest): Promise<ManifestFacts> {
    return LEAF;
  }

  async changes(since: Inventory): Promise<readonly InventoryEntry[]> {
    const before = new Map(since.entries.map(({ digest, tags }) => [digest, new Set(tags)]));
    const { entries } = await this.list();
    return entries.filter(({ digest, tags }) => {
      const known = before.get(digest);
      return known === undefined || tags.some((tag) => !known.has(tag));
    });
  }

  async checkDeletion(): Promise<void> {
    // Who may list images may delete them.
  }

  async look({ digest }: PlannedManifest): Promise<InventoryEntry | undefined> {
    const [image] = await inspectLocalImages(this.#docker, [digest]);
    return image && this.#entryOf(image);
  }

  async save(_manifest: PlannedManifest): Promise<undefined> {
    return undefined;
  }

  async remove(manifest: PlannedManifest): Promise<Removal> {
    const there = await this.#namesOf(manifest.digest);
    if (there === undefined) return { outcome: 'gone' };
    const tags = manifest.tags.filter((tag) => there.tags.includes(tag));
    if (tags.length === 0 && there.tags.length > 0)
      return { outcome: 'refused', reason: 'it has got a tag since', isFinal: true };
    const names = tags.length > 0 ? tags.map((tag) => `:${tag}`) : there.digests.map((digest) => `@${digest}`);
    const arguments_ = ['image', 'rm', '--', ...names.map((name) => `${this.name}${name}`)];
    const { status, stderr } = await runDocker(this.#docker, arguments_);
    if (status === 0 || (await this.#namesOf(manifest.digest)) === undefined) return { outcome: 'deleted' };
    // It goes through the names one by one, and may have begun.
    await this.#setTags(manifest.digest, tags);
    return refusal(stderr);
  }

  async removeTag(manifest: PlannedManifest, tag: string): Promise<Removal> {
    const there = await this.#namesOf(manifest.digest);
    if (there === undefined || !there.tags.includes(tag)) return { outcome: 'gone' };
    const { status, stderr } = await runDocker(this.#docker, ['image', 'rm', '--', `${this.name}:${tag}`]);
    return status === 0 ? { outcome: 'deleted' } : refusal(stderr);
  }

  /** What has another name, or never went, can have its tags back. */
  async restore({ digest, tags }: PlannedManifest): Promise<Restoration> {
    const [image] = await inspectLocalImages(this.#docker, [digest]);
    if (image === undefined) return { outcome: 'lost', reason: LOST };
    const before = new Set(image.names.get(this.#repository)?.tags);
    const own = await this.#setTags(digest, tags);
    return { outcome: own.every((tag) => before.has(tag)) ? 'present' : 'restored', tags: own };
  }

  allowance(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    // There is no connection.
  }

  async #namesOf(digest: Digest): Promise<LocalNames | undefined> {
    const [image] = await inspectLocalImages(this.#docker, [digest]);
    return image?.names.get(this.#repository);
  }

  #entryOf(image: LocalImage): InventoryEntry | undefined {
    const { id, createdAtMs, taggedAtMs, sizeBytes } = image;
    const names = image.names.get(this.#repository);
    if (names === undefined) return undefined;
    const isShared = image.names.size > 1;
    return {
      id,
      digest: id,
      tags: [...names.tags].sort(),
      pushedAtMs: createdAtMs ?? taggedAtMs,
      updatedAtMs: taggedAtMs ?? createdAtMs,
      createdAtMs,
      // What other names hold is not freed.
      sizeBytes: isShared ? undefined : sizeBytes,
    };
  }

  /** Gives an image those of the tags that nothing has; answers which of them it has then. */
  async #setTags(digest: Digest, tags: readonly string[]): Promise<readonly string[]> {
    const taken = new Map<string, Digest>();
    for (const image of await listLocalImages(this.#docker)) {
      for (const tag of image.names.get(this.#repository)?.tags ?? []) taken.set(tag, image.id);
    }
    const own: string[] = [];
    for (const tag of tags) {
      const holder = taken.get(tag);
      if (holder !== undefined && holder !== digest) continue;
      const isSet =
        holder === digest ||
        (await runDocker(this.#docker, ['image', 'tag', '--', digest, `${this.name}:${tag}`])).status === 0;
      if (isSet) own.push(tag);
    }
    return own;
  }
}

/** A conflict is about who needs the image: it is no failure. */
function refusal(stderr: string): Removal {
  const reason = lastLine(stderr);
  return { outcome: 'refused', reason, isFinal: /\bconflict\b/.test(reason) };
}
