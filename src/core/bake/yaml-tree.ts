import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, Parser } from 'yaml';
import { quote, toLine } from '../printable.ts';
import { isBeyond } from '../yaml-depth.ts';
import type { Reader } from './findings.ts';
import { isPlainNumber, TREE_LIMITS, type Tree, type TreeEntry } from './tree.ts';

/** Bytes beyond which the YAML library takes seconds. */
const MAX_LENGTH = 1 << 20;
const MAX_LEXEMES = 400_000;
/** What yaml.v3 of Go takes for a number, a date or infinity, and writes in another way. */
const REWRITTEN =
  /^(?:[-+]?(?:0[xXoObB]?[0-9a-fA-F_]+|[0-9][0-9_]*|[0-9_]*\.[0-9_]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[tT \t].*)?)$/;
const BOOLEAN = /^(?:true|True|TRUE|false|False|FALSE)$/;
const NULL = /^(?:|~|null|Null|NULL)$/;

/**
 * Reads one document of YAML as compose does: anchors, aliases and `<<` are followed, up to a limit. `undefined` after a
 * problem was reported; tags are for buildx.
 */
export function readYamlTree(text: string, reader: Reader): Tree | undefined {
  if (text.length > MAX_LENGTH || isBeyond(text, { maxDepth: TREE_LIMITS.maxDepth, maxLexemes: MAX_LEXEMES })) {
    const limits = `${MAX_LENGTH} characters, ${MAX_LEXEMES} parts and ${TREE_LIMITS.maxDepth} levels`;
    reader.problem(undefined, `the YAML is too long or nests too deep: ${limits} are allowed`);
    return undefined;
  }
  const lines = new LineCounter();
  const options = { schema: 'failsafe', prettyErrors: false, uniqueKeys: false } as const;
  const documents = [...new Composer(options).compose(new Parser(lines.addNewLine).parse(text))];
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const wrong = documents.flatMap(({ errors }) => errors);
  for (const { message, pos } of wrong) reader.certain(lineAt(pos[0]), `this is no YAML: ${toLine(message)}`);
  const [document, another] = documents;
  if (another !== undefined) reader.certain(undefined, 'several YAML documents in one file: one is allowed');
  const node = document?.contents;
  if (wrong.length > 0 || another !== undefined) return undefined;
  if (node === null || node === undefined) return { kind: 'null', text: '', line: 1 };
  try {
    return new TreeReader(reader, lineAt).read(node, 0);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    reader.problem(undefined, error.message);
    return undefined;
  }
}

/** Thrown inside {@link readYamlTree} only. */
class TooLarge extends Error {}

class TreeReader {
  readonly #reader: Reader;
  readonly #lineAt: (offset: number) => number;
  /** By their anchors, the latest of each; `undefined` while one is read. */
  readonly #anchored = new Map<string, { readonly tree: Tree; readonly size: number } | undefined>();
  #count = 0;

  constructor(reader: Reader, lineAt: (offset: number) => number) {
    this.#reader = reader;
    this.#lineAt = lineAt;
  }

  read(node: ParsedNode, depth: number): Tree {
    const line = this.#lineAt(node.range[0]);
    this.#spend(1);
    if (depth > TREE_LIMITS.maxDepth) throw new TooLarge(`the YAML nests deeper than ${TREE_LIMITS.maxDepth} levels`);
    if (isAlias(node)) return this.#follow(node.source, line);
    if (node.tag !== undefined) this.#reader.beyond(line, `the YAML tag ${quote(node.tag)}`);
    const before = this.#count;
    if (node.anchor !== undefined) this.#anchored.set(node.anchor, undefined);
    const tree = this.#readBare(node, line, depth);
    if (node.anchor !== undefined) this.#anchored.set(node.anchor, { tree, size: this.#count - before + 1 });
    return tree;
  }

  /** What is read again counts again, so that a few aliases cannot grow into a forest. */
  #follow(name: string, line: number): Tree {
    const known = this.#anchored.get(name);
    if (known === undefined) {
      const why = this.#anchored.has(name) ? 'leads back to itself' : 'has no anchor before it';
      this.#reader.problem(line, `the alias ${quote(`*${name}`)} ${why}`);
      return { kind: 'null', text: '', line };
    }
    this.#spend(known.size);
    return known.tree;
  }

  #spend(count: number): void {
    this.#count += count;
    if (this.#count > TREE_LIMITS.maxNodes) {
      throw new TooLarge(`the YAML holds more than ${TREE_LIMITS.maxNodes} values, its aliases followed`);
    }
  }

  #readBare(node: ParsedNode, line: number, depth: number): Tree {
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.read(item, depth + 1)), line };
    if (isMap(node)) return { kind: 'map', entries: this.#readEntries(node.items, depth), line };
    const text = isScalar(node) ? String(node.value) : '';
    const isPlain = isScalar(node) && node.type === 'PLAIN' && node.tag === undefined;
    if (!isPlain) return { kind: 'text', text, line };
    if (NULL.test(text)) return { kind: 'null', text, line };
    if (BOOLEAN.test(text)) return { kind: 'boolean', text: text.toLowerCase(), line };
    if (isPlainNumber(text)) return { kind: 'number', text, line };
    return { kind: REWRITTEN.test(text) ? 'other' : 'text', text, line };
  }

  /** With what `<<` brings in, which stands behind what the map says itself. */
  #readEntries(pairs: readonly { key: ParsedNode; value: ParsedNode | null }[], depth: number): readonly TreeEntry[] {
    const own = new Map<string, TreeEntry>();
    const merged: Tree[] = [];
    for (const { key: keyNode, value: valueNode } of pairs) {
      const key = this.read(keyNode, depth + 1);
      const line = key.line;
      const value = valueNode === null ? { kind: 'null' as const, text: '', line } : this.read(valueNode, depth + 1);
      const name = key.kind === 'list' || key.kind === 'map' ? undefined : key.text;
      if (name === undefined || key.kind === 'other') this.#reader.beyond(line, 'a key that is no text');
      else if (name === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN') merged.push(value);
      else if (own.has(name)) this.#reader.problem(line, `the key ${quote(name)} stands twice`);
      else own.set(name, { key: name, line, value });
    }
    if (merged.length > 1) this.#reader.problem(merged[1]?.line, 'the key "<<" stands twice');
    const [first] = merged;
    for (const source of first?.kind === 'list' ? first.items : merged) {
      if (source.kind !== 'map') this.#reader.problem(source.line, '"<<" needs a map, or a list of maps');
      this.#spend(source.kind === 'map' ? source.entries.length : 0);
      for (const entry of source.kind === 'map' ? source.entries : [])
        if (!own.has(entry.key)) own.set(entry.key, entry);
    }
    return [...own.values()];
  }
}
