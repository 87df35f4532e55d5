import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { countReads } from '../../bench/file-reads.ts';
import type { Work } from '../../bench/measure.ts';
import { writeTree } from '../support/write-tree.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'build-once-reads-'));
  writeTree(directory, { a: '1', 'lib/b': '2', c: '3' });
});
afterEach(() => rmSync(directory, { recursive: true }));

function node(script: string): Work {
  const argv = [process.execPath, '--input-type=module', '-e', script] as const;
  return { steps: [{ argv, env: {}, cwd: directory }], check: () => '' };
}

it('counts how often each file is opened, in whatever way', async () => {
  const script = `
    import { createReadStream, openSync, readFile as readLater, readFileSync } from 'node:fs';
    import { open, readFile } from 'node:fs/promises';
    readFileSync('a'); openSync('a'); await readFile('lib/b');
    const file = await open(process.cwd() + '/c'); await file.close();
    for await (const _ of createReadStream('c')) ;
    await new Promise((done) => readLater('c', done));
    readFileSync('/proc/self/status');`;
  const counts = await countReads(node(script), directory);
  expect(Object.fromEntries(counts)).toEqual({ a: 2, 'lib/b': 1, c: 3 });
});

it('counts what other threads open', async () => {
  const script = `
    import { readFileSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    readFileSync('a');
    new Worker("import { readFileSync } from 'node:fs'; readFileSync('a')", { eval: true });`;
  expect((await countReads(node(script), directory)).get('a')).toBe(2);
});

it('is an error when nothing was opened', async () => {
  await expect(countReads(node(''), directory)).rejects.toThrow('nothing was read below');
});
