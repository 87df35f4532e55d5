const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since 1970 of an RFC 3339 text, or `undefined`. The clock itself is the host's. */
export function parseTimestamp(text: string): number | undefined {
  const timeMs = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** The moment that an RFC 3339 text names, or `undefined`. */
export function parseDate(text: string): Date | undefined {
  const timeMs = parseTimestamp(text);
  return timeMs === undefined ? undefined : new Date(timeMs);
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
