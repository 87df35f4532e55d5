import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { csvField, csvRecord, parseCsvRecord } from '../../src/core/csv.ts';
import { parsed } from '../../src/core/parsed.ts';

it.each([
  ['plain', 'plain'],
  ['', ''],
  ['a,b', '"a,b"'],
  ['say "hi"', '"say ""hi"""'],
  ['two\nlines', '"two\nlines"'],
  [' outer', '" outer"'],
])('writes %j as the field %j', (text, field) => {
  expect(csvField(text)).toBe(field);
});

it('reads back every record that it writes', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (fields) => {
      expect(parseCsvRecord(csvRecord(fields))).toEqual(parsed(fields));
    }),
  );
});

it.each(['a"b', '"a"b', '"open', 'a,"b'])('refuses %j, as buildx does', (text) => {
  expect(parseCsvRecord(text).ok).toBe(false);
});
