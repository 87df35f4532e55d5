import { describe, expect, it } from 'vitest';
import { formatAge, parseAge } from '../../../src/core/retention/age.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('an age', () => {
  it.each([
    ['90s', 90_000, '1m30s'],
    ['20m', 20 * 60_000, '20m'],
    ['36h', 36 * HOUR_MS, '1d12h'],
    ['12h1d', 36 * HOUR_MS, '1d12h'],
    ['14d', 14 * DAY_MS, '14d'],
    ['2w', 14 * DAY_MS, '14d'],
    ['6mo', 180 * DAY_MS, '180d'],
    ['1m1mo', 30 * DAY_MS + 60_000, '30d1m'],
    ['1y', 365 * DAY_MS, '365d'],
    ['100y', 36_500 * DAY_MS, '36500d'],
  ])('%s is %d ms, and %s in one form', (text, ageMs, form) => {
    expect(parseAge(text)).toEqual({ ok: true, value: ageMs });
    expect(formatAge(ageMs)).toBe(form);
    expect(parseAge(form)).toEqual({ ok: true, value: ageMs });
  });

  it.each([
    ['', 'is no age'],
    ['10', 'is no age'],
    ['d', 'is no age'],
    ['10 d', 'is no age'],
    ['10d5', 'is no age'],
    ['1.5d', 'is no age'],
    ['-1d', 'is no age'],
    ['+1d', 'is no age'],
    ['1D', 'is no age'],
    ['1O d', 'is no age'],
    ['٣d', 'is no age'],
    ['∞', 'is no age'],
    ['1e3d', 'is no age'],
    ['1d1d', 'has d twice'],
    ['0d', 'must be more than 0'],
    ['1d0h', 'must be more than 0'],
    ['01d', 'without leading zeros'],
    ['101y', 'is more than 100y'],
    [`${'9'.repeat(60)}d`, 'is more than 100y'],
    [`${'9'.repeat(400)}d`, 'is no age'],
  ])('%j is none', (text, why) => {
    expect(parseAge(text)).toEqual({ ok: false, problem: expect.stringContaining(why) });
  });
});
