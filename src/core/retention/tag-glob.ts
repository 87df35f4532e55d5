import { compileGlob } from '../go-match.ts';
import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';
import type { TagSelector } from './policy.ts';

const MAX_GLOB_LENGTH = 256;
const MAX_TAG_LENGTH = 128;
/** What may stand in a tag; the first two not at its beginning. */
const TAG_CHARACTERS = Array.from('.-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
const TOKEN = /\*+|\?|\[\^?[A-Za-z0-9._-]+\]|[A-Za-z0-9._-]/y;

/** Parses a glob for tags: `*`, `?`, `[a-z]` and `[^a-z]`. One that no tag can match is a problem. */
export function parseTagGlob(text: string): Parsed<TagSelector> {
  if (text.length > MAX_GLOB_LENGTH) return unparsable(`${quote(text)} has more than ${MAX_GLOB_LENGTH} characters`);
  const tokens: string[] = [];
  for (let at = 0; at < text.length; at += tokens.at(-1)?.length ?? 1) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return unparsable(`${quote(text)} is no tag or glob: ${whyNot(text, at)}`);
    tokens.push(token);
  }
  const impossible = whyImpossible(tokens);
  return impossible === undefined
    ? parsed({ text, match: matcherOf(tokens) })
    : unparsable(`${quote(text)} can match no tag: ${impossible}`);
}

/** True when every tag matches. */
export function isGlobOfAll(text: string): boolean {
  return /^\*+$/.test(text);
}

function whyNot(text: string, at: number): string {
  const character = text.charAt(at);
  if (character === '[') return `after "[" letters, digits, "_", "." and ranges are allowed, as in [a-z] or [^0-9]`;
  if (/\s/.test(character)) return 'a comma or "|" is missing where it has a blank';
  const allowed = 'letters, digits, "_", ".", "-", "*", "?" and "[a-z]" are allowed';
  return text === '' ? allowed : `${allowed}, ${quote(text.slice(at, at + 1))} is not`;
}

function whyImpossible(tokens: readonly string[]): string | undefined {
  const single = tokens.filter((token) => !token.startsWith('*'));
  if (single.length > MAX_TAG_LENGTH) return `a tag has ${MAX_TAG_LENGTH} characters at most`;
  for (const [index, token] of tokens.entries()) {
    const matches = token.startsWith('*') ? () => true : compileGlob(token);
    if (!TAG_CHARACTERS.some(matches)) return `nothing is in ${quote(token)}`;
    if (index === 0 && !TAG_CHARACTERS.slice(2).some(matches)) return 'no tag begins with "." or "-"';
  }
  return undefined;
}

function matcherOf(tokens: readonly string[]): TagSelector['match'] {
  const matches = compileGlob(tokens.map((token) => (token.startsWith('*') ? '*' : token)).join(''));
  const star = tokens.findIndex((token) => token.startsWith('*'));
  if (star < 0) return (tag) => (matches(tag) ? { variable: tag } : undefined);
  // Before the first star each token takes one character.
  const rest = tokens.slice(star + 1);
  const matchesRest = compileGlob(rest.map((token) => (token.startsWith('*') ? '*' : token)).join(''));
  return (tag) => {
    if (!matches(tag)) return undefined;
    let end = tag.length - rest.filter((token) => !token.startsWith('*')).length;
    while (end > star && !matchesRest(tag.slice(end))) end -= 1;
    return { variable: tag.slice(star, end) };
  };
}
