import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { isTag, parseReference, type RepositoryName } from './reference.ts';
import {
  type Attributes,
  chooseWord,
  keyOf,
  parseAttributes,
  parseFields,
  parseSwitch,
  parseTemplateOf,
  problemsOf,
  suggest,
  valueOf,
} from './tag-attributes.ts';
import { isConstant, parseTemplate, type Template } from './tag-template.ts';
import { parseUserPattern, type UserPattern } from './user-pattern.ts';

/** What started a run, as far as tags are concerned. Everything but the date is absent outside a workflow. */
export interface GitEvent {
  /** The full ref: `refs/heads/main`, `refs/tags/v1.2.3`, `refs/pull/7/merge`. */
  readonly ref?: string | undefined;
  /** The commit, 40 or 64 hexadecimal digits. */
  readonly sha?: string | undefined;
  /** The last commit of a pull request's own branch: there, `sha` is a merge of it. */
  readonly headSha?: string | undefined;
  /** The branch's name, where the ref is a branch; taken from `ref` when absent. */
  readonly branch?: string | undefined;
  /** The tag's name, where the ref is a tag; taken from `ref` when absent. */
  readonly tag?: string | undefined;
  /** The number of the pull request that the run is about, whatever its ref. */
  readonly pullRequest?: number | undefined;
  /** The branch that a pull request is to be merged into. */
  readonly baseRef?: string | undefined;
  readonly defaultBranch?: string | undefined;
  /** Worked out from the two branches when absent. */
  readonly isDefaultBranch?: boolean | undefined;
  /** The name of GitHub's event: `push`, `schedule` … */
  readonly eventName?: string | undefined;
  /** When the run started. */
  readonly date: Date;
  readonly commitDate?: Date | undefined;
}

/** One thing wrong with an input; the shape of `Problem` in errors.ts. */
export interface RuleProblem {
  readonly input: string;
  readonly message: string;
}

/** Where a rule's tag comes from: the types of docker/metadata-action v6, and full references. */
export type TagSource =
  | { readonly type: 'schedule'; readonly pattern: Template }
  | {
      readonly type: 'semver' | 'pep440';
      readonly pattern: Template;
      readonly value: Template | undefined;
      /** Takes the version out of the git tag: its first group, else the whole match. */
      readonly match: UserPattern | undefined;
      /** Make the tag `0` for 0.x as well. */
      readonly majorZero: boolean;
    }
  | {
      readonly type: 'match';
      readonly pattern: UserPattern;
      readonly group: number;
      readonly value: Template | undefined;
    }
  | { readonly type: 'edge'; readonly branch: string | undefined }
  | { readonly type: 'ref'; readonly event: 'branch' | 'tag' | 'pr' }
  | { readonly type: 'raw'; readonly value: Template }
  | { readonly type: 'sha'; readonly format: 'short' | 'long' }
  | { readonly type: 'reference'; readonly repository: RepositoryName; readonly tag: string };

export interface TagRule {
  /** The line as the user wrote it. */
  readonly text: string;
  readonly source: TagSource;
  readonly enable: Template;
  readonly priority: number;
  /** `undefined`: the flavor's. */
  readonly prefix: Template | undefined;
  readonly suffix: Template | undefined;
}

type RuleType = Exclude<TagSource['type'], 'reference'>;

const COMMON_ATTRIBUTES = ['type', 'enable', 'priority', 'prefix', 'suffix'];
const TYPES: Readonly<Record<RuleType, { readonly priority: number; readonly attributes: readonly string[] }>> = {
  schedule: { priority: 1000, attributes: ['pattern'] },
  semver: { priority: 900, attributes: ['pattern', 'value', 'match', 'major-zero'] },
  pep440: { priority: 900, attributes: ['pattern', 'value', 'match', 'major-zero'] },
  match: { priority: 800, attributes: ['pattern', 'group', 'value'] },
  edge: { priority: 700, attributes: ['branch'] },
  ref: { priority: 600, attributes: ['event'] },
  raw: { priority: 200, attributes: ['value'] },
  sha: { priority: 100, attributes: ['format'] },
};
const MAX_LINE_LENGTH = 4096;

/** The lines of `tags` and `flavor`: trimmed, blank ones and those that begin with `#` left out. */
export function parseTagLines(text: string): Parsed<readonly string[]> {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const long = lines.find((line) => line.length > MAX_LINE_LENGTH);
  if (long === undefined) return parsed(lines);
  return unparsable(`${quote(long)} is a line of more than ${MAX_LINE_LENGTH} characters`);
}

/** Parses one line of `tags`: a rule, or plain tags and full references with commas between them. */
export function parseTagRules(line: string): Parsed<readonly TagRule[]> {
  const fields = parseFields(line);
  if (!fields.ok) return fields;
  if (fields.value.every((field) => keyOf(field) === undefined)) {
    const plain = fields.value.map(parsePlain);
    const problems = problemsOf(plain);
    return problems === '' ? parsed(plain.flatMap((rule) => (rule.ok ? [rule.value] : []))) : unparsable(problems);
  }
  const rule = parseRule(line, fields.value);
  return rule.ok ? parsed([rule.value]) : rule;
}

function parsePlain(text: string): Parsed<TagRule> {
  const rule = { text, enable: [{ kind: 'text', text: 'true' }] as const, priority: TYPES.raw.priority };
  const plain = { ...rule, prefix: undefined, suffix: undefined };
  if (text.includes('{{')) {
    const value = parseTemplate(text);
    return value.ok ? parsed({ ...plain, source: { type: 'raw', value: value.value } }) : value;
  }
  if (isTag(text)) return parsed({ ...plain, source: { type: 'raw', value: [{ kind: 'text', text }] } });
  if (!/[/:@]/.test(text)) {
    return unparsable(
      `${quote(text)} is no tag: letters, digits, "_", "." and "-" are allowed, 128 at most, the first not "." or "-"`,
    );
  }
  const colon = text.lastIndexOf(':');
  const reference = parseReference(
    `${text.slice(0, Math.max(0, colon)).toLowerCase()}${text.slice(Math.max(0, colon))}`,
  );
  if (!reference.ok) return reference;
  const { repository, tag, digest } = reference.value;
  if (digest !== undefined) return unparsable(`${quote(text)} has a digest: a tag is set, a digest is what comes out`);
  if (tag === undefined)
    return unparsable(`${quote(text)} names no tag: ghcr.io/acme/app:1.0 is allowed, or a plain tag`);
  return parsed({ ...plain, source: { type: 'reference', repository, tag } });
}

function parseRule(line: string, fields: readonly string[]): Parsed<TagRule> {
  const type = parseType(fields);
  if (!type.ok) return type;
  const { priority: standIn, attributes: own } = TYPES[type.value];
  const attributes = parseAttributes(fields, [...COMMON_ATTRIBUTES, ...own], `type=${type.value}`);
  if (!attributes.ok) return attributes;
  const source = parseSource(type.value, attributes.value);
  const enable = parseEnable(attributes.value);
  const priority = parsePriority(attributes.value, standIn);
  const prefix = parseTemplateOf(attributes.value, 'prefix');
  const suffix = parseTemplateOf(attributes.value, 'suffix');
  if (!source.ok || !enable.ok || !priority.ok || !prefix.ok || !suffix.ok) {
    return unparsable(problemsOf([source, enable, priority, prefix, suffix]));
  }
  return parsed({
    text: line,
    source: source.value,
    enable: enable.value,
    priority: priority.value,
    prefix: prefix.value ?? defaultPrefix(source.value),
    suffix: suffix.value,
  });
}

function defaultPrefix(source: TagSource): Template | undefined {
  if (source.type === 'sha') return [{ kind: 'text', text: 'sha-' }];
  return source.type === 'ref' && source.event === 'pr' ? [{ kind: 'text', text: 'pr-' }] : undefined;
}

function parseType(fields: readonly string[]): Parsed<RuleType> {
  const given = fields.find((field) => keyOf(field) === 'type');
  if (given === undefined) return parsed('raw');
  const name = valueOf(given);
  const types = ['schedule', 'semver', 'pep440', 'match', 'edge', 'ref', 'raw', 'sha'] as const;
  const type = types.find((known) => known === name);
  return type === undefined ? unparsable(`type=${quote(name)} is not known${suggest(name, types)}`) : parsed(type);
}

function parseSource(type: RuleType, attributes: Attributes): Parsed<TagSource> {
  switch (type) {
    case 'schedule': {
      const pattern = parseTemplate(attributes.get('pattern') ?? 'nightly');
      return pattern.ok ? parsed({ type, pattern: pattern.value }) : pattern;
    }
    case 'semver':
    case 'pep440':
      return parseVersionSource(type, attributes);
    case 'match':
      return parseMatchSource(attributes);
    case 'edge': {
      const branch = attributes.get('branch');
      return parsed({ type, branch: branch === '' ? undefined : branch });
    }
    case 'ref': {
      const event = chooseWord(attributes, 'event', ['branch', 'tag', 'pr']);
      if (!event.ok) return event;
      return event.value === undefined
        ? unparsable('type=ref needs an event: branch, tag or pr')
        : parsed({ type, event: event.value });
    }
    case 'raw': {
      const value = parseTemplateOf(attributes, 'value');
      if (!value.ok) return value;
      return value.value === undefined ? unparsable('type=raw needs a value') : parsed({ type, value: value.value });
    }
    case 'sha': {
      const format = chooseWord(attributes, 'format', ['short', 'long']);
      return format.ok ? parsed({ type, format: format.value ?? 'short' }) : format;
    }
  }
}

function parseVersionSource(type: 'semver' | 'pep440', attributes: Attributes): Parsed<TagSource> {
  const text = attributes.get('pattern') ?? '';
  if (text === '') return unparsable(`type=${type} needs a pattern: {{version}}, {{major}}.{{minor}} or {{major}}`);
  const pattern = parseTemplate(text, 'version');
  const value = parseTemplateOf(attributes, 'value');
  const majorZero = parseSwitch(attributes, 'major-zero');
  const regex = attributes.get('match');
  const match = regex === undefined || regex === '' ? parsed(undefined) : parseUserPattern(regex);
  if (!pattern.ok || !value.ok || !majorZero.ok || !match.ok) {
    return unparsable(problemsOf([pattern, value, majorZero, match]));
  }
  return parsed({
    type,
    pattern: pattern.value,
    value: notEmpty(value.value),
    match: match.value,
    majorZero: majorZero.value,
  });
}

function parseMatchSource(attributes: Attributes): Parsed<TagSource> {
  const text = attributes.get('pattern') ?? '';
  if (text === '') return unparsable('type=match needs a pattern: a regular expression');
  const pattern = parseUserPattern(text);
  const value = parseTemplateOf(attributes, 'value');
  const group = attributes.get('group') ?? '0';
  if (!pattern.ok || !value.ok) return unparsable(problemsOf([pattern, value]));
  if (!/^[0-9]{1,2}$/.test(group)) return unparsable(`group=${quote(group)} is not the number of a group`);
  return parsed({ type: 'match', pattern: pattern.value, group: Number(group), value: notEmpty(value.value) });
}

function parseEnable(attributes: Attributes): Parsed<Template> {
  const text = attributes.get('enable') ?? 'true';
  const template = parseTemplate(text);
  if (!template.ok || !isConstant(template.value) || text === 'true' || text === 'false') return template;
  return unparsable(`enable=${quote(text)} is neither true nor false`);
}

function parsePriority(attributes: Attributes, standIn: number): Parsed<number> {
  const text = attributes.get('priority');
  if (text === undefined) return parsed(standIn);
  return /^-?[0-9]{1,6}$/.test(text)
    ? parsed(Number(text))
    : unparsable(`priority=${quote(text)} is not a whole number`);
}

function notEmpty(template: Template | undefined): Template | undefined {
  return template?.length === 0 ? undefined : template;
}
