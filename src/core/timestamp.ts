const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since 1970 of an RFC 3339 text, or `undefined`. The clock itself is the host's. */
export function parseTimestamp(text: string): number | undefined {
  const timeMs = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** The moment so many seconds after 1970 began. */
export function dateOfSeconds(seconds: number): Date {
  return new Date(seconds * 1000);
}

/** The moment that an RFC 3339 text names, or `undefined`. */
export function parseDate(text: string): Date | undefined {
  const timeMs = parseTimestamp(text);
  return timeMs === undefined ? undefined : new Date(timeMs);
}

/** A day and a time in digits, as `date` and programs write them: `2026-11-21T14:07:54Z`, `20261121-140754`. */
const DIGITS =
  /(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[Tt _.-]?(\d\d)[:.-]?(\d\d)(?:(?!-\d\d:?\d\d)[:.-]?(\d\d))?(?!\d)(?:\.\d+)?(?:([+-])(\d\d):?(\d\d))?/;
/** Seconds or milliseconds since 1970. */
const SINCE_1970 = /(?<!\d)(\d{10})(\d{3})?(?!\d)/;
/** What `date` prints, and what HTTP has. */
const WORDS = /^[A-Z][a-z]{2},? (?:[A-Z][a-z]{2} +\d{1,2}|\d{1,2} [A-Z][a-z]{2}) .{0,40}$/;

/**
 * The moment that is written somewhere in a text, in milliseconds since 1970, in any of the forms that are common in
 * scripts; `undefined` when there is none. A text without a zone is read as UTC.
 */
export function momentIn(text: string): number | undefined {
  const [, year, month, day, hour, minute, second = '0', sign, hours, minutes] = DIGITS.exec(text) ?? [];
  if (year !== undefined) {
    const timeMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
    const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
    return sign === '-' ? timeMs + offsetMs : timeMs - offsetMs;
  }
  const [, seconds, milliseconds = '0'] = SINCE_1970.exec(text) ?? [];
  if (seconds !== undefined) return Number(seconds) * 1000 + Number(milliseconds);
  const timeMs = WORDS.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** `1.2 s`, `3 min 4 s`, `5 d`: a duration as a person says it. */
export function formatDuration(durationMs: number): string {
  const milliseconds = Math.round(durationMs);
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const tenths = Math.round(milliseconds / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

/** The day of a moment in UTC: `2026-11-21`. */
export function formatDay(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
