import fc from 'fast-check';
import { valueAt } from '../../src/core/json.ts';

/** The part of JSON Schema 2020-12 that our schemas use; any other keyword is an error, since it would be passed over. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

const ANNOTATIONS = new Set(['$schema', '$id', '$defs', 'title', 'description']);
const KEYWORDS =
  '$ref const enum oneOf type properties required additionalProperties items prefixItems minItems maxItems minimum pattern';
const KNOWN = new Set(KEYWORDS.split(' '));

/** What is wrong with a value: a sentence for each violation, none when it is valid. */
export function violations(root: Schema, value: unknown, schema: Schema = root, at = '$'): readonly string[] {
  const inside = (part: unknown, item: unknown, where: string) => violations(root, item, schemaIn(part), where);
  const found: string[] = [];
  const demand = (holds: boolean, what: string): void => {
    if (!holds) found.push(`${at}: ${what}`);
  };
  for (const [keyword, argument] of Object.entries(schema)) {
    if (ANNOTATIONS.has(keyword)) continue;
    if (!KNOWN.has(keyword)) throw new Error(`${keyword} is not known to these tests`);
    if (keyword === '$ref') found.push(...inside(target(root, argument), value, at));
    if (keyword === 'const') demand(value === argument, `not ${String(argument)}`);
    if (keyword === 'enum') demand(list(argument).includes(value), 'none of the values');
    if (keyword === 'type') demand(isOfType(value, argument), `not of type ${String(argument)}`);
    if (keyword === 'pattern' && typeof value === 'string')
      demand(new RegExp(String(argument), 'u').test(value), 'not of the pattern');
    if (keyword === 'minimum' && typeof value === 'number') demand(value >= Number(argument), 'too small');
    if (keyword === 'oneOf')
      demand(list(argument).filter((one) => inside(one, value, at).length === 0).length === 1, 'not one of the forms');
    if (Array.isArray(value)) {
      const prefix = list(schema['prefixItems'] ?? []);
      if (keyword === 'minItems') demand(value.length >= Number(argument), 'too short');
      if (keyword === 'maxItems') demand(value.length <= Number(argument), 'too long');
      if (keyword === 'prefixItems')
        for (const [index, part] of prefix.slice(0, value.length).entries())
          found.push(...inside(part, value[index], `${at}[${index}]`));
      if (keyword === 'items')
        for (const [index, item] of value.entries())
          if (index >= prefix.length) found.push(...inside(argument, item, `${at}[${index}]`));
    } else if (typeof value === 'object' && value !== null) {
      const properties = schemaIn(schema['properties'] ?? {});
      if (keyword === 'required')
        for (const name of list(argument)) demand(Object.hasOwn(value, String(name)), `${String(name)} is missing`);
      if (keyword === 'properties')
        for (const [name, part] of Object.entries(properties))
          if (Object.hasOwn(value, name)) found.push(...inside(part, valueAt(value, name), `${at}.${name}`));
      if (keyword === 'additionalProperties')
        for (const [name, item] of Object.entries(value))
          if (!Object.hasOwn(properties, name))
            if (argument === false) demand(false, `${name} is not known`);
            else found.push(...inside(argument, item, `${at}.${name}`));
    }
  }
  return found;
}

/** Values that are valid. */
export function valuesOf(root: Schema, schema: Schema = root): fc.Arbitrary<unknown> {
  const of = (part: unknown): fc.Arbitrary<unknown> => valuesOf(root, schemaIn(part));
  if (schema['$ref'] !== undefined) return of(target(root, schema['$ref']));
  if ('const' in schema) return fc.constant(schema['const']);
  if (schema['enum'] !== undefined) return fc.constantFrom(...list(schema['enum']));
  if (schema['oneOf'] !== undefined) return fc.oneof(...list(schema['oneOf']).map(of));
  if (schema['type'] === 'integer') return fc.nat(5);
  if (schema['type'] === 'number') return fc.double({ noNaN: true, noDefaultInfinity: true });
  if (schema['type'] === 'boolean') return fc.boolean();
  const { pattern } = schema;
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern));
  if (schema['type'] === 'string') return fc.string({ unit: 'binary', maxLength: 8 });
  if (schema['prefixItems'] !== undefined) return fc.tuple(...list(schema['prefixItems']).map(of));
  if (schema['type'] === 'array') return fc.array(of(schema['items']), { maxLength: 3 });
  const additional = schema['additionalProperties'];
  if (additional !== false) return fc.dictionary(fc.string({ maxLength: 8 }), of(additional), { maxKeys: 3 });
  const properties = Object.entries(schemaIn(schema['properties'])).map(([name, part]) => [name, of(part)] as const);
  return fc.record(Object.fromEntries(properties), { requiredKeys: list(schema['required'] ?? []).map(String) });
}

/** A schema is JSON. */
function schemaIn(value: unknown): Schema {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('this is no schema');
  return Object.fromEntries(Object.entries(value));
}

function target(root: Schema, reference: unknown): unknown {
  const [start, ...path] = String(reference).split('/');
  const found = start === '#' ? valueAt(root, ...path) : undefined;
  if (found === undefined) throw new Error(`${String(reference)} leads nowhere`);
  return found;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('this is no list');
  return value;
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
