import type { Digest } from '../core/digest.ts';
import { formatReference, type RepositoryName } from '../core/reference.ts';
import { formatDescriptor } from '../oci/format.ts';
import { type Descriptor, type Manifest, MEDIA_TYPES } from '../oci/types.ts';

/** One platform's image in an OCI layout, and the name that it is to have in an engine. */
export interface ArchivedImage {
  /** The layout's folder. */
  readonly layout: string;
  /** The index, whose digest the image keeps; the manifest itself where there is no index. */
  readonly root: Descriptor;
  /** The one platform's manifest. */
  readonly platform: Descriptor;
  readonly manifest: Manifest;
  readonly name: { readonly repository: RepositoryName; readonly tag: string };
}

/** What goes into the archive: two files to write, and those to take from the layout. */
export interface Archive {
  readonly index: string;
  readonly manifest: string;
  readonly files: readonly string[];
}

/**
 * Describes an archive that both of the engine's stores take. The containerd store reads `index.json`, keeps the digest of
 * the index and wants no more of it than one platform (engine 28.5); the older store reads `manifest.json`, as of
 * https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md#combined-image-json--filesystem-changeset-format
 */
export function describeArchive({ root, platform, manifest, name: { repository, tag } }: ArchivedImage): Archive {
  const name = formatReference({ repository, tag, digest: undefined });
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag };
  const { mediaType, digest, sizeBytes } = root;
  const manifests = [{ ...formatDescriptor({ mediaType, digest, sizeBytes }), annotations }];
  const layers = manifest.layers.map((layer) => blobPath(layer.digest));
  const config = blobPath(manifest.config.digest);
  return {
    index: JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }),
    manifest: JSON.stringify([{ Config: config, RepoTags: [name], Layers: layers }]),
    files: ['oci-layout', ...new Set([blobPath(root.digest), blobPath(platform.digest), config, ...layers])],
  };
}

function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}
