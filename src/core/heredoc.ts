import { type Parsed, parsed, unparsable } from './parsed.ts';
import { splitWords } from './shell-words.ts';

/** `<<EOF` on a line. */
export interface HeredocStart {
  /** The terminator, without quotes. For COPY and ADD also the file's name. */
  readonly name: string;
  /** False when a part of the name was quoted: variables in the body stay as they are. */
  readonly expand: boolean;
  /** `<<-`: leading tabs of the body and of the terminator are dropped. */
  readonly chomp: boolean;
}

/** A heredoc with its body. */
export interface Heredoc extends HeredocStart {
  /** Up to the terminator, with its line endings and tabs as in the file. */
  readonly content: string;
}

const UNSET = () => undefined;

/**
 * The heredocs that a logical line announces, in order (BuildKit v0.29, frontend/dockerfile/parser). None when its quotes
 * are not balanced. A problem when the name of one is malformed. The escape is always a backslash here.
 */
export function heredocsOfLine(line: string): Parsed<readonly HeredocStart[]> {
  const words = splitWords(line, UNSET, { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true });
  const heredocs: HeredocStart[] = [];
  for (const word of words.ok ? words.value : []) {
    const heredoc = parseHeredocStart(word);
    if (!heredoc.ok) return heredoc;
    if (heredoc.value !== undefined) heredocs.push(heredoc.value);
  }
  return parsed(heredocs);
}

/** `undefined` when the word announces no heredoc. */
export function parseHeredocStart(word: string): Parsed<HeredocStart | undefined> {
  if (!word.includes('<<')) return parsed(undefined);
  const [head, dash] = /^[0-9]*<<(-?)[\t\n\f\r ]*/.exec(word) ?? [];
  const rest = word.slice(head?.length ?? 0);
  if (head === undefined || rest === '' || rest.includes('<')) return parsed(undefined);
  const names = splitWords(rest, UNSET, { escape: '\\', keepUnset: true });
  if (!names.ok) return names;
  const [name, second] = names.value;
  if (name === undefined || second !== undefined) return parsed(undefined);
  const raw = splitWords(rest, UNSET, { escape: '\\', keepUnset: true, keepQuotes: true });
  if (!raw.ok) return raw;
  const [rawName, rawSecond] = raw.value;
  if (rawName === undefined || rawSecond !== undefined) return unparsable('the name of a heredoc cannot be read');
  return parsed({ name, expand: countQuotes(name) === countQuotes(rawName), chomp: dash === '-' });
}

/** The body as `<<-` leaves it: no line begins with a tab. */
export function chompTabs(content: string): string {
  return content.replace(/(^|\n)\t+/g, '$1');
}

function countQuotes(text: string): number {
  return Array.from(text).filter((character) => character === "'" || character === '"').length;
}
