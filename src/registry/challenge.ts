/** One way of authentication that a registry offers in `WWW-Authenticate`. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** By name in lower case; the first of a name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const SEPARATOR = /[\s,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
/** Registries leave quotes out around URLs too, which RFC 9110 does not allow. */
const UNQUOTED = /[^\s,"]*/y;

/**
 * Parses `WWW-Authenticate` (RFC 9110, 11.6.1), which may hold several challenges in one or more joined headers. Reads as
 * far as it understands; a challenge that carries a bare token (`Negotiate abc=`) has no parameters.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const reader = new Reader(header);
  for (;;) {
    reader.take(SEPARATOR);
    const name = reader.take(TOKEN)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const current = challenges.at(-1);
    if (current === undefined || reader.take(EQUALS) === undefined) {
      challenges.push({ scheme: name, parameters: new Map() });
      continue;
    }
    const value = reader.take(QUOTED)?.[1]?.replace(/\\(.)/gs, '$1') ?? reader.take(UNQUOTED)?.[0] ?? '';
    if (!current.parameters.has(name)) current.parameters.set(name, value);
  }
}

class Reader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What the sticky expression matches here, stepping over it. */
  take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#position;
    const match = expression.exec(this.#text);
    if (match === null) return undefined;
    this.#position = expression.lastIndex;
    return match;
  }
}
