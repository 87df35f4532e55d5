import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseReference, type RepositoryName } from './reference.ts';

/** Parses a repository to push to, `ghcr.io/acme/app`; tags have an input of their own. */
export function parseImageName(text: string): Parsed<RepositoryName> {
  const reference = parseReference(text);
  if (!reference.ok) return reference;
  const { repository, tag, digest } = reference.value;
  if (tag === undefined && digest === undefined) return parsed(repository);
  return unparsable(
    `${quote(text)} carries a ${digest === undefined ? 'tag' : 'digest'}: a repository is allowed; tags go into the input tags`,
  );
}
