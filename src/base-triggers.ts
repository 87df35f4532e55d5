import { formatPlatform } from './core/platform.ts';
import { toLine } from './core/printable.ts';
import { parseReference } from './core/reference.ts';
import { BuildOnceError, isRegistryError } from './errors.ts';
import type { HashedImage } from './hashed-images.ts';
import { parseImageConfig } from './oci/parse.ts';
import { type Descriptor, type ImageConfig, type Index, isManifestMediaType, type Platform } from './oci/types.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Registries } from './registry/open.ts';
import type { Repository } from './registry/repository.ts';

/**
 * The ONBUILD triggers of a base image, those of all these platforms together; `undefined` when they cannot be read. Two
 * requests a platform and one more for an index. With `requiredBy`, the place that names it, BuildOnceError
 * `BASE_UNSUPPORTED` when it is for other systems only.
 */
export async function readBaseTriggers(
  registries: Registries,
  { reference, digest }: Pick<HashedImage, 'reference' | 'digest'>,
  platforms: readonly Platform[],
  requiredBy?: string,
): Promise<readonly string[] | undefined> {
  const parsed = parseReference(reference);
  if (!parsed.ok) return undefined;
  const repository = registries.open(parsed.value.repository);
  const image = await readImage(repository, digest);
  if (image === undefined) return undefined;
  const children = image.manifest.kind === 'manifest' ? [image.descriptor] : childrenFor(image.manifest, platforms);
  const configs = await Promise.all(children.map((child) => configOf(repository, child)));
  const known = configs.flatMap((one) => (one === undefined ? [] : [one]));
  const systems = requiredBy === undefined ? [] : foreignSystems(known, platforms);
  if (systems.length > 0) throw foreignBase(`${requiredBy} names ${reference}`, systems);
  return known.length === configs.length ? [...new Set(known.flatMap(({ onBuild }) => onBuild))] : undefined;
}

/** The systems that an image is for, when none of them is wanted. Attestations are for an unknown one. */
function foreignSystems(found: readonly ImageConfig[], wanted: readonly Platform[]): readonly string[] {
  const systems = new Set(found.map(({ platform }) => platform.os).filter((os) => os !== 'unknown'));
  return wanted.some(({ os }) => systems.has(os)) ? [] : [...systems];
}

/** The builder would only say that nothing matches. */
function foreignBase(what: string, systems: readonly string[]): BuildOnceError {
  const only = toLine(systems.join(', '), 40);
  return new BuildOnceError('BASE_UNSUPPORTED', `${what}, which is an image for ${only} only`, 1, {
    hint: 'Name an image for Linux: images for Windows containers cannot be built.',
  });
}

/** Variants are not told apart: a builder may take an older one. Without any that fits, all may be taken. */
function childrenFor({ manifests }: Index, platforms: readonly Platform[]): readonly Descriptor[] {
  const wanted = new Set(platforms.map((platform) => familyOf(platform)));
  const fitting = manifests.filter(({ platform }) => platform !== undefined && wanted.has(familyOf(platform)));
  return fitting.length > 0 ? fitting : manifests.filter(({ mediaType }) => isManifestMediaType(mediaType));
}

function familyOf({ os, architecture }: Platform): string {
  return formatPlatform({ os, architecture });
}

async function configOf(repository: Repository, child: Descriptor): Promise<ImageConfig | undefined> {
  const image = await readImage(repository, child.digest);
  if (image?.manifest.kind !== 'manifest') return undefined;
  const content = await repository.fetch(image.manifest.config);
  const config = content === undefined ? undefined : parseImageConfig(await content.bytes());
  return config?.ok ? config.value : undefined;
}

async function readImage(repository: Repository, digest: HashedImage['digest']): Promise<FoundImage | undefined> {
  try {
    return await fetchImage(repository, { digest });
  } catch (error) {
    if (isRegistryError(error) && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}
