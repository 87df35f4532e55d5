import { formatDate, isTimeZone } from './date-format.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** What the expressions of docker/metadata-action v6 ("Global expressions") stand for in every attribute. */
const EVENT_NAMES = ['branch', 'tag', 'sha', 'base_ref', 'is_default_branch', 'is_not_default_branch'] as const;
/** What stands for the version, in the patterns of `type=semver` and `type=pep440` only. */
const VERSION_NAMES = ['raw', 'version', 'major', 'minor', 'patch'] as const;
const DATE_NAMES = ['date', 'commit_date'] as const;

type EventName = (typeof EVENT_NAMES)[number];
export type VersionName = (typeof VERSION_NAMES)[number];
type DateName = (typeof DATE_NAMES)[number];

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'event'; readonly name: EventName }
  | { readonly kind: 'version'; readonly name: VersionName }
  | { readonly kind: 'date'; readonly name: DateName; readonly format: string; readonly zone: string };

/** A text with `{{…}}` expressions in it. Made by {@link parseTemplate} only. */
export type Template = readonly Part[];

/** What the expressions of one run stand for. */
export interface TemplateFacts {
  readonly event: Readonly<Record<EventName, string>>;
  readonly dates: Readonly<Record<DateName, Date>>;
  readonly version?: Readonly<Record<VersionName, string>>;
}

const DATE_CALL = /^(date|commit_date)\s+(?:'([^']*)'|"([^"]*)")(?:\s+tz=(?:'([^']*)'|"([^"]*)"))?$/;

/** Parses `v{{major}}-{{date 'YYYYMMDD' tz='Asia/Tokyo'}}`. An expression that is not known here is a problem. */
export function parseTemplate(text: string, uses: 'event' | 'version' = 'event'): Parsed<Template> {
  const parts: Part[] = [];
  for (let rest = text; rest !== ''; ) {
    const start = rest.indexOf('{{');
    if (start !== 0) parts.push({ kind: 'text', text: start < 0 ? rest : rest.slice(0, start) });
    if (start < 0) break;
    const end = rest.indexOf('}}', start);
    if (end < 0) return unparsable(`${quote(text)} has a {{ that is never closed`);
    const part = parseExpression(rest.slice(start + 2, end).trim(), uses);
    if (!part.ok) return part;
    parts.push(part.value);
    rest = rest.slice(end + 2);
  }
  return parsed(parts);
}

function parseExpression(expression: string, uses: 'event' | 'version'): Parsed<Part> {
  const event = EVENT_NAMES.find((name) => name === expression);
  if (event !== undefined) return parsed({ kind: 'event', name: event });
  const version = VERSION_NAMES.find((name) => name === expression);
  if (version !== undefined && uses === 'version') return parsed({ kind: 'version', name: version });
  const [, call = '', single, double, zoneSingle, zoneDouble] = DATE_CALL.exec(expression) ?? [];
  const date = DATE_NAMES.find((name) => name === call);
  if (date !== undefined) {
    const zone = zoneSingle ?? zoneDouble ?? 'UTC';
    if (!isTimeZone(zone))
      return unparsable(`${quote(zone)} is not a time zone: a name such as Asia/Tokyo or UTC is allowed`);
    return parsed({ kind: 'date', name: date, format: single ?? double ?? '', zone });
  }
  return unparsable(unknownExpression(expression, uses));
}

function unknownExpression(expression: string, uses: 'event' | 'version'): string {
  const word = /^[#/]?\s*(\S*)/.exec(expression)?.[1] ?? '';
  if (DATE_NAMES.some((name) => name === word)) {
    return `{{${word}}} needs a format, and takes a time zone: {{${word} 'YYYYMMDD' tz='Asia/Tokyo'}}`;
  }
  if (VERSION_NAMES.some((name) => name === word)) {
    return `{{${word}}} is known in the pattern of type=semver and type=pep440 only`;
  }
  const names = [...EVENT_NAMES, ...DATE_NAMES, ...(uses === 'version' ? VERSION_NAMES : [])];
  const near = nearest(word, names);
  return `the expression ${quote(expression)} is not known${near === undefined ? `: ${names.join(', ')} are` : `; did you mean ${near}?`}`;
}

/** The text that the template stands for; expressions of the version are empty where there is none. */
export function renderTemplate(template: Template, facts: TemplateFacts): string {
  return template.map((part) => renderPart(part, facts)).join('');
}

function renderPart(part: Part, facts: TemplateFacts): string {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'event':
      return facts.event[part.name];
    case 'version':
      return facts.version?.[part.name] ?? '';
    case 'date':
      return formatDate(facts.dates[part.name], part.format, part.zone);
  }
}

/** True when the template says the same in every run. */
export function isConstant(template: Template): boolean {
  return template.every(({ kind }) => kind === 'text');
}

/** Which parts of the version the template names, and what stands before the first and after the last of them. */
export function versionNamesIn(template: Template): {
  readonly names: ReadonlySet<VersionName>;
  readonly before: Template;
  readonly after: Template;
} {
  const first = template.findIndex(({ kind }) => kind === 'version');
  const last = template.findLastIndex(({ kind }) => kind === 'version');
  const names = new Set(template.flatMap((part) => (part.kind === 'version' ? [part.name] : [])));
  if (first < 0) return { names, before: [], after: [] };
  return { names, before: template.slice(0, first), after: template.slice(last + 1) };
}
