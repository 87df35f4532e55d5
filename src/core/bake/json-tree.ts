import { quote } from '../printable.ts';
import type { Reader } from './findings.ts';
import { isPlainNumber, TREE_LIMITS, type Tree, type TreeEntry } from './tree.ts';

const BLANK = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a text
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/** Reads JSON (RFC 8259) and keeps its lines and its double keys. `undefined` after a problem was reported. */
export function readJsonTree(text: string, reader: Reader): Tree | undefined {
  const source: Source = { text: text.replace(/^\ufeff/, ''), at: 0, line: 1, nodes: 0 };
  try {
    const tree = readValue(source, 0);
    skipBlanks(source);
    if (source.at < source.text.length) throw new NoJson('something follows the end of the document');
    return tree;
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    reader.certain(source.line, `this is no JSON: ${error.message}`);
    return undefined;
  }
}

/** Thrown inside {@link readJsonTree} only. */
class NoJson extends Error {}

interface Source {
  readonly text: string;
  at: number;
  line: number;
  nodes: number;
}

function readValue(source: Source, depth: number): Tree {
  skipBlanks(source);
  source.nodes += 1;
  if (depth > TREE_LIMITS.maxDepth) throw new NoJson(`it nests deeper than ${TREE_LIMITS.maxDepth} levels`);
  if (source.nodes > TREE_LIMITS.maxNodes) throw new NoJson(`it holds more than ${TREE_LIMITS.maxNodes} values`);
  const { line } = source;
  const character = source.text[source.at];
  if (character === '{') return { kind: 'map', entries: readEntries(source, depth), line };
  if (character === '[') return { kind: 'list', items: readItems(source, depth), line };
  if (character === '"') return { kind: 'text', text: readText(source), line };
  const number = take(source, NUMBER);
  if (number !== undefined) return { kind: isPlainNumber(number) ? 'number' : 'other', text: number, line };
  const word = take(source, WORD);
  if (word === 'null') return { kind: 'null', text: word, line };
  if (word !== undefined) return { kind: 'boolean', text: word, line };
  throw new NoJson(character === undefined ? 'it ends too early' : `a value cannot begin with ${quote(character)}`);
}

function readEntries(source: Source, depth: number): readonly TreeEntry[] {
  const entries: TreeEntry[] = [];
  readSeparated(source, '}', () => {
    const { line } = source;
    if (source.text[source.at] !== '"') throw new NoJson('a key must stand in double quotes');
    const key = readText(source);
    skipBlanks(source);
    if (source.text[source.at] !== ':') throw new NoJson(`a colon must follow the key ${quote(key)}`);
    source.at += 1;
    entries.push({ key, line, value: readValue(source, depth + 1) });
  });
  return entries;
}

function readItems(source: Source, depth: number): readonly Tree[] {
  const items: Tree[] = [];
  readSeparated(source, ']', () => items.push(readValue(source, depth + 1)));
  return items;
}

/** Reads from an opening bracket to its end. */
function readSeparated(source: Source, end: string, readOne: () => void): void {
  source.at += 1;
  skipBlanks(source);
  if (source.text[source.at] === end) {
    source.at += 1;
    return;
  }
  for (;;) {
    skipBlanks(source);
    readOne();
    skipBlanks(source);
    const next = source.text[source.at];
    source.at += 1;
    if (next === end) return;
    if (next !== ',') throw new NoJson(`a comma or "${end}" is missing`);
  }
}

function readText(source: Source): string {
  const literal = take(source, TEXT);
  if (literal === undefined) throw new NoJson('a text is not closed on its line, or holds a bad escape');
  return String(JSON.parse(literal));
}

function skipBlanks(source: Source): void {
  const blanks = take(source, BLANK) ?? '';
  for (let at = blanks.indexOf('\n'); at >= 0; at = blanks.indexOf('\n', at + 1)) source.line += 1;
}

function take(source: Source, pattern: RegExp): string | undefined {
  pattern.lastIndex = source.at;
  const found = pattern.exec(source.text)?.[0];
  if (found !== undefined) source.at += found.length;
  return found;
}
