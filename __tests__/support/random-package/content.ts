import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import { BUNDLE_TYPE } from '../ghcr/images.ts';
import type { PackageStore, Put, Stored } from '../ghcr/store.ts';
import type { Random } from '../random.ts';

const { ociIndex, ociManifest, ociConfig, ociLayerGzip, ociEmpty, dockerIndex, dockerManifest } = MEDIA_TYPES;
const DAY_MS = 86_400_000;
const AGES = [0, 0.05, 0.5, 1, 3, 10, 30, 60, 100];
const TAGS = ['v1.0.0', 'v1.0.1', 'v1.1.0', 'v1.2.0-rc.1', 'v2.0.0', 'v1', 'v1.1', '1.10.0', 'latest', 'edge', 'odd'];
const NUMBERED = ['b-', 'sha-', 'pr-', 'nightly-2026.10.', 'br-'];

/** How manifests hang together, and what else a repository may hold. */
export const FEATURES = [
  'single',
  'image',
  'docker image',
  'attestation',
  'attestation with a subject',
  'duplicated child',
  'ghost child',
  'shared child',
  'tagged child',
  'nested index',
  'deeply nested index',
  'untagged image',
  'several tags',
  'referrer',
  'referrer of a referrer',
  'index as referrer',
  'tagged referrer',
  'fallback tag',
  'fallback tag of a bundle without subject',
  'cosign tag',
  'orphan',
  'build cache',
  'circle',
] as const;
export type Feature = (typeof FEATURES)[number];

/** Fills a package by chance, in the words of the specifications, with all that images may be made of. */
export class RandomContent {
  readonly features = new Set<Feature>();
  readonly #store: PackageStore;
  readonly #random: Random;
  readonly #nowMs: number;
  readonly #tags: Set<string>;
  /** What an index may name: what is no referrer, nor the subject of an attestation beside it. */
  readonly #images: Stored[] = [];
  readonly #all: Stored[] = [];
  readonly #depths = new Map<Digest, number>();
  readonly #isReferrer = new Set<Digest>();
  #count = 0;

  constructor(store: PackageStore, random: Random, nowMs: number) {
    this.#store = store;
    this.#random = random;
    this.#nowMs = nowMs;
    this.#tags = new Set([
      ...TAGS,
      ...NUMBERED.flatMap((name) => Array.from({ length: 9 }, (_, n) => `${name}${n + 1}`)),
    ]);
  }

  /** `circles`: manifests that name each other, which no honest registry has. */
  fill({ circles }: { readonly circles: boolean }): void {
    const size = 3 + this.#random.below(16);
    for (let step = 0; step < size; step += 1) this.#push(step === 0 ? 2 : this.#random.below(circles ? 14 : 13));
  }

  #push(kind: number): void {
    if (kind <= 1) {
      this.#note('single');
      const image = this.#manifest([this.#layer()], this.#put(0.75));
      this.#images.push(image);
    } else if (kind <= 5) this.#pushImage();
    else if (kind <= 7) this.#pushNested();
    else if (kind === 8) this.#pushReferrer();
    else if (kind === 9) this.#pushFallback();
    else if (kind === 10) this.#pushCosign();
    else if (kind === 11) this.#pushIndexReferrer();
    else if (kind === 12) this.#pushCache();
    else this.#pushCircle();
  }

  #pushImage(): void {
    const random = this.#random;
    const put = this.#put(0.7);
    const isDocker = random.chance(0.1);
    const isAttested = random.chance(0.4);
    const withSubjects = isAttested && random.chance(0.4);
    const members: unknown[] = [];
    for (const architecture of ['amd64', 'arm64', 'riscv64'].slice(0, 1 + random.below(3))) {
      // Such an attestation is the index's: a platform that stays for a tag of its own would lose it.
      const tags = withSubjects ? [] : this.#takeTags(0.08);
      if (tags.length > 0) this.#note('tagged child');
      const platform = this.#manifest([this.#layer()], { ...put, tags, kind: 'platform' }, { isDocker });
      members.push({ ...platform, platform: { os: 'linux', architecture } });
      if (!isAttested) this.#images.push(platform);
      else members.push(this.#attestation(platform, put, withSubjects));
    }
    if (random.chance(0.12)) {
      members.push(members[0]);
      this.#note('duplicated child');
    }
    if (random.chance(0.08)) members.push(this.#missing());
    if (random.chance(0.25)) members.push(...this.#sharedOnes(2));
    this.#note(isDocker ? 'docker image' : 'image');
    this.#images.push(this.#index(members, put, { isDocker }));
  }

  #attestation(of: Stored, put: Put, hasSubject: boolean): unknown {
    this.#note(hasSubject ? 'attestation with a subject' : 'attestation');
    const own = { ...put, tags: [], kind: hasSubject ? 'attestation' : 'buildx-attestation' };
    const made = this.#manifest([this.#blob('application/vnd.in-toto+json')], own, hasSubject ? { subject: of } : {});
    const annotations = { 'vnd.docker.reference.digest': of.digest };
    return { ...made, platform: { os: 'unknown', architecture: 'unknown' }, annotations };
  }

  #pushNested(): void {
    const parts = this.#sharedOnes(3);
    if (this.#random.chance(0.1)) parts.push(this.#missing());
    const depth = 1 + Math.max(0, ...parts.map(({ digest }) => this.#depths.get(digest) ?? 0));
    const index = this.#index(parts, this.#put(0.6));
    this.#depths.set(index.digest, depth);
    if (parts.some(({ mediaType }) => mediaType === ociIndex))
      this.#note(depth > 2 ? 'deeply nested index' : 'nested index');
    this.#images.push(index);
  }

  #pushReferrer(): void {
    const subject = this.#subject();
    this.#note(this.#isReferrer.has(subject.digest) ? 'referrer of a referrer' : 'referrer');
    const tags = this.#takeTags(0.08);
    if (tags.length > 0) this.#note('tagged referrer');
    this.#referrer(this.#manifest([this.#blob(BUNDLE_TYPE)], { ...this.#put(0), tags, kind: 'bundle' }, { subject }));
  }

  #pushFallback(): void {
    const subject = this.#subject();
    const tag = subject.digest.replace(':', '-');
    if (this.#store.tags.has(tag)) return;
    const put = this.#put(0);
    const bundles = Array.from({ length: 1 + this.#random.below(2) }, () => {
      const isBare = this.#random.chance(0.3);
      this.#note(isBare ? 'fallback tag of a bundle without subject' : 'fallback tag');
      return this.#referrer(
        this.#manifest([this.#blob(BUNDLE_TYPE)], { ...put, kind: 'bundle' }, isBare ? {} : { subject }),
      );
    });
    this.#index(bundles, { ...put, tags: [tag], kind: 'referrers-index' });
  }

  #pushCosign(): void {
    const tag = `${this.#subject().digest.replace(':', '-')}.${this.#random.pick(['sig', 'att', 'sbom'])}`;
    if (this.#store.tags.has(tag)) return;
    this.#note('cosign tag');
    this.#referrer(
      this.#manifest([this.#blob('application/vnd.dev.cosign')], { ...this.#put(0), tags: [tag], kind: 'cosign-sig' }),
    );
  }

  #pushIndexReferrer(): void {
    this.#note('index as referrer');
    // Before its part, which it would hold and belong to at once.
    const subject = this.#subject();
    const put = this.#put(0);
    const part = this.#manifest([this.#blob('application/spdx+json')], { ...put, kind: 'part' });
    this.#referrer(this.#index([part], { ...put, kind: 'bundle' }, { subject }));
  }

  /** https://github.com/moby/buildkit/blob/v0.29.0/cache/remotecache/v1/doc.go */
  #pushCache(): void {
    this.#note('build cache');
    const layers = [this.#layer(), this.#layer(), this.#blob('application/vnd.buildkit.cacheconfig.v0')];
    this.#index(layers, this.#put(0.5));
  }

  #pushCircle(): void {
    this.#note('circle');
    // Else two circles in a row had the same digests.
    this.#count += 1;
    const [one, other] = [1, 2].map((side): Stored => {
      return { digest: digestOf(`circle ${this.#count} ${side}`), size: 400, mediaType: ociIndex };
    });
    if (one === undefined || other === undefined) return;
    const bySubject = this.#random.chance(0.4);
    for (const [own, next] of [
      [one, other],
      [other, one],
    ] as const) {
      const links = bySubject ? { manifests: [], subject: next } : { manifests: [next] };
      const json = { schemaVersion: 2, mediaType: ociIndex, ...links };
      const { atMs = this.#nowMs, tags = [] } = this.#put(bySubject ? 0.4 : 0);
      this.#store.bodies.set(own.digest, { body: JSON.stringify(json), mediaType: ociIndex });
      const parts = bySubject
        ? { children: [], subject: next.digest }
        : { children: [next.digest], subject: undefined };
      const id = 1_000_000 + this.#store.byId.size;
      const times = { createdAtMs: atMs, updatedAtMs: atMs };
      this.#store.add({ id, digest: own.digest, kind: 'circle', tags: [], downloads: 0, ...times, ...parts });
      for (const tag of tags) this.#store.tag(tag, own.digest, atMs);
    }
    if (!bySubject) this.#index([one], this.#put(0.7));
  }

  #index(members: readonly unknown[], put: Put, more: { isDocker?: boolean; subject?: Stored } = {}): Stored {
    const mediaType = more.isDocker ? dockerIndex : ociIndex;
    const subject = more.subject === undefined ? {} : { subject: more.subject };
    const json = {
      schemaVersion: 2,
      mediaType,
      manifests: members,
      ...subject,
      annotations: { n: String((this.#count += 1)) },
    };
    return this.#keep(this.#store.put(json, mediaType, { kind: 'index', ...put }));
  }

  #manifest(layers: readonly unknown[], put: Put, more: { isDocker?: boolean; subject?: Stored } = {}): Stored {
    const mediaType = more.isDocker ? dockerManifest : ociManifest;
    const config = put.kind === 'bundle' ? { ...this.#blob(ociEmpty) } : this.#blob(ociConfig);
    const subject = more.subject === undefined ? {} : { subject: more.subject };
    return this.#keep(this.#store.put({ schemaVersion: 2, mediaType, config, layers, ...subject }, mediaType, put));
  }

  #keep(stored: Stored): Stored {
    this.#all.push(stored);
    return stored;
  }

  #referrer(stored: Stored): Stored {
    this.#isReferrer.add(stored.digest);
    return stored;
  }

  #sharedOnes(most: number): Stored[] {
    if (this.#images.length === 0) return [];
    const shared = Array.from({ length: this.#random.below(most + 1) }, () => this.#random.pick(this.#images));
    for (const { digest } of shared) {
      this.#note('shared child');
      if ((this.#store.byDigest.get(digest)?.tags.length ?? 0) > 0) this.#note('tagged child');
    }
    return shared;
  }

  #subject(): Stored {
    if (this.#all.length > 0 && !this.#random.chance(0.15)) return this.#random.pick(this.#all);
    this.#note('orphan');
    return { ...this.#blob(ociManifest), mediaType: ociManifest };
  }

  #missing(): Stored {
    this.#note('ghost child');
    return this.#blob(ociManifest);
  }

  #layer(): Stored {
    const n = this.#random.below(20);
    return { mediaType: ociLayerGzip, digest: digestOf(`layer ${n}`), size: 10_000 };
  }

  #blob(mediaType: string): Stored {
    return { mediaType, digest: digestOf(`${mediaType} ${(this.#count += 1)}`), size: 1000 };
  }

  #put(taggedChance: number): Put {
    const tags = this.#takeTags(taggedChance);
    if (tags.length > 1) this.#note('several tags');
    if (tags.length === 0 && taggedChance > 0) this.#note('untagged image');
    return { atMs: this.#nowMs - this.#random.pick(AGES) * DAY_MS, tags };
  }

  #takeTags(chance: number): readonly string[] {
    const tags: string[] = [];
    while (this.#tags.size > 0 && tags.length < 3 && this.#random.chance(chance)) {
      const tag = this.#random.pick([...this.#tags]);
      this.#tags.delete(tag);
      tags.push(tag);
    }
    return tags;
  }

  #note(feature: Feature): void {
    this.features.add(feature);
  }
}
