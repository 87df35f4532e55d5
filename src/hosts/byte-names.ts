const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LOWEST_ESCAPE = 0xdc00;
const LONGEST_CHARACTER = 4;
/** What stands in a decoded name for bytes that are no UTF-8, and may also stand there for itself. */
const REPLACEMENT = '\ufffd';

/** True for a name, as Node decodes it, that other bytes could have become as well. */
export function isDoubtful(name: string): boolean {
  return name.includes(REPLACEMENT);
}

/**
 * The bytes of a name as a text of their own: each byte that is no UTF-8 becomes half of a surrogate pair, U+DC80 to
 * U+DCFF, which no other name holds. So two names never become one. {@link nameOnDisk} turns it back.
 */
export function nameOfBytes(bytes: Uint8Array): string {
  let name = '';
  for (let start = 0; start < bytes.length; ) {
    const character = characterAt(bytes, start);
    name += character ?? String.fromCharCode(LOWEST_ESCAPE + (bytes[start] ?? 0));
    start += character === undefined ? 1 : Buffer.byteLength(character);
  }
  return name;
}

function characterAt(bytes: Uint8Array, start: number): string | undefined {
  for (let length = 1; length <= LONGEST_CHARACTER; length += 1) {
    try {
      return utf8.decode(bytes.subarray(start, start + length));
    } catch {
      // Too short, or no UTF-8 at all.
    }
  }
  return undefined;
}

/** The path to give to the system: bytes where a name in it came from {@link nameOfBytes}. */
export function nameOnDisk(path: string): string | Buffer {
  if (!/\p{Cs}/u.test(path)) return path;
  const pieces = Array.from(path, (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    const isByte = codePoint >= LOWEST_ESCAPE + 0x80 && codePoint <= LOWEST_ESCAPE + 0xff;
    return isByte ? Buffer.of(codePoint - LOWEST_ESCAPE) : Buffer.from(character);
  });
  return Buffer.concat(pieces);
}
