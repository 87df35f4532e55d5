/** What JSON and YAML come to, with the lines where they say it. */
export type Tree =
  | { readonly kind: 'text' | 'number' | 'boolean' | 'null'; readonly text: string; readonly line: number }
  /** A scalar that bake rewrites in its own way: `1.10`, `0x1f`, `2001-12-14`. */
  | { readonly kind: 'other'; readonly text: string; readonly line: number }
  | { readonly kind: 'list'; readonly items: readonly Tree[]; readonly line: number }
  | { readonly kind: 'map'; readonly entries: readonly TreeEntry[]; readonly line: number };

/** Of a map; a key may stand twice. */
export interface TreeEntry {
  readonly key: string;
  readonly line: number;
  readonly value: Tree;
}

/** How much of a file is read: more is nothing that a person wrote. */
export const TREE_LIMITS = { maxDepth: 64, maxNodes: 400_000 } as const;

/** Whether a number is written as everybody writes it: whole, and small enough to be exact everywhere. */
export function isPlainNumber(text: string): boolean {
  return /^(?:0|-?[1-9][0-9]{0,14})$/.test(text);
}

/** The entries of a map without those that are comments in HCL's JSON; empty for anything else. */
export function entriesOf(tree: Tree | undefined): readonly TreeEntry[] {
  return tree?.kind === 'map' ? tree.entries.filter(({ key }) => key !== '//') : [];
}

/** The value of a key; of one that stands several times, the last. */
export function valueOf(tree: Tree | undefined, key: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.findLast((entry) => entry.key === key)?.value : undefined;
}

/** `a list`, as messages name it. */
export function kindName(tree: Tree): string {
  const names = { list: 'a list', map: 'a map', text: 'a text', number: 'a number', boolean: 'true or false' };
  return tree.kind === 'null' || tree.kind === 'other' ? tree.text : names[tree.kind];
}
