import { formatReference } from '../core/reference.ts';
import { isRegistryError, PolicyError, type RegistryError } from '../errors.ts';
import type { Descriptor } from '../oci/types.ts';
import type { Repository } from './repository.ts';

/** The statuses with which registries refuse to set a tag that exists; those that also mean other things need words too. */
const REFUSALS: ReadonlyMap<number, 'plain' | 'unclear'> = new Map([
  [400, 'unclear'],
  [403, 'unclear'],
  [405, 'unclear'],
  [409, 'plain'],
  [412, 'plain'],
]);
/** Amazon ECR: TAG_INVALID "… cannot be overwritten because the repository is immutable"; Harbor, Quay and others are alike. */
const IMMUTABLE_WORDS = /immutab|overwrit|already[ _]?exists/i;

/**
 * Decides what it means that a registry did not set a tag. Where the tag is immutable and on this manifest already, that is
 * no failure. Where it is on another one: PolicyError IMMUTABLE_TAG, which names both. Else throws `failure` as it is.
 */
export async function settleRefusedTag(
  repository: Repository,
  { manifest, tag }: { readonly manifest: Descriptor; readonly tag: string },
  failure: unknown,
): Promise<void> {
  const kind = isRegistryError(failure) ? REFUSALS.get(failure.status ?? 0) : undefined;
  if (!isRegistryError(failure) || kind === undefined) throw failure;
  const isPlain = kind === 'plain' || speaksOfImmutability(failure);
  // A 403 without such words is about rights, whatever the tag is on.
  if (!isPlain && failure.status !== 400) throw failure;
  const held = await repository.resolve({ tag });
  if (held?.digest === manifest.digest) return;
  if (held === undefined || !isPlain) throw failure;
  const reference = formatReference({ repository: repository.name, tag, digest: undefined });
  throw new PolicyError(
    'IMMUTABLE_TAG',
    `the registry does not move ${reference}: it is on ${held.digest} and was to be on ${manifest.digest} (${failure.message})`,
    {
      cause: failure,
      hint: 'Release under a new tag, or take the tags that are to move out of the immutability rule of the registry.',
    },
  );
}

function speaksOfImmutability({ entries }: RegistryError): boolean {
  return entries.some(({ code, message }) => IMMUTABLE_WORDS.test(code) || IMMUTABLE_WORDS.test(message));
}
