import { type Digest, digestOf, parseDigest } from '../../core/digest.ts';
import { quote } from '../../core/printable.ts';
import { isTag } from '../../core/reference.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/parse.ts';
import { isManifestMediaType } from '../../oci/types.ts';
import { type Answer, answerEmpty, type Call, Refusal, readBody, refuseMethod } from './answer.ts';
import type { Shelves } from './shelves.ts';
import { readManifest } from './stored-manifest.ts';

/** `/v2/NAME/manifests/TAG-OR-DIGEST` */
export async function answerManifest(shelves: Shelves, call: Call): Promise<Answer> {
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return getManifest(shelves, call);
    case 'PUT':
      return putManifest(shelves, call);
    case 'DELETE':
      return deleteManifest(shelves, call);
    default:
      throw refuseMethod(call.method, 'GET, HEAD, PUT, DELETE');
  }
}

function getManifest(shelves: Shelves, { name, reference }: Call): Answer {
  const shelf = shelves.requireShelf(name);
  const digest = parseDigest(reference) ?? shelf.tags.get(reference);
  const manifest = digest === undefined ? undefined : shelf.manifests.get(digest);
  if (manifest === undefined) throw unknownManifest(name, reference);
  const { mediaType, digest: found, sizeBytes } = manifest.descriptor;
  const headers = { 'Content-Type': mediaType, 'Docker-Content-Digest': found };
  return { status: 200, headers, sizeBytes, body: shelves.store.read(found) };
}

/**
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 * Tags in the query, `?tag=1&tag=1.2`, are of the specification after v1.1.1 (end-7b): the only way to a tag on a sha512.
 */
async function putManifest(shelves: Shelves, call: Call): Promise<Answer> {
  const { name, reference, query } = call;
  const wanted = parseReference(reference);
  const asked = [...new Set(query.getAll('tag'))].map(requireTag);
  const bytes = await readBody(call.body, 'a manifest', MAX_MANIFEST_BYTES);
  const digest = digestOf(bytes, 'digest' in wanted ? wanted.digest : undefined);
  if ('digest' in wanted && wanted.digest !== digest) {
    throw new Refusal(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}, not ${wanted.digest}`);
  }
  const manifest = readManifest(bytes, digest, mediaTypeOf(call));
  if (!manifest.ok) throw new Refusal(400, 'MANIFEST_INVALID', manifest.problem);
  await shelves.addManifest(name, manifest.value, bytes, 'tag' in wanted ? [wanted.tag, ...asked] : asked);
  const { subject } = manifest.value;
  return answerEmpty(201, {
    Location: `/v2/${name}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(subject === undefined ? {} : { 'OCI-Subject': subject }),
    ...(asked.length === 0 ? {} : { 'OCI-Tag': asked.join(', ') }),
  });
}

async function deleteManifest(shelves: Shelves, { name, reference }: Call): Promise<Answer> {
  const shelf = shelves.requireShelf(name);
  const wanted = parseReference(reference);
  if ('tag' in wanted) {
    if (!shelf.tags.has(wanted.tag)) throw unknownManifest(name, reference);
    shelves.catalog.apply({ kind: 'tag-removed', repository: name, tag: wanted.tag });
  } else {
    if (!shelf.manifests.has(wanted.digest)) throw unknownManifest(name, reference);
    await shelves.removeManifest(name, wanted.digest);
  }
  return answerEmpty(202, {});
}

function parseReference(reference: string): { readonly tag: string } | { readonly digest: Digest } {
  const digest = parseDigest(reference);
  if (digest !== undefined) return { digest };
  if (reference.includes(':')) throw new Refusal(400, 'DIGEST_INVALID', `${quote(reference)} is no digest`);
  return { tag: requireTag(reference) };
}

function requireTag(text: string): string {
  if (isTag(text)) return text;
  throw new Refusal(400, 'MANIFEST_INVALID', `${quote(text)} is neither a tag nor a digest`);
}

/** Without parameters; `undefined` when the client leaves the type to the document. */
function mediaTypeOf({ headers }: Call): string | undefined {
  const mediaType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType === undefined || mediaType === '' || GENERIC_TYPES.has(mediaType)) return undefined;
  if (isManifestMediaType(mediaType)) return mediaType;
  throw new Refusal(400, 'MANIFEST_INVALID', `${quote(mediaType)} is no type of manifest or index`);
}

const GENERIC_TYPES = new Set(['application/json', 'application/octet-stream']);

function unknownManifest(name: string, reference: string): Refusal {
  return new Refusal(404, 'MANIFEST_UNKNOWN', `${name} has no manifest ${quote(reference)}`);
}
