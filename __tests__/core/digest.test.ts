import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestFromHash, digestOf, hasherFor, isDigest, parseDigest } from '../../src/core/digest.ts';

const HEX_64 = '0123456789abcdef'.repeat(4);

describe('a digest', () => {
  it.each([`sha256:${HEX_64}`, `sha512:${HEX_64}${HEX_64}`])('%s is one', (text) => {
    expect(parseDigest(text)).toBe(text);
  });

  it.each([
    ['', 'empty'],
    [HEX_64, 'no algorithm'],
    [`sha256:${HEX_64.slice(1)}`, 'too short'],
    [`sha256:${HEX_64}0`, 'too long'],
    [`sha512:${HEX_64}`, 'the length of another algorithm'],
    [`sha256:${HEX_64.toUpperCase()}`, 'upper case'],
    [`SHA256:${HEX_64}`, 'an upper-case algorithm'],
    [`md5:${'0'.repeat(32)}`, 'an unregistered algorithm'],
    [`sha256:${HEX_64}:`, 'a third part'],
    [`sha256:${HEX_64}\n`, 'a line feed'],
    [` sha256:${HEX_64}`, 'a blank'],
    [`sha256:${'０'.repeat(64)}`, 'full-width digits'],
    ['constructor:x', 'a name of Object.prototype'],
    ['__proto__:x', 'another'],
  ])('%j is none: %s', (text) => {
    expect(isDigest(text)).toBe(false);
    expect(parseDigest(text)).toBeUndefined();
  });

  it('is not found in 1 MB of text', () => {
    for (const piece of [':', 'a', 'sha256:', '0']) expect(isDigest(piece.repeat(1_000_000))).toBe(false);
  });

  it('of bytes is their sha256, as an independent program computes it', () => {
    expect(digestOf('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(digestOf('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('follows the algorithm of another digest', () => {
    const sha512 = parseDigest(`sha512:${HEX_64}${HEX_64}`);
    expect(digestOf('abc', sha512)).toBe(`sha512:${createHash('sha512').update('abc').digest('hex')}`);
    expect(digestFromHash(hasherFor(sha512).update('a').update('bc'), sha512)).toBe(digestOf('abc', sha512));
  });

  it('of any bytes is a digest, and the same in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), (bytes, cut) => {
        const at = bytes.length === 0 ? 0 : cut % bytes.length;
        const inPieces = digestFromHash(hasherFor().update(bytes.subarray(0, at)).update(bytes.subarray(at)));
        expect(isDigest(digestOf(bytes))).toBe(true);
        expect(inPieces).toBe(digestOf(bytes));
      }),
    );
  });
});
