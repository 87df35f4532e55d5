const DOT = 46;

/**
 * True when Go's filepath.Match(pattern, ".") fails, which is how BuildKit checks a pattern before it uses it:
 * https://pkg.go.dev/path/filepath#Match (Go 1.26, on Linux). Go looks at the pattern piece by piece, between stars, and
 * stops at the first piece that does not match; so `[` is refused and `a*[` is not.
 */
export function isRefusedByGoMatch(pattern: string): boolean {
  let rest: readonly string[] = Array.from(pattern);
  let name = '.';
  while (rest.length > 0) {
    const piece = nextPiece(rest);
    rest = piece.rest;
    if (piece.star && piece.characters.length === 0) return false;
    const matches = match(piece.characters, name);
    if (matches !== true) return matches === undefined;
    name = '';
  }
  return false;
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

/** Whether the piece matches the start of `name`, which is `.` or empty; `undefined` when it is malformed. */
function match(piece: readonly string[], name: string): boolean | undefined {
  let left = name;
  let matches = true;
  for (let index = 0; index < piece.length; ) {
    matches &&= left !== '';
    if (piece[index] === '[') {
      const brackets = readBrackets(piece, index + 1);
      if (brackets === undefined) return undefined;
      matches &&= brackets.matchesDot;
      index = brackets.end;
    } else {
      const isAny = piece[index] === '?';
      if (piece[index] === '\\') index += 1;
      if (piece[index] === undefined) return undefined;
      matches &&= isAny || piece[index] === '.';
      index += 1;
    }
    left = '';
  }
  return matches;
}

/** The class that begins at `start`, after its `[`; `undefined` when it is malformed. */
function readBrackets(
  piece: readonly string[],
  start: number,
): { readonly matchesDot: boolean; readonly end: number } | undefined {
  const negated = piece[start] === '^';
  let index = negated ? start + 1 : start;
  let contains = false;
  for (let ranges = 0; piece[index] !== ']' || ranges === 0; ranges += 1) {
    const low = readMember(piece, index);
    const high = low !== undefined && piece[low.end] === '-' ? readMember(piece, low.end + 1) : low;
    if (low === undefined || high === undefined) return undefined;
    contains ||= low.codePoint <= DOT && DOT <= high.codePoint;
    index = high.end;
  }
  return { matchesDot: contains !== negated, end: index + 1 };
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
