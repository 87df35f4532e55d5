interface WallTime {
  readonly epochMs: number;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Days since 1970-01-01, as the calendar on the wall shows. */
  readonly days: number;
  readonly zoneName: string;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const TOKEN =
  /\[([^\]]*)\]|YYYY|YY|Qo?|MMMM|MMM|MM|Mo|M|DDDD|DDDo|DDD|DD|Do|D|dddd|ddd|dd|do|d|E|e|gggg|gg|GGGG|GG|ww|wo|w|WW|Wo|W|HH|H|hh|h|kk|k|mm|m|ss|s|S{1,9}|A|a|ZZ|Z|zz|z|X|x/g;

/** True when this runtime knows the zone: an IANA name such as `Asia/Tokyo`, or `UTC`. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).format !== undefined;
  } catch {
    return false;
  }
}

/**
 * The date in the display tokens of Moment.js 2.30 (https://momentjs.com/docs/#/displaying/format/), in English; text in
 * brackets and characters that are no token stand for themselves. The zone must be one of {@link isTimeZone}.
 * The libraries at hand render some tokens wrongly outside UTC (X, x) or not at all (DDD, E, S).
 */
export function formatDate(date: Date, format: string, zone: string): string {
  return dateFormatter(format, zone)(date.getTime());
}

/** As {@link formatDate}, for many dates: in milliseconds since 1970, of which a Date must be able to tell the day. */
export function dateFormatter(format: string, zone: string): (epochMs: number) => string {
  const formatter = wallFormatter(zone);
  return (epochMs) => {
    const time = wallTime(epochMs, formatter, zone);
    return format.replace(TOKEN, (token: string, literal: string | undefined) => literal ?? render(token, time));
  };
}

function render(token: string, time: WallTime): string {
  return yearToken(token, time) ?? dayToken(token, time) ?? clockToken(token, time) ?? token;
}

function yearToken(token: string, { year, month }: WallTime): string | undefined {
  const quarter = Math.ceil(month / 3);
  switch (token) {
    case 'YYYY':
      return pad(year, 4);
    case 'YY':
      return pad(year % 100, 2);
    case 'Q':
      return String(quarter);
    case 'Qo':
      return ordinal(quarter);
    case 'MMMM':
      return MONTHS[month - 1];
    case 'MMM':
      return MONTHS[month - 1]?.slice(0, 3);
    default:
      return numberToken(token, 'M', month);
  }
}

function dayToken(token: string, { year, day, days }: WallTime): string | undefined {
  const weekday = weekdayOf(days);
  const name = WEEKDAYS[weekday];
  const dayOfYear = days - daysFromCivil(year, 1, 1) + 1;
  const week = weekOf(days, year, SUNDAY_WEEKS);
  const isoWeek = weekOf(days, year, ISO_WEEKS);
  switch (token) {
    case 'dddd':
      return name;
    case 'ddd':
      return name?.slice(0, 3);
    case 'dd':
      return name?.slice(0, 2);
    case 'E':
      return String(weekday === 0 ? 7 : weekday);
    case 'DDDD':
      return pad(dayOfYear, 3);
    case 'DDD':
      return String(dayOfYear);
    case 'DDDo':
      return ordinal(dayOfYear);
    case 'gggg':
    case 'gg':
      return pad(week.year, 4).slice(-token.length);
    case 'GGGG':
    case 'GG':
      return pad(isoWeek.year, 4).slice(-token.length);
    default:
      return (
        numberToken(token, 'D', day) ??
        numberToken(token, 'd', weekday) ??
        numberToken(token, 'e', weekday) ??
        numberToken(token, 'w', week.week) ??
        numberToken(token, 'W', isoWeek.week)
      );
  }
}

function clockToken(token: string, time: WallTime): string | undefined {
  const { hour, minute, second, epochMs } = time;
  switch (token) {
    case 'A':
      return hour < 12 ? 'AM' : 'PM';
    case 'a':
      return hour < 12 ? 'am' : 'pm';
    case 'Z':
      return offset(time, ':');
    case 'ZZ':
      return offset(time, '');
    case 'z':
    case 'zz':
      return time.zoneName;
    case 'X':
      return String(Math.floor(epochMs / 1000));
    case 'x':
      return String(epochMs);
    default:
      if (token.startsWith('S')) return pad(modulo(epochMs, 1000), 3).padEnd(9, '0').slice(0, token.length);
      return (
        numberToken(token, 'H', hour) ??
        numberToken(token, 'h', hour % 12 || 12) ??
        numberToken(token, 'k', hour || 24) ??
        numberToken(token, 'm', minute) ??
        numberToken(token, 's', second)
      );
  }
}

/** `x`, `xx` and `xo` for the letter x: the number, in two digits, as an ordinal. */
function numberToken(token: string, letter: string, value: number): string | undefined {
  if (token === letter) return String(value);
  if (token === `${letter}${letter}`) return pad(value, 2);
  return token === `${letter}o` ? ordinal(value) : undefined;
}

function wallFormatter(zone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    timeZoneName: 'short',
  });
}

function wallTime(epochMs: number, formatter: Intl.DateTimeFormat, zone: string): WallTime {
  const parts = new Map(formatter.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = (
    ['year', 'month', 'day', 'hour', 'minute', 'second'] as const
  ).map((type) => Number(parts.get(type)));
  const days = daysFromCivil(year, month, day);
  const zoneName = parts.get('timeZoneName') ?? zone;
  return { epochMs, year, month, day, hour, minute, second, days, zoneName };
}

function offset({ days, hour, minute, second, epochMs }: WallTime, separator: string): string {
  const wallSeconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
  const minutes = Math.round((wallSeconds - Math.floor(epochMs / 1000)) / 60);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}${separator}${pad(size % 60, 2)}`;
}

/** Days since 1970-01-01 in the Gregorian calendar, counting years from March so that leap days come last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfMarchYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return marchYear * 365 + leapDays + dayOfMarchYear - 719_468;
}

function weekdayOf(days: number): number {
  return modulo(days + 4, 7);
}

/** How weeks are counted: the weekday they begin on, and the day of January that week 1 always holds. */
interface Weeks {
  readonly startsOn: number;
  readonly holds: number;
}

const SUNDAY_WEEKS: Weeks = { startsOn: 0, holds: 1 };
const ISO_WEEKS: Weeks = { startsOn: 1, holds: 4 };

function weekOf(days: number, year: number, weeks: Weeks): { readonly year: number; readonly week: number } {
  const weekYear = [year + 1, year, year - 1].find((one) => days >= firstWeek(one, weeks)) ?? year;
  return { year: weekYear, week: Math.floor((days - firstWeek(weekYear, weeks)) / 7) + 1 };
}

function firstWeek(year: number, { startsOn, holds }: Weeks): number {
  const held = daysFromCivil(year, 1, holds);
  return held - modulo(weekdayOf(held) - startsOn, 7);
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, '0');
}

function ordinal(value: number): string {
  const isTeen = Math.floor((value % 100) / 10) === 1;
  const suffix = isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th');
  return `${value}${suffix}`;
}
