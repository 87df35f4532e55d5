import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { parseDigest } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { openLayout } from '../../src/registry/layout.ts';
import { listen } from '../support/listen.ts';
import { mustRun } from '../support/programs.ts';
import { sampleImage } from './sample-image.ts';

/** Of 2 GiB of zeros. */
const DIGEST = parseDigest('sha256:a7c744c13cc101ed66c29f672f92455547889cc586ce6d44fe76ae824958ea51');
const SIZE_BYTES = 2 * 1024 ** 3;
/** With this and the 65 MB of a process that has loaded our code and done nothing, a push stays below 100 MB. */
const MAX_GROWTH_BYTES = 35_000_000;

/** A registry that takes everything, counts the bytes of blobs and keeps none. */
async function serveSink(): Promise<{ readonly host: string; readonly received: { bytes: number } }> {
  const received = { bytes: 0 };
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      received.bytes += chunk.length;
    });
    request.on('end', () => {
      const status = { HEAD: 404, POST: 202 }[request.method ?? ''] ?? 201;
      response.writeHead(status, { location: '/up/1' }).end();
    });
  });
  const host = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host, received };
}

test('a layer of 2 GiB goes from a layout into a registry in less than 100 MB', async () => {
  if (DIGEST === undefined) throw new TypeError('this is a digest');
  const layer = { mediaType: MEDIA_TYPES.ociLayer, digest: DIGEST, sizeBytes: SIZE_BYTES };
  const directory = mkdtempSync(join(tmpdir(), 'memory-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  // A file of one hole: it takes no space.
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const file = join(blobs, DIGEST.slice('sha256:'.length));
  writeFileSync(file, '');
  truncateSync(file, SIZE_BYTES);
  const { manifest, blobs: pieces } = sampleImage([{ descriptor: layer, bytes: Buffer.of() }]);
  const layout = openLayout(directory);
  for (const { descriptor, bytes } of [pieces[0], manifest]) await layout.push(descriptor, bytes);

  const sink = await serveSink();
  const script = fileURLToPath(new URL('./push-large.ts', import.meta.url));
  const printed = await mustRun([process.execPath, script, directory, sink.host]);
  const [beforeKiB = Number.NaN, peakKiB = Number.NaN] = printed.split(' ').map(Number);
  expect(sink.received.bytes).toBeGreaterThan(SIZE_BYTES);
  expect((peakKiB - beforeKiB) * 1024).toBeLessThan(MAX_GROWTH_BYTES);
}, 180_000);
