import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { type ForwardProxy, startForwardProxy } from '../support/forward-proxy.ts';
import { listen } from '../support/listen.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';

const COMMIT = 'a'.repeat(40);
const AUTHORIZATION = `Basic ${Buffer.from('kim:s3cret').toString('base64')}`;
/** Names that nobody but the proxy knows. */
const REGISTRY = 'registry.test:5000';
const API = 'api.test:8080';

let registry: RunningRegistry;
let api: Server;
let proxy: ForwardProxy;
let workspace: string;
let hash: string;
let routes: Readonly<Record<string, string>>;

beforeAll(async () => {
  registry = await startRegistry();
  api = createServer((_, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: { sha: COMMIT } })),
  );
  workspace = mkdtempSync(join(tmpdir(), 'build-once-proxy-'));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  hash = await hashOf(workspace);
  routes = { [REGISTRY]: registry.host, [API]: await listen(api) };
});
afterAll(async () => {
  await registry.close();
  await new Promise((resolve) => api.close(resolve));
  rmSync(workspace, { recursive: true });
});
beforeEach(async () => {
  proxy = await startForwardProxy({ routes, authorization: AUTHORIZATION });
});
afterEach(() => proxy.close());

const step = (HTTP_PROXY: string, inputs: Readonly<Record<string, string>> = {}) =>
  runAction({
    action: CHECKOUT,
    workspace,
    with: { images: `${REGISTRY}/t/app`, platforms: 'linux/amd64', 'registry-insecure': REGISTRY, ...inputs },
    event: { sha: COMMIT },
    env: { PATH: NODE_DIRECTORY, HTTP_PROXY, GITHUB_API_URL: `http://${API}` },
  });
const login = (): string => proxy.url.replace('//', '//kim:s3cret@');

describe('behind a proxy', () => {
  it('a hit asks the registry and GitHub through it, and shows no password', async () => {
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    const annotations = { 'dev.build-once.inputs': hash };
    await plantImage({ image: `${registry.host}/t/app`, tags: [`hash-${hash.slice(0, 32)}`], annotations });
    const result = await step(login());
    expect(result).toMatchObject({
      status: 'success',
      outputs: { built: 'false', 'tag-names': expect.stringContaining('main') },
    });
    expect(result.log).toContain(`requests go through the proxy ${proxy.url} (HTTP_PROXY)`);
    expect(`${result.log}${result.summary}${JSON.stringify(result.outputs)}`).not.toMatch(/s3cret|kim/);
    const targets = proxy.requests.map(({ target }) => target);
    expect(targets).toContain(`http://${REGISTRY}/v2/t/app/manifests/hash-${hash.slice(0, 32)}`);
    // GitHub's client asks for a tunnel, also for plain http.
    expect(targets).toContain(API);
    expect(new Set(proxy.requests.map(({ authorization }) => authorization))).toEqual(new Set([AUTHORIZATION]));
  });

  it('that wants other credentials the run fails, and says which variable has them', async () => {
    const result = await step(proxy.url);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toMatch(/PROXY_REFUSED.*wants credentials.*answered 407/);
    expect(result.log).toContain('Put them into HTTP_PROXY');
  });

  it('that is none the run ends before any request', async () => {
    const result = await step('foo');
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, outputs: {} });
    expect(result.log).toContain('HTTP_PROXY: names no proxy');
  });
});
