import { parseList } from './lists.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseTemplate, type Template } from './tag-template.ts';

/** The `key=value` fields of one line of `tags` or `flavor`. */
export type Attributes = ReadonlyMap<string, string>;

/** The fields of one line: commas between them, double quotes around a field that holds a comma. */
export function parseFields(line: string): Parsed<readonly string[]> {
  const fields = parseList(line, { commas: true });
  if (!fields.ok) return unparsable(`${quote(line)}: ${fields.problem}`);
  const cut = fields.value.find((field) => field.lastIndexOf('{{') > field.lastIndexOf('}}'));
  if (cut === undefined) return fields;
  return unparsable(
    `${quote(cut)} has a {{ that is never closed; a field with a comma in it needs "double quotes" around it`,
  );
}

/** The name in front of a field's first `=`, in lower case; `undefined` for a field that is just a value. */
export function keyOf(field: string): string | undefined {
  return /^\s*([A-Za-z][A-Za-z0-9_-]*)\s*=/.exec(field)?.[1]?.toLowerCase();
}

/** What follows a field's first `=`; all of a field without a name. */
export function valueOf(field: string): string {
  return keyOf(field) === undefined ? field.trim() : field.slice(field.indexOf('=') + 1).trim();
}

/** The fields by name; one without a name is the value, as in `type=raw,foo`. Unknown names are problems, all of them. */
export function parseAttributes(
  fields: readonly string[],
  known: readonly string[],
  owner: string,
): Parsed<Attributes> {
  const attributes = new Map<string, string>();
  const problems: string[] = [];
  for (const field of fields) {
    const key = keyOf(field) ?? 'value';
    if (!known.includes(key)) {
      problems.push(`${quote(keyOf(field) ?? field)} is no attribute of ${owner}${suggest(key, known)}`);
    } else if (attributes.has(key)) {
      problems.push(`${key} is given twice for ${owner}`);
    }
    attributes.set(key, valueOf(field));
  }
  return problems.length === 0 ? parsed(attributes) : unparsable(problems.join('; '));
}

/** One of these words; `undefined` when the attribute is absent. */
export function chooseWord<const Word extends string>(
  attributes: Attributes,
  key: string,
  words: readonly Word[],
): Parsed<Word | undefined> {
  const text = attributes.get(key);
  if (text === undefined) return parsed(undefined);
  const word = words.find((one) => one === text);
  return word === undefined ? unparsable(`${key}=${quote(text)} is not allowed${suggest(text, words)}`) : parsed(word);
}

/** True only when the attribute says `true`. */
export function parseSwitch(attributes: Attributes, key: string): Parsed<boolean> {
  const chosen = chooseWord(attributes, key, ['true', 'false']);
  return chosen.ok ? parsed(chosen.value === 'true') : chosen;
}

/** The attribute as a template; `undefined` when it is absent. */
export function parseTemplateOf(attributes: Attributes, key: string): Parsed<Template | undefined> {
  const text = attributes.get(key);
  return text === undefined ? parsed(undefined) : parseTemplate(text);
}

/** The end of a sentence about a wrong word: the word that was most likely meant, else all that are allowed. */
export function suggest(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? `: ${known.join(', ')} are allowed` : `; did you mean ${near}?`;
}

/** The problems of all these results in one sentence; empty when there are none. */
export function problemsOf(results: readonly Parsed<unknown>[]): string {
  return results.flatMap((result) => (result.ok ? [] : [result.problem])).join('; ');
}
