import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';

const MAX_COUNT = 1_000_000;

/** Parses a whole number from `least` to a million, in its one spelling. */
export function parseCount(text: string, least: 0 | 1): Parsed<number> {
  const count = /^(?:0|[1-9][0-9]{0,6})$/.test(text) ? Number(text) : undefined;
  if (count !== undefined && count >= least && count <= MAX_COUNT) return parsed(count);
  return unparsable(`${quote(text)} is no number that fits: ${least} to ${MAX_COUNT} are allowed`);
}
