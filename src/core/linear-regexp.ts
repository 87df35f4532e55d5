/**
 * One step of an expression that is a plain sequence. `many` takes any number of characters, `maybe` one or none;
 * `directories` is `(.*\/)?`; `assert` looks at the characters around a place, `undefined` at the end.
 */
export type Step =
  | { readonly kind: 'one' | 'maybe' | 'many'; readonly accepts: (codePoint: number) => boolean }
  | { readonly kind: 'directories' }
  | { readonly kind: 'assert'; readonly holds: (previous: Before, next: number | undefined) => boolean };

/** What stands before a place in the text. */
export type Before = 'start' | 'word' | 'other';

/** A compiled expression. Without an `assert` of the start, it may match anywhere in the text. */
export interface LinearRegExp {
  test(text: string): boolean;
  /** False when no text that begins with `prefix` can match. */
  mayContinue(prefix: string): boolean;
}

/** Beyond this many remembered places the automaton forgets what it learned, to bound its memory. */
const MAX_REMEMBERED = 1 << 18;
const SLASH = 47;
const LINE_FEED = 10;

/**
 * Compiles to an automaton that is built while it runs: time grows with text times steps at worst, and is one look-up a
 * character once warm. An expression cannot hang it, which a backtracking RegExp can be made to do.
 * A text matches when it passes all steps; end with an `assert` of the end to forbid more text.
 */
export function compileLinearRegExp(steps: readonly Step[]): LinearRegExp {
  const first = steps[0];
  const anchored = first?.kind === 'assert' && first.holds('start', undefined) && !first.holds('other', undefined);
  const anything: Step = { kind: 'many', accepts: () => true };
  const automaton = new Automaton(anchored ? [...steps, anything] : [anything, ...steps, anything]);
  return {
    test: (text) => automaton.accepts(automaton.run(text)),
    mayContinue: (prefix) => automaton.run(prefix).places.length > 0,
  };
}

export function isWordCharacter(codePoint: number | undefined): boolean {
  return codePoint !== undefined && codePoint < 128 && /\w/.test(String.fromCharCode(codePoint));
}

/**
 * Where in the steps a text can have led. A place is twice the index of the next step, and one more inside a
 * `directories` step that has begun.
 */
interface Node {
  readonly places: readonly number[];
  readonly before: Before;
  readonly ascii: (Node | undefined)[];
  readonly others: Map<number, Node>;
  accepting: boolean | undefined;
}

class Automaton {
  readonly #steps: readonly Step[];
  readonly #nodes = new Map<string, Node>();
  #remembered = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  run(text: string): Node {
    let node = this.#nodeOf([0], 'start');
    for (let index = 0; index < text.length && node.places.length > 0; index += 1) {
      const unit = text.charCodeAt(index);
      const codePoint = unit < 0xd800 || unit > 0xdbff ? unit : (text.codePointAt(index) ?? unit);
      if (codePoint > 0xffff) index += 1;
      const known = codePoint < 128 ? node.ascii[codePoint] : node.others.get(codePoint);
      node = known ?? this.#learn(node, codePoint);
    }
    return node;
  }

  accepts(node: Node): boolean {
    node.accepting ??= this.#closure(node, undefined).has(2 * (this.#steps.length - 1));
    return node.accepting;
  }

  #learn(node: Node, codePoint: number): Node {
    const reached = new Set<number>();
    for (const place of this.#closure(node, codePoint)) {
      const step = this.#steps[place >> 1];
      if (step?.kind === 'directories') {
        if (codePoint !== LINE_FEED) reached.add(place | 1);
        if (codePoint === SLASH) reached.add((place | 1) + 1);
      } else if (step !== undefined && step.kind !== 'assert' && step.accepts(codePoint)) {
        reached.add(step.kind === 'many' ? place : place + 2);
      }
    }
    const places = [...reached].sort((a, b) => a - b);
    const next = this.#nodeOf(places, isWordCharacter(codePoint) ? 'word' : 'other');
    if (codePoint < 128) node.ascii[codePoint] = next;
    else node.others.set(codePoint, next);
    this.#remembered += 1;
    return next;
  }

  #nodeOf(places: readonly number[], before: Before): Node {
    const key = `${before} ${places.join(' ')}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    if (this.#remembered > MAX_REMEMBERED) {
      this.#nodes.clear();
      this.#remembered = 0;
    }
    const node = { places, before, ascii: [], others: new Map(), accepting: undefined };
    this.#nodes.set(key, node);
    this.#remembered += places.length + 8;
    return node;
  }

  /** The places and those that are reached from them without reading, given the next character. */
  #closure(node: Node, next: number | undefined): ReadonlySet<number> {
    const reached = new Set(node.places);
    for (const place of reached) {
      const step = this.#steps[place >> 1];
      if (step === undefined || place % 2 === 1) continue;
      const passes = step.kind === 'assert' ? step.holds(node.before, next) : step.kind !== 'one';
      if (passes) reached.add(place + 2);
    }
    return reached;
  }
}
