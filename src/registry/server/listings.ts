import { parseDigest } from '../../core/digest.ts';
import { quote } from '../../core/printable.ts';
import { formatDescriptor } from '../../oci/format.ts';
import { MEDIA_TYPES } from '../../oci/types.ts';
import { type Answer, answerJson, type Call, Refusal, refuseMethod } from './answer.ts';
import type { Shelves } from './shelves.ts';

/** `/v2/_catalog`: not in the specification, but as old as the protocol. */
export function answerCatalog(shelves: Shelves, method: string, query: URLSearchParams): Answer {
  requireRead(method);
  const { items, headers } = page(shelves.catalog.repositories(), query, '/v2/_catalog');
  return answerJson({ repositories: items }, headers);
}

/** `/v2/NAME/tags/list`: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags */
export function answerTags(shelves: Shelves, { method, name, query }: Call): Answer {
  requireRead(method);
  const shelf = shelves.requireShelf(name);
  // Tags are ASCII: the order of UTF-16 units is the order of bytes.
  const { items, headers } = page([...shelf.tags.keys()].toSorted(), query, `/v2/${name}/tags/list`);
  return answerJson({ name, tags: items }, headers);
}

/** `/v2/NAME/referrers/DIGEST`, never 404: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers */
export function answerReferrers(shelves: Shelves, { method, name, reference, query }: Call): Answer {
  requireRead(method);
  const subject = parseDigest(reference);
  if (subject === undefined) throw new Refusal(400, 'DIGEST_INVALID', `${quote(reference)} is no digest`);
  const shelf = shelves.shelf(name);
  // Media types hold no blanks, but a `+` that a client did not escape arrives as one.
  const artifactType = query.get('artifactType')?.replaceAll(' ', '+') ?? '';
  const manifests = [...(shelf?.referrers.get(subject) ?? [])]
    .flatMap((digest) => shelf?.manifests.get(digest)?.descriptor ?? [])
    .filter((descriptor) => artifactType === '' || descriptor.artifactType === artifactType);
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: manifests.map(formatDescriptor) };
  const filters = artifactType === '' ? {} : { 'OCI-Filters-Applied': 'artifactType' };
  return answerJson(index, { 'Content-Type': MEDIA_TYPES.ociIndex, ...filters });
}

/** The items after `last`, at most `n`, with a link to the rest. */
function page(
  sorted: readonly string[],
  query: URLSearchParams,
  path: string,
): { readonly items: readonly string[]; readonly headers: Readonly<Record<string, string>> } {
  const last = query.get('last') ?? '';
  const limit = query.get('n');
  const following = last === '' ? sorted : sorted.filter((item) => item > last);
  if (limit === null) return { items: following, headers: {} };
  if (!/^\d{1,9}$/.test(limit)) throw new Refusal(400, 'UNSUPPORTED', `n is ${quote(limit)}, not a number`);
  const items = following.slice(0, Number(limit));
  const end = items.at(-1);
  if (end === undefined || items.length === following.length) return { items, headers: {} };
  const next = new URLSearchParams({ n: limit, last: end });
  return { items, headers: { Link: `<${path}?${next.toString()}>; rel="next"` } };
}

function requireRead(method: string): void {
  if (method !== 'GET' && method !== 'HEAD') throw refuseMethod(method, 'GET, HEAD');
}
