import fs from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseJson, textAt } from '../../src/core/json.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { openCache } from '../../src/tools/load.ts';
import type { DirectoryCache } from '../../src/tools/trivy-database.ts';
import { listen } from '../support/listen.ts';

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'job-cache-'));
  lines = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

async function open(variables: Readonly<Record<string, string>>): Promise<DirectoryCache | undefined> {
  // The library reads the environment of the process.
  const env = { RUNNER_TEMP: directory, ...variables };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  host = createTerminalHost({ env, write: (line) => void lines.push(line) });
  return openCache(host, 'trivy');
}

interface Entry {
  readonly key: string;
  readonly version: string;
  bytes: Buffer | undefined;
}

/** The first version of the cache's protocol, as GitHub Enterprise and act have it: entries by key and version of their paths. */
async function startCache(
  fault?: number,
): Promise<{ readonly variables: Readonly<Record<string, string>>; readonly seen: readonly string[] }> {
  const entries: Entry[] = [];
  const seen: string[] = [];
  const answer = (method: string, url: URL, body: Buffer): { status: number; json?: unknown; bytes?: Buffer } => {
    seen.push(`${method} ${url.pathname}`);
    if (fault !== undefined) return { status: fault };
    const entry = entries[Number(url.pathname.split('/').at(-1)) - 1];
    if (url.pathname.startsWith('/archive/')) return { status: 200, bytes: entry?.bytes ?? Buffer.alloc(0) };
    if (method === 'GET') {
      const fits = (key: string): number =>
        entries.findLastIndex(
          (one) =>
            one.bytes !== undefined && one.version === url.searchParams.get('version') && one.key.startsWith(key),
        );
      const index = (url.searchParams.get('keys') ?? '')
        .split(',')
        .map(fits)
        .find((found) => found >= 0);
      if (index === undefined) return { status: 204 };
      return {
        status: 200,
        json: { cacheKey: entries[index]?.key, archiveLocation: `${url.origin}/archive/${index + 1}` },
      };
    }
    if (method === 'POST' && url.pathname.endsWith('/caches')) {
      const asked = parseJson(body.toString());
      const [key = '', version = ''] = [textAt(asked, 'key'), textAt(asked, 'version')];
      if (entries.some((one) => one.key === key)) return { status: 409, json: { message: 'there already' } };
      return { status: 201, json: { cacheId: entries.push({ key, version, bytes: undefined }) } };
    }
    if (method === 'PATCH' && entry !== undefined) entry.bytes = body;
    return { status: 204 };
  };
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const { status, json, bytes } = answer(method, new URL(url, `http://${headers.host}`), Buffer.concat(pieces));
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(bytes ?? (json === undefined ? undefined : JSON.stringify(json)));
    });
  });
  const host = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const variables = {
    ACTIONS_CACHE_URL: `http://${host}/`,
    ACTIONS_RUNTIME_TOKEN: 'token',
    ACTIONS_CACHE_SERVICE_V2: '',
    GITHUB_SERVER_URL: '',
  };
  return { variables, seen };
}

async function must(cache: Promise<DirectoryCache | undefined>): Promise<DirectoryCache> {
  const found = await cache;
  if (found === undefined) throw new Error('there is no cache');
  return found;
}

function fill(cache: DirectoryCache, text: string): void {
  fs.mkdirSync(path.join(cache.directory, 'blobs'), { recursive: true });
  fs.writeFileSync(path.join(cache.directory, 'blobs/x'), text);
}

const contentOf = (cache: DirectoryCache): string | undefined =>
  fs.existsSync(path.join(cache.directory, 'blobs/x'))
    ? fs.readFileSync(path.join(cache.directory, 'blobs/x'), 'utf8')
    : undefined;

describe('the cache of GitHub', () => {
  it.each([
    ['outside of a job', { ACTIONS_CACHE_URL: '', ACTIONS_RESULTS_URL: '' }],
    ['without a place for temporary files', { RUNNER_TEMP: '', ACTIONS_CACHE_URL: 'http://127.0.0.1:9/' }],
  ])('is not there %s', async (_, variables) => {
    expect(await open(variables)).toBeUndefined();
  });

  it('gives back what was saved, by key, else the newest by prefix', async () => {
    const { variables } = await startCache();
    const cache = await must(open(variables));
    for (const text of ['one', 'two']) {
      fill(cache, text);
      await cache.save(`db-${text}`);
    }
    for (const [key, prefix, expected] of [
      ['db-one', undefined, 'one'],
      ['db-none', undefined, undefined],
      ['db-none', 'db-', 'two'],
    ] as const) {
      fs.rmSync(cache.directory, { recursive: true, force: true });
      await cache.restore(key, prefix);
      expect([key, prefix, contentOf(cache)]).toEqual([key, prefix, expected]);
    }
  });

  it.each([
    ['none', []],
    ['read', ['GET /_apis/artifactcache/cache']],
    ['write-only', ['POST /_apis/artifactcache/caches']],
  ])('heeds ACTIONS_CACHE_MODE %s', async (mode, expected) => {
    const { variables, seen } = await startCache(500);
    const cache = await must(open({ ...variables, ACTIONS_CACHE_MODE: mode }));
    fill(cache, 'x');
    await cache.restore('key');
    await cache.save('key');
    expect([...new Set(seen)]).toEqual(expected);
  });

  it.each([401, 500])('ends no run when it answers %i', async (status) => {
    const { variables } = await startCache(status);
    const cache = await must(open(variables));
    fill(cache, 'x');
    await cache.restore('key');
    await cache.save('key');
  });

  it('ends no run when there is nothing to save', async () => {
    const { variables } = await startCache();
    await (await must(open(variables))).save('key');
    expect(lines).toEqual([expect.stringContaining('the cache of GitHub was not written: Path Validation Error')]);
  });
});
