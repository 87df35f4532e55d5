import { formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import { RegistryError } from '../errors.ts';
import { parseManifest } from '../oci/parse.ts';
import type { Descriptor, Index, Manifest } from '../oci/types.ts';
import type { Repository, Target } from './repository.ts';

/** An image or artifact with its parsed manifest, and the repository that it is in. */
export interface FoundImage {
  readonly descriptor: Descriptor;
  readonly manifest: Index | Manifest;
  readonly repository: RepositoryName;
}

/** What stands behind a tag or digest, in one request; `undefined` when nothing does. */
export async function fetchImage(repository: Repository, target: Target): Promise<FoundImage | undefined> {
  const content = await repository.fetch(target);
  if (content === undefined) return undefined;
  const { descriptor } = content;
  const manifest = parseManifest(await content.bytes(), descriptor.mediaType);
  if (!manifest.ok) {
    const where = `${formatRepositoryName(repository.name)}@${descriptor.digest}`;
    throw new RegistryError('MANIFEST_INVALID', `${where} is not an image: ${manifest.problem}`);
  }
  return { descriptor, manifest: manifest.value, repository: repository.name };
}
