import { type Digest, parseDigest } from '../digest.ts';
import { textAt, valueAt } from '../json.ts';
import { toLine } from '../printable.ts';
import type { RepositoryName } from '../reference.ts';
import { imageOf, type NamedImage } from './named-images.ts';

/** An object of a cluster that names images of one repository. */
export interface ClusterObject {
  /** `pod shop/web-7d9f`. */
  readonly place: string;
  readonly images: readonly Omit<NamedImage, 'line'>[];
}

/** Deeper is nothing that Kubernetes writes. */
const MAX_DEPTH = 64;

/**
 * What a `List` of Kubernetes says of a repository: the images of containers, init containers and ephemeral ones, wherever a
 * kind has them, and the digests that nodes run. `undefined` for what is no list.
 */
export function clusterImages(json: unknown, repository: RepositoryName): readonly ClusterObject[] | undefined {
  const items = valueAt(json, 'items');
  if (!Array.isArray(items)) return undefined;
  return items.flatMap((item: unknown) => {
    const images = imagesOfObject(item, repository);
    return images.length === 0 ? [] : [{ place: placeOf(item), images }];
  });
}

function imagesOfObject(item: unknown, repository: RepositoryName): ClusterObject['images'] {
  const images: Omit<NamedImage, 'line'>[] = [];
  const running: Digest[] = [];
  const ahead: { readonly value: unknown; readonly depth: number }[] = [{ value: item, depth: 0 }];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) continue;
    for (const key of ['image', 'imageID']) {
      const image = imageOf(textAt(value, key) ?? '', repository);
      if (image !== undefined) images.push(image);
    }
    running.push(...digestAtEnd(textAt(value, 'imageID') ?? ''));
    for (const child of Object.values(value)) ahead.push({ value: child, depth: depth + 1 });
  }
  // Nodes name an image that has several names by any of them, and the digest counts for all.
  return images.length === 0 ? [] : [...images, ...running.map((digest) => ({ tag: undefined, digest }))];
}

/** Of `docker-pullable://name@sha256:…`, `docker://sha256:…`, `sha256:…`. */
function digestAtEnd(imageId: string): readonly Digest[] {
  const digest = parseDigest(/(?:^|[@/])(sha(?:256|512):[a-f0-9]+)$/.exec(imageId)?.[1] ?? '');
  return digest === undefined ? [] : [digest];
}

function placeOf(item: unknown): string {
  const kind = textAt(item, 'kind')?.toLowerCase() ?? 'object';
  const namespace = textAt(item, 'metadata', 'namespace');
  const name = textAt(item, 'metadata', 'name') ?? '?';
  return toLine(`${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`);
}
