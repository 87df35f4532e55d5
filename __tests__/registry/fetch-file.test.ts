import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchFile } from '../../src/registry/fetch-file.ts';
import { fakeClock, serve } from './scripted-server.ts';

const BYTES = Buffer.from('what is wanted');
const SHA256 = createHash('sha256').update(BYTES).digest('hex');

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fetch-file-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const files = (): readonly string[] =>
  fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(directory, name)).isFile());

test('a file is there when its checksum is right', async () => {
  const server = await serve((_, response) => void response.end(BYTES));
  const wanted = { url: new URL(`http://${server.host}/file`), sha256: SHA256, maxBytes: BYTES.length };
  const file = await fetchFile(wanted, directory, {});
  expect(fs.readFileSync(file)).toEqual(BYTES);
  expect(files()).toEqual([path.relative(directory, file)]);
});

test.each([
  ['of other content', { sha256: 'a'.repeat(64) }, 'DIGEST_INVALID', /14 bytes that are not what was asked for/],
  ['that is larger than it may be', { maxBytes: BYTES.length - 1 }, 'TOO_LARGE', /larger than 13 bytes/],
])('a file %s leaves nothing', async (_, more, code, message) => {
  const server = await serve((_request, response) => void response.end(BYTES));
  const wanted = { url: new URL(`http://${server.host}/file?secret=1`), sha256: SHA256, maxBytes: 1000, ...more };
  const error: unknown = await fetchFile(wanted, directory, {}).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(String(error)).not.toContain('secret');
  expect(files()).toEqual([]);
  expect(server.seen).toHaveLength(1);
});

test('a server that is busy is asked again, and no more than so often', async () => {
  const server = await serve((_, response, index) => {
    if (index < 2) response.writeHead(503, { 'retry-after': '7' }).end();
    else response.end(BYTES);
  });
  const wanted = { url: new URL(`http://${server.host}/file`), sha256: SHA256, maxBytes: 1000 };
  const clock = fakeClock();
  await expect(fetchFile(wanted, directory, { clock, attempts: 2 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await fetchFile(wanted, directory, { clock, attempts: 2 });
  expect(clock.sleeps).toEqual([7000]);
});

test('a place that cannot be written to is named', async () => {
  const server = await serve((_, response) => void response.end(BYTES));
  const wanted = { url: new URL(`http://${server.host}/file`), sha256: SHA256, maxBytes: 1000 };
  const place = path.join(directory, 'file');
  fs.writeFileSync(place, '');
  await expect(fetchFile(wanted, place, {})).rejects.toMatchObject({
    code: 'UNWRITABLE_FILE',
    message: expect.stringContaining(place),
  });
});
