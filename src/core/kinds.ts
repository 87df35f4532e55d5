import { parseList } from './lists.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** How an option's text becomes a value. `undefined` text never reaches it: the default stands in. */
export type Parse<T> = (text: string) => Parsed<T>;

/** How many bad items of one list are named. */
const MAX_NAMED = 10;

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Any text; blanks around it are dropped. Empty is `undefined`. */
export const optionalText: Parse<string | undefined> = (text) => parsed(text.trim() === '' ? undefined : text.trim());

/** Text kept to the letter, as passwords must be. Empty is `undefined`. */
export const secretText: Parse<string | undefined> = (text) => parsed(text === '' ? undefined : text);

/** `true` or `false`, in the spellings of YAML 1.2 as the runner's own toolkit takes them. */
export const flag: Parse<boolean> = (text) => {
  if (/^(?:true|True|TRUE)$/.test(text.trim())) return parsed(true);
  if (/^(?:false|False|FALSE)$/.test(text.trim())) return parsed(false);
  return unparsable(`${quote(text)} is neither true nor false`);
};

/** One of these words. */
export function choice<const Word extends string>(...words: readonly Word[]): Parse<Word> {
  return (text) => {
    const word = words.find((known) => known === text.trim());
    if (word !== undefined) return parsed(word);
    const near = nearest(text.trim(), words);
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    return unparsable(`${quote(text)} is not allowed: ${words.join(', ')} are${hint}`);
  };
}

/** As `parse`, and empty is `undefined`. */
export function optional<T>(parse: Parse<T>): Parse<T | undefined> {
  return (text) => (text.trim() === '' ? parsed(undefined) : parse(text));
}

/** `90s`, `15m`, `12h`, `30d`, `2w` in milliseconds. Empty is `undefined`. */
export const duration: Parse<number | undefined> = (text) => {
  if (text.trim() === '') return parsed(undefined);
  const [, count = '', unit = ''] = /^([0-9]{1,6})([smhdw])$/.exec(text.trim()) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs === undefined || Number(count) === 0) {
    return unparsable(
      `${quote(text)} is not a duration: a whole number above 0 and s, m, h, d or w is allowed, as in 30d`,
    );
  }
  return parsed(Number(count) * unitMs);
};

/** A list; every bad item is named, up to ten. `commas`: they separate values as line feeds do. */
export function listOf<T>(item: Parse<T>, rules: { readonly commas?: boolean } = {}): Parse<readonly T[]> {
  return (text) => {
    const texts = parseList(text, rules);
    if (!texts.ok) return texts;
    const values: T[] = [];
    const problems: string[] = [];
    for (const one of texts.value) {
      const result = item(one);
      if (result.ok) values.push(result.value);
      else problems.push(result.problem);
    }
    const more = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : '';
    return problems.length === 0 ? parsed(values) : unparsable(problems.slice(0, MAX_NAMED).join('; ') + more);
  };
}

/** A list item that is any text. */
export const anyText: Parse<string> = (text) => parsed(text);

/** `KEY=VALUE`; `KEY` alone where `bare` says that it means something. */
export function assignment(what: string, rules: { readonly bare?: boolean } = {}): Parse<string> {
  return (text) => {
    const key = text.split('=', 1)[0] ?? '';
    const bareKey = rules.bare === true && !text.includes('=');
    if (key.trim() !== '' && (bareKey || text.includes('=')) && !text.includes('\0')) return parsed(text);
    return unparsable(`${quote(key)} is no ${what}: KEY=VALUE is allowed`);
  };
}
