import { type Before, compileLinearRegExp, isWordCharacter, type LinearRegExp, type Step } from './linear-regexp.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

type Accepts = (codePoint: number) => boolean;

/** The expression that BuildKit's ignore patterns write for `**` before more. */
const DIRECTORIES = '(.*/)?';

const isDigit: Accepts = (c) => c >= 48 && c <= 57;
const isLower: Accepts = (c) => c >= 97 && c <= 122;
const isUpper: Accepts = (c) => c >= 65 && c <= 90;
const isGraph: Accepts = (c) => c > 32 && c < 127;
const isBlank: Accepts = (c) => c === 9 || c === 32;
const isStart = (previous: Before) => previous === 'start';
const isEnd = (_: Before, next: number | undefined) => next === undefined;
const isWordBoundary = (previous: Before, next: number | undefined) => (previous === 'word') !== isWordCharacter(next);
const isAlphanumeric: Accepts = (c) => isDigit(c) || isLower(c) || isUpper(c);

const NAMED_CLASSES: ReadonlyMap<string, Accepts> = new Map<string, Accepts>([
  ['alnum', isAlphanumeric],
  ['alpha', (c) => isLower(c) || isUpper(c)],
  ['ascii', (c) => c < 128],
  ['blank', isBlank],
  ['cntrl', (c) => c < 32 || c === 127],
  ['digit', isDigit],
  ['graph', isGraph],
  ['lower', isLower],
  ['print', (c) => isGraph(c) || c === 32],
  ['punct', (c) => isGraph(c) && !isAlphanumeric(c)],
  ['space', (c) => isBlank(c) || (c >= 10 && c <= 13)],
  ['upper', isUpper],
  ['word', isWordCharacter],
  ['xdigit', (c) => isDigit(c) || (c >= 97 && c <= 102) || (c >= 65 && c <= 70)],
]);
const PERL_CLASSES: ReadonlyMap<string, Accepts> = new Map<string, Accepts>([
  ['d', isDigit],
  ['s', (c) => isBlank(c) || c === 10 || c === 12 || c === 13],
  ['w', isWordCharacter],
]);
const ASSERTIONS: ReadonlyMap<string, (previous: Before, next: number | undefined) => boolean> = new Map([
  ['^', isStart],
  ['\\A', isStart],
  ['$', isEnd],
  ['\\z', isEnd],
  ['\\b', isWordBoundary],
  ['\\B', (previous: Before, next: number | undefined) => !isWordBoundary(previous, next)],
]);
const CONTROL_ESCAPES: ReadonlyMap<string, number> = new Map(
  Object.entries({ a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }),
);

/** Steps after which an expression is refused; only repetition counts get there. */
const MAX_STEPS = 1 << 20;

/**
 * Compiles that part of Go's regular expressions (regexp/syntax, Go 1.26) which the translation of an ignore pattern can
 * contain: literals, every escape, `\Q…\E`, classes, `.`, `*` after one character, `{n,m}`, `(.*\/)?`, `^`, `$` and `|`
 * between whole expressions. A problem where Go refuses the expression.
 */
export function compileGoRegExp(source: string): Parsed<LinearRegExp> {
  try {
    const alternatives = new Reader(source).readAll().map(compileLinearRegExp);
    return parsed({
      test: (text) => alternatives.some((one) => one.test(text)),
      mayContinue: (prefix) => alternatives.some((one) => one.mayContinue(prefix)),
    });
  } catch (error) {
    if (error instanceof Refused) return unparsable(error.message);
    throw error;
  }
}

/** Thrown and caught in this file only. */
class Refused extends Error {}

class Reader {
  readonly #characters: readonly string[];
  /** The index of the last `:]`: a class may only have a name before it. */
  readonly #lastNameEnd: number;
  #position = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
    this.#lastNameEnd = this.#characters.findLastIndex((_, index) => this.#isNameEnd(index));
  }

  #isNameEnd(index: number): boolean {
    return this.#characters[index] === ':' && this.#characters[index + 1] === ']';
  }

  /** The alternatives, each a sequence. */
  readAll(): readonly (readonly Step[])[] {
    const alternatives: Step[][] = [];
    let steps: Step[] = [];
    let repeated = false;
    while (this.#position < this.#characters.length) {
      const bounds = this.#readBounds();
      const last = steps.at(-1);
      if (bounds !== undefined) {
        if (last === undefined || repeated) throw new Refused('there is nothing to repeat');
        steps.pop();
        steps.push(...repeat(last, bounds));
        repeated = true;
        if (steps.length > MAX_STEPS) throw new Refused('it is too long');
      } else if (this.#skip('|')) {
        alternatives.push(steps);
        steps = [];
        repeated = false;
      } else {
        const read = this.#readSteps();
        steps.push(...read);
        repeated = read.at(-1)?.kind === 'many' || read.at(-1)?.kind === 'directories';
      }
    }
    return [...alternatives, steps];
  }

  #readSteps(): readonly Step[] {
    if (this.#skip(DIRECTORIES)) return [{ kind: 'directories' }];
    return this.#skip('\\Q') ? this.#readQuoted() : [this.#readStep()];
  }

  /** `{2}`, `{2,}` or `{2,3}`; anything else that begins with a brace is plain text. */
  #readBounds(): Bounds | undefined {
    const start = this.#position;
    if (!this.#skip('{')) return undefined;
    const min = this.#readCount();
    const isRange = this.#skip(',');
    const max = isRange ? this.#readCount() : min;
    if (min === undefined || (isRange && max === undefined && this.#peek() !== '}') || !this.#skip('}')) {
      this.#position = start;
      return undefined;
    }
    if (min > 1000 || (max !== undefined && (max > 1000 || max < min)))
      throw new Refused('a repetition is out of range');
    return { min, max };
  }

  /** Without leading zeros. */
  #readCount(): number | undefined {
    const start = this.#position;
    while (isDigit(codePointOf(this.#peek()))) this.#position += 1;
    const digits = this.#characters.slice(start, this.#position).join('');
    return digits === '' || /^0./.test(digits) ? undefined : Number(digits);
  }

  #peek(offset = 0): string {
    return this.#characters[this.#position + offset] ?? '';
  }

  #skip(text: string): boolean {
    for (let index = 0; index < text.length; index += 1) {
      if (this.#peek(index) !== text.charAt(index)) return false;
    }
    this.#position += text.length;
    return true;
  }

  #next(): string {
    const character = this.#characters[this.#position];
    if (character === undefined) throw new Refused('it ends too early');
    this.#position += 1;
    return character;
  }

  #readQuoted(): readonly Step[] {
    const steps: Step[] = [];
    while (this.#position < this.#characters.length && !this.#skip('\\E')) steps.push(one(equals(this.#next())));
    return steps;
  }

  #readStep(): Step {
    const assertion = this.#readAssertion();
    if (assertion !== undefined) return { kind: 'assert', holds: assertion };
    const accepts = this.#readAtom();
    return this.#skip('*') ? { kind: 'many', accepts } : one(accepts);
  }

  #readAssertion(): ((previous: Before, next: number | undefined) => boolean) | undefined {
    const escaped = this.#peek() === '\\';
    const holds = ASSERTIONS.get(escaped ? `\\${this.#peek(1)}` : this.#peek());
    if (holds !== undefined) this.#position += escaped ? 2 : 1;
    return holds;
  }

  #readAtom(): Accepts {
    if (this.#skip('[')) return this.#readClass();
    if (this.#skip('.')) return (c) => c !== 10;
    if (this.#peek() !== '\\') return equals(this.#next());
    return this.#readClassEscape() ?? equals(this.#readEscape());
  }

  /** `\d`, `\W`, `\pL` … */
  #readClassEscape(): Accepts | undefined {
    if (this.#peek() !== '\\') return undefined;
    const letter = this.#peek(1);
    const perl = PERL_CLASSES.get(letter.toLowerCase());
    if (perl !== undefined) {
      this.#position += 2;
      return letter === letter.toLowerCase() ? perl : not(perl);
    }
    if (letter.toLowerCase() !== 'p') return undefined;
    this.#position += 2;
    const category = this.#next().toUpperCase();
    if (!'CLMNPSZ'.includes(category))
      throw new Refused(`${quote(`\\${letter}${category}`)} is no class of characters`);
    const member = new RegExp(`\\p{${category}}`, 'u');
    const accepts: Accepts = (c) => member.test(String.fromCodePoint(c));
    return letter === 'p' ? accepts : not(accepts);
  }

  #readEscape(): string {
    this.#position += 1;
    const letter = this.#next();
    const control = CONTROL_ESCAPES.get(letter);
    if (control !== undefined) return String.fromCodePoint(control);
    if (/^[0-7]$/.test(letter)) {
      const digits = /^[0-7]{0,2}/.exec(this.#peek() + this.#peek(1))?.[0] ?? '';
      if (letter !== '0' && digits === '') throw new Refused(`${quote(`\\${letter}`)} is not an escape`);
      this.#position += digits.length;
      return String.fromCodePoint(Number.parseInt(letter + digits, 8));
    }
    if (letter === 'x' && /^[0-9A-Fa-f]{2}$/.test(this.#peek() + this.#peek(1))) {
      return String.fromCodePoint(Number.parseInt(this.#next() + this.#next(), 16));
    }
    if (letter > '\u007f' || /^[0-9A-Za-z]$/.test(letter))
      throw new Refused(`${quote(`\\${letter}`)} is not an escape`);
    return letter;
  }

  /** After the `[`. */
  #readClass(): Accepts {
    const negated = this.#skip('^');
    const members: Accepts[] = [];
    for (let first = true; first || !this.#skip(']'); first = false) {
      members.push(this.#readNamedClass() ?? this.#readClassEscape() ?? this.#readRange());
    }
    const accepts: Accepts = (c) => members.some((member) => member(c));
    return negated ? not(accepts) : accepts;
  }

  /** `[:alpha:]`, inside a class. */
  #readNamedClass(): Accepts | undefined {
    const start = this.#position + 2;
    if (this.#peek() !== '[' || this.#peek(1) !== ':' || start > this.#lastNameEnd) return undefined;
    let end = start;
    while (!this.#isNameEnd(end)) end += 1;
    const name = this.#characters.slice(start, end).join('');
    const accepts = NAMED_CLASSES.get(name.replace(/^\^/, ''));
    if (accepts === undefined) throw new Refused(`${quote(`[:${name}:]`)} is no class of characters`);
    this.#position = end + 2;
    return name.startsWith('^') ? not(accepts) : accepts;
  }

  #readRange(): Accepts {
    const low = this.#readClassCharacter();
    if (this.#peek() !== '-' || this.#peek(1) === '' || this.#peek(1) === ']') return (c) => c === low;
    this.#position += 1;
    const high = this.#readClassCharacter();
    if (high < low) throw new Refused('a range of characters runs backwards');
    return (c) => c >= low && c <= high;
  }

  #readClassCharacter(): number {
    return codePointOf(this.#peek() === '\\' ? this.#readEscape() : this.#next());
  }
}

interface Bounds {
  readonly min: number;
  /** `undefined`: without limit. */
  readonly max: number | undefined;
}

function repeat(step: Step, { min, max }: Bounds): readonly Step[] {
  if (step.kind === 'assert') return min === 0 ? [] : [step];
  if (step.kind !== 'one') return max === 0 ? [] : [step];
  const required = Array.from({ length: min }, () => step);
  if (max === undefined) return [...required, { kind: 'many', accepts: step.accepts }];
  return [...required, ...Array.from({ length: max - min }, () => ({ kind: 'maybe', accepts: step.accepts }) as const)];
}

function one(accepts: Accepts): Step {
  return { kind: 'one', accepts };
}

function equals(character: string): Accepts {
  const codePoint = codePointOf(character);
  return (c) => c === codePoint;
}

function not(accepts: Accepts): Accepts {
  return (c) => !accepts(c);
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
