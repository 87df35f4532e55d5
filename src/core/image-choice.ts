import { type Digest, parseDigest } from './digest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { isLocalName, isTag, parseReference, type RepositoryName } from './reference.ts';

/** An image in a registry that a person has named. */
export interface ImageChoice {
  /** `undefined`: the first of the run's own images. */
  readonly repository: RepositoryName | undefined;
  readonly target: { readonly tag: string } | { readonly digest: Digest };
}

/** Parses a tag or a digest of the run's own image, or `repository:tag`, `repository@digest`, where the digest decides. */
export function parseImageChoice(text: string): Parsed<ImageChoice> {
  const digest = parseDigest(text);
  if (digest !== undefined) return parsed({ repository: undefined, target: { digest } });
  if (isTag(text)) return parsed({ repository: undefined, target: { tag: text } });
  const reference = parseReference(text);
  if (!reference.ok) return reference;
  const { repository, tag } = reference.value;
  if (isLocalName(repository))
    return unparsable(`${quote(text)} names no registry, and only images in registries can be named here`);
  if (reference.value.digest !== undefined) return parsed({ repository, target: { digest: reference.value.digest } });
  if (tag !== undefined) return parsed({ repository, target: { tag } });
  return unparsable(
    `${quote(text)} names no image: a tag, REPOSITORY:TAG or REPOSITORY@sha256:… is allowed; --context names a directory`,
  );
}
