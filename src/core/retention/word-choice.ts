import { nearest } from '../nearest.ts';
import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';

/** One of the words that are allowed, or a problem that names them and the one that was likely meant. */
export function chooseWord<T extends string>(text: string, what: string, allowed: readonly T[]): Parsed<T> {
  const word = allowed.find((one) => one === text);
  if (word !== undefined) return parsed(word);
  return unparsable(`${quote(text)} is no ${what}: ${allowed.join(', ')} are allowed${suggestion(text, allowed)}`);
}

/** `; did you mean keep?`, or nothing. */
export function suggestion(text: string, known: readonly string[]): string {
  const near = nearest(text, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
