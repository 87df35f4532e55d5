import { digestOf } from '../../src/core/digest.ts';
import { BUNDLE_MEDIA_TYPE } from '../../src/core/signed-statement.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import type { Repository } from '../../src/registry/repository.ts';

/** Attaches what nobody can use: content of a size, which says that it is of another one. */
export async function plantBundle(
  to: Repository,
  image: Descriptor,
  { sizeBytes, saysBytes }: { readonly sizeBytes: number; readonly saysBytes: number },
): Promise<void> {
  const push = async (mediaType: string, content: string | Uint8Array) => {
    const bytes = Buffer.from(content);
    const described = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
    await to.push(described, bytes);
    return { mediaType, digest: described.digest, size: bytes.length };
  };
  const config = await push(MEDIA_TYPES.ociEmpty, '{}');
  const layer = { ...(await push(BUNDLE_MEDIA_TYPE, Buffer.alloc(sizeBytes))), size: saysBytes };
  const { mediaType, digest, sizeBytes: size } = image;
  await push(
    MEDIA_TYPES.ociManifest,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: BUNDLE_MEDIA_TYPE,
      config,
      layers: [layer],
      subject: { mediaType, digest, size },
    }),
  );
}
