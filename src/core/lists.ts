import { type Parsed, parsed, unparsable } from './parsed.ts';

export interface ListRules {
  /** Commas separate values as line feeds do. */
  readonly commas?: boolean;
}

/**
 * Reads a list as docker's actions do: one value a line, blank lines and lines that begin with `#` left out. A value in
 * double quotes may hold commas, line feeds and doubled quotes; a quote inside a value is just a quote.
 */
export function parseList(text: string, { commas = false }: ListRules = {}): Parsed<readonly string[]> {
  const source = text.replace(/\r\n?/g, '\n');
  const values: string[] = [];
  for (let at = 0, isLineStart = true; at < source.length; ) {
    const character = source[at] ?? '';
    if (character.trim() === '') {
      isLineStart ||= character === '\n';
      at += 1;
    } else if (isLineStart && character === '#') {
      at = endOfText(source, at, false);
    } else if (character === '"') {
      const close = closingQuote(source, at);
      const end = close < 0 ? -1 : endOfText(source, close + 1, commas);
      if (end < 0 || source.slice(close + 1, end).trim() !== '') {
        return unparsable('a double quote that begins a value must be closed at its end');
      }
      values.push(source.slice(at + 1, close).replaceAll('""', '"'));
      isLineStart = source[end] === '\n';
      at = end + 1;
    } else {
      const end = endOfText(source, at, commas);
      const value = source.slice(at, end).trim();
      if (value !== '') values.push(value);
      isLineStart = source[end] === '\n';
      at = end + 1;
    }
  }
  return parsed(values);
}

/** Where the next separator stands, or the end. */
function endOfText(source: string, from: number, commas: boolean): number {
  const rest = commas ? /[^\n,]*/y : /[^\n]*/y;
  rest.lastIndex = from;
  rest.test(source);
  return rest.lastIndex;
}

/** Where the quote that was opened at `open` is closed; -1 when it is not. */
function closingQuote(source: string, open: number): number {
  for (let at = source.indexOf('"', open + 1); at >= 0; at = source.indexOf('"', at + 2)) {
    if (source[at + 1] !== '"') return at;
  }
  return -1;
}

/**
 * The text that {@link parseList} reads back as these values, whatever its rules. A carriage return does not survive: it
 * comes back as a line feed.
 */
export function formatList(values: readonly string[]): string {
  return values.map((value) => (isPlainItem(value) ? value : `"${value.replaceAll('"', '""')}"`)).join('\n');
}

function isPlainItem(value: string): boolean {
  return value !== '' && value === value.trim() && !/^["#]|[\r\n,]/.test(value);
}
