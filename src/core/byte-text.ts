const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LOWEST_ESCAPE = 0xdc00;
/** What other decoders put for bytes that are no UTF-8, and what may also stand there for itself. */
const REPLACEMENT = '\ufffd';

/** What may follow these first bytes, where that is less than for others. */
const SECOND_BYTES: ReadonlyMap<number, readonly [lowest: number, highest: number]> = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

/** True for a text, as Node decodes it, that other bytes could have become as well. */
export function isDoubtful(text: string): boolean {
  return text.includes(REPLACEMENT);
}

/**
 * These bytes as a text of their own: each byte that is no UTF-8 becomes half of a surrogate pair, U+DC80 to U+DCFF, which
 * no other text holds. So what differs in bytes differs as a text. A byte-order mark stays. {@link bytesOfText} turns it back.
 */
export function textOfBytes(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  try {
    return utf8.decode(bytes);
  } catch {
    // Below, in pieces.
  }
  for (let position = 0; position < bytes.length; ) {
    const length = characterLength(bytes, position);
    if (length === 0) {
      text +=
        utf8.decode(bytes.subarray(start, position)) + String.fromCharCode(LOWEST_ESCAPE + (bytes[position] ?? 0));
      start = position + 1;
    }
    position += Math.max(1, length);
  }
  return text + utf8.decode(bytes.subarray(start));
}

/** How many bytes the character at a place has; 0 where there is none (RFC 3629, §4). */
function characterLength(bytes: Uint8Array, start: number): number {
  const [first = 0, second = 0] = bytes.subarray(start, start + 2);
  if (first < 0x80) return 1;
  const length = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const [lowest, highest] = SECOND_BYTES.get(first) ?? [0x80, 0xbf];
  if (length === 0 || second < lowest || second > highest || start + length > bytes.length) return 0;
  const rest = bytes.subarray(start + 2, start + length);
  return rest.every((byte) => byte >= 0x80 && byte <= 0xbf) ? length : 0;
}

/** True for a text that {@link textOfBytes} made of bytes that were no UTF-8. */
export function holdsBytes(text: string): boolean {
  return /\p{Cs}/u.test(text);
}

/** The bytes that {@link textOfBytes} had; of any other text its UTF-8. */
export function bytesOfText(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (!holdsBytes(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    const isByte = codePoint >= LOWEST_ESCAPE + 0x80 && codePoint <= LOWEST_ESCAPE + 0xff;
    if (isByte) bytes.push(codePoint - LOWEST_ESCAPE);
    else for (const byte of encoder.encode(character)) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
