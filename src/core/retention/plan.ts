import type { Digest } from '../digest.ts';
import type { GitState, Inventory, KnownManifests, Protection } from './inventory.ts';
import type { RetentionPolicy } from './policy.ts';

/** All that a plan depends on. */
export interface PlanRequest {
  readonly inventory: Inventory;
  readonly manifests: KnownManifests;
  readonly policy: RetentionPolicy;
  /** Of the run, of files, of GitHub, of those that the policy names. */
  readonly protections: readonly Protection[];
  readonly git: GitState;
  readonly abilities: StoreAbilities;
}

/** What a registry or engine can do, for those who plan. */
export interface StoreAbilities {
  /** Lists manifests that no tag leads to. */
  readonly listsUntagged: boolean;
  /** Can take a tag off a manifest that stays. */
  readonly deletesTags: boolean;
  /** Tells when an image was last pulled. */
  readonly reportsPulls: boolean;
  /** Refuses to delete the last manifest, and the last one that has a tag. */
  readonly keepsLastTagged: boolean;
}

/** What is to become of one repository: the same for a dry run and for a real one. */
export interface RepositoryPlan {
  readonly repository: string;
  /** The rules, in one form: with them, and what is there by then, a plan from a file is made anew and compared. */
  readonly policy: string;
  /** Whole images, the oldest first, each with what goes with it. */
  readonly deletions: readonly RootDeletion[];
  /** Tags to take off roots that stay. */
  readonly untags: readonly Untag[];
  readonly kept: readonly KeptRoot[];
  /** Roots with parts that are missing, and what else a person should look at: sentences. */
  readonly warnings: readonly string[];
  /** Why this plan must not be carried out unless it is confirmed by its hash: sentences; empty when nothing stops it. */
  readonly stops: readonly string[];
  /** Why it must not be carried out at all, as a protected name that matches nothing: sentences. */
  readonly refusals: readonly string[];
}

/** A manifest that is to go. */
export interface PlannedManifest {
  readonly id: string;
  readonly digest: Digest;
  readonly tags: readonly string[];
}

/** An image that goes, with everything that only it holds. */
export interface RootDeletion {
  readonly root: PlannedManifest;
  /** The rule by which it goes, as it was written. */
  readonly rule: string;
  /** Why no clause keeps it: half a sentence, without ages that change by the hour. */
  readonly reason: string;
  readonly pushedAtMs: number | undefined;
  /** In this order, after the root: indexes of referrers, referrers, children. */
  readonly members: readonly PlannedMember[];
  /** Known to be freed. */
  readonly freedBytes: number;
}

export interface PlannedMember extends PlannedManifest {
  readonly role: 'fallback-index' | 'referrer' | 'child';
  /** It may go once all of these are gone: what names it, and what it belongs to. */
  readonly after: readonly Digest[];
}

export interface Untag {
  readonly manifest: PlannedManifest;
  /** Of its tags, those to take off. */
  readonly tags: readonly string[];
  readonly rule: string;
}

export interface KeptRoot extends PlannedManifest {
  /** The rule, protection or safety that keeps it: `protect latest`, `@releases`, `no rule`, `grace`. */
  readonly by: string;
  readonly reason: string;
  readonly pushedAtMs: number | undefined;
}
