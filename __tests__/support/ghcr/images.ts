import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import type { PackageShape } from './options.ts';
import type { PackageStore, Stored, Version } from './store.ts';

const { ociIndex, ociManifest, ociConfig, ociLayerGzip, ociEmpty } = MEDIA_TYPES;
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const PLATFORMS = [['amd64'], ['arm64'], ['arm', 'v7'], ['386'], ['ppc64le'], ['s390x'], ['riscv64']] as const;

/** Where and when an image is made. */
interface Making {
  readonly store: PackageStore;
  readonly shape: PackageShape;
  /** Content and digests follow from it. */
  readonly name: string;
  readonly atMs: number | undefined;
}

export interface ImageParts {
  readonly tags?: readonly string[];
  readonly ghost?: boolean;
  readonly partial?: boolean;
  readonly popular?: boolean;
  /** In place of the first platform's manifest. */
  readonly shared?: Stored | undefined;
}

export interface MadeImage {
  readonly index: Stored;
  readonly platforms: readonly Stored[];
}

/** An index with its platforms, their attestations and signatures, as `shape` says. */
export function makeImage(making: Making, parts: ImageParts = {}): MadeImage {
  const { store, shape, atMs } = making;
  const platforms: Stored[] = [];
  const members: unknown[] = [];
  for (const [position, [architecture, variant]] of PLATFORMS.slice(0, shape.platforms).entries()) {
    const listed = !(parts.ghost || (parts.partial && position === 0));
    const shared = position === 0 ? parts.shared : undefined;
    const platform = shared ?? putPlatform(making, architecture, listed);
    platforms.push(platform);
    const own = { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) };
    members.push({ ...platform, platform: own });
    if (shape.attest) members.push(putAttestation(making, architecture, { of: platform.digest, listed: !parts.ghost }));
  }
  const json = { schemaVersion: 2, mediaType: ociIndex, manifests: members };
  const downloads = parts.popular ? 6000 : 3;
  const index = store.put(json, ociIndex, { atMs, tags: parts.tags ?? [], kind: 'index', downloads });
  for (const subject of [index, ...(shape.signPlatforms ? platforms : [])]) sign(making, subject);
  return { index, platforms };
}

function putPlatform({ store, shape, name, atMs }: Making, architecture: string, listed: boolean): Stored {
  const seed = `${name}-${architecture}-${shape.seed}`;
  const layers = [0, 1, 2].map((layer) => blob(ociLayerGzip, `layer ${layer} ${seed}`, 1_000_000 + layer));
  const config = blob(ociConfig, `config ${seed}`, 1500);
  const json = { schemaVersion: 2, mediaType: ociManifest, config, layers };
  return store.put(json, ociManifest, { atMs, kind: 'platform', listed });
}

function putAttestation(
  { store, shape, name, atMs }: Making,
  architecture: string,
  { of, listed }: { readonly of: Digest; readonly listed: boolean },
): unknown {
  const seed = `${name}-${architecture}-${shape.seed}`;
  const annotations = { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' };
  const layers = [{ ...blob('application/vnd.in-toto+json', `attestation ${seed}`, 9000), annotations }];
  const json = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: blob(ociConfig, `attested ${seed}`, 167),
    layers,
  };
  return {
    ...store.put(json, ociManifest, { atMs, kind: 'buildx-attestation', listed }),
    platform: { architecture: 'unknown', os: 'unknown' },
    annotations: { 'vnd.docker.reference.digest': of, 'vnd.docker.reference.type': 'attestation-manifest' },
  };
}

/** What `shape.referrers` says, for one manifest. */
function sign({ store, shape, atMs }: Making, { digest, size, mediaType }: Stored): void {
  const hex = digest.slice('sha256:'.length);
  if (shape.referrers === 'none') return;
  if (shape.referrers === 'cosign') {
    const config = blob(ociConfig, `signature config ${hex}`, 233);
    const layers = [blob('application/vnd.dev.cosign.simplesigning.v1+json', `signature ${hex}`, 250)];
    const json = { schemaVersion: 2, mediaType: ociManifest, config, layers };
    store.put(json, ociManifest, { atMs, tags: [`sha256-${hex}.sig`], kind: 'cosign-sig' });
    return;
  }
  const json = {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: BUNDLE_TYPE,
    config: blob(ociEmpty, '{}', 2),
    layers: [blob(BUNDLE_TYPE, `bundle ${hex}`, 11_000)],
    subject: { mediaType, digest, size },
  };
  const bundle = store.put(json, ociManifest, { atMs, kind: 'bundle' });
  if (shape.referrers === 'oci11') return;
  const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [{ ...bundle, artifactType: BUNDLE_TYPE }] };
  store.put(index, ociIndex, { atMs, tags: [`sha256-${hex}`], kind: 'referrers-index' });
}

function blob(mediaType: string, content: string, size: number) {
  return { mediaType, digest: digestOf(content), size };
}

/** Fills a store as its shape says, up to now; answers the index that is to come, of a push that is half done. */
export function fillStore(store: PackageStore, shape: PackageShape, nowMs: number): Version | undefined {
  const images = shape.versions === 0 ? 0 : Math.max(1, Math.floor(shape.versions / versionsPerImage(shape)));
  let before: Stored | undefined;
  for (let number = 0; number < images; number += 1) {
    const atMs = nowMs - (images - number) * shape.stepMinutes * 60_000;
    const parts = partsOf(shape, number, number === images - 1);
    const isShared = shape.shareChildEvery > 0 && number % shape.shareChildEvery === 0;
    const shared = isShared ? before : undefined;
    [before] = makeImage({ store, shape, name: String(number), atMs }, { ...parts, shared }).platforms;
  }
  for (let number = 0; number < shape.nested; number += 1) {
    const atMs = nowMs - (shape.nested - number) * 60_000;
    const { index } = makeImage({ store, shape, name: `nested${number}`, atMs });
    const annotations = { number: String(number) };
    const outer = { schemaVersion: 2, mediaType: ociIndex, manifests: [index], annotations };
    store.put(outer, ociIndex, { atMs, tags: [`nested-${number}`], kind: 'index' });
  }
  const pending = shape.halfPush ? halfPush(store, shape, nowMs - 30_000) : undefined;
  for (const { id } of store.list().toReversed().slice(0, shape.stale404)) store.stale.add(id);
  return pending;
}

function versionsPerImage({ platforms, attest, referrers, signPlatforms }: PackageShape): number {
  const signatures = { none: 0, gh: 2, cosign: 1, oci11: 1 }[referrers] * (1 + (signPlatforms ? platforms : 0));
  return 1 + platforms * (attest ? 2 : 1) + signatures;
}

function partsOf(shape: PackageShape, number: number, isLast: boolean): ImageParts {
  const { untaggedEvery, semverEvery, ghost, partial, popular } = shape;
  const tags: string[] = [];
  const isUntagged = untaggedEvery > 0 && number % untaggedEvery === untaggedEvery - 1 && !isLast;
  if (!isUntagged) {
    tags.push(`sha-${digestOf(`commit ${number} ${shape.seed}`).slice(7, 14)}`);
    if (semverEvery > 0 && number % semverEvery === 0) tags.push(versionNumber(number, shape));
    if (isLast) tags.push('latest');
  }
  const after = number - ghost - partial;
  return {
    tags,
    ghost: number < ghost,
    partial: number >= ghost && after < 0,
    popular: tags.length > 0 && after >= 0 && after < popular,
  };
}

/** The images of a version are counted, those that lost their tag aside. */
function versionNumber(number: number, { semverEvery, untaggedEvery }: PackageShape): string {
  let count = 0;
  for (let before = 0; before < number; before += semverEvery) {
    if (!(untaggedEvery > 0 && before % untaggedEvery === untaggedEvery - 1)) count += 1;
  }
  return `1.${Math.floor(count / 12)}.${count % 12}`;
}

function halfPush(store: PackageStore, shape: PackageShape, atMs: number): Version | undefined {
  const { index } = makeImage({ store, shape, name: 'race', atMs });
  const version = store.byDigest.get(index.digest);
  if (version !== undefined) store.withdraw(version);
  return version;
}
