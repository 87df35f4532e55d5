import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly character: string };

/** Cells of the table that a match fills, one byte each: what is larger is refused, so that no pattern can hold us up. */
const MAX_CELLS = 1 << 22;
const MAX_LENGTH = 1 << 20;

/**
 * `${value#pattern}`, and `##` for the longest: the value without the start that the pattern matches. Patterns are
 * BuildKit's (v0.29, frontend/dockerfile/shell): `*`, `?`, and `\` before `*`, `?`, `\`, `}` or `/`; no brackets; neither
 * wildcard matches a line feed. A problem for any other escape, and when pattern times value is beyond 4 million.
 */
export function trimPrefix(pattern: string, value: string, longest: boolean): Parsed<string> {
  const text = Array.from(value);
  const match = matcherOf(pattern, text, longest);
  if (!match.ok) return match;
  const end = match.value(0);
  return parsed(end === undefined ? value : text.slice(end).join(''));
}

/** `${value%pattern}`, and `%%` for the longest: as {@link trimPrefix}, from the end. */
export function trimSuffix(pattern: string, value: string, longest: boolean): Parsed<string> {
  const trimmed = trimPrefix(reversePattern(pattern), Array.from(value).reverse().join(''), longest);
  return trimmed.ok ? parsed(Array.from(trimmed.value).reverse().join('')) : trimmed;
}

/** `${value/pattern/replacement}`: the first and longest match replaced. */
export function replaceFirst(pattern: string, value: string, replacement: string): Parsed<string> {
  const text = Array.from(value);
  const match = matcherOf(pattern, text, true);
  if (!match.ok) return match;
  for (let start = 0; start <= text.length; start += 1) {
    const end = match.value(start);
    if (end !== undefined) {
      return parsed(text.slice(0, start).join('') + replacement + text.slice(end).join(''));
    }
  }
  return parsed(value);
}

/**
 * `${value//pattern/replacement}`: every match replaced, an empty one only where none ended just before. Here, and only
 * here, BuildKit reads the replacement as a template of Go's regexp: `$0` is the match, other names are empty, `$$` is `$`.
 */
export function replaceAll(pattern: string, value: string, replacement: string): Parsed<string> {
  const text = Array.from(value);
  const match = matcherOf(pattern, text, true);
  if (!match.ok) return match;
  const template = parseTemplate(replacement);
  let result = '';
  let copied = 0;
  let start = 0;
  while (start <= text.length) {
    const end = match.value(start);
    if (end === undefined) {
      start += 1;
      continue;
    }
    result += text.slice(copied, start).join('');
    if (end > copied || start === 0) result += template.join(text.slice(start, end).join(''));
    if (result.length > MAX_LENGTH) return unparsable(`the result is longer than ${MAX_LENGTH} characters`);
    copied = end;
    start = Math.max(end, start + 1);
  }
  return parsed(result + text.slice(copied).join(''));
}

/** Answers where the match that begins at a position ends, as a backtracking matcher would, in bounded time. */
function matcherOf(
  pattern: string,
  text: readonly string[],
  longest: boolean,
): Parsed<(start: number) => number | undefined> {
  const tokens = parsePattern(pattern);
  if (!tokens.ok) return tokens;
  const width = text.length + 1;
  if ((tokens.value.length + 1) * width > MAX_CELLS) {
    return unparsable(`the pattern ${quote(pattern)} is too long for a value of ${text.length} characters`);
  }
  const feasible = feasibility(tokens.value, text);
  return parsed((start) => {
    if (feasible[start] !== 1) return undefined;
    let at = start;
    for (const [index, token] of tokens.value.entries()) {
      if (token.kind !== 'star') {
        at += 1;
        continue;
      }
      const skips = () => feasible[(index + 1) * width + at] === 1;
      const takes = () => text[at] !== undefined && text[at] !== '\n' && feasible[index * width + at + 1] === 1;
      while (longest ? takes() : !skips()) at += 1;
    }
    return at;
  });
}

/** For each token and position, whether the tokens from there on can match from there on. */
function feasibility(tokens: readonly Token[], text: readonly string[]): Uint8Array {
  const width = text.length + 1;
  const feasible = new Uint8Array((tokens.length + 1) * width);
  feasible.fill(1, tokens.length * width);
  for (let index = tokens.length - 1; index >= 0; index -= 1) {
    const token = tokens[index];
    const row = index * width;
    const isStar = token?.kind === 'star';
    const wanted = token?.kind === 'exact' ? token.character : undefined;
    for (let at = text.length; at >= 0; at -= 1) {
      const character = text[at];
      const fits = wanted === undefined ? character !== undefined && character !== '\n' : character === wanted;
      if (isStar) {
        if (feasible[row + width + at] === 1 || (fits && feasible[row + at + 1] === 1)) feasible[row + at] = 1;
      } else if (fits && feasible[row + width + at + 1] === 1) {
        feasible[row + at] = 1;
      }
    }
  }
  return feasible;
}

function parsePattern(pattern: string): Parsed<readonly Token[]> {
  const tokens: Token[] = [];
  const characters = Array.from(pattern.replace(/^\ufeff/, ''));
  for (let index = 0; index < characters.length; index += 1) {
    let character = characters[index] ?? '';
    if (character === '*' || character === '?') {
      tokens.push({ kind: character === '*' ? 'star' : 'any' });
      continue;
    }
    if (character === '\\') {
      index += 1;
      character = characters[index] ?? '';
      if (character === '' || !'*?\\}/'.includes(character)) {
        return unparsable(
          `the pattern ${quote(pattern)} has the escape ${quote(`\\${character}`)}: only *, ?, \\, } and / are escaped`,
        );
      }
    }
    tokens.push({ kind: 'exact', character });
  }
  return parsed(tokens);
}

/** Back to front, with each escape left before the character that it escapes. */
function reversePattern(pattern: string): string {
  const characters = Array.from(pattern);
  const units: string[] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    const escaped = character === '\\' ? (characters[index + 1] ?? '') : '';
    units.push(character + escaped);
    if (escaped !== '') index += 1;
  }
  return units.reverse().join('');
}

/** A template of Go's regexp.Expand for an expression without groups: what stands between the places of the match. */
function parseTemplate(template: string): readonly string[] {
  const parts = [''];
  const add = (text: string) => parts.push(`${parts.pop() ?? ''}${text}`);
  let start = 0;
  for (const found of template.matchAll(/\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu)) {
    add(template.slice(start, found.index));
    if (found[0] === '$$') add('$');
    else if (/^0+$/.test(found[1] ?? found[2] ?? '')) parts.push('');
    start = found.index + found[0].length;
  }
  add(template.slice(start));
  return parts;
}
