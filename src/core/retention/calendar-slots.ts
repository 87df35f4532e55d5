import { dateFormatter } from '../date-format.ts';
import type { CalendarPeriod } from './policy.ts';

/** What names a period; the offset tells the two hours apart that are called the same when clocks are put back. */
const PERIODS: Readonly<Record<CalendarPeriod, string>> = {
  hourly: 'YYYY-MM-DD HH ZZ',
  daily: 'YYYY-MM-DD',
  weekly: 'GGGG-WW',
  monthly: 'YYYY-MM',
  yearly: 'YYYY',
};

export interface CalendarRule {
  readonly period: CalendarPeriod;
  readonly count: number;
  /** An IANA name. */
  readonly timeZone: string;
}

/**
 * Of times, from the newest to the oldest, which are the last of one of the `count` newest periods that have any. Weeks are
 * those of ISO 8601. So a pause uses up no period.
 */
export function keptByCalendar(
  timesMs: readonly number[],
  { period, count, timeZone }: CalendarRule,
): readonly boolean[] {
  const format = dateFormatter(PERIODS[period], timeZone);
  const seen = new Set<string>();
  return timesMs.map((timeMs) => {
    if (seen.size >= count) return false;
    const name = format(timeMs);
    const isFirst = !seen.has(name);
    seen.add(name);
    return isFirst;
  });
}
