/**
 * True when Go's filepath.Match(pattern, ".") fails, which is how BuildKit checks a pattern before it uses it. Go looks at
 * the pattern piece by piece, between stars, and stops at the first piece that does not match; so `[` is refused and `a*[`
 * is not.
 */
export function isRefusedByGoMatch(pattern: string): boolean {
  return compareByGo(pattern, '.') === undefined;
}

/**
 * Go's filepath.Match: https://pkg.go.dev/path/filepath#Match (Go 1.26, on Linux). `*` and `?` never match a slash; classes
 * such as `[^a]` do. A malformed pattern matches nothing.
 */
export function matchesByGo(pattern: string, name: string): boolean {
  return compareByGo(pattern, name) === true;
}

/** `undefined` for a pattern that is found to be malformed on the way. */
function compareByGo(pattern: string, name: string): boolean | undefined {
  let rest: readonly string[] = Array.from(pattern);
  const characters = Array.from(name);
  let start = 0;
  while (rest.length > 0) {
    const piece = nextPiece(rest);
    rest = piece.rest;
    if (piece.star && piece.characters.length === 0) return !characters.includes('/', start);
    const end = findPiece(piece, characters, start, rest.length === 0);
    if (typeof end !== 'number') return end === 'malformed' ? undefined : false;
    start = end;
  }
  return start === characters.length;
}

/** Where the piece ends in the name: at `start`, or after a star at the first place before the next slash. */
function findPiece(piece: Piece, name: readonly string[], start: number, isLast: boolean): number | PieceFailure {
  for (let index = start; ; index += 1) {
    const end = matchPiece(piece.characters, name, index);
    if (typeof end === 'number' && (!isLast || end === name.length)) return end;
    if (end === 'malformed') return end;
    if (!piece.star || index >= name.length || name[index] === '/') return 'different';
  }
}

interface Piece {
  /** Stars stood before it. */
  readonly star: boolean;
  /** Up to the next star that is not inside brackets. */
  readonly characters: readonly string[];
  readonly rest: readonly string[];
}

function nextPiece(pattern: readonly string[]): Piece {
  const start = pattern.findIndex((character) => character !== '*');
  if (start < 0) return { star: true, characters: [], rest: [] };
  let inBrackets = false;
  let end = start;
  while (end < pattern.length && (inBrackets || pattern[end] !== '*')) {
    if (pattern[end] === '[') inBrackets = true;
    else if (pattern[end] === ']') inBrackets = false;
    end += pattern[end] === '\\' ? 2 : 1;
  }
  return { star: start > 0, characters: pattern.slice(start, end), rest: pattern.slice(end) };
}

type PieceFailure = 'different' | 'malformed';

/** Where the piece ends that begins at `start` of the name. Looks at all of the piece, also behind a difference. */
function matchPiece(piece: readonly string[], name: readonly string[], start: number): number | PieceFailure {
  let position = start;
  let matches = true;
  for (let index = 0; index < piece.length; ) {
    const character = name[position];
    matches &&= character !== undefined;
    if (piece[index] === '[') {
      const brackets = readBrackets(piece, index + 1, character ?? '');
      if (brackets === undefined) return 'malformed';
      matches &&= brackets.matches;
      index = brackets.end;
    } else {
      const isAny = piece[index] === '?';
      if (piece[index] === '\\') index += 1;
      if (piece[index] === undefined) return 'malformed';
      matches &&= isAny ? character !== '/' : piece[index] === character;
      index += 1;
    }
    position += 1;
  }
  return matches ? position : 'different';
}

/** The class that begins at `start`, after its `[`; `undefined` when it is malformed. */
function readBrackets(
  piece: readonly string[],
  start: number,
  character: string,
): { readonly matches: boolean; readonly end: number } | undefined {
  const wanted = character.codePointAt(0) ?? -1;
  const negated = piece[start] === '^';
  let index = negated ? start + 1 : start;
  let contains = false;
  for (let ranges = 0; piece[index] !== ']' || ranges === 0; ranges += 1) {
    const low = readMember(piece, index);
    const high = low !== undefined && piece[low.end] === '-' ? readMember(piece, low.end + 1) : low;
    if (low === undefined || high === undefined) return undefined;
    contains ||= low.codePoint <= wanted && wanted <= high.codePoint;
    index = high.end;
  }
  return { matches: contains !== negated, end: index + 1 };
}

/** One character of a class; something must follow it. */
function readMember(
  piece: readonly string[],
  start: number,
): { readonly codePoint: number; readonly end: number } | undefined {
  if (piece[start] === '-' || piece[start] === ']') return undefined;
  const at = piece[start] === '\\' ? start + 1 : start;
  const codePoint = piece[at]?.codePointAt(0);
  return codePoint === undefined || at + 1 >= piece.length ? undefined : { codePoint, end: at + 1 };
}
