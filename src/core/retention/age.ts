import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A month is 30 days and a year 365, whatever the calendar says. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', SECOND_MS],
  ['m', MINUTE_MS],
  ['h', HOUR_MS],
  ['d', DAY_MS],
  ['w', 7 * DAY_MS],
  ['mo', 30 * DAY_MS],
  ['y', 365 * DAY_MS],
]);
const MAX_YEARS = 100;
const MAX_AGE_MS = MAX_YEARS * 365 * DAY_MS;
const MAX_LENGTH = 64;

/** Parses `30d`, `1d12h`, `6mo`, in milliseconds: whole numbers above 0, each with a unit, no unit twice. */
export function parseAge(text: string): Parsed<number> {
  if (text.length > MAX_LENGTH || !/^(?:[0-9]+(?:mo|[smhdwy]))+$/.test(text)) {
    return unparsable(`${quote(text)} is no age: numbers with s, m, h, d, w, mo or y are allowed, as in 30d or 1d12h`);
  }
  const parts = [...text.matchAll(/([0-9]+)(mo|[smhdwy])/g)].map(([, count = '', unit = '']) => ({ count, unit }));
  const units = parts.map(({ unit }) => unit);
  const twice = units.find((unit, index) => units.indexOf(unit) !== index);
  if (twice !== undefined) return unparsable(`${quote(text)} is no age: it has ${twice} twice`);
  if (parts.some(({ count }) => count.startsWith('0'))) {
    return unparsable(`${quote(text)} is no age: its numbers must be more than 0, without leading zeros`);
  }
  const ageMs = parts.reduce((sum, { count, unit }) => sum + Number(count) * (UNITS.get(unit) ?? 0), 0);
  return ageMs <= MAX_AGE_MS ? parsed(ageMs) : unparsable(`${quote(text)} is more than ${MAX_YEARS}y`);
}

/** An age that was parsed, in days, hours, minutes and seconds: `30d`, `1d12h`. */
export function formatAge(ageMs: number): string {
  let left = ageMs;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's']) {
    const sizeMs = UNITS.get(unit) ?? 1;
    const count = Math.floor(left / sizeMs);
    left -= count * sizeMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
