import { parseDigest } from '../digest.ts';
import { type Located, located, misplaced } from '../located.ts';
import { quote } from '../printable.ts';
import { isTag, parseReference, type RepositoryName, sameRepository } from '../reference.ts';
import type { NamedImage } from './named-images.ts';

/**
 * A list of images that somebody needs, one a line: a reference, a tag, a digest, `TAG@DIGEST`; `#` begins a comment. A tag
 * alone counts in every repository, a reference without tag and digest is `latest`. A line that is none of them is a problem.
 */
export function parseReferenceList(text: string, repository: RepositoryName): Located<readonly NamedImage[]> {
  const images: NamedImage[] = [];
  for (const [index, written] of text.split(/\r\n?|\n/).entries()) {
    const entry = written
      .replace(/(?:^|\s)#[^]*/, '')
      .replace(/^\ufeff/, '')
      .trim();
    if (entry === '') continue;
    const line = index + 1;
    const image = readEntry(entry, line, repository);
    if (image === 'malformed')
      return misplaced(`${quote(entry)} is no image: a reference, a tag or a digest is allowed, one a line`, line);
    if (image !== 'other') images.push(image);
  }
  return located(images);
}

function readEntry(entry: string, line: number, repository: RepositoryName): NamedImage | 'other' | 'malformed' {
  const [name = '', digestText, rest] = entry.split('@');
  const digest = parseDigest(digestText ?? entry);
  if (digestText === undefined && digest !== undefined) return { tag: undefined, digest, line };
  if (rest === undefined && isTag(name) && (digestText === undefined || digest !== undefined))
    return { tag: name, digest, line };
  const reference = parseReference(entry);
  if (!reference.ok) return 'malformed';
  const { value } = reference;
  if (!sameRepository(value.repository, repository)) return 'other';
  return { tag: value.tag ?? (value.digest === undefined ? 'latest' : undefined), digest: value.digest, line };
}
