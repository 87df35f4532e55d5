import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import {
  formatStatement,
  parseStatement,
  preAuthEncoding,
  SIGNATURE_PREDICATE,
} from '../../src/core/signed-statement.ts';

const DIGEST = digestOf('image');

describe('a signed statement', () => {
  test('is byte for byte what cosign 3.1.1 signs', () => {
    expect(formatStatement(DIGEST, SIGNATURE_PREDICATE, {})).toBe(
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${DIGEST.slice(7)}"},"annotations":{}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`,
    );
  });

  test.each([digestOf('image'), digestOf('image', digestOf('', undefined))])(
    'is read as it was written (%s)',
    (digest) => {
      const text = formatStatement(digest, 'https://example.com/p/v1', { a: 1 });
      expect(parseStatement(text)).toEqual({
        ok: true,
        value: { subjects: [digest], predicateType: 'https://example.com/p/v1', predicate: { a: 1 } },
      });
    },
  );

  test('is about every subject that has a digest', () => {
    const other = digestOf('other');
    const text = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'x',
      subject: [
        { name: 'a', digest: { sha256: DIGEST.slice(7) } },
        {},
        7,
        { digest: { sha256: other.slice(7), md5: 'x' } },
      ],
    });
    expect(parseStatement(text)).toMatchObject({ ok: true, value: { subjects: [DIGEST, other] } });
  });

  test.each([
    ['nothing', ''],
    ['no JSON', '{"_type":'],
    ['another type', '{"_type":"x","subject":[],"predicateType":"y"}'],
    ['no subject', '{"_type":"https://in-toto.io/Statement/v1","predicateType":"y"}'],
    ['no type of predicate', '{"_type":"https://in-toto.io/Statement/v1","subject":[]}'],
  ])('is none: %s', (_, text) => {
    expect(parseStatement(text)).toMatchObject({ ok: false });
  });

  test('is signed with its type and length, counted in bytes', () => {
    expect(preAuthEncoding('tüp', Buffer.from('ä!')).toString()).toBe('DSSEv1 4 tüp 3 ä!');
  });
});
