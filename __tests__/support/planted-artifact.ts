import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { type Piece, pieceOf } from '../registry/sample-image.ts';

/** What somebody else attaches to an image as an artifact of a type of ours. */
export interface PlantedArtifact {
  readonly type: string;
  readonly layers: readonly Piece[];
  readonly config?: Piece;
  readonly subject: Descriptor;
  readonly annotations?: Readonly<Record<string, unknown>>;
  /** Not pushed, so that something is missing. */
  readonly without?: readonly Piece[];
}

export async function plantArtifact(
  repository: Repository,
  {
    type,
    layers,
    config = pieceOf('{}', MEDIA_TYPES.ociEmpty),
    subject,
    annotations = {},
    without = [],
  }: PlantedArtifact,
): Promise<Descriptor> {
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: type,
    config: formatDescriptor(config.descriptor),
    layers: layers.map(({ descriptor }) => formatDescriptor(descriptor)),
    subject: formatDescriptor(subject),
    annotations,
  };
  const manifest = pieceOf(JSON.stringify(document), MEDIA_TYPES.ociManifest);
  for (const { descriptor, bytes } of [...layers, config, manifest]) {
    if (!without.some((piece) => piece.descriptor.digest === descriptor.digest))
      await repository.push(descriptor, bytes);
  }
  return manifest.descriptor;
}
