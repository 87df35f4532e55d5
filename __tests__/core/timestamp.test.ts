import { describe, expect, it } from 'vitest';
import { formatDuration, momentIn, parseTimestamp } from '../../src/core/timestamp.ts';

describe('a timestamp (RFC 3339)', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01t00:00:01z', 1000],
    ['1970-01-01T01:00:00+01:00', 0],
    ['2026-11-21T08:00:00.5Z', Date.UTC(2026, 10, 21, 8, 0, 0, 500)],
    ['2026-11-21T08:00:00.123456789Z', Date.UTC(2026, 10, 21, 8, 0, 0, 123)],
  ])('%s is %d ms', (text, timeMs) => {
    expect(parseTimestamp(text)).toBe(timeMs);
  });

  it.each([
    '',
    '2026',
    '0',
    '2026-11-21',
    '2026-11-21T08:00:00',
    '2026-11-21 08:00:00Z',
    'Nov 21 2026 08:00:00 GMT',
    '2026-13-01T00:00:00Z',
    '2026-11-21T25:00:00Z',
    '+002026-11-21T08:00:00Z',
    '2026-11-21T08:00:00Z\n',
    'yesterday',
  ])('%j is none, on any machine', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it('is not found in 1 MB of digits', () => {
    expect(parseTimestamp('1'.repeat(1_000_000))).toBeUndefined();
    expect(parseTimestamp(`2026-11-21T08:00:00.${'1'.repeat(1_000_000)}Z`)).toBeUndefined();
  });
});

describe('a moment in a text', () => {
  const MOMENT = Date.UTC(2026, 10, 21, 14, 5, 0);
  it.each([
    '2026-11-21T14:05:00Z',
    '2026-11-21T14:05:00.5+00:00',
    '2026-11-21 15:05:00+0100',
    '2026-11-21T09:05-05:00',
    'v1.2.3-20261121140500-dirty',
    '20261121.1405',
    'built_2026-11-21_14-05-00',
    '1795269900',
    'Sat Nov 21 14:05:00 UTC 2026',
    'Sat, 21 Nov 2026 14:05:00 GMT',
  ])('%s', (text) => {
    expect(momentIn(text)).toBe(MOMENT);
  });

  it.each([
    '',
    '2026',
    '2026-11-21',
    '20261121',
    '1.2.3',
    '12345678901',
    'Sat',
    'Sat Nov 21',
    'Max Nov 21 x',
    '1'.repeat(1e6),
  ])('is not in %.20s', (text) => {
    expect(momentIn(text)).toBeUndefined();
  });
});

it.each([
  [0, '0 ms'],
  [12.4, '12 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [1234, '1.2 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 0 s'],
  [61_000, '1 min 1 s'],
  [119_600, '2 min 0 s'],
  [3_599_400, '59 min 59 s'],
  [3_599_600, '1 h 0 min'],
  [7_380_000, '2 h 3 min'],
  [172_800_000, '2 d'],
  [31 * 86_400_000, '31 d'],
])('%d ms are shown as %s', (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});
