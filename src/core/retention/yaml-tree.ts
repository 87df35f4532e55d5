import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, Parser } from 'yaml';
import { quote, toLine } from '../printable.ts';
import { isBeyond } from '../yaml-depth.ts';
import { type Piece, type Report, slicePiece } from './piece.ts';
import { suggestion } from './word-choice.ts';

/** A value of YAML and where it stands: text, with numbers as they are written; a list; a map, in the order of its keys. */
export type YamlTree =
  | { readonly kind: 'text'; readonly piece: Piece }
  | { readonly kind: 'list'; readonly place: Piece; readonly items: readonly YamlTree[] }
  | { readonly kind: 'map'; readonly place: Piece; readonly entries: readonly YamlEntry[] };

export interface YamlEntry {
  readonly key: Piece;
  readonly value: YamlTree;
}

/** `images` → NAME → `rules` → one → `semver` is 8 deep with its lists and maps; no policy is deeper. */
const MAX_DEPTH = 12;
const MAX_LEXEMES = 40_000;

/**
 * Reads one document of YAML 1.2 (https://yaml.org/spec/1.2.2/) whose scalars are all text. Anchors, aliases, tags and keys
 * that stand twice are reported; so are texts that would be long in the reading.
 */
export function readYaml(text: string, report: Report): YamlTree | undefined {
  const whole: Piece = { text: '', line: 1, column: 1, isVerbatim: true };
  if (isBeyond(text, { maxDepth: MAX_DEPTH, maxLexemes: MAX_LEXEMES })) {
    const allowed = `${MAX_DEPTH} levels and ${MAX_LEXEMES} parts are allowed`;
    report(whole, `the YAML is nested too deeply or has too many parts: ${allowed}`);
    return undefined;
  }
  const lines = new LineCounter();
  const options = { schema: 'failsafe', prettyErrors: false, uniqueKeys: false } as const;
  const documents = [...new Composer(options).compose(new Parser(lines.addNewLine).parse(text))];
  const reader: Reader = { text, lines, report };
  let failed = false;
  for (const { code, message, pos } of documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])) {
    failed = true;
    report(placeAt(reader, pos[0]), whyNoYaml(code, toLine(message)));
  }
  const [document, another] = documents;
  if (another !== undefined) report(whole, 'there are several YAML documents: one is allowed, without ---');
  const node = document?.contents;
  if (failed || another !== undefined) return undefined;
  if (node !== null && node !== undefined) return readNode(node, reader);
  report(whole, 'the YAML says nothing: rules or images are allowed');
  return undefined;
}

/** The entries whose keys are allowed; another key, or one that stands twice, is reported. */
export function entriesOf(
  tree: YamlTree,
  { what, keys, hint = '' }: { readonly what: string; readonly keys: readonly string[]; readonly hint?: string },
  report: Report,
): readonly YamlEntry[] {
  if (tree.kind !== 'map') {
    report(placeOf(tree), `${what} must be a map: ${keys.join(', ')} are allowed in it`);
    return [];
  }
  return tree.entries.filter(({ key }) => {
    if (keys.includes(key.text)) return true;
    report(
      key,
      `${quote(key.text)} is no key of ${what}: ${keys.join(', ')} are allowed${suggestion(key.text, keys)}${hint}`,
    );
    return false;
  });
}

/** The text of a tree, unless it is a list or a map, which is reported. */
export function textOf(tree: YamlTree, what: string, report: Report): Piece | undefined {
  if (tree.kind === 'text') return tree.piece;
  report(tree.place, `${what} must be text: what begins with [ or { is to stand in quotes`);
  return undefined;
}

export function placeOf(tree: YamlTree): Piece {
  return tree.kind === 'text' ? tree.piece : tree.place;
}

interface Reader {
  readonly text: string;
  readonly lines: LineCounter;
  readonly report: Report;
}

function whyNoYaml(code: string, message: string): string {
  const hint = {
    BAD_ALIAS: 'a glob that begins with * is to stand in quotes',
    BAD_SCALAR_START: "what begins with @ is to stand in quotes: '@releases'",
    BAD_DQ_ESCAPE: 'a regular expression is to stand in single quotes',
    TAG_RESOLVE_FAILED: 'tags are not allowed',
  }[code];
  return `this is no YAML: ${message}${hint === undefined ? '' : `; ${hint}`}`;
}

function placeAt({ lines }: Reader, offset: number): Piece {
  const { line, col } = lines.linePos(offset);
  return { text: '', line: Math.max(1, line), column: Math.max(1, col), isVerbatim: true };
}

function readNode(node: ParsedNode, reader: Reader): YamlTree {
  const place = placeAt(reader, node.range[0]);
  if (isAlias(node)) {
    const text = reader.text.slice(node.range[0], node.range[1]);
    const why = 'is an alias of YAML, which is not allowed; a glob that begins with * is to stand in quotes';
    reader.report(place, `${quote(text)} ${why}`);
    return { kind: 'text', piece: { ...place, text } };
  }
  if (node.anchor !== undefined) {
    reader.report(place, `${quote(`&${node.anchor}`)} is an anchor of YAML, which is not allowed`);
  }
  if (node.tag !== undefined) reader.report(place, `${quote(node.tag)} is a tag of YAML, which is not allowed`);
  if (isScalar(node)) return { kind: 'text', piece: readScalar(String(node.value), node.range, reader) };
  if (isSeq(node)) {
    return { kind: 'list', place, items: node.items.map((item) => readNode(item, reader)) };
  }
  return { kind: 'map', place, entries: isMap(node) ? readEntries(node.items, reader) : [] };
}

function readScalar(value: string, [start, end]: readonly [number, number, number], reader: Reader): Piece {
  const source = reader.text.slice(start, end);
  const isQuoted = source === `"${value}"` || source === `'${value}'`;
  const place = placeAt(reader, isQuoted ? start + 1 : start);
  return slicePiece({ ...place, text: value, isVerbatim: isQuoted || source === value }, 0);
}

interface Pair {
  readonly key: ParsedNode;
  readonly value: ParsedNode | null;
}

function readEntries(pairs: readonly Pair[], reader: Reader): readonly YamlEntry[] {
  const seen = new Set<string>();
  const entries: YamlEntry[] = [];
  for (const { key: keyNode, value: valueNode } of pairs) {
    const key = textOf(readNode(keyNode, reader), 'a key', reader.report);
    if (key === undefined) continue;
    if (seen.has(key.text)) reader.report(key, `the key ${quote(key.text)} stands twice`);
    seen.add(key.text);
    if (valueNode === null) reader.report(key, `the key ${quote(key.text)} has no value`);
    else entries.push({ key, value: readNode(valueNode, reader) });
  }
  return entries;
}
