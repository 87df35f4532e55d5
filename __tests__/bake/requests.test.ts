import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { listen } from '../support/listen.ts';
import { CHECKOUT, run } from '../support/programs.ts';
import { writeTree } from '../support/write-tree.ts';

const COUNT = 60;
const rootfs = { type: 'layers', diff_ids: [] };
const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs, config: {} });
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const config = { mediaType: CONFIG_TYPE, digest: digestOf(Buffer.from(CONFIG)), size: CONFIG.length };
const BASE = JSON.stringify({ schemaVersion: 2, mediaType: TYPE, config, layers: [] });
/** The answers of a registry that has one image, `base:1`. */
const ANSWERS = new Map([
  ['/v2/base/manifests/1', BASE],
  [`/v2/base/manifests/${digestOf(Buffer.from(BASE))}`, BASE],
  [`/v2/base/blobs/${config.digest}`, CONFIG],
]);

let root: string;
let server: Server;
let host: string;
let asked: string[];
let most: number;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'build-once-requests-'));
  asked = [];
  most = 0;
  let now = 0;
  const answer = async ({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.push(`${method} ${url}`);
    now += 1;
    most = Math.max(most, now);
    await delay(20);
    now -= 1;
    const text = ANSWERS.get(url);
    const bytes = Buffer.from(text ?? '');
    const headers = { 'Content-Type': TYPE, 'Content-Length': bytes.length, 'Docker-Content-Digest': digestOf(bytes) };
    response.writeHead(text === undefined ? 404 : 200, headers).end(method === 'HEAD' ? undefined : text);
  };
  server = createServer((request, response) => void answer(request, response));
  host = await listen(server);
});
afterEach(() => {
  server.close();
  rmSync(root, { recursive: true });
});

describe('a plan of many images', () => {
  it('opens each file once, asks once for what they share, and looks for sixteen images at a time', async () => {
    const tree: Record<string, string> = { 'home/.docker/config.json': '{}', 'shared/file': 'x' };
    for (const at of Array(COUNT).keys()) {
      tree[`s${at}/Dockerfile`] = `FROM ${host}/base:1\nCOPY shared s${at}/main /\n`;
      tree[`s${at}/main`] = `${at}`;
    }
    const target = Object.fromEntries(
      Array.from({ length: COUNT }, (_, at) => [`s${at}`, { context: '.', dockerfile: `s${at}/Dockerfile` }]),
    );
    writeTree(root, { ...tree, 'docker-bake.json': JSON.stringify({ target }) });
    const hook = join(CHECKOUT, '__tests__/fixtures/count-opens.cjs');
    const cli = join(CHECKOUT, 'dist/cli.js');
    const options = ['plan', 'docker-bake.json', '--images', `${host}/t/{{name}}`, '--base', 'digest'];
    const env = { HOME: join(root, 'home'), DOCKER_CONFIG: '', OPENED: join(root, 'opened') };
    const { status, stdout, stderr } = await run([process.execPath, '--require', hook, cli, ...options], {
      cwd: root,
      env,
    });
    expect(status, stderr).toBe(0);
    expect(stdout).toContain(`${COUNT} of ${COUNT} images to build`);
    const opened = readFileSync(join(root, 'opened'), 'utf8').split('\n');
    const own = opened.filter((file) => file.startsWith(root));
    expect(own.sort()).toEqual(['docker-bake.json', ...Object.keys(tree)].map((file) => join(root, file)).sort());
    // Of each image: its hash tag, and what it could be compared with.
    expect(asked.filter((request) => request.includes('/t/')).length).toBe(3 * COUNT);
    const shared = asked.filter((request) => !request.includes('/t/'));
    expect([...new Set(shared)].sort()).toEqual([
      `GET /v2/base/blobs/${config.digest}`,
      `GET /v2/base/manifests/${digestOf(Buffer.from(BASE))}`,
      'HEAD /v2/base/manifests/1',
    ]);
    // What is no index is read as one, and as its only platform.
    expect(shared).toHaveLength(4);
    expect(most).toBe(16);
  });
});
