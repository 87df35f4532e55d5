const UTF8_STRING = 0x0c;
/** Of a length that follows in bytes of its own. */
const LONG_FORM = 0x80;

/**
 * The text in a DER-encoded UTF8String (X.690, 8.1.3 and 8.23), as extensions of Fulcio's certificates hold it; `undefined` when
 * it is anything else, or anything follows.
 */
export function derText(bytes: Uint8Array): string | undefined {
  const [tag, first = LONG_FORM] = bytes;
  const lengthBytes = first < LONG_FORM ? 0 : first - LONG_FORM;
  if (tag !== UTF8_STRING || lengthBytes > 3 || (first >= LONG_FORM && lengthBytes === 0)) return undefined;
  const start = 2 + lengthBytes;
  const length = first < LONG_FORM ? first : bytes.subarray(2, start).reduce((sum, byte) => sum * 256 + byte, 0);
  return bytes.length === start + length ? Buffer.from(bytes.subarray(start)).toString('utf8') : undefined;
}
