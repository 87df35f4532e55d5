import { expect, it } from 'vitest';
import { parseReferenceList } from '../../../src/core/retention/reference-list.ts';

it('reads a line of nothing but comments in comments, with an end of line that only Unicode knows, in no time', () => {
  const text = `1.0 ${' #'.repeat(400_000)}\u2028x\n2.0\n`;
  const list = parseReferenceList(text, { registry: 'ghcr.io', path: 'acme/app' });
  expect(list.ok && list.value.map(({ tag }) => tag)).toEqual(['1.0', '2.0']);
});
