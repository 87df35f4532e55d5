import { describe, expect, it } from 'vitest';
import { keptByCalendar } from '../../../src/core/retention/calendar-slots.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import type { CalendarPeriod, KeepClause } from '../../../src/core/retention/policy.ts';
import { DAY_MS, HOUR_MS, rule, samplePolicy } from '../../support/sample-policy.ts';
import { keptTags, SampleRepository } from '../../support/sample-repository.ts';

/** What is kept of these times, which may come in any order. */
function kept(times: readonly string[], period: CalendarPeriod, count: number, timeZone = 'UTC'): readonly string[] {
  const newest = times.toSorted((a, b) => Date.parse(b) - Date.parse(a));
  const isKept = keptByCalendar(newest.map(Date.parse), { period, count, timeZone });
  return newest.filter((_, at) => isKept[at]);
}

function calendar(period: CalendarPeriod, count: number): KeepClause {
  return { kind: 'calendar', period, count };
}

describe('calendar clauses', () => {
  it('case 11: daily 7 and weekly 4 of 200 nightlies over a leap day and a pause keep the last of each', () => {
    const repo = new SampleRepository();
    const last = Date.UTC(2024, 2, 10, 3);
    for (let n = 0; n < 200; n += 1) {
      const day = new Date(last - n * DAY_MS).toISOString().slice(0, 10);
      // Nobody built from 5 to 7 March.
      if (['2024-03-05', '2024-03-06', '2024-03-07'].includes(day)) continue;
      repo.manifest({ tags: [`nightly-${day}`], pushedAtMs: last - n * DAY_MS });
    }
    const policy = samplePolicy([rule('nightly-*', calendar('daily', 7), calendar('weekly', 4))]);
    expect(keptTags(planRepository(repo.request(policy)))).toEqual(
      [
        '2024-03-10',
        '2024-03-09',
        '2024-03-08',
        '2024-03-04',
        '2024-03-03',
        '2024-03-02',
        '2024-03-01',
        // Sundays, of which two are above; the leap day is no Sunday.
        '2024-02-25',
        '2024-02-18',
      ]
        .map((day) => `nightly-${day}`)
        .sort(),
    );
  });

  it('case 11: a leap day is a day, and the week of the year end is one week', () => {
    expect(kept(['2024-02-28T10:00Z', '2024-02-29T10:00Z', '2024-03-01T10:00Z'], 'daily', 3)).toHaveLength(3);
    const turn = [
      '2024-12-30T10:00Z',
      '2024-12-31T10:00Z',
      '2025-01-01T10:00Z',
      '2025-01-05T10:00Z',
      '2025-01-06T10:00Z',
    ];
    expect(kept(turn, 'weekly', 9)).toEqual(['2025-01-06T10:00Z', '2025-01-05T10:00Z']);
    expect(kept(turn, 'monthly', 9)).toEqual(['2025-01-06T10:00Z', '2024-12-31T10:00Z']);
    expect(kept(turn, 'yearly', 1)).toEqual(['2025-01-06T10:00Z']);
  });

  it('counts periods that have an image, so that a pause uses none up', () => {
    const times = ['2026-06-01T09:00Z', '2026-03-01T09:00Z', '2026-03-01T21:00Z', '2025-01-01T00:00Z'];
    expect(kept(times, 'monthly', 3)).toEqual(['2026-06-01T09:00Z', '2026-03-01T21:00Z', '2025-01-01T00:00Z']);
    expect(kept(times, 'monthly', 0)).toEqual([]);
  });

  it.each([
    ['UTC', ['2026-03-29T20:59Z', '2026-03-28T23:30Z']],
    ['Europe/Athens', ['2026-03-29T20:59Z', '2026-03-28T21:59Z']],
  ])('case 60: days of %s over the night in which clocks are put forward', (zone, expected) => {
    // In Athens 28 March ends at 22:00 UTC, and 29 March, an hour short, at 21:00.
    const times = ['2026-03-28T21:59Z', '2026-03-28T22:00Z', '2026-03-28T23:30Z', '2026-03-29T20:59Z'];
    expect(kept(times, 'daily', 2, zone)).toEqual(expected);
  });

  it('case 60: the hour that comes twice when clocks are put back is two hours', () => {
    const start = Date.parse('2026-10-24T23:30Z');
    const times = [0, 1, 2, 3].map((hour) => new Date(start + hour * HOUR_MS).toISOString());
    expect(kept(times, 'hourly', 9, 'Europe/Athens')).toHaveLength(4);
    expect(kept(times, 'daily', 9, 'Europe/Athens')).toHaveLength(1);
  });

  it('case 60: takes the zone of the limits', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['evening'], pushedAtMs: Date.parse('2026-03-28T21:59Z') });
    repo.manifest({ tags: ['night'], pushedAtMs: Date.parse('2026-03-28T22:00Z') });
    const rules = [rule('*', calendar('daily', 2))];
    expect(keptTags(planRepository(repo.request(samplePolicy(rules))))).toEqual(['night']);
    const limits = { timeZone: 'Europe/Athens' };
    expect(keptTags(planRepository(repo.request(samplePolicy(rules, { limits }))))).toEqual(['evening', 'night']);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 9e15])(
    'keeps what was pushed at %d, which is no time',
    (pushedAtMs) => {
      const repo = new SampleRepository();
      repo.manifest({ tags: ['a'], pushedAtMs });
      expect(keptTags(planRepository(repo.request(samplePolicy([rule('*', calendar('daily', 0))]))))).toEqual(['a']);
    },
  );
});
