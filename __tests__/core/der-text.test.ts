import { describe, expect, test } from 'vitest';
import { derText } from '../../src/core/der-text.ts';

/** A UTF8String of this text, as OpenSSL writes it. */
function encode(text: string): Buffer {
  const content = Buffer.from(text);
  const size = content.length;
  const head = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([0x0c, ...head]), content]);
}

describe('text in DER', () => {
  test.each(['', 'refs/heads/main', 'ü', 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(255), 'x'.repeat(60_000)])(
    'is read whole, of any length (%#)',
    (text) => {
      expect(derText(encode(text))).toBe(text);
    },
  );

  test.each<[string, readonly number[]]>([
    ['nothing', []],
    ['another type', [0x13, 1, 65]],
    ['a length without content', [0x0c, 3, 65]],
    ['something behind it', [0x0c, 1, 65, 66]],
    ['a length that is cut', [0x0c, 0x82, 1]],
    ['an endless length', [0x0c, 0x80, 65, 0, 0]],
    ['a length of four bytes', [0x0c, 0x84, 0, 0, 0, 1, 65]],
  ])('is not there in %s', (_, bytes) => {
    expect(derText(Buffer.from(bytes))).toBeUndefined();
  });
});
