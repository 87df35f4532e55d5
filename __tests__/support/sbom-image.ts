import type { Digest } from '../../src/core/digest.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { type FoundImage, fetchImage } from '../../src/registry/image.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { onPlatform, type Piece, pieceOf, pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';

const SPDX = 'https://spdx.dev/Document';
const UNKNOWN = { os: 'unknown', architecture: 'unknown' };

/** What the tests change in what BuildKit leaves. */
export interface SbomChanges {
  /** The SBOM's bytes. */
  readonly content?: Uint8Array | string;
  /** What it calls itself. */
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** How many there are. */
  readonly count?: number;
  /** What the index says that the attestation is about. */
  readonly about?: Digest;
  /** The index names it, and the registry does not have it. */
  readonly isLost?: boolean;
}

/** An SBOM of these packages as BuildKit writes it: a statement about one manifest, without a signature. */
export function sbomStatement(subject: Digest, packages: readonly string[] = ['busybox']): string {
  return JSON.stringify({
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: SPDX,
    subject: [{ name: '_', digest: { sha256: subject.slice('sha256:'.length) } }],
    predicate: spdx(packages),
  });
}

/** A small document. */
export function spdx(packages: readonly string[]): object {
  return {
    spdxVersion: 'SPDX-2.3',
    SPDXID: 'SPDXRef-DOCUMENT',
    dataLicense: 'CC0-1.0',
    name: 'image',
    documentNamespace: 'https://example.org/sbom',
    creationInfo: { created: '2026-11-21T17:00:00Z', creators: ['Tool: test'] },
    packages: packages.map((name) => ({ name, SPDXID: `SPDXRef-${name}`, downloadLocation: 'NOASSERTION' })),
  };
}

/** Pushes an index of one platform and its attestation, laid out as BuildKit does; answers the platform too. */
export async function pushSbomImage(
  repository: Repository,
  changes: SbomChanges = {},
): Promise<{ readonly image: FoundImage; readonly platform: Descriptor }> {
  const platform = onPlatform(await pushImage(repository, sampleImage()), { os: 'linux', architecture: 'amd64' });
  const attestation = sampleImage(sbomLayers(platform.digest, changes));
  if (changes.isLost !== true) await pushImage(repository, attestation);
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': changes.about ?? platform.digest,
  };
  const member = { ...onPlatform(attestation.manifest.descriptor, UNKNOWN), annotations };
  const { descriptor, bytes } = sampleIndex([platform, member]);
  await repository.push(descriptor, bytes);
  const image = await fetchImage(repository, { digest: descriptor.digest });
  if (image === undefined) throw new Error('what was pushed is not there');
  return { image, platform };
}

function sbomLayers(subject: Digest, changes: SbomChanges): readonly Piece[] {
  const { count = 1, mediaType = 'application/vnd.in-toto+json', annotations = {} } = changes;
  const provenance = pieceOf('{}', 'application/vnd.in-toto+json');
  const about = { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' };
  const sboms = Array.from({ length: count }, (_, index) => {
    const piece = pieceOf(changes.content ?? sbomStatement(subject, [`package-${index}`]), mediaType);
    return withAnnotations(piece, { 'in-toto.io/predicate-type': SPDX, ...annotations });
  });
  return [withAnnotations(provenance, about), ...sboms];
}

function withAnnotations({ descriptor, bytes }: Piece, annotations: Readonly<Record<string, string>>): Piece {
  return { descriptor: { ...descriptor, annotations }, bytes };
}
