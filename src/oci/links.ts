import type { Digest } from '../core/digest.ts';
import { type Descriptor, type Index, isManifestMediaType, type Manifest } from './types.ts';

/** What a manifest is made of: the manifests of an index, else config and layers. Its subject is not a part of it. */
export function partsOf(manifest: Index | Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers];
}

/** The manifests of platforms; attestations are for an unknown system. */
export function imagesIn({ manifests }: Index): readonly Descriptor[] {
  return manifests.filter(({ mediaType, platform }) => isManifestMediaType(mediaType) && platform?.os !== 'unknown');
}

/**
 * How the referrers API lists a manifest: with its own annotations and type of artifact, else its config's type.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export function describeReferrer(manifest: Index | Manifest, digest: Digest, sizeBytes: number): Descriptor {
  const { mediaType, annotations } = manifest;
  const artifactType = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/**
 * Layers that their owner forbids to hand on: registries do without them.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#non-distributable-layers
 */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes('.layer.nondistributable.') || mediaType.includes('.rootfs.foreign.');
}
