import { cleanPath } from '../clean-path.ts';
import { quote } from '../printable.ts';
import { splitOnce } from '../split-once.ts';
import type { EntriesName, Entry } from './attributes.ts';
import { parseEntryText } from './entries.ts';
import type { Reader } from './findings.ts';
import { kindName, type Tree, type TreeEntry } from './tree.ts';

const SCHEME = /^(?:https?|git|ssh|docker-image|oci-layout):\/\//;

/** Reads the values of one service; what is wrong is told to the reader with the name of the service. */
export class ComposeValues {
  readonly #service: string;
  readonly #reader: Reader;

  constructor(service: string, reader: Reader) {
    this.#service = service;
    this.#reader = reader;
  }

  problem(line: number, message: string): void {
    this.#reader.problem(line, `service ${quote(this.#service)}: ${message}`);
  }

  beyond(line: number, what: string): void {
    this.#reader.beyond(line, `${what} of service ${quote(this.#service)}`);
  }

  text(tree: Tree, what: string): string {
    if (tree.kind === 'text' || tree.kind === 'number' || tree.kind === 'boolean') return tree.text;
    if (tree.kind === 'list' || tree.kind === 'map')
      this.problem(tree.line, `${what} must be a text, not ${kindName(tree)}`);
    else this.beyond(tree.line, `${what}: ${quote(tree.text)}`);
    return '';
  }

  /** A text where compose takes nothing that only looks like one: `7` is a number. */
  string(tree: Tree, what: string): string {
    if (tree.kind === 'number' || tree.kind === 'boolean') this.beyond(tree.line, `${what}: ${tree.text}`);
    return this.text(tree, what);
  }

  flag(tree: Tree, what: string): boolean {
    if (tree.kind === 'boolean' || (tree.kind === 'text' && ['true', 'false'].includes(tree.text)))
      return tree.text === 'true';
    this.beyond(tree.line, what);
    return false;
  }

  items(tree: Tree, what: string): readonly string[] {
    if (tree.kind === 'list') return tree.items.map((item) => this.string(item, what));
    this.problem(tree.line, `${what} must be a list, not ${kindName(tree)}`);
    return [];
  }

  /** A map, or a list of `KEY=VALUE`. */
  pairs(tree: Tree, what: string): ReadonlyMap<string, string | undefined> {
    if (tree.kind === 'null') return new Map();
    if (tree.kind === 'list') {
      return new Map(
        tree.items.map((item): [string, string | undefined] => {
          const [key = '', value] = splitOnce(this.text(item, what), '=');
          return [key, value];
        }),
      );
    }
    if (tree.kind !== 'map') this.problem(tree.line, `${what} must be a map or a list, not ${kindName(tree)}`);
    return new Map(
      mapEntries(tree).map(({ key, value }) => [
        key,
        value.kind === 'null' ? undefined : this.text(value, `${what}.${key}`),
      ]),
    );
  }

  parse(name: EntriesName, texts: readonly string[], line: number): readonly Entry[] {
    return texts.flatMap((text) => {
      if (text === '') return [];
      const parsed = parseEntryText(name, text);
      if (parsed === undefined) this.beyond(line, `${name} ${quote(text)}`);
      return parsed ?? [];
    });
  }

  /** As compose cleans paths; addresses stay. */
  path(path: string, line: number): string {
    if (SCHEME.test(path)) return path;
    if (/^~|:|^github\.com\/|\\/.test(path)) this.beyond(line, `the path ${quote(path)}`);
    return cleanPath(path);
  }

  /** A list, or one text whose words are it. */
  words(tree: Tree, what: string): readonly string[] {
    return tree.kind === 'text' ? tree.text.split(/\s+/).filter((word) => word !== '') : this.items(tree, what);
  }
}

/** The entries of a map; of anything else none. */
export function mapEntries(tree: Tree | undefined): readonly TreeEntry[] {
  return tree?.kind === 'map' ? tree.entries : [];
}

/** In the order that bake gives them. */
export function sortAgents(agents: readonly Entry[]): readonly Entry[] {
  const keyOf = (agent: Entry): string => `${agent.get('id') ?? ''}\0${agent.get('paths') ?? ''}`;
  return [...agents].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
