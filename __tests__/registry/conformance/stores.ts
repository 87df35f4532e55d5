import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../../src/registry/server.ts';
import { clientOf, type Send } from './client.ts';

/** Where a registry keeps its content: it must be the same registry to its clients. */
export const STORES = ['memory', 'folder'] as const;

/** A new registry for every test of the block, and what asks it. */
export function registryIn(store: (typeof STORES)[number]): Send {
  let registry: RunningRegistry;
  let directory: string | undefined;
  beforeEach(async () => {
    directory = store === 'folder' ? await mkdtemp(path.join(os.tmpdir(), 'conformance-')) : undefined;
    registry = await startRegistry(directory === undefined ? {} : { directory });
  });
  afterEach(async () => {
    await registry.close();
    if (directory !== undefined) await rm(directory, { recursive: true });
  });
  return clientOf(() => registry);
}

export const REPO1 = '/v2/conformance/repo1';
export const REPO2 = '/v2/conformance/repo2';
