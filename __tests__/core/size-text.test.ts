import { expect, it } from 'vitest';
import { formatSize } from '../../src/core/size-text.ts';

it.each([
  [undefined, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [12_345_678, '12.3 MB'],
  [999_999_999, '1.0 GB'],
  [5_000_000_000_000_000, '5000.0 TB'],
])('%j bytes are shown as %s', (sizeBytes, text) => {
  expect(formatSize(sizeBytes)).toBe(text);
});
