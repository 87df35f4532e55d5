import { parseManifest } from '../../oci/parse.ts';
import { type Descriptor, isIndexMediaType, isManifestMediaType } from '../../oci/types.ts';
import type { Digest } from '../digest.ts';
import { toLine } from '../printable.ts';
import type { ChildFacts, ManifestFacts, Unreadable } from './inventory.ts';

/**
 * What an index may list that is content and no manifest: layers and configs, as indexes of build caches do.
 * https://github.com/moby/buildkit/blob/v0.29.0/cache/remotecache/v1/doc.go
 */
const BLOB_TYPE =
  /^application\/vnd\.(?:oci\.image\.(?:layer|config)\.|docker\.(?:image\.rootfs|container\.image)\.|buildkit\.cacheconfig\.)/;

/** Of a manifest listed twice, under two types, the one that leaves most open is believed. */
const CERTAINTY = ['blob', 'manifest', 'unknown'] as const;

/**
 * What these bytes say, which were served as `mediaType`: what they name, what they belong to, how large it is. The caller has
 * compared them with their digest. What is no manifest, or one that two readers could read in two ways, is unreadable.
 */
export function parseManifestFacts(content: Uint8Array, mediaType: string): ManifestFacts | Unreadable {
  const manifest = parseManifest(content, mediaType);
  if (!manifest.ok) return unreadable(manifest.problem);
  const common = { subject: manifest.value.subject?.digest, sizeBytes: content.length };
  if (manifest.value.kind === 'index') {
    return { kind: 'index', ...common, children: childrenOf(manifest.value.manifests) };
  }
  const { config, layers } = manifest.value;
  const blobs = [config, ...layers].map(({ digest, sizeBytes }) => ({ digest, sizeBytes }));
  return { kind: 'manifest', ...common, blobs };
}

/** A manifest that could not be read, and why: half a sentence. */
export function unreadable(reason: string): Unreadable {
  return { kind: 'unreadable', reason: toLine(reason, 300) };
}

function childrenOf(descriptors: readonly Descriptor[]): readonly ChildFacts[] {
  const children = new Map<Digest, ChildFacts>();
  for (const { digest, mediaType, sizeBytes } of descriptors) {
    const child: ChildFacts = { digest, type: typeOf(mediaType), sizeBytes };
    const other = children.get(digest);
    if (other === undefined || CERTAINTY.indexOf(other.type) < CERTAINTY.indexOf(child.type))
      children.set(digest, child);
  }
  return [...children.values()];
}

function typeOf(mediaType: string): ChildFacts['type'] {
  if (isManifestMediaType(mediaType)) return isIndexMediaType(mediaType) ? 'unknown' : 'manifest';
  return BLOB_TYPE.test(mediaType) ? 'blob' : 'unknown';
}
