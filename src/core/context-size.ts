import type { SeenContext } from './context-warnings.ts';

/** A file or a directory with all that is read of it. */
export interface Weight {
  readonly path: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
}

/** What is read of a context that is too big, and what makes it so. */
export interface Oversize {
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** The biggest parts, the first one first. */
  readonly largest: readonly Weight[];
  /** Where the Dockerfile reads the biggest one. */
  readonly line: number | undefined;
}

/** Above these, reading, sending and storing are what a run spends its time on. */
const OVERSIZE = { sizeBytes: 500_000_000, fileCount: 20_000 } as const;
const MAX_NAMED = 3;
/** A part of less than this is not to blame. */
const SHARE_TO_BLAME = 0.1;
/** A directory is passed over for the part of it that is this much of it. */
const SHARE_OF_ALL = 0.9;

type Parts = ReadonlyMap<string, readonly Weight[]>;

/** What is read of a context whose files are more than the limits say; `undefined` for most. */
export function findOversize({ read, lines }: Pick<SeenContext, 'read' | 'lines'>): Oversize | undefined {
  let sizeBytes = 0;
  for (const file of read.values()) sizeBytes += file.sizeBytes;
  const fileCount = read.size;
  const isHeavy = sizeBytes > OVERSIZE.sizeBytes;
  if (!isHeavy && fileCount <= OVERSIZE.fileCount) return undefined;
  const weigh = (weight: Weight): number => (isHeavy ? weight.sizeBytes : weight.fileCount);
  const parts = partsOf(read, weigh);
  const least = (isHeavy ? sizeBytes : fileCount) * SHARE_TO_BLAME;
  const roots = (parts.get('') ?? []).filter((part) => weigh(part) >= least).slice(0, MAX_NAMED);
  const largest = roots.map((root) => descend(root, parts, weigh));
  return { sizeBytes, fileCount, largest, line: lineOf(largest[0]?.path, lines) };
}

interface Sum {
  readonly path: string;
  sizeBytes: number;
  fileCount: number;
}

/** What a directory holds itself. */
interface Own extends Sum {
  biggest: Weight | undefined;
}

/** The parts of each directory, the biggest first; of its files the biggest one, but all of the context's own. */
function partsOf(read: SeenContext['read'], weigh: (weight: Weight) => number): Parts {
  const own = new Map<string, Own>();
  const files: Weight[] = [];
  let directory: Own | undefined;
  for (const [path, { sizeBytes }] of read) {
    if (path === '') continue;
    // Files of a directory come one after the other, and there may be a hundred thousand.
    if (directory === undefined || !isIn(path, directory.path)) directory = ownOf(own, parentOf(path));
    directory.sizeBytes += sizeBytes;
    directory.fileCount += 1;
    const file = { path, sizeBytes, fileCount: 1 };
    if (directory.path === '') files.push(file);
    else if (directory.biggest === undefined || weigh(file) > weigh(directory.biggest)) directory.biggest = file;
  }
  for (const { biggest } of own.values()) if (biggest !== undefined) files.push(biggest);
  const parts = new Map<string, Weight[]>();
  for (const weight of [...withParents(own), ...files]) {
    const parent = parentOf(weight.path);
    const siblings = parts.get(parent);
    if (siblings === undefined) parts.set(parent, [weight]);
    else siblings.push(weight);
  }
  for (const siblings of parts.values()) siblings.sort((one, other) => weigh(other) - weigh(one));
  return parts;
}

/** Each directory with all that is below it, from what it holds itself: there are far fewer directories than files. */
function withParents(own: ReadonlyMap<string, Weight>): Iterable<Weight> {
  const sums = new Map<string, Sum>();
  for (const weight of own.values()) {
    for (let { path } = weight; path !== ''; path = parentOf(path)) add(sums, path, weight);
  }
  return sums.values();
}

function add(sums: Map<string, Sum>, path: string, { sizeBytes, fileCount }: Weight): void {
  const sum = sums.get(path);
  if (sum === undefined) {
    sums.set(path, { path, sizeBytes, fileCount });
    return;
  }
  sum.sizeBytes += sizeBytes;
  sum.fileCount += fileCount;
}

function ownOf(known: Map<string, Own>, path: string): Own {
  const own = known.get(path) ?? { path, sizeBytes: 0, fileCount: 0, biggest: undefined };
  known.set(path, own);
  return own;
}

/** Whether a path is directly in this directory, which is empty for the context itself. */
function isIn(path: string, directory: string): boolean {
  const end = path.lastIndexOf('/');
  return Math.max(0, end) === directory.length && path.startsWith(directory);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function descend(root: Weight, parts: Parts, weigh: (weight: Weight) => number): Weight {
  let found = root;
  for (;;) {
    const [first] = parts.get(found.path) ?? [];
    if (first === undefined || weigh(first) < weigh(found) * SHARE_OF_ALL) return found;
    found = first;
  }
}

function lineOf(part: string | undefined, lines: SeenContext['lines']): number | undefined {
  for (const [path, line] of lines) {
    if (part !== undefined && (path === part || path.startsWith(`${part}/`))) return line;
  }
  return undefined;
}
