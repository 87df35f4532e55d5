import { formatPlatform } from './core/platform.ts';
import { parseReference } from './core/reference.ts';
import { isRegistryError } from './errors.ts';
import type { HashedImage } from './hashed-images.ts';
import { parseImageConfig } from './oci/parse.ts';
import { type Descriptor, type Index, isManifestMediaType, type Platform } from './oci/types.ts';
import { fetchImage, type Image } from './registry/image.ts';
import type { Registries } from './registry/open.ts';
import type { Repository } from './registry/repository.ts';

/**
 * The ONBUILD triggers of a base image, those of all these platforms together; `undefined` when they cannot be read. Two
 * requests a platform and one more for an index.
 */
export async function readBaseTriggers(
  registries: Registries,
  { reference, digest }: Pick<HashedImage, 'reference' | 'digest'>,
  platforms: readonly Platform[],
): Promise<readonly string[] | undefined> {
  const parsed = parseReference(reference);
  if (!parsed.ok) return undefined;
  const repository = registries.open(parsed.value.repository);
  const image = await readImage(repository, digest);
  if (image === undefined) return undefined;
  const children = image.manifest.kind === 'manifest' ? [image.descriptor] : childrenFor(image.manifest, platforms);
  const triggers = await Promise.all(children.map((child) => triggersIn(repository, child)));
  const known = triggers.flatMap((one) => (one === undefined ? [] : [one]));
  return known.length === triggers.length ? [...new Set(known.flat())] : undefined;
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

async function triggersIn(repository: Repository, child: Descriptor): Promise<readonly string[] | undefined> {
  const image = await readImage(repository, child.digest);
  if (image?.manifest.kind !== 'manifest') return undefined;
  const content = await repository.fetch(image.manifest.config);
  const config = content === undefined ? undefined : parseImageConfig(await content.bytes());
  return config?.ok ? config.value.onBuild : undefined;
}

async function readImage(repository: Repository, digest: HashedImage['digest']): Promise<Image | undefined> {
  try {
    return await fetchImage(repository, { digest });
  } catch (error) {
    if (isRegistryError(error) && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}
