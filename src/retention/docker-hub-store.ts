import type { Digest } from '../core/digest.ts';
import { familiarName, formatRepositoryName } from '../core/reference.ts';
import type { Inventory, InventoryEntry, ManifestFacts, Unreadable } from '../core/retention/inventory.ts';
import { unreadable } from '../core/retention/manifest-facts.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { RegistryError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { isIndexMediaType } from '../oci/types.ts';
import type { Credentials } from '../registry/credentials.ts';
import type { RegistryRepository } from '../registry/open.ts';
import type { Transport } from '../registry/transport.ts';
import { type DockerHubAnswer, DockerHubApi } from './docker-hub-api.ts';
import { catalogOf, type ResolvedTag } from './docker-hub-catalog.ts';
import { type DockerHubPage, type DockerHubTag, parseDockerHubPage } from './docker-hub-tags.ts';
import { lookAt, restoreManifest, saveManifest } from './registry-manifest.ts';
import { removalOf } from './removal.ts';
import type { ImageStore, Removal, SavedManifest } from './store.ts';

export interface DockerHubStoreSettings {
  /** In Docker Hub's registry, opened to push. */
  readonly repository: RegistryRepository;
  /** To Docker Hub's API; closed with the store. */
  readonly transport: Transport;
  /** Those of the registry. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** The clock of this machine, where Docker Hub does not tell its own. */
  readonly now: () => number;
}

const NO_TAG = 'build-once-asks-whether-tags-can-be-deleted';
const TAGS_PER_PAGE = 100;
const MAX_PAGES = 5000;
const MAX_ROUNDS = 3;
const REQUESTS_AT_ONCE = 16;
/** How many pages are asked for what came meanwhile: the newest tags come first. */
const MAX_NEW_PAGES = 10;

/**
 * A repository on Docker Hub, by its API: it tells when tags were pushed and pulled, and deletes them. No manifest is read for
 * the plan, since every read is a pull.
 */
export function openDockerHubStore(settings: DockerHubStoreSettings): ImageStore {
  return new DockerHubStore(settings);
}

const NO_PAGE = { count: 0, next: undefined, tags: [], sentAtMs: undefined };

/** All tags, and whether they are of one moment. */
interface TagList {
  readonly tags: readonly DockerHubTag[];
  readonly isComplete: boolean;
  readonly listedAtMs: number | undefined;
}

class DockerHubStore implements ImageStore {
  readonly name: string;
  readonly kind = 'docker-hub';
  readonly abilities = { listsUntagged: false, deletesTags: true, reportsPulls: true, keepsLastTagged: false };
  readonly #repository: RegistryRepository;
  readonly #api: DockerHubApi;
  readonly #now: () => number;
  readonly #path: string;
  readonly #facts = new Map<Digest, ManifestFacts>();
  #keepsReferrers = true;

  constructor({ repository, transport, credentials, now }: DockerHubStoreSettings) {
    const { path } = repository.name;
    const slash = path.indexOf('/');
    const [namespace, rest] = [path.slice(0, slash), path.slice(slash + 1)].map(encodeURIComponent);
    this.name = familiarName(formatRepositoryName(repository.name));
    this.#path = `/v2/namespaces/${namespace}/repositories/${rest}/tags`;
    this.#repository = repository;
    this.#api = new DockerHubApi(transport, credentials);
    this.#now = now;
  }

  async list(): Promise<Inventory> {
    let list = await this.#tags();
    for (let round = 1; round < MAX_ROUNDS && !list.isComplete; round += 1) list = await this.#tags();
    const { isComplete, listedAtMs = this.#now() } = list;
    return { repository: this.name, listedAtMs, entries: await this.#entriesOf(list.tags), isComplete };
  }

  async read(digest: Digest): Promise<ManifestFacts | Unreadable> {
    return this.#facts.get(digest) ?? unreadable('Docker Hub does not list it');
  }

  /** The first pages, up to one on which nothing is new. */
  async changes({ entries }: Inventory): Promise<readonly InventoryEntry[] | undefined> {
    const before = new Map(entries.flatMap(({ digest, tags }) => tags.map((tag) => [tag, digest] as const)));
    const isNew = ({ name, digest }: DockerHubTag): boolean =>
      !before.has(name) || (digest !== undefined && before.get(name) !== digest);
    const changed: DockerHubTag[] = [];
    let count = 0;
    for await (const { tags } of this.#pages()) {
      const found = tags.filter(isNew);
      changed.push(...found);
      count += 1;
      if (found.length === 0) return this.#entriesOf(changed);
      if (count === MAX_NEW_PAGES) return undefined;
    }
    return this.#entriesOf(changed);
  }

  async checkDeletion(): Promise<void> {
    await this.#api.requireLogin();
    const answer = await this.#deleteTag(NO_TAG);
    if (answer.status !== 404 && !isDone(answer)) throw answer.failure();
  }

  look(manifest: PlannedManifest): Promise<InventoryEntry | undefined> {
    return lookAt(this.#repository, manifest);
  }

  save(manifest: PlannedManifest): Promise<SavedManifest | undefined> {
    return saveManifest(this.#repository, manifest);
  }

  /** Its tags, then what is left: Docker Hub deletes a manifest that nothing needs, and refuses others. */
  async remove(manifest: PlannedManifest): Promise<Removal> {
    const { digest, tags } = manifest;
    const gone: string[] = [];
    for (const tag of tags) {
      const removal = await this.removeTag(manifest, tag);
      if (removal.outcome === 'refused') {
        await restoreManifest(this.#repository, { ...manifest, tags: gone }, undefined);
        return removal;
      }
      gone.push(tag);
    }
    const removal = await removalOf(() => this.#repository.delete(digest));
    if (removal.outcome !== 'refused') return removal;
    if (tags.length > 0 || (await this.#repository.resolve({ digest })) === undefined) return { outcome: 'deleted' };
    return { ...removal, isFinal: true };
  }

  async removeTag(_manifest: PlannedManifest, tag: string): Promise<Removal> {
    return removalOf(async () => {
      const answer = await this.#deleteTag(tag);
      if (answer.status === 404) return false;
      if (!isDone(answer)) throw answer.failure();
      return true;
    });
  }

  restore(manifest: PlannedManifest, saved: SavedManifest | undefined): ReturnType<ImageStore['restore']> {
    return restoreManifest(this.#repository, manifest, saved);
  }

  allowance(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#api.close();
  }

  #deleteTag(tag: string): Promise<DockerHubAnswer> {
    return this.#api.send('DELETE', `${this.#path}/${encodeURIComponent(tag)}`);
  }

  async #entriesOf(tags: readonly DockerHubTag[]): Promise<readonly InventoryEntry[]> {
    const resolved = await inParallel(tags, REQUESTS_AT_ONCE, (tag) => this.#resolve(tag));
    const catalog = catalogOf(resolved, await this.#referrersOf(resolved));
    for (const [digest, facts] of catalog.facts) this.#facts.set(digest, facts);
    return catalog.entries;
  }

  async #resolve(tag: DockerHubTag): Promise<ResolvedTag> {
    const { digest, name } = tag;
    if (digest !== undefined) return { ...tag, digest };
    const descriptor = await this.#repository.resolve({ tag: name });
    if (descriptor !== undefined)
      return { ...tag, digest: descriptor.digest, isIndex: isIndexMediaType(descriptor.mediaType) };
    throw new RegistryError('MANIFEST_UNKNOWN', `${this.name}:${name} is listed, but there is no manifest behind it`, {
      hint: 'Nothing is deleted while this is so, since nobody knows what it needs. Push the tag again, or delete it.',
    });
  }

  async #referrersOf(tags: readonly ResolvedTag[]): Promise<ReadonlyMap<Digest, readonly Digest[]>> {
    const subjects = new Set(tags.flatMap(({ digest, images }) => [digest, ...images.map((image) => image.digest)]));
    const referrers = new Map<Digest, readonly Digest[]>();
    await inParallel([...subjects], REQUESTS_AT_ONCE, async (subject) => {
      if (!this.#keepsReferrers) return;
      const listed = await this.#repository.listedReferrers(subject);
      if (listed === undefined) this.#keepsReferrers = false;
      const digests = (listed ?? []).map(({ digest }) => digest);
      if (digests.length > 0) referrers.set(subject, digests);
    });
    return referrers;
  }

  /** Pages are told apart by number: what is pushed or deleted meanwhile moves tags from one to the next. */
  async #tags(): Promise<TagList> {
    const tags = new Map<string, DockerHubTag>();
    let [first, last]: (DockerHubPage | undefined)[] = [];
    let pages = 0;
    let listedAtMs: number | undefined;
    for await (const page of this.#pages()) {
      first ??= page;
      last = page;
      listedAtMs ??= page.sentAtMs;
      pages += 1;
      for (const tag of page.tags) tags.set(tag.name, tag);
    }
    const again = pages > 1 ? await this.#page(this.#firstPage()) : first;
    const counts = new Set([first?.count, last?.count, again?.count, tags.size]);
    const isComplete = counts.size === 1 && again?.tags[0]?.name === first?.tags[0]?.name;
    return { tags: [...tags.values()], isComplete, listedAtMs };
  }

  async *#pages(): AsyncGenerator<DockerHubPage & Pick<DockerHubAnswer, 'sentAtMs'>> {
    const seen = new Set<string>();
    for (let path: string | undefined = this.#firstPage(); path !== undefined; ) {
      seen.add(path);
      const page: DockerHubPage & Pick<DockerHubAnswer, 'sentAtMs'> = await this.#page(path);
      yield page;
      if (page.next === undefined) return;
      path = this.#api.pathOf(page.next);
      if (path === undefined || seen.has(path) || seen.size === MAX_PAGES)
        throw new RegistryError('UNEXPECTED_ANSWER', `${this.name}: the pages of its tags do not end on Docker Hub`);
    }
  }

  #firstPage(): string {
    return `${this.#path}?page_size=${TAGS_PER_PAGE}`;
  }

  async #page(path: string): Promise<DockerHubPage & Pick<DockerHubAnswer, 'sentAtMs'>> {
    const answer = await this.#api.send('GET', path);
    // The last page went with its tags.
    if (answer.status === 404 && path !== this.#firstPage()) return NO_PAGE;
    if (answer.status === 404) {
      throw new RegistryError(
        'REPOSITORY_UNKNOWN',
        `there is no repository ${this.name} on Docker Hub, or this run may not see it`,
        {
          hint: 'Check its spelling, and that the login may read it.',
        },
      );
    }
    if (answer.status !== 200) throw answer.failure();
    const page = parseDockerHubPage(answer.json);
    if (page.ok) return { ...page.value, sentAtMs: answer.sentAtMs };
    throw new RegistryError(
      'UNEXPECTED_ANSWER',
      `${this.name}: Docker Hub answered with no list of tags: ${page.problem}`,
    );
  }
}

function isDone({ status }: DockerHubAnswer): boolean {
  return status >= 200 && status < 300;
}
