import type { Digest } from '../core/digest.ts';
import type { ManifestFacts, Unreadable } from '../core/retention/inventory.ts';
import { parseManifestFacts, unreadable } from '../core/retention/manifest-facts.ts';
import { isRegistryError } from '../errors.ts';
import { MAX_MANIFEST_BYTES } from '../oci/parse.ts';
import type { Repository } from '../registry/repository.ts';

/**
 * What a manifest in a registry says, its bytes compared with the digest. Whatever keeps it from being read is answered, after
 * the repetitions that the registry's transport makes; only an interruption is thrown.
 */
export async function readManifest(
  repository: Pick<Repository, 'fetch'>,
  digest: Digest,
): Promise<ManifestFacts | Unreadable> {
  try {
    const content = await repository.fetch({ digest });
    if (content === undefined) return unreadable('the registry does not have it');
    return parseManifestFacts(await content.bytes(MAX_MANIFEST_BYTES), content.descriptor.mediaType);
  } catch (error) {
    if (isRegistryError(error) && error.code !== 'ABORTED') return unreadable(error.message);
    throw error;
  }
}
