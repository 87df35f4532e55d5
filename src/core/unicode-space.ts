/**
 * White space as Go's `unicode.IsSpace` sees it, which decides what BuildKit trims and where it splits. JavaScript's own
 * `trim` differs: it takes U+FEFF and leaves U+0085.
 */
const SPACES = new Set('\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000');

/** True for one character that is white space. */
export function isSpace(character: string): boolean {
  return SPACES.has(character) || (character >= '\u2000' && character <= '\u200a');
}

/** The text without leading white space. */
export function trimSpaceStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charAt(start))) start += 1;
  return text.slice(start);
}

/** The text without trailing white space. */
function trimSpaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** The text without white space around it. */
export function trimSpace(text: string): string {
  return trimSpaceEnd(trimSpaceStart(text));
}
