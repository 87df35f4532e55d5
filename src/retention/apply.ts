import { counted } from '../core/counted.ts';
import type { Digest } from '../core/digest.ts';
import type { Inventory } from '../core/retention/inventory.ts';
import { linkName } from '../core/retention/link-tag.ts';
import type { PlannedManifest, PlannedMember, RepositoryPlan, RootDeletion } from '../core/retention/plan.ts';
import { isBuildOnceError } from '../errors.ts';
import type { Journal, JournalledStep } from './journal.ts';
import { claimedBy } from './newcomers.ts';
import type { ImageStore, Removal } from './store.ts';

/** What was left alone, and why. */
export interface Left {
  readonly manifest: PlannedManifest;
  /** Half a sentence. */
  readonly reason: string;
}

/** What became of a plan. */
export interface Applied {
  /** Manifests that this run has deleted, or found gone. */
  readonly deleted: readonly PlannedManifest[];
  /** How many of them were whole images. */
  readonly deletedRoots: number;
  readonly untagged: readonly string[];
  /** Refused by the registry, though it might have done it. */
  readonly failed: readonly Left[];
  /** Changed since the plan was made, or never to be deleted. */
  readonly skipped: readonly Left[];
  readonly freedBytes: number;
  /** How many steps the journal holds. */
  readonly steps: number;
  /** Why the rest waits for the next run; `undefined` when there is no rest. */
  readonly stopped: string | undefined;
  /** So much has changed since the list that the plan says nothing any more; nothing was deleted. */
  readonly isStale: boolean;
}

export interface ApplyRequest {
  readonly store: ImageStore;
  readonly plan: RepositoryPlan;
  /** What the plan was made from. */
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** No image is begun after it. */
  readonly deadlineMs: number | undefined;
  /** Told after each image: how many are done. */
  readonly onProgress: (done: number) => void;
}

/** How often what came meanwhile is looked for. */
const LOOK_EVERY_MS = 30_000;

/**
 * Carries a plan out: the oldest image first, an image before its parts, so that wherever it ends no tag leads to something
 * broken. Every image is looked at once more; one that is not what the plan says stays, with its parts. What was pushed
 * meanwhile and needs a part keeps it. A refusal is about one image; what ends the whole, as an interruption, a spent allowance or
 * a registry that is gone, is told in `stopped`.
 */
export async function applyPlan(request: ApplyRequest): Promise<Applied> {
  const application = new Application(request);
  await application.run();
  return application.result();
}

class Application {
  readonly #request: ApplyRequest;
  readonly #deleted: PlannedManifest[] = [];
  readonly #gone = new Set<Digest>();
  readonly #untagged: string[] = [];
  readonly #failed: Left[] = [];
  readonly #skipped: Left[] = [];
  #deletedRoots = 0;
  #takenParts = 0;
  #freedBytes = 0;
  #steps = 0;
  #stopped: string | undefined;
  #isStale = false;
  #lookedAtMs: number | undefined;
  /** The registry deletes what it says it deletes. */
  #isProved = false;
  #claimed: ReadonlyMap<string, string> = new Map();

  constructor(request: ApplyRequest) {
    this.#request = request;
  }

  result(): Applied {
    return {
      deleted: this.#deleted,
      deletedRoots: this.#deletedRoots,
      untagged: this.#untagged,
      failed: this.#failed,
      skipped: this.#skipped,
      freedBytes: this.#freedBytes,
      steps: this.#steps,
      stopped: this.#stopped,
      isStale: this.#isStale && this.#steps === 0,
    };
  }

  async run(): Promise<void> {
    const { plan, signal, onProgress } = this.#request;
    try {
      for (const [index, deletion] of plan.deletions.entries()) {
        signal.throwIfAborted();
        if (!(await this.#mayGoOn(deletion))) return;
        await this.#deleteImage(deletion);
        onProgress(index + 1);
      }
      for (const { manifest, tags } of plan.untags) await this.#untag(manifest, tags);
    } catch (error) {
      if (signal.aborted) this.#stopped = 'the run was interrupted';
      else if (isBuildOnceError(error)) this.#stopped = error.message;
      else throw error;
    }
  }

  /** Whether there is time and allowance for one more image, whole. */
  async #mayGoOn({ members }: RootDeletion): Promise<boolean> {
    const { deadlineMs, now, store } = this.#request;
    const nowMs = now().getTime();
    if (deadlineMs !== undefined && nowMs >= deadlineMs) this.#stopped = 'the time that max-time allows is over';
    const requests = members.length + (this.#isProved ? 4 : 5);
    const allowance = store.allowance();
    if (allowance !== undefined && allowance < requests)
      this.#stopped = `${counted(allowance, 'request')} of this hour's allowance may still be made, and the next image needs ${requests}`;
    return this.#stopped === undefined && this.#lookForNewcomers();
  }

  /** Every now and then; `false` when nobody knows any more what is needed. */
  async #lookForNewcomers(): Promise<boolean> {
    const { store, inventory, now } = this.#request;
    const nowMs = now().getTime();
    if (this.#lookedAtMs !== undefined && nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return this.#stopped === undefined;
    this.#lookedAtMs = nowMs;
    const changes = await store.changes(inventory);
    const claimed = changes === undefined ? undefined : await claimedBy(store, changes);
    if (claimed !== undefined) {
      this.#claimed = claimed;
      return true;
    }
    this.#isStale = true;
    this.#stopped = 'too much has changed in the repository since it was listed';
    return false;
  }

  async #deleteImage(deletion: RootDeletion): Promise<void> {
    const { root, members, freedBytes } = deletion;
    const reason = (await this.#whyChanged(root)) ?? this.#whyClaimed([root, ...members]);
    if (reason !== undefined) {
      this.#skipped.push({ manifest: root, reason });
      return;
    }
    if (!(await this.#delete(root)) || !(await this.#isGone(root, members.length))) return;
    this.#deletedRoots += 1;
    let isWhole = true;
    const takenBefore = this.#takenParts;
    for (const member of members) {
      isWhole = (await this.#deleteMember(member)) && isWhole;
      // Of a part that somebody has taken meanwhile, others may be its own by now: the next plan tells.
      if (this.#takenParts > takenBefore) break;
    }
    if (isWhole) this.#freedBytes += freedBytes;
  }

  /** Looked at until the first one is: what names parts and is there still must not lose them. */
  async #isGone(root: PlannedManifest, partCount: number): Promise<boolean> {
    if (this.#isProved || partCount === 0) return true;
    this.#isProved = (await this.#request.store.look(root)) === undefined;
    if (this.#isProved) return true;
    this.#gone.delete(root.digest);
    this.#deleted.pop();
    this.#failed.push({ manifest: root, reason: 'the registry says that it has deleted it, and it is there still' });
    return false;
  }

  async #deleteMember(member: PlannedMember): Promise<boolean> {
    const kept = member.after.find((digest) => !this.#gone.has(digest));
    // The image that needs it has said why it stays.
    if (kept !== undefined || !(await this.#lookForNewcomers())) return false;
    const changed = member.tags.length > 0 ? await this.#whyChanged(member) : undefined;
    const reason = changed ?? this.#whyClaimed([member]);
    if (reason === undefined) return this.#delete(member);
    this.#skipped.push({ manifest: member, reason });
    this.#takenParts += 1;
    return false;
  }

  async #whyChanged(planned: PlannedManifest): Promise<string | undefined> {
    const found = await this.#request.store.look(planned);
    if (found === undefined) return undefined;
    if (found.digest !== planned.digest) return 'it is another image by now';
    // By two rules a manifest may lose tags one after the other.
    const left = planned.tags.filter((tag) => !this.#untagged.includes(tag));
    const [now, then] = [found.tags, left].map((tags) => [...tags].sort().join(', '));
    return now === then ? undefined : `its tags have changed since the plan was made: ${now || 'none'}`;
  }

  #whyClaimed(manifests: readonly PlannedManifest[]): string | undefined {
    const [by] = manifests.flatMap(
      ({ digest }) => this.#claimed.get(digest) ?? this.#claimed.get(linkName(digest)) ?? [],
    );
    return by && `${by} was pushed meanwhile and needs it`;
  }

  async #delete(manifest: PlannedManifest): Promise<boolean> {
    const { store } = this.#request;
    const saved = await store.save(manifest);
    const removal = await this.#journalled({ manifest, saved, action: 'delete' }, () => store.remove(manifest));
    if (removal.outcome === 'refused') {
      (removal.isFinal ? this.#skipped : this.#failed).push({ manifest, reason: removal.reason });
      return false;
    }
    this.#gone.add(manifest.digest);
    this.#deleted.push(manifest);
    return true;
  }

  async #untag(manifest: PlannedManifest, tags: readonly string[]): Promise<void> {
    const { store, signal } = this.#request;
    const reason = await this.#whyChanged(manifest);
    if (reason !== undefined) {
      this.#skipped.push({ manifest, reason });
      return;
    }
    for (const tag of tags) {
      signal.throwIfAborted();
      const step = { manifest: { ...manifest, tags: [tag] }, saved: undefined, action: 'untag' } as const;
      const removal = await this.#journalled(step, () => store.removeTag(manifest, tag));
      if (removal.outcome === 'refused') this.#failed.push({ manifest: step.manifest, reason: removal.reason });
      else this.#untagged.push(tag);
    }
  }

  /** Written down before it is asked for, since the answer may never come. */
  async #journalled(
    step: Pick<JournalledStep, 'manifest' | 'saved' | 'action'>,
    work: () => Promise<Removal>,
  ): Promise<Removal> {
    const end = this.#begin(step);
    const removal = await work();
    end(removal.outcome);
    return removal;
  }

  #begin(step: Pick<JournalledStep, 'manifest' | 'saved' | 'action'>): ReturnType<Journal['begin']> {
    const { journal, store } = this.#request;
    try {
      const end = journal.begin({ ...step, repository: store.name, kind: store.kind });
      this.#steps += 1;
      return end;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#failed.push({
        manifest: step.manifest,
        reason: `it stays, since that it goes cannot be written down: ${why}`,
      });
      throw error;
    }
  }
}
