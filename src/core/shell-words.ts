import { type Allowance, fullAllowance, spend } from './allowance.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { replaceAll, replaceFirst, trimPrefix, trimSuffix } from './shell-pattern.ts';
import { isSpace } from './unicode-space.ts';

/** The value of a variable; `undefined` when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** What a Dockerfile escapes with: `\`, or a backtick after `# escape=`. */
export type EscapeCharacter = '\\' | '`';

/** How {@link splitWords} departs from an expansion. */
export interface Splitting {
  readonly escape: EscapeCharacter;
  /** Quotes stay in the words. */
  readonly keepQuotes?: boolean;
  /** Escape characters stay in the words. */
  readonly keepEscapes?: boolean;
  /** Variables that are not set stay as they are written. */
  readonly keepUnset?: boolean;
  readonly allowance?: Allowance;
}

/** Deeper nesting and longer results are refused: both come from hostile files only. */
const MAX_DEPTH = 200;
const MAX_LENGTH = 1 << 20;
/** So many comparisons of a pattern with a character count as one character. */
const COMPARISONS = 4;
/** What a word must hold to expand to anything but itself. */
const EXPANDABLE = /[$'"\\`]|^\ufeff/;

/**
 * The word with its variables expanded and its quotes and escapes removed, blanks left as they are. The forms are
 * `$V ${V} ${V:-w} ${V-w} ${V:+w} ${V+w} ${V:?w} ${V?w} ${V#p} ${V##p} ${V%p} ${V%%p} ${V/p/r} ${V//p/r}`, nested; the
 * rules BuildKit's (v0.29, frontend/dockerfile/shell). A variable that is not set is empty. A problem, too, when the
 * allowance does not last.
 */
export function expandWord(
  word: string,
  lookup: Lookup,
  escape: EscapeCharacter,
  allowance: Allowance = fullAllowance(),
): Parsed<string> {
  if (!EXPANDABLE.test(word)) return parsed(word);
  const expanded = run(word, lookup, { escape, allowance, whole: true });
  return expanded.ok ? parsed(expanded.value.text) : expanded;
}

/** The body of a heredoc with its variables expanded: as {@link expandWord}, but quotes mean nothing and `\\` escapes. */
export function expandBody(body: string, lookup: Lookup, allowance: Allowance): Parsed<string> {
  if (!/[$\\]|^\ufeff/.test(body)) return parsed(body);
  const expanded = run(body, lookup, { escape: '\\', allowance, whole: true, plainQuotes: true });
  return expanded.ok ? parsed(expanded.value.text) : expanded;
}

/** As {@link expandWord}, split at blanks that are neither quoted nor escaped; empty words are dropped. */
export function splitWords(text: string, lookup: Lookup, splitting: Splitting): Parsed<readonly string[]> {
  const expanded = run(text, lookup, { allowance: fullAllowance(), ...splitting });
  return expanded.ok ? parsed(expanded.value.words) : expanded;
}

interface Reading extends Splitting {
  readonly allowance: Allowance;
  /** Nobody asks for the words. */
  readonly whole?: boolean;
  /** Quotes are characters as all others. */
  readonly plainQuotes?: boolean;
}

interface Expansion {
  readonly text: string;
  readonly words: readonly string[];
}

/** Thrown and caught in this file only. */
class Unexpandable extends Error {}

function run(source: string, lookup: Lookup, splitting: Reading): Parsed<Expansion> {
  try {
    return parsed(new Expander(source, lookup, splitting).expand());
  } catch (error) {
    if (error instanceof Unexpandable) return unparsable(`${quote(source)} cannot be expanded: ${error.message}`);
    throw error;
  }
}

/** One pass over one text. */
class Expander {
  readonly #characters: readonly string[];
  readonly #lookup: Lookup;
  readonly #splitting: Reading;
  #position = 0;
  #depth = 0;
  #keepEscapes: boolean;
  /** The word being built. One for all levels, so that `${V:-w}` in the middle of a word drops what came before it: BuildKit's own quirk. */
  #word = '';

  constructor(source: string, lookup: Lookup, splitting: Reading) {
    this.#characters = Array.from(source.replace(/^\ufeff/, ''));
    this.#lookup = lookup;
    this.#splitting = splitting;
    this.#keepEscapes = splitting.keepEscapes ?? false;
  }

  expand(): Expansion {
    return this.#readUntil(undefined, this.#keepEscapes);
  }

  #peek(): string | undefined {
    return this.#characters[this.#position];
  }

  #next(): string | undefined {
    const character = this.#characters[this.#position];
    this.#position += 1;
    return character;
  }

  /** Reads up to `stop` and over it; to the end when `stop` is undefined. */
  #readUntil(stop: string | undefined, keepEscapes: boolean): Expansion {
    if (this.#depth >= MAX_DEPTH) throw new Unexpandable(`it nests deeper than ${MAX_DEPTH} levels`);
    const outerKeepEscapes = this.#keepEscapes;
    this.#keepEscapes = keepEscapes;
    this.#depth += 1;
    this.#word = '';
    const words: string[] = [];
    let text = '';
    let inWord = false;
    const limit = MAX_LENGTH + this.#characters.length;
    const isWhole = this.#splitting.whole === true;
    const addRaw = (raw: string) => {
      if (isWhole) return;
      this.#word += raw;
      inWord = true;
    };
    const addSplit = (raw: string) => {
      if (isWhole) return;
      for (const character of raw) {
        if (!isSpace(character)) addRaw(character);
        else if (inWord && this.#word !== '') {
          words.push(this.#word);
          this.#word = '';
          inWord = false;
        }
      }
    };
    for (;;) {
      const character = this.#peek();
      if (character === undefined || character === stop) break;
      const special = this.#readSpecial(character);
      if (special !== undefined) {
        if (character === '$') addSplit(special);
        else addRaw(special);
        text += special;
      } else if (character === this.#splitting.escape) {
        const escaped = this.#readEscaped();
        addRaw(escaped);
        text += escaped;
      } else {
        this.#position += 1;
        addSplit(character);
        text += character;
      }
      if (text.length > limit) throw new Unexpandable(`the result is longer than ${limit} characters`);
    }
    if (this.#next() !== stop) throw new Unexpandable(`${quote(stop ?? '')} is missing`);
    if (this.#word !== '') words.push(this.#word);
    this.#word = '';
    this.#depth -= 1;
    this.#keepEscapes = outerKeepEscapes;
    return { text, words };
  }

  #readSpecial(character: string): string | undefined {
    if (this.#splitting.plainQuotes === true && (character === "'" || character === '"')) return undefined;
    switch (character) {
      case '$':
        return this.#readVariable();
      case "'":
        return this.#readSingleQuoted();
      case '"':
        return this.#readDoubleQuoted();
      case '<':
        return this.#readAngle();
      default:
        return undefined;
    }
  }

  /** An escape at the very end stands for nothing. */
  #readEscaped(): string {
    const escape = this.#next() ?? '';
    return (this.#keepEscapes ? escape : '') + (this.#next() ?? '');
  }

  #readSingleQuoted(): string {
    const end = this.#characters.indexOf("'", this.#position + 1);
    if (end < 0) throw new Unexpandable('a single quote is not closed');
    const inner = this.#characters.slice(this.#position + 1, end).join('');
    this.#position = end + 1;
    return this.#splitting.keepQuotes ? `'${inner}'` : inner;
  }

  #readDoubleQuoted(): string {
    this.#position += 1;
    let text = '';
    for (;;) {
      const character = this.#peek();
      if (character === undefined) throw new Unexpandable('a double quote is not closed');
      if (character === '$') {
        text += this.#readVariable();
        continue;
      }
      this.#position += 1;
      if (character === '"') return this.#splitting.keepQuotes ? `"${text}"` : text;
      text += character === this.#splitting.escape ? this.#escapedInQuotes(character) : character;
    }
  }

  /** Inside double quotes only `"`, `$` and the escape itself are escaped; before others the escape is kept. */
  #escapedInQuotes(escape: string): string {
    const kept = this.#keepEscapes ? escape : '';
    const next = this.#peek();
    if (next === undefined) return kept;
    if (next !== '"' && next !== '$' && next !== escape) return kept + escape;
    this.#position += 1;
    return kept + next;
  }

  /** `<<` and the blanks after it are one piece, so that `<< EOF` stays one word. */
  #readAngle(): string {
    this.#position += 1;
    if (this.#peek() !== '<') return '<';
    let text = '<<';
    this.#position += 1;
    while (['\t', '\r', ' '].includes(this.#peek() ?? '')) text += this.#next() ?? '';
    return text;
  }

  #readVariable(): string {
    this.#position += 1;
    if (this.#peek() !== '{') {
      const name = this.#readName();
      if (name === '') return '$';
      return this.#valueOf(name) ?? (this.#splitting.keepUnset ? `$${name}` : '');
    }
    this.#position += 1;
    const first = this.#peek();
    if (first === undefined) throw new Unexpandable('"}" is missing');
    if ('{}:'.includes(first)) throw new Unexpandable(`"\${${first}" names no variable`);
    const name = this.#readName();
    const operator = this.#next();
    if (operator === '}') return this.#valueOf(name) ?? (this.#splitting.keepUnset ? `\${${name}}` : '');
    if (operator === undefined) throw new Unexpandable('"}" is missing');
    if (operator === '/') return this.#readReplacement(name);
    if (operator === ':') return this.#readModified(name, `:${this.#next() ?? ''}`);
    return this.#readModified(name, operator);
  }

  #valueOf(name: string): string | undefined {
    const value = this.#lookup(name);
    this.#spend(value?.length ?? 0);
    return value;
  }

  #spend(characters: number): void {
    const problem = spend(this.#splitting.allowance, characters);
    if (problem !== undefined) throw new Unexpandable(problem);
  }

  /** A number, one special parameter, or letters, digits and `_`. */
  #readName(): string {
    const first = this.#peek() ?? '';
    if (/^\p{Nd}$/u.test(first)) return this.#readWhile(/^\p{Nd}$/u);
    if (first !== '' && '@*#?-$!'.includes(first)) return this.#next() ?? '';
    return this.#readWhile(/^[\p{L}\p{Nd}_]$/u);
  }

  #readWhile(wanted: RegExp): string {
    const start = this.#position;
    while (wanted.test(this.#peek() ?? '')) this.#position += 1;
    return this.#characters.slice(start, this.#position).join('');
  }

  #readModified(name: string, operator: string): string {
    const kind = operator.replace(/^:/, '');
    if (!(operator.startsWith(':') ? ['-', '+', '?'] : ['-', '+', '?', '#', '%']).includes(kind)) {
      throw new Unexpandable(`${quote(operator)} is not an operator: :- - :+ + :? ? # ## % %% / // are`);
    }
    const pattern = kind === '#' || kind === '%';
    const word = this.#readUntil('}', pattern).text;
    const value = this.#valueOf(name);
    if (value === undefined && this.#splitting.keepUnset) return `\${${name}${operator}${word}}`;
    if (pattern) return this.#trim(value ?? '', kind, word);
    const usable = value !== undefined && (value !== '' || operator === kind) ? value : undefined;
    if (kind === '-') return usable ?? word;
    if (kind === '+') return usable === undefined ? '' : word;
    if (usable === undefined) throw new Unexpandable(`${name}: ${word === '' ? 'a value is required' : quote(word)}`);
    return usable;
  }

  #trim(value: string, kind: string, word: string): string {
    this.#spend((value.length * word.length) / COMPARISONS);
    const longest = word.startsWith(kind);
    const pattern = longest ? word.slice(1) : word;
    return required(kind === '%' ? trimSuffix(pattern, value, longest) : trimPrefix(pattern, value, longest));
  }

  #readReplacement(name: string): string {
    const all = this.#peek() === '/';
    if (all) this.#position += 1;
    const pattern = this.#readUntil('/', true).text;
    const replacement = this.#readUntil('}', true).text;
    const value = this.#valueOf(name);
    if (value === undefined && this.#splitting.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    this.#spend(((value?.length ?? 0) * pattern.length) / COMPARISONS);
    return required((all ? replaceAll : replaceFirst)(pattern, value ?? '', replacement));
  }
}

function required(result: Parsed<string>): string {
  if (result.ok) return result.value;
  throw new Unexpandable(result.problem);
}
