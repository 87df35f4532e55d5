import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote, toPrintable } from '../printable.ts';
import { parseUserPattern } from '../user-pattern.ts';
import { isRegexLiteral } from './piece.ts';
import type { TagSelector } from './policy.ts';
import { parseTagGlob } from './tag-glob.ts';

/** Names that mean something of their own, so that no glob is spelled like them. */
const KEYWORDS: readonly string[] = ['untagged', 'orphans', 'broken', 'limits', 'protect'];

/** Parses one glob, or one regular expression between slashes, which may match anywhere in a tag. */
export function parseTagPattern(text: string): Parsed<TagSelector> {
  if (KEYWORDS.includes(text)) {
    return unparsable(`${quote(text)} is a keyword, which stands alone: for a tag of that name write /^${text}$/`);
  }
  if (text === '') return unparsable('a tag, a glob or /a regular expression/ is missing');
  return text.startsWith('/') ? parseRegex(text) : parseTagGlob(text);
}

function parseRegex(text: string): Parsed<TagSelector> {
  if (!isRegexLiteral(text)) {
    return unparsable(`${quote(text)} is no regular expression: /…/ is allowed, with \\/ for a slash in it`);
  }
  if (text.startsWith('//'))
    return unparsable(`${quote(text)} is an empty regular expression, which every tag matches`);
  if (isUnprintable(text)) return unparsable(`${quote(text)} has characters that cannot be seen`);
  const pattern = parseUserPattern(text);
  if (!pattern.ok) return pattern;
  const match = (tag: string) => {
    const found = pattern.value.match(tag);
    return found === undefined ? undefined : { variable: found[1] ?? tag };
  };
  return parsed({ text, match });
}

/** True when a line would not show all of the text. */
export function isUnprintable(text: string): boolean {
  return /[\t\n]/.test(text) || toPrintable(text) !== text;
}
