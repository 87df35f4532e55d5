import { randomBytes } from 'node:crypto';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES, type Platform } from '../../src/oci/types.ts';
import type { Repository } from '../../src/registry/repository.ts';

/** Bytes and what points at them. */
export interface Piece {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface SampleImage {
  readonly manifest: Piece;
  /** The config first. */
  readonly blobs: readonly [Piece, ...Piece[]];
}

export interface ManifestFields {
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function pieceOf(
  content: Uint8Array | string,
  mediaType: string = MEDIA_TYPES.ociLayerGzip,
  like?: Digest,
): Piece {
  const bytes = Buffer.from(content);
  return { descriptor: { mediaType, digest: digestOf(bytes, like), sizeBytes: bytes.length }, bytes };
}

export function randomLayer(sizeBytes = 1000): Piece {
  return pieceOf(randomBytes(sizeBytes));
}

export function sampleImage(layers: readonly Piece[] = [randomLayer()], fields: ManifestFields = {}): SampleImage {
  const config = pieceOf(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } }),
    MEDIA_TYPES.ociConfig,
  );
  const manifest = documentOf(MEDIA_TYPES.ociManifest, {
    config: formatDescriptor(config.descriptor),
    layers: layers.map(({ descriptor }) => formatDescriptor(descriptor)),
    ...jsonOf(fields),
  });
  return { manifest, blobs: [config, ...layers] };
}

export function sampleIndex(members: readonly Descriptor[], fields: ManifestFields = {}): Piece {
  return documentOf(MEDIA_TYPES.ociIndex, { manifests: members.map(formatDescriptor), ...jsonOf(fields) });
}

export function onPlatform(descriptor: Descriptor, platform: Platform): Descriptor {
  return { ...descriptor, platform };
}

/** Two platforms that share a layer, with an index around their index. */
export interface Nested {
  readonly images: readonly [SampleImage, SampleImage];
  readonly inner: Piece;
  readonly root: Piece;
  /** Everything, children first. */
  readonly pieces: readonly Piece[];
}

export function nestedImage(): Nested {
  const shared = randomLayer(5000);
  const images = [sampleImage([shared, randomLayer(10)]), sampleImage([shared, randomLayer(20)])] as const;
  const inner = sampleIndex(images.map(({ manifest }) => manifest.descriptor));
  const root = sampleIndex([inner.descriptor, images[0].manifest.descriptor]);
  const blobs = new Map(images.flatMap((image) => image.blobs.map((blob) => [blob.descriptor.digest, blob])));
  return { images, inner, root, pieces: [...blobs.values(), ...images.map(({ manifest }) => manifest), inner, root] };
}

/** Pushes blobs and manifest, without a tag. */
export async function pushImage(repository: Repository, { manifest, blobs }: SampleImage): Promise<Descriptor> {
  for (const { descriptor, bytes } of [...blobs, manifest]) await repository.push(descriptor, bytes);
  return manifest.descriptor;
}

/** The bytes in pieces of a few bytes, as a network gives them. */
export async function* inPieces(bytes: Uint8Array, sizeBytes = 100): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function documentOf(mediaType: string, fields: Readonly<Record<string, unknown>>): Piece {
  return pieceOf(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }), mediaType);
}

function jsonOf({ subject, ...rest }: ManifestFields): Readonly<Record<string, unknown>> {
  return { ...rest, ...(subject === undefined ? {} : { subject: formatDescriptor(subject) }) };
}
