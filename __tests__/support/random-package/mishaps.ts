import { type Digest, digestOf } from '../../../src/core/digest.ts';
import type { PlannedManifest, RepositoryPlan } from '../../../src/core/retention/plan.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import { type ImageStore, type Removal, spent } from '../../../src/retention/store.ts';
import { BUNDLE_TYPE } from '../ghcr/images.ts';
import type { PackageStore, Stored } from '../ghcr/store.ts';
import type { Random } from '../random.ts';
import type { World } from './world.ts';

/** What happens while a plan is carried out. */
export const MISHAPS = [
  'nothing',
  'refusals',
  'refusals for ever',
  'killed before the deletion',
  'killed after the deletion',
  'cut before the deletion',
  'cut after the deletion',
  'allowance spent at a request',
  'allowance runs out',
  'time runs out',
  'image pushed that shares parts',
  'signature pushed by subject',
  'signature pushed by fallback tag',
  'signature pushed by cosign tag',
  'tag moved',
  'tag moved at the last moment',
  'tag taken',
  'another pruner',
] as const;
export type Mishap = (typeof MISHAPS)[number];

/** The answer never came. */
export class Cut extends Error {}

const LOOK_EVERY_MS = 30_000;
const { ociManifest, ociIndex, ociConfig, ociLayerGzip } = MEDIA_TYPES;

interface MishapRequest {
  readonly world: World;
  readonly plan: RepositoryPlan;
  readonly random: Random;
  readonly mishap: Mishap;
  /** Told of each push. */
  readonly onPush: () => void;
}

/** Lets one mishap happen at one deletion of a plan, or just before the first. */
export class Mishaps {
  readonly stopping = new AbortController();
  readonly happened = new Set<Mishap>();
  /** Digests that something needs which was pushed meanwhile. */
  readonly needed: Digest[] = [];
  readonly movedTags = new Set<string>();
  /** By somebody else. */
  readonly deleted = new Set<string>();
  readonly #world: World;
  readonly #onPush: () => void;
  readonly #plan: RepositoryPlan;
  readonly #random: Random;
  readonly #mishap: Mishap;
  readonly #at: number;
  #allowance: number | undefined;

  constructor({ world, plan, random, mishap, onPush }: MishapRequest) {
    this.#world = world;
    this.#plan = plan;
    this.#random = random;
    this.#mishap = mishap;
    this.#onPush = onPush;
    const steps = plan.deletions.reduce((sum, { members }) => sum + 1 + members.length, 0);
    // The number of the deletion, from 1; what is pushed may come before the first.
    this.#at = random.chance(0.2) && this.isMeanwhile ? 0 : 1 + random.below(Math.max(1, steps));
    this.#allowance = mishap === 'allowance runs out' ? this.#at + 4 : undefined;
    if (mishap === 'nothing') this.happened.add(mishap);
    if (this.#at === 0) this.#meanwhile(-1);
  }

  /** Before a deletion, what happens instead of it. */
  readonly beforeRemove = (manifest: PlannedManifest, count: number): Removal | undefined => {
    if (this.#allowance !== undefined) this.#allowance -= 1;
    if (this.#mishap === 'time runs out' && count === this.#at) this.#pass('time runs out', 3_600_000);
    if (this.#mishap === 'refusals' || this.#mishap === 'refusals for ever') {
      if (!this.#random.chance(0.25)) return undefined;
      this.happened.add(this.#mishap);
      return { outcome: 'refused', reason: 'it is refused', isFinal: this.#mishap === 'refusals for ever' };
    }
    if (count !== this.#at) return undefined;
    if (this.isMeanwhile) this.#meanwhile(this.#groupOf(manifest));
    if (this.#mishap.startsWith('killed') || this.#mishap.startsWith('cut')) this.#cut(manifest);
    if (this.#mishap === 'allowance spent at a request') {
      this.happened.add(this.#mishap);
      throw spent('it is spent');
    }
    return undefined;
  };

  around(store: ImageStore): ImageStore {
    return {
      ...store,
      allowance: () => {
        if (this.#allowance !== undefined && this.#allowance < 20) this.happened.add(this.#mishap);
        return this.#allowance;
      },
    };
  }

  #cut(manifest: PlannedManifest): void {
    this.happened.add(this.#mishap);
    if (this.#mishap.endsWith('after the deletion')) removeFrom(this.#world.content, manifest);
    if (this.#mishap.startsWith('killed')) this.stopping.abort();
    throw new Cut('the connection was cut');
  }

  /** Afterwards there is something else than there was. */
  get isPush(): boolean {
    return this.isMeanwhile && this.#mishap !== 'another pruner';
  }

  /** Somebody else does something. */
  get isMeanwhile(): boolean {
    return MISHAPS.indexOf(this.#mishap) >= MISHAPS.indexOf('image pushed that shares parts');
  }

  #groupOf({ digest }: PlannedManifest): number {
    return this.#plan.deletions.findIndex(
      ({ root, members }) => root.digest === digest || members.some((member) => member.digest === digest),
    );
  }

  #pass(mishap: Mishap, durationMs: number): void {
    this.#world.clock.nowMs += durationMs;
    this.happened.add(mishap);
  }

  /** What happens while an image is deleted concerns those that come after it: nobody can ask at every moment. */
  #meanwhile(group: number): void {
    const { content } = this.#world;
    const later = this.#plan.deletions.slice(group + 1);
    const images = later.flatMap(({ root, members }) => [root, ...members.filter(({ role }) => role === 'child')]);
    const all = later.flatMap(({ root, members }) => [root, ...members]);
    const attested = new Set(
      [...content.byDigest.values()].flatMap(({ kind, subject }) => (kind === 'attestation' ? [subject] : [])),
    );
    // An attestation in an index is that index's, whatever it points at: it goes with it.
    const isThere = ({ digest }: PlannedManifest): boolean => content.byDigest.has(digest) && !attested.has(digest);
    // Within the time in which nobody asks what is new, only what has a tag is looked at.
    const tagged = all.filter(({ tags }) => tags.length > 0).filter(isThere);
    const parts = tagged.filter(({ digest }) => later.every(({ root }) => root.digest !== digest));
    const watched = parts.length > 0 ? parts : later.map(({ root }) => root).filter(isThere);
    if (this.#mishap === 'tag moved at the last moment') {
      if (watched.length > 0) this.#moveTag(this.#random.pick(watched).digest);
      return this.#onPush();
    }
    if (this.#mishap === 'another pruner') this.#otherPruner();
    else if (this.#mishap === 'tag taken') this.#takeTag();
    else if (images.some(isThere)) {
      const target = this.#random.pick(images.filter(isThere));
      if (this.#mishap === 'image pushed that shares parts') this.#pushSharing(target.digest);
      else if (this.#mishap === 'tag moved') this.#moveTag(this.#random.pick(all.filter(isThere)).digest);
      else this.#sign(target.digest);
    }
    this.#world.clock.nowMs += LOOK_EVERY_MS + 1;
    this.#onPush();
  }

  #pushSharing(digest: Digest): void {
    const { content } = this.#world;
    const body = content.bodies.get(digest);
    const shared = { digest, mediaType: body?.mediaType ?? ociManifest, size: Buffer.byteLength(body?.body ?? '') };
    const own = this.#manifest('late', {}, {});
    const manifests = this.#random.chance(0.5) ? [own, shared] : [shared];
    content.put({ schemaVersion: 2, mediaType: ociIndex, manifests }, ociIndex, { kind: 'index', tags: ['late'] });
    this.#need(digest);
  }

  #sign(digest: Digest): void {
    const { content } = this.#world;
    const body = content.bodies.get(digest);
    const subject = { digest, mediaType: body?.mediaType ?? ociManifest, size: Buffer.byteLength(body?.body ?? '') };
    const name = digest.replace(':', '-');
    this.#need(digest);
    if (this.#mishap === 'signature pushed by subject') {
      this.#manifest('signature', { subject }, { kind: 'bundle' });
    } else if (this.#mishap === 'signature pushed by cosign tag') {
      const tag = `${name}.sig`;
      if (content.tags.has(tag)) this.movedTags.add(tag);
      this.#manifest('signature', {}, { kind: 'cosign-sig', tags: [tag] });
    } else {
      const bundle = this.#manifest('signature', this.#random.chance(0.5) ? { subject } : {}, { kind: 'bundle' });
      const before = content.tags.get(name);
      const listed = before === undefined ? [] : (content.byDigest.get(before)?.children ?? []);
      const others = listed.map((one) => ({ digest: one, mediaType: ociManifest, size: 1000 }));
      if (before !== undefined) this.movedTags.add(name);
      const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [...others, bundle] };
      content.put(index, ociIndex, { kind: 'referrers-index', tags: [name] });
    }
  }

  #need(digest: Digest): void {
    this.needed.push(digest);
    this.happened.add(this.#mishap);
  }

  #moveTag(digest: Digest): void {
    const { content } = this.#world;
    const tag = this.#random.pick(['moved', 'latest', 'edge', 'v2.0.0']);
    if (content.tags.get(tag) === digest) return;
    this.movedTags.add(tag);
    content.tag(tag, digest);
    this.#need(digest);
  }

  /** Of what is deleted already, or is to be. */
  #takeTag(): void {
    const tags = this.#plan.deletions.flatMap(({ root }) => root.tags).filter((tag) => !tag.startsWith('sha256-'));
    if (tags.length === 0) return;
    const tag = this.#random.pick(tags);
    this.movedTags.add(tag);
    this.#manifest('taken', {}, { tags: [tag] });
    this.happened.add('tag taken');
  }

  /** Carries out a part of the same plan, in its order. */
  #otherPruner(): void {
    const { content } = this.#world;
    for (const { root, members } of this.#plan.deletions) {
      if (this.#random.chance(0.4)) continue;
      for (const step of [{ ...root, after: [] }, ...members]) {
        const waits = step.after.some((digest) => content.byDigest.has(digest));
        if (waits || !removeFrom(content, step)) continue;
        this.deleted.add(step.digest);
        this.happened.add('another pruner');
      }
    }
  }

  #manifest(name: string, more: object, put: { readonly kind?: string; readonly tags?: readonly string[] }): Stored {
    const blob = (mediaType: string) => ({ mediaType, digest: digestOf(`${name} ${mediaType}`), size: 100 });
    const layers = [blob(name === 'signature' ? BUNDLE_TYPE : ociLayerGzip)];
    const json = { schemaVersion: 2, mediaType: ociManifest, config: blob(ociConfig), layers, ...more };
    return this.#world.content.put(json, ociManifest, put);
  }
}

/** False when it is not there, or GitHub would refuse. */
function removeFrom(content: PackageStore, { id }: PlannedManifest): boolean {
  const version = content.byId.get(Number(id));
  if (version === undefined) return false;
  const isLastTagged = version.tags.length > 0 && content.list().filter(({ tags }) => tags.length > 0).length === 1;
  if (isLastTagged || content.byDigest.size === 1) return false;
  content.remove(version);
  return true;
}
