import type { ImageUse } from './core/build-inputs.ts';
import { compareCodePoints } from './core/code-point-order.ts';
import type { Digest } from './core/digest.ts';
import { formatReference, parseReference } from './core/reference.ts';
import { BuildOnceError, UsageError } from './errors.ts';
import type { Options } from './options.ts';
import type { Registries } from './registry/open.ts';

/** An image that the build names, by the name it uses, and what stands behind that name. */
export interface HashedImage {
  readonly reference: string;
  readonly registry: string;
  readonly digest: Digest;
}

const IMAGE_CONTEXT = 'docker-image://';

/** Named contexts that are images: pinned like those that the Dockerfile names. */
export function contextImages({ buildContexts }: Pick<Options, 'buildContexts'>): readonly ImageUse[] {
  return buildContexts.flatMap(({ value }) =>
    value.startsWith(IMAGE_CONTEXT) ? [{ reference: value.slice(IMAGE_CONTEXT.length), line: undefined }] : [],
  );
}

/**
 * Asks for what stands behind each name, all at once; names with a digest need no question. BuildOnceError `BASE_NOT_FOUND`
 * naming the line in `dockerfile`.
 */
export async function resolveImages(
  registries: Registries,
  dockerfile: string,
  uses: readonly ImageUse[],
): Promise<readonly HashedImage[]> {
  const byName = new Map(uses.map((use) => [use.reference, use]));
  const images = await Promise.all([...byName.values()].map((use) => resolveImage(registries, dockerfile, use)));
  return images.sort((a, b) => compareCodePoints(a.reference, b.reference));
}

async function resolveImage(
  registries: Registries,
  dockerfile: string,
  { reference, line }: ImageUse,
): Promise<HashedImage> {
  const parsed = parseReference(reference);
  const where = line === undefined ? 'build-contexts' : `${dockerfile}:${line}`;
  if (!parsed.ok) throw new UsageError([{ input: 'file', message: `${where}: ${parsed.problem}` }]);
  const { repository, tag, digest } = parsed.value;
  const { registry } = repository;
  if (digest !== undefined) return { reference, registry, digest };
  const found = await registries.open(repository).resolve({ tag: tag ?? 'latest' });
  if (found !== undefined) return { reference, registry, digest: found.digest };
  throw new BuildOnceError(
    'BASE_NOT_FOUND',
    `${where} names ${formatReference(parsed.value)}, and its registry has no such image`,
    1,
    {
      hint: 'Check the name and the tag, and that this run may read that repository.',
    },
  );
}
