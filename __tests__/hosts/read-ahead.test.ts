import { chmodSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileDigest } from '../../src/host.ts';
import { createDigest } from '../../src/hosts/file-digest.ts';
import { createReadAhead, type Help } from '../../src/hosts/read-ahead.ts';
import { Chunks, createBoard, type ReadOrder, Results } from '../../src/hosts/read-board.ts';
import { writeTree } from '../support/write-tree.ts';

const COUNT = 300;
/** As `read-board.ts` marks a chunk that the second thread has taken. */
const THEIRS = 2;

let root: string;
let paths: readonly string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-ahead-'));
  const names = Array.from({ length: COUNT }, (_, number) => `d${number % 7}/file-${number}`);
  writeTree(root, Object.fromEntries(names.map((name) => [name, name])));
  paths = names.map((name) => join(root, name));
  chmodSync(paths[7] ?? '', 0o755);
  truncateSync(paths[8] ?? '', 3_000_000);
  writeTree(root, {
    'd2/file-9': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 1\n`,
  });
});
afterEach(() => rmSync(root, { recursive: true }));

/** Helps at once, and never. */
const EAGER = { aloneMs: 0, remainingMs: 0, processors: 2 };
const ALONE = { ...EAGER, processors: 1 };

const toRead = () => ({ count: paths.length, pathAt: (at: number) => paths[at] ?? '' });

describe('files that are read ahead', () => {
  it.each([EAGER, ALONE])('come to what each is alone: %j', (patience) => {
    const digest = createDigest();
    const ahead = createReadAhead(digest, patience);
    const found = ahead.readingAhead(toRead(), () => paths.map((path) => ahead.digest(path)));
    expect(found).toEqual(paths.map((path) => digest(path)));
    expect(found[7]?.executable).toBe(true);
    expect(found[8]?.sizeBytes).toBe(3_000_000);
    expect(found[9]?.isLfsPointer).toBe(true);
  });

  it('may be asked for in another order, twice, in part, and others with them', () => {
    const digest = createDigest();
    const ahead = createReadAhead(digest, EAGER);
    const asked = [...paths.filter((_, at) => at % 3 > 0), ...paths.toReversed(), ...paths.slice(0, 9)];
    const files = { count: 200, pathAt: toRead().pathAt };
    expect(ahead.readingAhead(files, () => asked.map((path) => ahead.digest(path)))).toEqual(asked.map(digest));
  });

  it('are read anew the next time', () => {
    const ahead = createReadAhead(createDigest(), EAGER);
    const read = () => ahead.readingAhead(toRead(), () => paths.map((path) => ahead.digest(path).sha256));
    const before = read();
    writeTree(root, { 'd0/file-0': 'changed', 'd5/file-299': 'changed' });
    const after = read();
    expect(after.flatMap((sum, at) => (sum === before[at] ? [] : [at]))).toEqual([0, 299]);
  });

  it.each([0, 150, 299])('that are gone are an error where they are asked for: %i', (gone) => {
    rmSync(paths[gone] ?? '');
    const ahead = createReadAhead(createDigest(), EAGER);
    const read: FileDigest[] = [];
    const work = () => ahead.readingAhead(toRead(), () => paths.forEach((path) => read.push(ahead.digest(path))));
    expect(work).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(read).toHaveLength(gone);
    expect(ahead.digest(paths[1] ?? '')).toEqual(createDigest()(paths[1] ?? ''));
  });
});

describe('a second thread that does not help', () => {
  it.each<[string, Partial<Help>]>([
    [
      'because it cannot start',
      {
        start() {
          throw new Error('no thread');
        },
      },
    ],
    ['because it never comes so far', { start: () => {} }],
    [
      'because it dies with files in its hands',
      { maxWaitMs: 1, start: ({ board }) => void new Int32Array(board.owners).fill(THEIRS, -2) },
    ],
    ['because it can read nothing', { start: ({ board, paths }) => new Chunks(board).serve(() => {}, paths.length) }],
  ])('changes nothing, %s', (_, help) => {
    const digest = createDigest();
    const ahead = createReadAhead(digest, { ...EAGER, ...help });
    const found = ahead.readingAhead(toRead(), () => paths.map((path) => ahead.digest(path)));
    expect(found).toEqual(paths.map((path) => digest(path)));
  });
});

describe('the second thread', () => {
  it('reads all that nobody has taken, and leaves out what it cannot read', async () => {
    rmSync(paths[20] ?? '');
    const board = createBoard(COUNT);
    const chunks = new Chunks(board);
    expect(chunks.takeOrAwait(0, 0)).toBe(false);
    const workerData: ReadOrder = { paths, board };
    const worker = new Worker(new URL('../../src/hosts/read-worker.ts', import.meta.url), { workerData });
    await new Promise((done, fail) => worker.on('exit', done).on('error', fail));
    const results = new Results(board);
    const digest = createDigest();
    const taken = paths.map((path, at) => (at < board.chunkFiles || at === 20 ? undefined : digest(path)));
    expect(paths.map((_, at) => results.get(at))).toEqual(taken);
    expect(paths.map((_, at) => chunks.takeOrAwait(at, 0))).toEqual(paths.map((_, at) => at >= board.chunkFiles));
  });

  it('gets nothing when all is over', () => {
    const board = createBoard(COUNT);
    new Chunks(board).close();
    const read: number[] = [];
    new Chunks(board).serve((file) => read.push(file), COUNT);
    expect(read).toEqual([]);
  });

  it.each([1, 2, 63, 64, 65, 1023, 1024, 5000])('reads each of %i files once', (count) => {
    const read: number[] = [];
    new Chunks(createBoard(count)).serve((file) => read.push(file), count);
    expect(read.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, at) => at));
  });
});
