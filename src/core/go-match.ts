/**
 * True when Go's filepath.Match(pattern, ".") fails, which is how BuildKit checks a pattern before it uses it. Go looks at
 * the pattern piece by piece, between stars, and stops at the first piece that does not match; so `[` is refused and `a*[`
 * is not.
 */
export function isRefusedByGoMatch(pattern: string): boolean {
  return comparePieces(piecesOf(pattern), ['.']) === undefined;
}

/**
 * Go's filepath.Match: https://pkg.go.dev/path/filepath#Match (Go 1.26, on Linux), for one pattern and many names. `*` and
 * `?` never match a slash; classes such as `[^a]` do. A malformed pattern matches nothing.
 */
export function compileGlob(pattern: string): (name: string) => boolean {
  // A piece that is malformed is so for every name.
  const isMalformed = (piece: Piece) => matchPiece(piece.characters, [], 0) === 'malformed';
  const pieces = [...piecesOf(pattern)].map(
    (piece): Piece => ({ ...piece, isKnown: isMalformed(piece) ? 'malformed' : 'valid' }),
  );
  return (name) => comparePieces(pieces, Array.from(name)) === true;
}

function comparePieces(pieces: Iterable<Piece>, name: readonly string[]): boolean | undefined {
  let start = 0;
  for (const piece of pieces) {
    if (piece.star && piece.characters.length === 0) return !name.includes('/', start);
    const end = piece.isKnown === 'malformed' ? piece.isKnown : findPiece(piece, name, start);
    if (typeof end !== 'number') return end === 'malformed' ? undefined : false;
    start = end;
  }
  return start === name.length;
}

/** Where the piece ends in the name: at `start`, or after a star at the first place before the next slash. */
function findPiece(piece: Piece, name: readonly string[], start: number): number | PieceFailure {
  for (let index = start; ; index += 1) {
    const end = matchPiece(piece.characters, name, index, piece.isKnown === 'valid');
    if (typeof end === 'number' && (!piece.isLast || end === name.length)) return end;
    if (end === 'malformed') return end;
    if (!piece.star || index >= name.length || name[index] === '/') return 'different';
  }
}

interface Piece {
  /** Stars stood before it. */
  readonly star: boolean;
  /** Up to the next star that is not inside brackets. */
  readonly characters: readonly string[];
  /** Once it was looked at as a whole. */
  readonly isKnown?: 'valid' | 'malformed';
  readonly isLast: boolean;
}

function* piecesOf(pattern: string): Generator<Piece> {
  const characters = Array.from(pattern);
  for (let position = 0; position < characters.length; ) {
    let start = position;
    while (characters[start] === '*') start += 1;
    let end = start;
    for (let inBrackets = false; end < characters.length && (inBrackets || characters[end] !== '*'); ) {
      if (characters[end] === '[') inBrackets = true;
      else if (characters[end] === ']') inBrackets = false;
      end += characters[end] === '\\' ? 2 : 1;
    }
    const isLast = end >= characters.length;
    yield { star: start > position, characters: characters.slice(start, end), isLast };
    position = end;
  }
}

type PieceFailure = 'different' | 'malformed';

/** Where the piece ends that begins at `start` of the name. Looks at all of a piece that may be malformed. */
function matchPiece(
  piece: readonly string[],
  name: readonly string[],
  start: number,
  isValid = false,
): number | PieceFailure {
  let position = start;
  let matches = true;
  for (let index = 0; index < piece.length; ) {
    if (isValid && !matches) break;
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
