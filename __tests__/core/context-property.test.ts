import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveUse } from '../../src/core/context-resolver.ts';
import { contextTree } from '../../src/core/context-tree.ts';
import { parseDockerfile } from '../../src/core/dockerfile.ts';
import { compileIgnorePatterns, parseIgnoreFile, walkContext } from '../../src/core/dockerignore.ts';
import { readTarget } from '../../src/core/target-reads.ts';
import { buildScope } from '../support/build-scope.ts';

/** Paths of files and what is in them. */
type Tree = ReadonlyMap<string, string>;

const AMD64 = { os: 'linux', architecture: 'amd64' };

/** Everything that the Dockerfile's target takes of the tree, as one text. */
function readAll(tree: Tree, dockerfile: string, ignore: string): string {
  const parsed = parseDockerfile(dockerfile);
  if (!parsed.ok) throw new Error(parsed.problem);
  const reads = readTarget(parsed.value, buildScope(), AMD64);
  if (!reads.ok) throw new Error(reads.problem);
  const patterns = parseIgnoreFile(ignore);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (!matcher.ok) throw new Error(matcher.problem);
  const walked = walkContext({ matcher: matcher.value, list: (directory) => list(tree, directory) });
  if (!walked.ok) throw new Error(walked.problem);
  const context = contextTree(walked.value, () => '');
  const taken = reads.value.uses.map((use) => {
    const resolved = resolveUse(context, use);
    return resolved.ok ? resolved.value.map(({ name, path }) => [name, tree.get(path) ?? '/']) : resolved.problem;
  });
  return JSON.stringify(taken);
}

function list(tree: Tree, directory: string) {
  const prefix = directory === '' ? '' : `${directory}/`;
  const inside = [...tree.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const names = new Set(inside.map((path) => path.split('/', 1)[0] ?? ''));
  return [...names].map((name) => ({ name, kind: inside.includes(name) ? ('file' as const) : ('directory' as const) }));
}

/** A glob of plain letters and stars, said again with nothing but a regular expression for each name. */
function matches(glob: string, path: string): boolean {
  const patterns = glob.split('/');
  const names = path.split('/');
  return (
    patterns.length === names.length &&
    patterns.every((pattern, index) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(names[index] ?? ''))
  );
}

/** The path and all directories above it. */
function lineage(path: string): readonly string[] {
  const names = path.split('/');
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

interface Read {
  readonly op: 'COPY' | 'ADD' | 'COPY --parents' | 'RUN';
  /** A glob, but for RUN, which takes a path as it is. */
  readonly source: string;
  /** Of `--parents` with a point where names begin: what stands before it, as it is written. */
  readonly pivot: string | undefined;
  /** Of a plain name, which then is left out of a copied directory. */
  readonly exclude: string | undefined;
}

function write({ op, source, pivot, exclude }: Read): string {
  if (op === 'RUN') return `RUN --mount=type=bind,source=${source},target=/x true`;
  const whole = op === 'COPY --parents' && pivot !== undefined ? `${pivot}/./${source}` : source;
  return `${op} ${exclude === undefined ? '' : `--exclude=${exclude} `}${whole} /x/`;
}

/**
 * Whether a build reads a file: it is not ignored, and one of the sources is the file, or a directory above it; then no
 * name on the way down from there to the file is excluded. For `--parents` the way down begins at the root or the pivot.
 */
function isRead(path: string, reads: readonly Read[], files: Tree, ignored: readonly string[]): boolean {
  if (isIgnored(path, ignored)) return false;
  const kept = [...files.keys()].filter((file) => !isIgnored(file, ignored));
  return reads.some((read) => {
    if (read.op === 'COPY --parents') return isReadWithParents(path, read, kept);
    const found = ['.', ''].includes(read.source)
      ? ''
      : lineage(path).find((above) => (read.op === 'RUN' ? above === read.source : matches(read.source, above)));
    if (found === undefined) return false;
    const first = found === '' ? path.split('/')[0] : path.slice(found.length + 1).split('/')[0];
    return found === path || read.op === 'RUN' || read.exclude === undefined || first !== read.exclude;
  });
}

function isIgnored(path: string, ignored: readonly string[]): boolean {
  return lineage(path).some((above) => ignored.some((glob) => matches(glob, above)));
}

function isReadWithParents(path: string, { source, pivot = '', exclude }: Read, kept: readonly string[]): boolean {
  const isGlob = source.includes('*');
  // A pivot that is a file is taken as it is, unless something is asked for in it.
  if (path === pivot) return isGlob;
  if (pivot !== '' && !path.startsWith(`${pivot}/`)) return false;
  const inside = path.slice(pivot === '' ? 0 : pivot.length + 1);
  const isMatched = lineage(inside).some((above) => matches(source, above));
  return isMatched && (exclude === undefined || inside.split('/')[0] !== exclude) && kept.includes(path);
}

const name = fc.constantFrom('a', 'b', 'ab', 'ba', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const glob = fc
  .array(fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'));
const read: fc.Arbitrary<Read> = fc
  .record({
    op: fc.constantFrom('COPY', 'COPY', 'ADD', 'COPY --parents', 'RUN'),
    source: fc.oneof(glob, path, fc.constant('.')),
    pivot: fc.option(path, { nil: undefined }),
    exclude: fc.option(name, { nil: undefined }),
  })
  .map((one) => (one.op === 'RUN' ? { ...one, source: one.source.replaceAll('*', 'a') } : one))
  // `--parents .` takes what is called `.`: nothing.
  .filter(({ op, source }) => op !== 'COPY --parents' || source !== '.');
/** No file is also a directory. */
const tree = fc
  .array(path, { minLength: 1, maxLength: 12 })
  .map((paths) => paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`))))
  .filter((paths) => paths.length > 0)
  .map((paths): Tree => new Map(paths.map((one) => [one, 'before'])));

describe('an edit of a random file of a random tree', () => {
  it('changes what is read exactly when the build reads the file', { timeout: 60_000 }, () => {
    const seen = { read: 0, unread: 0 };
    fc.assert(
      fc.property(
        tree,
        fc.array(read, { maxLength: 3 }),
        fc.array(glob, { maxLength: 2 }),
        fc.nat(),
        (files, reads, ignored, pick) => {
          const paths = [...files.keys()];
          const edited = paths[pick % paths.length] ?? '';
          const dockerfile = ['FROM scratch', ...reads.map(write)].join('\n');
          const before = readAll(files, dockerfile, ignored.join('\n'));
          const after = readAll(new Map([...files, [edited, 'after']]), dockerfile, ignored.join('\n'));
          const isPart = isRead(edited, reads, files, ignored);
          seen[isPart ? 'read' : 'unread'] += 1;
          expect(after !== before).toBe(isPart);
        },
      ),
      { numRuns: 2000 },
    );
    expect(Math.min(seen.read, seen.unread)).toBeGreaterThan(100);
  });
});
