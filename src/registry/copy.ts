import type { Digest } from '../core/digest.ts';
import { formatRepositoryName } from '../core/reference.ts';
import { RegistryError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { isNonDistributable, partsOf } from '../oci/links.ts';
import { parseManifest } from '../oci/parse.ts';
import { type Descriptor, isManifestMediaType } from '../oci/types.ts';
import { lacksBlob } from './failure.ts';
import type { Repository } from './repository.ts';

export interface CopyCount {
  /** How many, and their bytes, went from the source to the destination. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Those that the destination had already, or took from another of its repositories. */
  readonly reused: number;
  readonly reusedBytes: number;
}

export interface CopyResult {
  readonly manifests: CopyCount;
  /** Configs and layers. */
  readonly blobs: CopyCount;
}

/** Real images have an index and manifests: 2. */
const MAX_DEPTH = 8;
const MAX_MANIFESTS = 10_000;
const PARALLEL_BLOBS = 4;

/**
 * Makes an image, with everything that its manifests name, exist in another repository under the same digests; tags are
 * left to the caller. Only what is missing there travels, in pieces; parts come before what names them, so that a copy that
 * was cut leaves no broken image and goes on when it is repeated. Layers that may not be handed on stay where they are.
 * RegistryError MANIFEST_UNKNOWN or BLOB_UNKNOWN names what the source lacks, and what needs it.
 */
export async function copyImage(from: Repository, to: Repository, root: Descriptor): Promise<CopyResult> {
  const image = await readTree(from, root);
  const copyBlobs = (): Promise<readonly Copied[]> =>
    inParallel(image.blobs, PARALLEL_BLOBS, (blob) => copyBlob(from, to, blob));
  const blobs = await copyBlobs();
  const manifests: Copied[] = [];
  // One after the other: a parent must not overtake its children.
  for (const manifest of image.manifests) manifests.push(await copyManifest(to, manifest, copyBlobs));
  return { manifests: count(manifests), blobs: count(blobs) };
}

interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

interface NeededBlob {
  readonly descriptor: Descriptor;
  /** The manifest that names it. */
  readonly parent: Digest;
}

interface Tree {
  /** Children before parents, each once. */
  readonly manifests: readonly FetchedManifest[];
  readonly blobs: readonly NeededBlob[];
}

interface Copied {
  readonly sizeBytes: number;
  readonly travelled: boolean;
}

async function readTree(from: Repository, root: Descriptor): Promise<Tree> {
  const manifests = new Map<Digest, FetchedManifest>();
  const blobs = new Map<Digest, NeededBlob>();
  const visit = async (descriptor: Descriptor, path: readonly Digest[]): Promise<void> => {
    const parent = path.at(-1);
    if (parent !== undefined && !isManifestMediaType(descriptor.mediaType)) {
      if (!isNonDistributable(descriptor.mediaType)) blobs.set(descriptor.digest, { descriptor, parent });
      return;
    }
    if (manifests.has(descriptor.digest)) return;
    checkLimits(from, descriptor, path, manifests.size);
    const bytes = await fetchManifest(from, descriptor, parent);
    for (const part of readParts(from, descriptor, bytes)) await visit(part, [...path, descriptor.digest]);
    manifests.set(descriptor.digest, { descriptor, bytes });
  };
  await visit(root, []);
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
}

function checkLimits(from: Repository, { digest }: Descriptor, path: readonly Digest[], manifests: number): void {
  const place = placeOf(from, digest);
  // No honest image can name itself; a source that lies about digests could.
  if (path.includes(digest)) throw new RegistryError('MANIFEST_INVALID', `${place} names itself`);
  if (path.length >= MAX_DEPTH) {
    throw new RegistryError('MANIFEST_INVALID', `${place} is nested deeper than ${MAX_DEPTH} manifests`);
  }
  if (manifests >= MAX_MANIFESTS) {
    throw new RegistryError('MANIFEST_INVALID', `${place} belongs to more than ${MAX_MANIFESTS} manifests`);
  }
}

async function fetchManifest(
  from: Repository,
  descriptor: Descriptor,
  parent: Digest | undefined,
): Promise<Uint8Array> {
  const content = await from.fetch(descriptor);
  if (content !== undefined) return content.bytes();
  throw missing(from, 'MANIFEST_UNKNOWN', descriptor, parent);
}

function readParts(from: Repository, { digest, mediaType }: Descriptor, bytes: Uint8Array): readonly Descriptor[] {
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.ok) return partsOf(manifest.value);
  throw new RegistryError('MANIFEST_INVALID', `the source ${placeOf(from, digest)} is no image: ${manifest.problem}`);
}

async function copyBlob(from: Repository, to: Repository, { descriptor, parent }: NeededBlob): Promise<Copied> {
  const progress = { travelled: false };
  const body = async function* (): AsyncGenerator<Uint8Array> {
    progress.travelled = true;
    const content = await from.fetch(descriptor);
    if (content === undefined) throw missing(from, 'BLOB_UNKNOWN', descriptor, parent);
    yield* content.stream();
  };
  await to.push(descriptor, body, from.name.registry === to.name.registry ? from.name : undefined);
  return { sizeBytes: descriptor.sizeBytes, travelled: progress.travelled };
}

/** Registries lose blobs that they had taken: `copyBlobs` then brings again what is missing, once. */
async function copyManifest(
  to: Repository,
  { descriptor, bytes }: FetchedManifest,
  copyBlobs: () => Promise<unknown>,
): Promise<Copied> {
  const travelled = (await to.resolve({ digest: descriptor.digest })) === undefined;
  if (!travelled) return { sizeBytes: bytes.length, travelled };
  try {
    await to.push(descriptor, bytes);
  } catch (error) {
    if (!lacksBlob(error)) throw error;
    await copyBlobs();
    await to.push(descriptor, bytes);
  }
  return { sizeBytes: bytes.length, travelled };
}

function count(all: readonly Copied[]): CopyCount {
  const sum = (some: readonly Copied[]): number => some.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  const copied = all.filter(({ travelled }) => travelled);
  const reused = all.filter(({ travelled }) => !travelled);
  return { copied: copied.length, copiedBytes: sum(copied), reused: reused.length, reusedBytes: sum(reused) };
}

function missing(from: Repository, code: string, { digest }: Descriptor, parent: Digest | undefined): RegistryError {
  const what = code === 'BLOB_UNKNOWN' ? 'blob' : 'manifest';
  const needed = parent === undefined ? '' : `, which ${parent} names`;
  const hint = 'The source is incomplete: rebuild the image, or copy from a repository that has all of it.';
  return new RegistryError(code, `the source ${formatRepositoryName(from.name)} lacks the ${what} ${digest}${needed}`, {
    hint,
  });
}

function placeOf({ name }: Repository, digest: Digest): string {
  return `${formatRepositoryName(name)}@${digest}`;
}
