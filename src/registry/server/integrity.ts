import { type Digest, digestFromHash, digestOf, hasherFor } from '../../core/digest.ts';
import { isNonDistributable, partsOf } from '../../oci/links.ts';
import { parseManifest } from '../../oci/parse.ts';
import type { Descriptor } from '../../oci/types.ts';
import { collect } from '../content-store.ts';
import type { Shelf } from './catalog.ts';
import type { Shelves } from './shelves.ts';

/** Something that is not as a client would find it by following tags and subjects. */
export interface IntegrityProblem {
  readonly repository: string;
  /** The tag that leads there; the digest of a referrer for `subject-missing`. */
  readonly reference: string;
  /** The content that is missing or damaged. */
  readonly digest: Digest;
  readonly problem: 'missing' | 'wrong-digest' | 'wrong-size' | 'unreadable' | 'subject-missing';
}

/**
 * Follows every tag to its index, manifests, configs and layers, reads all of it, and lists what is not right; layers that
 * are not distributed may be elsewhere. Then the referrers whose subject is not there, which the specification allows.
 */
export async function findIntegrityProblems(shelves: Shelves): Promise<readonly IntegrityProblem[]> {
  const problems: IntegrityProblem[] = [];
  for (const repository of shelves.catalog.repositories()) {
    const shelf = shelves.shelf(repository);
    if (shelf === undefined) continue;
    const inspection = new Inspection(shelves, shelf);
    for (const [reference, digest] of shelf.tags) {
      for (const found of await inspection.problemsBelow(digest)) problems.push({ repository, reference, ...found });
    }
    for (const [digest, referrers] of shelf.referrers) {
      if (shelf.manifests.has(digest)) continue;
      for (const reference of referrers) problems.push({ repository, reference, digest, problem: 'subject-missing' });
    }
  }
  return problems;
}

type Found = Pick<IntegrityProblem, 'digest' | 'problem'>;

/** Looks at each content of a repository once. */
class Inspection {
  readonly #shelves: Shelves;
  readonly #shelf: Shelf;
  readonly #known = new Map<Digest, Promise<readonly Found[]>>();

  constructor(shelves: Shelves, shelf: Shelf) {
    this.#shelves = shelves;
    this.#shelf = shelf;
  }

  problemsBelow(manifest: Digest): Promise<readonly Found[]> {
    return this.#once(manifest, () => this.#inspectManifest(manifest));
  }

  #once(digest: Digest, inspect: () => Promise<readonly Found[]>): Promise<readonly Found[]> {
    const found = this.#known.get(digest) ?? inspect();
    this.#known.set(digest, found);
    return found;
  }

  async #inspectManifest(digest: Digest): Promise<readonly Found[]> {
    const stored = this.#shelf.manifests.get(digest);
    if (stored === undefined || (await this.#shelves.store.sizeOf(digest)) === undefined) {
      return [{ digest, problem: 'missing' }];
    }
    const content = await collect(this.#shelves.store.read(digest));
    if (digestOf(content, digest) !== digest) {
      return [{ digest, problem: 'wrong-digest' }];
    }
    const manifest = parseManifest(content, stored.descriptor.mediaType);
    if (!manifest.ok) return [{ digest, problem: 'unreadable' }];
    const isIndex = manifest.value.kind === 'index';
    const problems: Found[] = [];
    for (const part of partsOf(manifest.value)) {
      problems.push(...(await (isIndex ? this.#inspectChild(part) : this.#inspectBlob(part))));
    }
    return [...new Map(problems.map((found) => [`${found.digest} ${found.problem}`, found])).values()];
  }

  async #inspectChild({ digest, sizeBytes }: Descriptor): Promise<readonly Found[]> {
    const child = this.#shelf.manifests.get(digest);
    if (child !== undefined && child.descriptor.sizeBytes !== sizeBytes) return [{ digest, problem: 'wrong-size' }];
    return this.problemsBelow(digest);
  }

  async #inspectBlob({ digest, mediaType, sizeBytes }: Descriptor): Promise<readonly Found[]> {
    const stored = this.#shelf.blobs.has(digest) ? await this.#shelves.store.sizeOf(digest) : undefined;
    if (stored === undefined) return isNonDistributable(mediaType) ? [] : [{ digest, problem: 'missing' }];
    if (stored !== sizeBytes) return [{ digest, problem: 'wrong-size' }];
    return this.#once(digest, async () => {
      const hash = hasherFor(digest);
      for await (const piece of this.#shelves.store.read(digest)) hash.update(piece);
      return digestFromHash(hash, digest) === digest ? [] : [{ digest, problem: 'wrong-digest' }];
    });
  }
}
