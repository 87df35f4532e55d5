import { nearest } from './core/nearest.ts';
import { lowerOwnName } from './core/own-name.ts';
import { quote, toLine } from './core/printable.ts';
import type { Problem } from './errors.ts';
import type { Option } from './option.ts';
import { isOptionName, OPTION_NAMES, OPTION_TABLE, type OptionName } from './option-table.ts';

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;
type ValueOf<Entry> = Entry extends Option<infer T> ? T : never;

/** Every option with its value: what the stages read. */
export type Options = { readonly [Name in OptionName as CamelCase<Name>]: ValueOf<(typeof OPTION_TABLE)[Name]> };

/** What a person wrote, by option name; an absent or empty text means the default. */
export type RawOptions = Readonly<Record<string, string | undefined>>;

/** What the texts say. Where a text is bad its problem is listed, and the default stands in so that checks can go on. */
export interface ParsedOptions {
  readonly options: Options;
  readonly problems: readonly Problem[];
  /** What was taken from the environment: sentences for the log. */
  readonly fromEnvironment: readonly string[];
}

/** Options that hold names of repositories. */
const REPOSITORY_OPTIONS: ReadonlySet<string> = new Set(['images', 'tags', 'cache-from', 'cache-to']);

/**
 * Turns texts into values. Pure. Every problem is listed: unknown names (with the nearest known one), bad values, missing
 * values (`required`), and options that do not go together.
 */
export function parseOptions(
  raw: RawOptions,
  env: RawOptions = {},
  required: readonly OptionName[] = [],
): ParsedOptions {
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  const fromEnvironment: string[] = [];
  const own = { repository: env['GITHUB_REPOSITORY'] ?? '', owner: env['GITHUB_REPOSITORY_OWNER'] ?? '' };
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined && !isOptionName(name))
      problems.push({ input: toLine(name, 40), message: unknownName(name) });
  }
  for (const name of OPTION_NAMES) {
    const option: Option<unknown> = OPTION_TABLE[name];
    const given = REPOSITORY_OPTIONS.has(name) ? lowerOwnName(raw[name] ?? '', own) : (raw[name] ?? '');
    const standIn = option.variable === undefined ? '' : (env[option.variable] ?? '');
    const origin = isBlank(given) && !isBlank(standIn) ? `, from ${option.variable}` : '';
    if (origin !== '') fromEnvironment.push(`${name} is ${quote(standIn)}${origin}`);
    const text = [given, standIn].find((candidate) => !isBlank(candidate)) ?? option.default;
    const result = option.parse(text);
    const value = result.ok ? result : option.parse(option.default);
    if (!result.ok) problems.push({ input: name, message: `${result.problem}${origin}` });
    else if (required.includes(name) && isNothing(result.value)) problems.push({ input: name, message: 'is required' });
    if (value.ok) values[camelCase(name)] = value.value;
  }
  if (!isComplete(values)) throw new TypeError('the default of an option does not parse');
  return { options: values, problems: [...problems, ...contradictions(values)], fromEnvironment };
}

/** Whether a person wrote this: a runner fills in defaults. A name that is none was written. */
export function isGiven(name: string, text: string | undefined): text is string {
  if (text === undefined) return false;
  return !isOptionName(name) || (!isBlank(text) && text.trim() !== OPTION_TABLE[name].default);
}

function contradictions(options: Options): Problem[] {
  const problems: Problem[] = [];
  const { username, password, registry, images } = options;
  if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? 'username' : 'password';
    const given = username === undefined ? 'password' : 'username';
    problems.push({ input: missing, message: `is required, because ${given} is given` });
  }
  if (registry !== undefined && username === undefined) {
    problems.push({
      input: 'registry',
      message: `${quote(registry)} needs username and password; without them leave it out`,
    });
  }
  const registries = new Set(images.map((image) => image.registry));
  if (username !== undefined && registry === undefined && registries.size > 1) {
    problems.push({
      input: 'registry',
      message: `is required: images name several registries (${[...registries].join(', ')})`,
    });
  }
  return problems;
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function isComplete(values: Record<string, unknown>): values is Options {
  return Object.keys(values).length === OPTION_NAMES.length;
}

function unknownName(name: string): string {
  const near = nearest(name, OPTION_NAMES);
  return `is not a known input${near === undefined ? '' : `; did you mean ${near}?`}`;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
