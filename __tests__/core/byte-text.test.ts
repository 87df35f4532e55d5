import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfText, holdsBytes, isDoubtful, textOfBytes } from '../../src/core/byte-text.ts';

describe('bytes as a text', () => {
  it.each([
    [[0x61, 0xff, 0x62], 'a\udcffb'],
    [[0xc3, 0xa9], 'é'],
    [[0xc3], '\udcc3'],
    [[0xc3, 0x28], '\udcc3('],
    [[0xc0, 0xaf], '\udcc0\udcaf'],
    [[0xe0, 0x80, 0xaf], '\udce0\udc80\udcaf'],
    [[0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    [[0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
    [[0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f, 0x98], '\u{1F600}\udcf0\udc9f\udc98'],
    [[0xef, 0xbb, 0xbf, 0x61, 0x80], '\ufeffa\udc80'],
    [[0xef, 0xbf, 0xbd], '\ufffd'],
    [[], ''],
  ])('%j', (bytes, text) => {
    expect(textOfBytes(Uint8Array.from(bytes))).toBe(text);
    expect(Array.from(bytesOfText(text))).toEqual(bytes);
  });

  it('are what they were, once they are bytes again, whatever they are', () => {
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0x61, 0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xf4),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(byte, { maxLength: 40 }), (any, likely) => {
        for (const bytes of [any, Uint8Array.from(likely)]) {
          const text = textOfBytes(bytes);
          expect(bytesOfText(text)).toEqual(bytes);
          const usual = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
          if (!isDoubtful(usual)) expect(text).toBe(usual);
          expect(holdsBytes(text)).toBe(isDoubtful(usual) && usual !== text);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('take 10 MB that are none', () => {
    expect(textOfBytes(new Uint8Array(10_000_000).fill(0xed))).toHaveLength(10_000_000);
  });
});
