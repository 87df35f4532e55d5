import { compareCodePoints } from './code-point-order.ts';
import { hasWildcards } from './context-use.ts';
import { counted } from './counted.ts';
import type { Difference } from './difference.ts';
import type { Entry, InputManifest, UseInput } from './input-manifest.ts';
import { quote } from './printable.ts';

/** What counts of one path; more than one leaf where a glob takes several files to one name, in their order. */
interface CountedPath {
  readonly path: string;
  /** The named context that it is of. */
  readonly context: string | undefined;
  /** Several files may be behind it, and it is not their path. */
  readonly isPattern: boolean;
  readonly leaves: readonly string[];
}

/** Stands for the leaf of a directory that may have something in it. */
const ANY_DIRECTORY = '//';

type CountedPaths = ReadonlyMap<string, CountedPath>;

/** What the files differ in, and how many of the whole context have nothing to be compared with. */
export interface FileDifferences {
  readonly differences: readonly Difference[];
  readonly uncompared: number;
}

/**
 * In what the files of contexts differ, each path once, however many instructions read it. Where one manifest has the whole
 * context and the other what is read of it, only what is read can be compared.
 */
export function compareFiles(before: InputManifest, after: InputManifest): FileDifferences {
  const [old, next] = [before, after].map(pathsOf);
  if (old === undefined || next === undefined) return { differences: [], uncompared: 0 };
  if (before.form === after.form) return { differences: compare(old, next), uncompared: 0 };
  const [exact, whole] = before.form === 'inputs' ? [old, next] : [next, old];
  const known = new Set([...whole.values()].flatMap(({ leaves }) => leaves));
  const isComparable = ({ isPattern, leaves }: CountedPath): boolean =>
    !isPattern || !leaves.every((one) => known.has(one));
  const read = new Map([...exact].filter(([, counted]) => isComparable(counted)));
  const there = new Map([...whole].filter(([key]) => read.has(key)));
  const differences = before.form === 'inputs' ? compare(read, there) : compare(there, read);
  return { differences, uncompared: whole.size - there.size };
}

/** In what two lists of files outside of contexts differ. */
export function compareEntries(
  before: readonly Entry[],
  after: readonly Entry[],
  subject: Difference['subject'],
): readonly Difference[] {
  const collected = (entries: readonly Entry[]): CountedPaths =>
    collect([
      entries.map(([path, leaf]) => ({
        path,
        context: undefined,
        isPattern: false,
        // One that was named itself is there whatever is in it.
        leaf: leaf === '/' ? ANY_DIRECTORY : leaf,
      })),
    ]);
  return compare(collected(before), collected(after)).map((difference) => ({ ...difference, subject }));
}

function compare(before: CountedPaths, after: CountedPaths): readonly Difference[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const differences = keys.flatMap((key) => comparePath(before.get(key), after.get(key)));
  return differences.sort((a, b) => compareCodePoints(a.name, b.name));
}

function comparePath(before: CountedPath | undefined, after: CountedPath | undefined): readonly Difference[] {
  const any = after ?? before;
  if (any === undefined) return [];
  const what = {
    subject: 'file',
    name: any.path === '' ? '.' : any.path,
    ...(any.context === undefined ? {} : { where: any.context }),
  } as const;
  if (before === undefined || after === undefined) {
    const note = noteOf(any.leaves);
    return [{ ...what, kind: before === undefined ? 'added' : 'removed', ...(note === '' ? {} : { note }) }];
  }
  if (before.leaves.length === after.leaves.length && before.leaves.every((leaf, at) => leaf === after.leaves[at])) {
    return [];
  }
  const [[old = ''], [next = '']] = [before.leaves, after.leaves];
  const single = before.leaves.length === 1 && after.leaves.length === 1;
  const note = single
    ? noteOfChange(old, next)
    : `${counted(before.leaves.length, 'file')} then, ${after.leaves.length} now`;
  return [{ ...what, kind: 'changed', ...(note === '' ? {} : { note }) }];
}

function noteOf([leaf = '', ...more]: readonly string[]): string {
  if (more.length > 0) return `${more.length + 1} files`;
  return isFile(leaf) ? (leaf.endsWith('x') ? 'executable' : '') : kindOf(leaf);
}

/** Nothing where the bytes of a file have changed, and no more. */
function noteOfChange(before: string, after: string): string {
  if (!isFile(before) || !isFile(after)) return `${kindOf(before)} → ${kindOf(after)}`;
  if (before.at(-1) === after.at(-1)) return '';
  const bit = after.endsWith('x') ? 'executable now' : 'no longer executable';
  return before.slice(0, -1) === after.slice(0, -1) ? `${bit}, the same bytes` : `other bytes, ${bit}`;
}

function isFile(leaf: string): boolean {
  return !/^[@/?#]/.test(leaf);
}

/** As `readContext` writes leaves. */
function kindOf(leaf: string): string {
  if (leaf.startsWith('@')) return `link to ${quote(leaf.slice(1))}`;
  if (leaf === '/') return 'empty directory';
  if (leaf === ANY_DIRECTORY) return 'directory';
  if (leaf === '?') return 'device, pipe or socket';
  return leaf.startsWith('#') ? `commit ${quote(leaf.slice(1))}` : 'file';
}

interface ReadPath extends Pick<CountedPath, 'path' | 'context' | 'isPattern'> {
  readonly leaf: string;
}

function pathsOf(manifest: InputManifest): CountedPaths {
  if (manifest.form === 'inputs') return collect(manifest.uses.map(readPaths));
  const plain = (entries: readonly Entry[], context: string | undefined): readonly ReadPath[] =>
    entries.map(([path, leaf]) => ({ path, context, isPattern: false, leaf }));
  const named = Object.entries(manifest.namedContexts).map(([name, input]) =>
    plain('entries' in input ? input.entries : [], name),
  );
  return collect([plain(manifest.context, undefined), ...named]);
}

/** Of the same path, what one reading has counts once, however often it is read. */
function collect(readings: readonly (readonly ReadPath[])[]): CountedPaths {
  const all = new Map<string, CountedPath & { readonly seen: Set<string>; readonly leaves: string[] }>();
  for (const reading of readings) {
    const leaves = new Map<string, ReadPath[]>();
    for (const read of reading) {
      const key = JSON.stringify([read.context, read.path]);
      const list = leaves.get(key) ?? [];
      list.push(read);
      leaves.set(key, list);
    }
    for (const [key, list] of leaves) {
      const [first] = list;
      const text = JSON.stringify(list.map(({ leaf }) => leaf));
      const known = all.get(key) ?? {
        path: first?.path ?? '',
        context: first?.context,
        isPattern: first?.isPattern ?? false,
        seen: new Set(),
        leaves: [],
      };
      all.set(key, known);
      if (known.seen.has(text)) continue;
      known.seen.add(text);
      for (const { leaf } of list) known.leaves.push(leaf);
    }
  }
  return all;
}

function readPaths(use: UseInput): readonly ReadPath[] {
  const isGlob = (use.op === 'copy' || use.op === 'add') && hasWildcards(use.source);
  const source = use.source.replace(/^\//, '');
  return use.entries.map(([name, leaf]) => {
    const place = { context: use.context, leaf };
    if (isGlob) return { ...place, ...matchedPath(source, name) };
    const isSource = name.startsWith('/') || name === '.';
    const path = isSource ? source : source === '' ? name : `${source}/${name}`;
    return { ...place, path, isPattern: false };
  });
}

/** What an entry of a glob says of its path: all, where only the last name of the pattern has wildcards, and a file matched. */
function matchedPath(source: string, name: string): Pick<CountedPath, 'path' | 'isPattern'> {
  if (!name.startsWith('/')) return { path: `${source}: ${name}`, isPattern: true };
  const start = source.lastIndexOf('/') + 1;
  const [directory, pattern, last] = [source.slice(0, start), source.slice(start), name.slice(1)];
  if (!hasWildcards(directory)) return { path: `${directory}${last}`, isPattern: false };
  return { path: last === pattern ? source : `${source}: ${last}`, isPattern: true };
}
