import { expect, it } from 'vitest';
import { nearest } from '../../src/core/nearest.ts';

const KNOWN = ['platforms', 'push', 'pull', 'tags', 'max-age', 'username'];

it.each([
  ['platform', 'platforms'],
  ['platfroms', 'platforms'],
  ['PLATFORMS', 'platforms'],
  ['maxage', 'max-age'],
  ['max_age', 'max-age'],
  ['user-name', 'username'],
  ['pul', 'pull'],
  ['tag', 'tags'],
  ['', undefined],
  ['retention', undefined],
  ['x'.repeat(70), undefined],
])('the nearest known name to %j is %j', (name, near) => {
  expect(nearest(name, KNOWN)).toBe(near);
});

it('takes the first of two that are equally near, and none of none', () => {
  expect(nearest('pu', ['pull', 'push'])).toBe('pull');
  expect(nearest('push', [])).toBeUndefined();
});

it('is found for 1 MB of text as for its beginning', () => {
  expect(nearest('x'.repeat(1_000_000), KNOWN)).toBeUndefined();
});
