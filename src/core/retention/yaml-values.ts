import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';

/** A document of YAML in which every scalar is the text that was written; aliases may lead in circles. */
export type YamlValue = string | readonly YamlValue[] | ReadonlyMap<string, YamlValue>;

/** Longer texts, and those with more of what nests or refers, are none that a person wrote; reading them takes minutes. */
const MAX_TEXT_LENGTH = 1 << 18;
const MAX_MARKS = 2000;
const MARK = /[[\]{}]|(?<=^|[\s[{,:-])[&*!?]/gm;
const MAX_DEPTH = 64;

/**
 * The documents of a YAML file; the tag `1.10` is not the number 1.1. What cannot be read is left out, and keys that are no
 * scalars.
 */
export function readYaml(text: string): readonly YamlValue[] {
  if (text.length > MAX_TEXT_LENGTH || (text.match(MARK)?.length ?? 0) > MAX_MARKS) return [];
  try {
    const documents = parseAllDocuments(text, {
      schema: 'failsafe',
      logLevel: 'silent',
      prettyErrors: false,
      uniqueKeys: false,
      strict: false,
    });
    return documents.flatMap(({ contents }) => new Reader().read(contents, 0) ?? []);
  } catch {
    // Nested too deep for the parser.
    return [];
  }
}

/** Reads one document. The library's own conversion takes exponential time for maps as keys. */
class Reader {
  /** By their anchors, the latest of each. */
  readonly #anchored = new Map<string, YamlValue>();

  read(node: unknown, depth: number): YamlValue | undefined {
    if (isAlias(node)) return this.#anchored.get(node.source);
    if (depth > MAX_DEPTH) return undefined;
    if (isScalar(node)) return this.#remember(node, typeof node.value === 'string' ? node.value : (node.source ?? ''));
    if (isSeq(node)) {
      const list: YamlValue[] = [];
      this.#remember(node, list);
      for (const item of node.items) push(list, this.read(item, depth + 1));
      return list;
    }
    if (!isMap(node)) return undefined;
    const map = new Map<string, YamlValue>();
    this.#remember(node, map);
    const merged: YamlValue[] = [];
    for (const { key, value: child } of node.items) {
      const value = this.read(child, depth + 1) ?? '';
      if (!isScalar(key)) continue;
      this.#remember(key, String(key.value));
      if (key.value === '<<') merged.push(value);
      else map.set(String(key.value), value);
    }
    for (const other of merged.flat()) {
      if (other instanceof Map) for (const [key, value] of other) if (!map.has(key)) map.set(key, value);
    }
    return map;
  }

  #remember<T extends YamlValue>({ anchor }: { readonly anchor?: string }, value: T): T {
    if (anchor !== undefined) this.#anchored.set(anchor, value);
    return value;
  }
}

function push(list: YamlValue[], value: YamlValue | undefined): void {
  if (value !== undefined) list.push(value);
}
