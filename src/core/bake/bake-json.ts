import { quote } from '../printable.ts';
import {
  ATTRIBUTE_NAMES,
  ATTRIBUTES,
  type Attributes,
  type EntriesName,
  type Entry,
  type FlagName,
  isAttributeName,
  isTargetName,
  type MapName,
  type TextName,
  type TextsName,
} from './attributes.ts';
import type { GroupDefinition, TargetDefinition } from './configuration.ts';
import { finishEntry, parseEntryText } from './entries.ts';
import type { Reader } from './findings.ts';
import { entriesOf, kindName, type Tree, type TreeEntry } from './tree.ts';
import { meant, type ReadScalar, type Value, type VariableBlock } from './variables.ts';

/** A bake file in JSON, and who takes down what is found in it. */
export interface BakeFile {
  readonly tree: Tree;
  readonly reader: Reader;
}

const BLOCKS = ['group', 'target', 'variable'];
/** Where HCL goes on, and JSON of ours does not. */
const BEYOND_TARGET = ['matrix', 'name'];
const GROUP_KEYS = ['targets', 'description'];

/** The blocks for variables. What is none of the blocks that are read here is for buildx. */
export function variablesOf({ tree, reader }: BakeFile): readonly VariableBlock[] {
  if (tree.kind !== 'map') reader.problem(tree.line, `a bake file is a map, not ${kindName(tree)}`);
  for (const { key, line } of entriesOf(tree)) {
    if (!BLOCKS.includes(key)) reader.beyond(line, `${quote(key)} at the top of the file`);
  }
  return blocksOf({ tree, reader }, 'variable').map((entry) => ({ entry, reader }));
}

/** The groups, in the order of the file. */
export function readGroups(file: BakeFile, scalar: ReadScalar): readonly GroupDefinition[] {
  const { reader } = file;
  return blocksOf(file, 'group').flatMap(({ key: name, line, value: body }): GroupDefinition[] => {
    checkName('group', name, line, reader);
    const targets = entriesOf(body).find(({ key }) => key === 'targets');
    for (const { key, line: at } of uniqueEntries(body, `group ${quote(name)}`, reader)) {
      if (!GROUP_KEYS.includes(key)) reader.beyond(at, `${quote(key)} in group ${quote(name)}`);
    }
    // What bake prints of an empty group.
    const items =
      targets?.value.kind === 'null'
        ? []
        : readTexts(targets?.value, { what: `the targets of group ${quote(name)}`, reader, scalar });
    if (targets === undefined) reader.problem(line, `group ${quote(name)} has no targets: a list of names is needed`);
    return [{ name, file: reader.file, line, targets: items ?? [] }];
  });
}

/** The targets, in the order of the file. `scalarOf` says how the texts of an attribute are read. */
export function readTargetDefinitions(
  file: BakeFile,
  scalarOf: (attribute: string) => ReadScalar,
): readonly TargetDefinition[] {
  const { reader } = file;
  return blocksOf(file, 'target').map(({ key: name, line, value: body }) => {
    checkName('target', name, line, reader);
    return { name, file: reader.file, line, attributes: readAttributes(name, body, reader, scalarOf) };
  });
}

/** The blocks of one type with their labels. Repeated ones are blocks of their own. */
function blocksOf({ tree, reader }: BakeFile, type: string): readonly TreeEntry[] {
  return entriesOf(tree)
    .filter(({ key }) => key === type)
    .flatMap(({ value, line }) => {
      if (value.kind !== 'map' || value.entries.length === 0)
        reader.beyond(line, `${quote(type)} that is ${value.kind === 'map' ? 'empty' : kindName(value)}`);
      return entriesOf(value).filter(({ key, value: body, line: at }) => {
        if (body.kind !== 'map') reader.beyond(at, `${type} ${quote(key)} that is ${kindName(body)}`);
        return body.kind === 'map';
      });
    });
}

function checkName(what: string, name: string, line: number, reader: Reader): void {
  if (!isTargetName(name))
    reader.problem(line, `${quote(name)} is no name of a ${what}: letters, digits, "_" and "-" are allowed`);
}

/** Without the ones that stand twice, which are reported, as HCL does. */
function uniqueEntries(tree: Tree, where: string, reader: Reader): readonly TreeEntry[] {
  const seen = new Set<string>();
  return entriesOf(tree).filter(({ key, line }) => {
    if (seen.has(key)) reader.problem(line, `${where}: ${quote(key)} stands twice`);
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}

function readAttributes(
  target: string,
  body: Tree,
  reader: Reader,
  scalarOf: (attribute: string) => ReadScalar,
): Attributes {
  const texts = new Map<TextName, string>();
  const flags = new Map<FlagName, boolean>();
  const lists = new Map<TextsName, readonly string[]>();
  const maps = new Map<MapName, ReadonlyMap<string, string>>();
  const entries = new Map<EntriesName, readonly Entry[]>();
  const where = `target ${quote(target)}`;
  for (const { key: name, line, value } of uniqueEntries(body, where, reader)) {
    if (BEYOND_TARGET.includes(name)) reader.beyond(line, `${quote(name)} in ${where}`);
    else if (!isAttributeName(name))
      reader.certain(line, `${where}: ${quote(name)} is no attribute of a target${meant(name, ATTRIBUTE_NAMES)}`);
    if (!isAttributeName(name)) continue;
    if (value.kind === 'null' && ATTRIBUTES[name].kind === 'entries')
      reader.beyond(line, `${name} that is null in ${where}`);
    if (value.kind === 'null') continue;
    const context: Context = { what: `${where}: ${name}`, reader, scalar: scalarOf(name) };
    if (isOf('text', name)) set(texts, name, readText(value, context));
    else if (isOf('flag', name)) set(flags, name, readFlag(value, context));
    else if (isOf('texts', name)) set(lists, name, readTexts(value, context));
    else if (isOf('map', name)) set(maps, name, readMap(value, context));
    else set(entries, name, readEntryList(name, value, context));
  }
  return { texts, flags, lists, maps, entries };
}

interface NamesByKind {
  text: TextName;
  flag: FlagName;
  texts: TextsName;
  map: MapName;
}

function isOf<Kind extends keyof NamesByKind>(kind: Kind, name: string): name is NamesByKind[Kind] {
  return isAttributeName(name) && ATTRIBUTES[name].kind === kind;
}

function set<Name, Value_>(map: Map<Name, Value_>, name: Name, value: Value_ | undefined): void {
  if (value !== undefined) map.set(name, value);
}

interface Context {
  /** What is read, for messages. */
  readonly what: string;
  readonly reader: Reader;
  readonly scalar: ReadScalar;
}

function readScalarOf(tree: Tree, { what, reader, scalar }: Context): Value | undefined {
  if (tree.kind !== 'list' && tree.kind !== 'map') return scalar(tree, reader);
  reader.problem(tree.line, `${what} must be a text, not ${kindName(tree)}`);
  return undefined;
}

function readText(tree: Tree, context: Context): string | undefined {
  return readScalarOf(tree, context)?.text;
}

function readFlag(tree: Tree, context: Context): boolean | undefined {
  const value = readScalarOf(tree, context);
  if (value === undefined) return undefined;
  if (value.text === 'true' || value.text === 'false') return value.text === 'true';
  context.reader.problem(tree.line, `${context.what} is ${quote(value.text)}: true or false is allowed`);
  return undefined;
}

function readTexts(tree: Tree | undefined, context: Context): readonly string[] | undefined {
  if (tree === undefined) return undefined;
  if (tree.kind === 'list') return tree.items.flatMap((item) => readText(item, context) ?? []);
  context.reader.problem(tree.line, `${context.what} must be a list, not ${kindName(tree)}`);
  return undefined;
}

function readMap(tree: Tree, context: Context): ReadonlyMap<string, string> | undefined {
  const { what, reader } = context;
  if (tree.kind !== 'map') {
    reader.problem(tree.line, `${what} must be a map, not ${kindName(tree)}`);
    return undefined;
  }
  const map = new Map<string, string>();
  const seen = new Set<string>();
  for (const { key, line, value } of tree.entries) {
    if (/[$%]\{|\p{Cs}/u.test(key)) reader.beyond(line, `the key ${quote(key)} of ${what}`);
    if (seen.has(key)) reader.problem(line, `${what}: ${quote(key)} stands twice`);
    seen.add(key);
    const text = value.kind === 'null' ? undefined : readText(value, { ...context, what: `${what}: ${quote(key)}` });
    if (text !== undefined) map.set(key.normalize('NFC'), text);
  }
  return map;
}

function readEntryList(name: EntriesName, tree: Tree, context: Context): readonly Entry[] | undefined {
  const { what, reader } = context;
  if (tree.kind !== 'list') {
    reader.problem(tree.line, `${what} must be a list, not ${kindName(tree)}`);
    return undefined;
  }
  return tree.items.flatMap((item) => {
    const keys = item.kind === 'map' ? readKeys(item, context) : undefined;
    const text = item.kind === 'map' ? undefined : readText(item, context);
    if (text === '' || (keys === undefined && text === undefined)) return [];
    const entry = keys === undefined ? undefined : finishEntry(name, keys);
    const found = text === undefined ? entry && [entry] : parseEntryText(name, text);
    if (found === undefined) reader.beyond(item.line, `${what}${text === undefined ? '' : ` ${quote(text)}`}`);
    return found ?? [];
  });
}

/** The keys of an entry that is written as a map; a list of paths becomes one text. */
function readKeys(tree: Tree, context: Context): ReadonlyMap<string, string> | undefined {
  const keys = new Map<string, string>();
  for (const { key, line, value } of entriesOf(tree)) {
    const items = value.kind === 'list' ? readTexts(value, context) : undefined;
    const isOdd =
      keys.has(key) || value.kind === 'null' || /[$%]\{/.test(key) || (items !== undefined && key !== 'paths');
    if (isOdd || items?.some((item) => item.includes(',')))
      context.reader.beyond(line, `${quote(key)} of ${context.what}`);
    const text = items === undefined ? readText(value, context) : items.join(',');
    if (isOdd || text === undefined) return undefined;
    if (items?.length !== 0) keys.set(key, text);
  }
  return keys;
}
