import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import {
  type Attributes,
  chooseWord,
  parseAttributes,
  parseFields,
  parseSwitch,
  parseTemplateOf,
  problemsOf,
} from './tag-attributes.ts';
import type { Template } from './tag-template.ts';

/** What holds for all tags, in the words of docker/metadata-action v6 ("flavor input"). */
export interface Flavor {
  /** `auto`: `latest` goes with the highest stable release; never with a branch. */
  readonly latest: 'auto' | 'true' | 'false';
  /** Stands before every tag whose rule has no prefix of its own. */
  readonly prefix: Template;
  readonly suffix: Template;
  readonly prefixOnLatest: boolean;
  readonly suffixOnLatest: boolean;
}

const DEFAULT: Flavor = { latest: 'auto', prefix: [], suffix: [], prefixOnLatest: false, suffixOnLatest: false };

/** Parses the lines of `flavor`; a later entry wins. */
export function parseFlavor(lines: readonly string[]): Parsed<Flavor> {
  const changes = lines.map(parseLine);
  const problems = problemsOf(changes);
  if (problems !== '') return unparsable(problems);
  return parsed(changes.reduce((flavor, change) => (change.ok ? { ...flavor, ...change.value } : flavor), DEFAULT));
}

function parseLine(line: string): Parsed<Partial<Flavor>> {
  const fields = parseFields(line);
  if (!fields.ok) return fields;
  const attributes = parseAttributes(fields.value, ['latest', 'prefix', 'suffix', 'onlatest'], 'the flavor');
  return attributes.ok ? readLine(line, attributes.value) : attributes;
}

function readLine(line: string, attributes: Attributes): Parsed<Partial<Flavor>> {
  const latest = chooseWord(attributes, 'latest', ['auto', 'true', 'false']);
  const onLatest = parseSwitch(attributes, 'onlatest');
  const prefix = parseTemplateOf(attributes, 'prefix');
  const suffix = parseTemplateOf(attributes, 'suffix');
  if (!latest.ok || !onLatest.ok || !prefix.ok || !suffix.ok) {
    return unparsable(problemsOf([latest, onLatest, prefix, suffix]));
  }
  if (attributes.has('onlatest') && prefix.value === undefined && suffix.value === undefined) {
    return unparsable(`${quote(line)}: onlatest belongs behind a prefix or a suffix, as in prefix=x-,onlatest=true`);
  }
  return parsed({
    ...(latest.value === undefined ? {} : { latest: latest.value }),
    ...(prefix.value === undefined ? {} : { prefix: prefix.value, prefixOnLatest: onLatest.value }),
    ...(suffix.value === undefined ? {} : { suffix: suffix.value, suffixOnLatest: onLatest.value }),
  });
}
