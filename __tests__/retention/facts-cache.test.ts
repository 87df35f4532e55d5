import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { ManifestFacts } from '../../src/core/retention/inventory.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { openFactsCaches } from '../../src/retention/facts-cache.ts';

const NAME = 'ghcr.io/acme/app';
const INDEX = digestOf('an index');
const LEAF: ManifestFacts = { kind: 'manifest', subject: undefined, sizeBytes: 0, blobs: [] };
const FACTS: ManifestFacts = {
  kind: 'index',
  subject: undefined,
  sizeBytes: 1000,
  children: [{ digest: digestOf('a platform'), type: 'manifest', sizeBytes: 100 }],
};

/** What another run knows then. */
function openCaches(directory: string) {
  const host = createTerminalHost({ cwd: directory, env: { HOME: directory, XDG_CACHE_HOME: directory } });
  onTestFinished(() => host.finish());
  return openFactsCaches(host);
}

test('what was read in one run is known in the next, but the engine’s word is none about a registry', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'facts-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const caches = await openCaches(directory);
  caches.open({ kind: 'engine', name: NAME }).keep(INDEX, LEAF);
  await caches.save();
  const next = await openCaches(directory);
  expect(next.open({ kind: 'engine', name: NAME }).find(INDEX)).toEqual(LEAF);
  const ghcr = next.open({ kind: 'ghcr', name: NAME });
  expect(ghcr.find(INDEX)).toBeUndefined();
  ghcr.keep(INDEX, FACTS);
  await next.save();
  const last = await openCaches(directory);
  expect(last.open({ kind: 'ghcr', name: NAME }).find(INDEX)).toEqual(FACTS);
  expect(last.open({ kind: 'engine', name: NAME }).find(INDEX)).toEqual(LEAF);
});
