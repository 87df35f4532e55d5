import { type Digest, parseDigest } from '../core/digest.ts';
import type { InventoryEntry, ManifestFacts, Unreadable } from '../core/retention/inventory.ts';
import { parseManifestFacts, unreadable } from '../core/retention/manifest-facts.ts';
import { isRegistryError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import type { RegistryRepository } from '../registry/open.ts';
import type { Content } from '../registry/repository.ts';
import { type ImageTime, ImageTimes, timeOf } from './image-times.ts';

/** How many requests run at once. */
export const REQUESTS_AT_ONCE = 16;
/** Tags that stand for what belongs to a subject: the fallback of the referrers API, and cosign's. */
const LINK_TAG = /^(sha256)-([a-f0-9]{64})(?:\.(?:sig|att|sbom))?$/;

/** What is known of one manifest. */
interface Known {
  readonly facts: ManifestFacts | Unreadable;
  readonly time: ImageTime | undefined;
}

/**
 * What leads from tags to manifests in a registry, which lists nothing but tags: indexes name their children, the referrers
 * API what belongs to a manifest. What was read once is not asked for again.
 */
export class RegistryCatalog {
  readonly #repository: RegistryRepository;
  readonly #findsMissing: boolean;
  readonly #times: ImageTimes;
  readonly #known = new Map<Digest, Known>();
  readonly #missing = new Set<Digest>();
  readonly #referrers = new Map<Digest, readonly Digest[]>();
  /** Of each referrer, what the registry lists it for. */
  readonly #subjects = new Map<Digest, Digest>();
  #keepsReferrers = true;

  /** With `findsMissing` every child is looked for: else those that only an index names are taken to be there. */
  constructor(repository: RegistryRepository, findsMissing: boolean) {
    this.#repository = repository;
    this.#findsMissing = findsMissing;
    this.#times = new ImageTimes(repository);
  }

  /** Reads what is behind a tag; `undefined` when nothing is. RegistryError when the registry does not even tell its digest. */
  async readTag(tag: string): Promise<Digest | undefined> {
    try {
      const content = await this.#repository.fetch({ tag });
      return content && (await this.#enter(content.descriptor.digest, content));
    } catch (error) {
      if (!isReadFailure(error)) throw error;
      const descriptor = await this.#repository.resolve({ tag });
      if (descriptor !== undefined) this.#enterUnreadable(descriptor.digest, error);
      return descriptor?.digest;
    }
  }

  /** What a manifest says. */
  async read(digest: Digest): Promise<ManifestFacts | Unreadable> {
    await this.#look(digest);
    return this.#known.get(digest)?.facts ?? unreadable('the registry does not have it');
  }

  /** The manifests behind these tags, and all that they lead to. */
  async entriesOf(tags: ReadonlyMap<string, Digest>): Promise<readonly InventoryEntry[]> {
    const tagsOf = new Map<Digest, string[]>();
    for (const [tag, digest] of tags) {
      const known = tagsOf.get(digest);
      if (known === undefined) tagsOf.set(digest, [tag]);
      else known.push(tag);
    }
    const owners = new Map<Digest, Set<Digest>>();
    for (const [tag, digest] of tags) enterOwner(owners, digest, subjectOfTag(tag));
    const reached = await this.#reach([...tagsOf.keys()], owners);
    const times = await this.#times.of(
      reached.map((digest) => ({
        digest,
        own: this.#known.get(digest)?.time,
        owners: owners.get(digest) ?? new Set(),
      })),
    );
    return reached.map((digest) => {
      const timeMs = times.get(digest);
      const dates = {
        pushedAtMs: timeMs,
        updatedAtMs: timeMs,
        ...(timeMs === undefined ? {} : { createdAtMs: timeMs }),
      };
      const subject = this.#subjects.get(digest);
      const belonging = subject === undefined ? {} : { subject };
      return { id: digest, digest, tags: (tagsOf.get(digest) ?? []).toSorted(), ...dates, ...belonging };
    });
  }

  /** Level by level, so that the requests of a level run side by side. */
  async #reach(roots: readonly Digest[], owners: Map<Digest, Set<Digest>>): Promise<readonly Digest[]> {
    const reached = new Set(roots);
    for (let level: readonly Digest[] = roots; level.length > 0; ) {
      const below = await inParallel(level, REQUESTS_AT_ONCE, (digest) => this.#below(digest));
      const next = new Set<Digest>();
      for (const [position, digest] of level.entries()) {
        for (const member of below[position] ?? []) {
          enterOwner(owners, member, digest);
          if (!reached.has(member)) next.add(member);
          reached.add(member);
        }
      }
      level = [...next];
    }
    return [...reached];
  }

  /** Children that are there, and referrers. */
  async #below(digest: Digest): Promise<readonly Digest[]> {
    const facts = this.#known.get(digest)?.facts;
    const children: Digest[] = [];
    for (const child of facts?.kind === 'index' ? facts.children : []) {
      if (child.type === 'blob' || this.#missing.has(child.digest)) continue;
      if (child.type === 'unknown') await this.#look(child.digest);
      else if (this.#findsMissing) await this.#find(child.digest);
      if (!this.#missing.has(child.digest)) children.push(child.digest);
    }
    return [...children, ...(await this.#referrersOf(digest))];
  }

  async #referrersOf(subject: Digest): Promise<readonly Digest[]> {
    const known = this.#referrers.get(subject);
    if (known !== undefined || !this.#keepsReferrers) return known ?? [];
    const listed = await this.#repository.listedReferrers(subject);
    // A registry without the API has fallback tags, which are among the tags.
    if (listed === undefined) this.#keepsReferrers = false;
    const referrers: Digest[] = [];
    for (const { digest } of listed ?? []) {
      await this.#look(digest);
      if (this.#missing.has(digest)) continue;
      referrers.push(digest);
      this.#subjects.set(digest, subject);
    }
    this.#referrers.set(subject, referrers);
    return referrers;
  }

  async #find(digest: Digest): Promise<void> {
    if (this.#known.has(digest) || this.#missing.has(digest)) return;
    if ((await this.#repository.resolve({ digest })) === undefined) this.#missing.add(digest);
  }

  async #look(digest: Digest): Promise<void> {
    if (this.#known.has(digest) || this.#missing.has(digest)) return;
    try {
      const content = await this.#repository.fetch({ digest });
      if (content === undefined) this.#missing.add(digest);
      else await this.#enter(digest, content);
    } catch (error) {
      if (!isReadFailure(error)) throw error;
      this.#enterUnreadable(digest, error);
    }
  }

  async #enter(digest: Digest, content: Content): Promise<Digest> {
    if (this.#known.has(digest)) return digest;
    const bytes = await content.bytes(MAX_MANIFEST_BYTES);
    const { mediaType } = content.descriptor;
    const manifest = parseManifest(bytes, mediaType);
    this.#known.set(digest, {
      facts: parseManifestFacts(bytes, mediaType),
      time: manifest.ok ? timeOf(manifest.value) : undefined,
    });
    return digest;
  }

  #enterUnreadable(digest: Digest, error: unknown): void {
    const reason = isRegistryError(error) ? error.message : 'unknown reason';
    this.#known.set(digest, { facts: unreadable(reason), time: undefined });
  }
}

/** A manifest that cannot be read is a fact; that the run is to end is none. */
function isReadFailure(error: unknown): boolean {
  return isRegistryError(error) && error.code !== 'ABORTED';
}

/** What a manifest is the member of by the name of its tag. */
function subjectOfTag(tag: string): Digest | undefined {
  const [, algorithm, hex] = LINK_TAG.exec(tag) ?? [];
  return parseDigest(`${algorithm}:${hex}`);
}

function enterOwner(owners: Map<Digest, Set<Digest>>, member: Digest, owner: Digest | undefined): void {
  if (owner === undefined || owner === member) return;
  owners.set(member, (owners.get(member) ?? new Set()).add(owner));
}
