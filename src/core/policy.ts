import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** A tag that must not be pushed, and the rule that says so. */
export interface ForbiddenTag {
  readonly tag: string;
  readonly pattern: string;
}

/** Parses one entry of `forbid-tags`: a tag's exact name, or a pattern in which `*` is any text, also none. */
export function parseTagPattern(text: string): Parsed<string> {
  if (/^[A-Za-z0-9._*-]{1,128}$/.test(text)) return parsed(text);
  return unparsable(`${quote(text)} can match no tag: letters, digits, "_", ".", "-" and "*" for any text are allowed`);
}

/** The tags that one of the patterns forbids, in the tags' order, each with the first pattern that does. */
export function findForbiddenTags(tags: readonly string[], patterns: readonly string[]): readonly ForbiddenTag[] {
  return tags.flatMap((tag) => {
    const pattern = patterns.find((one) => matchesTagPattern(tag, one));
    return pattern === undefined ? [] : [{ tag, pattern }];
  });
}

/** True when the whole tag is what the pattern says. Every piece is looked for once, from left to right. */
export function matchesTagPattern(tag: string, pattern: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return tag === head;
  if (tag.length < head.length + tail.length || !tag.startsWith(head) || !tag.endsWith(tail)) return false;
  let at = head.length;
  for (const piece of rest) {
    const found = tag.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= tag.length - tail.length;
}

/** A tag as a policy sees it: who asked for it decides what a refusal means. */
interface RequestedTag {
  readonly tag: string;
  /** It comes from a default, not from what the user wrote. */
  readonly implicit: boolean;
}

/** What is left when the forbidden tags are taken out. */
export interface TagPolicy<T extends RequestedTag> {
  readonly allowed: readonly T[];
  /** Tags that the user wrote and forbids at once: a mistake to mend. */
  readonly problems: readonly { readonly input: string; readonly message: string }[];
  /** Tags that only a default would have made: they are left out, and this is said. */
  readonly notices: readonly string[];
}

/**
 * Applies `forbid-tags`. A forbidden tag that the user's own rules make is a problem; one that comes from a default (the
 * version set, `latest=auto`) is left out with a notice, so that `forbid-tags: latest` alone does what it says.
 */
export function applyTagPolicy<T extends RequestedTag>(tags: readonly T[], patterns: readonly string[]): TagPolicy<T> {
  const patternOf = new Map(
    findForbiddenTags(
      tags.map(({ tag }) => tag),
      patterns,
    ).map((one) => [one.tag, one.pattern]),
  );
  const refused = tags.filter(({ tag }) => patternOf.has(tag));
  return {
    allowed: tags.filter(({ tag }) => !patternOf.has(tag)),
    problems: refused
      .filter(({ implicit }) => !implicit)
      .map(({ tag }) => ({
        input: 'tags',
        message: `the tag ${quote(tag)} is forbidden by ${quote(patternOf.get(tag) ?? '')} in forbid-tags`,
      })),
    notices: refused
      .filter(({ implicit }) => implicit)
      .map(({ tag }) => `${tag} is left out: forbid-tags has ${quote(patternOf.get(tag) ?? '')}`),
  };
}
