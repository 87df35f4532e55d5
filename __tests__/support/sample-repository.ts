import { type Digest, digestOf } from '../../src/core/digest.ts';
import { manifestsToRead } from '../../src/core/retention/graph.ts';
import type {
  BlobFacts,
  ChildFacts,
  InventoryEntry,
  KnownManifests,
  ManifestFacts,
  Unreadable,
} from '../../src/core/retention/inventory.ts';
import type { PlanRequest, RepositoryPlan, StoreAbilities } from '../../src/core/retention/plan.ts';
import type { RetentionPolicy } from '../../src/core/retention/policy.ts';
import { DAY_MS } from './sample-policy.ts';

/** 2026-06-15, noon. */
export const NOW_MS = Date.UTC(2026, 5, 15, 12);

export const ABILITIES: StoreAbilities = {
  listsUntagged: true,
  deletesTags: true,
  reportsPulls: true,
  keepsLastTagged: false,
};

interface SampleEntry extends Partial<Omit<InventoryEntry, 'tags' | 'digest'>> {
  readonly tags?: readonly string[];
  /** Before {@link NOW_MS}; 100 unless `pushedAtMs` is given. */
  readonly daysAgo?: number;
  readonly subject?: Digest | undefined;
  /** In place of one that is made up. */
  readonly digest?: Digest;
}

/** A repository that is put together manifest by manifest, as it would be pushed. */
export class SampleRepository {
  readonly entries: InventoryEntry[] = [];
  readonly facts = new Map<Digest, ManifestFacts | Unreadable>();
  #pushes = 0;

  manifest({ subject, ...entry }: SampleEntry = {}, blobs: readonly BlobFacts[] = []): Digest {
    return this.#push(entry, { kind: 'manifest', subject, sizeBytes: 100, blobs });
  }

  /** `children` are manifests, unless they are given with what they are. */
  index(children: readonly (Digest | ChildFacts)[], { subject, ...entry }: SampleEntry = {}): Digest {
    return this.#push(entry, {
      kind: 'index',
      subject,
      sizeBytes: 1000,
      children: children.map((child) => (typeof child === 'string' ? childOf(child, this.facts) : child)),
    });
  }

  unreadable(entry: SampleEntry = {}, reason = 'it is HTML'): Digest {
    return this.#push(entry, { kind: 'unreadable', reason });
  }

  /** An image for several platforms, the way buildx pushes one: children, then the index. */
  image(tags: readonly string[], daysAgo: number, children = 2): Digest {
    const digests = Array.from({ length: children }, () => this.manifest({ daysAgo }));
    return this.index(digests, { tags, daysAgo });
  }

  request(policy: RetentionPolicy, more: Partial<PlanRequest> = {}): PlanRequest {
    return {
      inventory: { repository: 'ghcr.io/acme/app', listedAtMs: NOW_MS, entries: this.entries, isComplete: true },
      manifests: this.facts,
      policy,
      protections: [],
      git: { pullRequests: undefined, branches: undefined, gitTags: undefined },
      abilities: ABILITIES,
      ...more,
    };
  }

  /** What a reader knows in the end that reads only what it must. */
  readAsNeeded(): { readonly manifests: KnownManifests; readonly rounds: number } {
    const known = new Map<Digest, ManifestFacts | Unreadable>();
    const inventory = { repository: 'r', listedAtMs: NOW_MS, entries: this.entries, isComplete: true };
    let rounds = 0;
    for (let ahead = manifestsToRead(inventory, known); ahead.length > 0; ahead = manifestsToRead(inventory, known)) {
      rounds += 1;
      for (const digest of ahead) {
        if (known.has(digest)) throw new Error(`${digest} is asked for twice`);
        known.set(digest, this.facts.get(digest) ?? { kind: 'unreadable', reason: 'it is not there' });
      }
    }
    return { manifests: known, rounds };
  }

  #push(
    { daysAgo = 100, tags = [], digest, ...entry }: Omit<SampleEntry, 'subject'>,
    facts: ManifestFacts | Unreadable,
  ): Digest {
    this.#pushes += 1;
    const own = digest ?? digestOf(`manifest ${this.#pushes}`);
    const pushedAtMs = 'pushedAtMs' in entry ? entry.pushedAtMs : NOW_MS - daysAgo * DAY_MS;
    this.facts.set(own, facts);
    this.entries.push({
      id: String(1000 + this.#pushes),
      updatedAtMs: pushedAtMs,
      ...entry,
      digest: own,
      tags,
      pushedAtMs,
    });
    return own;
  }
}

function childOf(digest: Digest, facts: KnownManifests): ChildFacts {
  const type = facts.get(digest)?.kind === 'index' ? 'unknown' : 'manifest';
  return { digest, type, sizeBytes: type === 'unknown' ? 1000 : 100 };
}

/** The tags of roots that stay, sorted. */
export function keptTags(plan: RepositoryPlan): readonly string[] {
  return plan.kept.flatMap(({ tags }) => tags).toSorted();
}

/** The tags of roots that go, the oldest first. */
export function deletedTags(plan: RepositoryPlan): readonly string[] {
  return plan.deletions.flatMap(({ root }) => root.tags);
}

/** Everything that goes, in this order. */
export function deletedDigests(plan: RepositoryPlan): readonly Digest[] {
  return plan.deletions.flatMap(({ root, members }) => [root.digest, ...members.map(({ digest }) => digest)]);
}
