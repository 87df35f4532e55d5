import { type Parsed, parsed, unparsable } from './parsed.ts';

export interface ListRules {
  /** Commas separate values as line feeds do. */
  readonly commas?: boolean;
}

/**
 * Reads a list as docker's actions do: one value a line, blank lines and lines that begin with `#` left out. A value in
 * double quotes may hold commas, line feeds and doubled quotes; a quote inside a value is just a quote.
 */
export function parseList(text: string, rules: ListRules = {}): Parsed<readonly string[]> {
  const values: string[] = [];
  const separators = rules.commas === true ? /[\n,]/ : /\n/;
  for (let rest = text.replace(/\r\n?/g, '\n'); rest !== ''; ) {
    const start = rest.search(/[^\s]/);
    if (start < 0) break;
    rest = rest.slice(start);
    if (rest.startsWith('#')) {
      rest = afterFirst(rest, /\n/);
    } else if (rest.startsWith('"')) {
      const quoted = /^"((?:[^"]|"")*)"[^\S\n]*(?:[\n,]|$)/.exec(rest);
      if (quoted?.[1] === undefined) return unparsable('a double quote that begins a value is never closed');
      values.push(quoted[1].replaceAll('""', '"'));
      rest = rest.slice(quoted[0].length);
    } else {
      const end = rest.search(separators);
      const value = (end < 0 ? rest : rest.slice(0, end)).trim();
      if (value !== '') values.push(value);
      rest = end < 0 ? '' : rest.slice(end + 1);
    }
  }
  return parsed(values);
}

function afterFirst(text: string, pattern: RegExp): string {
  const at = text.search(pattern);
  return at < 0 ? '' : text.slice(at + 1);
}
