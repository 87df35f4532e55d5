/** A piece of the input, without blanks around it, and the place of its first character; lines and columns count from 1. */
export interface Piece {
  readonly text: string;
  readonly line: number;
  readonly column: number;
  /** The text stands so in the input. Else, as with escapes of YAML, all parts of it have the place of the whole. */
  readonly isVerbatim: boolean;
}

/** Takes what is wrong and where. Parsers go on after it, so that a person hears of everything at once. */
export type Report = (place: Piece, problem: string) => void;

/** The part from `start` up to `end`, trimmed. */
export function slicePiece(piece: Piece, start: number, end = piece.text.length): Piece {
  const part = piece.text.slice(start, end);
  const text = part.trimStart();
  const column = piece.isVerbatim ? piece.column + start + part.length - text.length : piece.column;
  return { ...piece, text: text.trimEnd(), column };
}

/** The parts between separators, those inside of `/…/` and `@file(…)` not counted; empty ones too. */
export function splitPiece(piece: Piece, separator: ',' | '|'): readonly Piece[] {
  const masked = maskLiterals(piece.text);
  const parts: Piece[] = [];
  let start = 0;
  for (let end = masked.indexOf(separator); end >= 0; end = masked.indexOf(separator, start)) {
    parts.push(slicePiece(piece, start, end));
    start = end + 1;
  }
  return [...parts, slicePiece(piece, start)];
}

/** The words of each part between commas; an empty part is reported as `missing`. */
export function splitWords(piece: Piece, missing: string, report: Report): readonly (readonly Piece[])[] {
  return splitPiece(piece, ',').map((part) => {
    if (part.text === '') report(part, missing);
    return wordsOf(part);
  });
}

/** The words between blanks. */
export function wordsOf(piece: Piece): readonly Piece[] {
  return [...piece.text.matchAll(/\S+/g)].map(({ index, 0: word }) => slicePiece(piece, index, index + word.length));
}

/** A regular expression between slashes, with its flags: a slash in brackets does not end it. */
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^\\/[])*\/[A-Za-z]*/y;
const FILE = /@file\([^)]*\)/y;
const HIDDEN = '_';

/**
 * The text, as long as it was, with all that stands inside of `/…/` and `@file(…)` made `_`: what is left of separators
 * and of `#` means something. One that does not end goes to the end of the text.
 */
export function maskLiterals(text: string): string {
  let masked = '';
  while (masked.length < text.length) {
    const index = masked.length;
    const isStart = index === 0 || /[\s|,]/.test(text.charAt(index - 1));
    const literal = isStart ? literalAt(text, index) : undefined;
    masked += literal === undefined ? text.charAt(index) : HIDDEN.repeat(literal.length);
  }
  return masked;
}

/** True for `/…/` with flags or without, and nothing after it. */
export function isRegexLiteral(text: string): boolean {
  REGEX.lastIndex = 0;
  return REGEX.exec(text)?.[0].length === text.length;
}

function literalAt(text: string, index: number): string | undefined {
  const expression = text[index] === '/' ? REGEX : text.startsWith('@file(', index) ? FILE : undefined;
  if (expression === undefined) return undefined;
  expression.lastIndex = index;
  return expression.exec(text)?.[0] ?? text.slice(index);
}
