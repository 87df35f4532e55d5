import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseReference, type RepositoryName } from './reference.ts';

/** Stands for a `*` while the rest of a name is parsed: letters that no name is likely to hold. */
const STAND_IN = 'zz0wildcard0zz';

/**
 * Parses a repository, `ghcr.io/acme/app`; tags have an input of their own. After the first part of its path a `*` may stand
 * for any text: see {@link isPattern}.
 */
export function parseImageName(text: string): Parsed<RepositoryName> {
  const name = parseName(text.replaceAll('*', STAND_IN));
  if (!text.includes('*')) return name;
  const { registry, path } = name.ok ? name.value : { registry: '', path: '' };
  const [owner = '', ...rest] = path.replaceAll(STAND_IN, '*').split('/');
  if (!name.ok || registry.includes(STAND_IN) || owner.includes('*') || !rest.join('/').includes('*'))
    return unparsable(
      `${quote(text)} is no repository: ghcr.io/acme/app is allowed, and to prune several ghcr.io/acme/app-*`,
    );
  return parsed({ registry, path: [owner, ...rest].join('/') });
}

/** Whether the name stands for several repositories: only those who delete take that. */
export function isPattern({ path }: RepositoryName): boolean {
  return path.includes('*');
}

function parseName(text: string): Parsed<RepositoryName> {
  const reference = parseReference(text);
  if (!reference.ok) return reference;
  const { repository, tag, digest } = reference.value;
  if (tag === undefined && digest === undefined) return parsed(repository);
  return unparsable(
    `${quote(text)} carries a ${digest === undefined ? 'tag' : 'digest'}: a repository is allowed; tags go into the input tags`,
  );
}
