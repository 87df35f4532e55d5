import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import type { Seen } from '../registry/scripted-server.ts';
import { serveTokens, type TokenRegistry } from '../registry/token-registry.ts';
import { hashOf } from '../support/content-hash.ts';
import { pullRequest, push, repository, SHA } from '../support/event-payloads.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import type { RunnerEvent } from '../support/runner-environment.ts';

const IMAGE = 'ghcr.io/acme/app';
const RELEASE = { sha: SHA, ref: 'refs/tags/v1.2.3', payload: push('refs/tags/v1.2.3') };
const HINT = 'Give the job the permission "packages: write"';
const LINK = 'https://github.com/orgs/acme/packages/container/app/settings';

let registry: RunningRegistry;
let workspace: string;
let directory: string;
let hash: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'build-once-access-'));
  workspace = join(directory, 'workspace');
  mkdirSync(workspace);
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  writeFileSync(join(directory, 'docker'), `#!/bin/sh\necho "$@" >> '${directory}/calls'\nexit 1\n`, { mode: 0o755 });
  hash = await hashOf(workspace);
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(async () => {
  registry = await startRegistry();
  rmSync(join(directory, 'calls'), { force: true });
  return () => registry.close();
});

/** Answers what docker was called with. */
function dockerCalls(): string {
  const file = join(directory, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function plant(...tags: string[]): Promise<string> {
  const annotations = { 'dev.build-once.inputs': hash };
  return plantImage({ image: `${registry.host}/acme/app`, tags: [`hash-${hash.slice(0, 32)}`, ...tags], annotations });
}

/**
 * As ghcr.io is for a token without `packages: write`: it gives a token for whatever is asked, lets everybody read, and
 * refuses every write.
 */
function readOnlyGhcr(): Promise<TokenRegistry> {
  return serveTokens({ realm: () => 'https://ghcr.io/token', answer });
}

async function answer({ method, path, headers }: Seen, response: ServerResponse): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') {
    const message = 'permission_denied: write_package';
    response.writeHead(403).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] }));
    return;
  }
  const found = await fetch(`http://${registry.host}${path}`, { method, headers: { accept: headers.accept ?? '' } });
  response.statusCode = found.status;
  for (const name of ['content-type', 'docker-content-digest', 'content-length']) {
    const value = found.headers.get(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.end(Buffer.from(await found.arrayBuffer()));
}

function step(ghcr: TokenRegistry, event: RunnerEvent, more: Partial<ActionRun> = {}): Promise<ActionResult> {
  return runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: { images: IMAGE, platforms: 'linux/amd64', ...more.with },
    event,
    env: {
      PATH: `${directory}:${NODE_DIRECTORY}`,
      NODE_OPTIONS: `--import=${join(CHECKOUT, '__tests__/fixtures/ghcr-stand-in.mjs')}`,
      GHCR_STAND_IN: ghcr.host,
      ...more.env,
    },
  });
}

/** What a run that may not push has to leave as it was. */
async function tagsAndDigests(): Promise<unknown> {
  const response = await fetch(`http://${registry.host}/v2/acme/app/tags/list`);
  return response.json();
}

describe('a run without packages: write', () => {
  it.each<[string, RunnerEvent]>([
    ['a release', RELEASE],
    ['a push', { sha: SHA, payload: push('refs/heads/main') }],
    [
      'a pull request of this repository',
      { sha: SHA, name: 'pull_request', ref: 'refs/pull/7/merge', payload: pullRequest(repository('acme/app')) },
    ],
  ])('that is %s fails before it builds, and names the permission', async (_, event) => {
    const ghcr = await readOnlyGhcr();
    const result = await step(ghcr, event);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    const [error, ...others] = result.annotations.filter(({ level }) => level === 'error');
    expect(error?.message).toContain('DENIED: POST https://ghcr.io/v2/acme/app/blobs/uploads/');
    expect(error?.message).toContain(HINT);
    expect(error?.message).toContain(LINK);
    expect(others).toEqual([]);
    expect(result.summary).toContain('packages: write');
    expect(result.outputs).toMatchObject({ hash, reason: 'not-found', built: 'false' });
    expect(result.outputs).not.toHaveProperty('digest');
    expect(dockerCalls()).toBe('');
    expect(ghcr.lines().filter((line) => !/^(?:GET|HEAD) /.test(line))).toEqual(['POST /v2/acme/app/blobs/uploads/']);
  });

  it('fails as well where the image is there and only its tags are missing', async () => {
    const digest = await plant();
    const before = await tagsAndDigests();
    const result = await step(await readOnlyGhcr(), RELEASE);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toMatch(/DENIED: PUT https:\/\/ghcr\.io\/v2\/acme\/app\/manifests\/1\.2\.3: .*write_package/);
    expect(result.log).toContain(HINT);
    expect(result.outputs).toMatchObject({ reason: 'hit', built: 'false', digest, pushed: 'false', tags: '' });
    expect(await tagsAndDigests()).toEqual(before);
    expect(dockerCalls()).toBe('');
  });

  it('fails before it writes to a repository that would take it, where another one refuses', async () => {
    const digest = await plant();
    const before = await tagsAndDigests();
    const images = `${registry.host}/acme/app\n${IMAGE}`;
    const result = await step(await readOnlyGhcr(), RELEASE, { with: { images } });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('DENIED: POST https://ghcr.io/v2/acme/app/blobs/uploads/');
    expect(result.outputs).toMatchObject({ built: 'false', digest, pushed: 'false' });
    expect(await tagsAndDigests()).toEqual(before);
  });

  it('succeeds where nothing is missing', async () => {
    const digest = await plant('1.2.3', '1.2', '1', 'latest');
    const result = await step(await readOnlyGhcr(), RELEASE);
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { digest, pushed: 'true' } });
  });

  it('fails where no token is given to write with, and names the permission', async () => {
    const ghcr = await serveTokens({
      realm: () => 'https://ghcr.io/token',
      grant: (_, scopes) => (scopes.some((scope) => scope.includes('push')) ? undefined : { token: 'reads' }),
      answer,
    });
    const result = await step(ghcr, RELEASE);
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toMatch(/DENIED: GET https:\/\/ghcr\.io\/token/);
    expect(result.log).toContain(HINT);
    expect(dockerCalls()).toBe('');
  });

  it('goes on to docker when it is a fork’s: it was not to push anyway', async () => {
    const fork = pullRequest(repository('mallory/app', { fork: true }));
    const ghcr = await readOnlyGhcr();
    const result = await step(ghcr, { name: 'pull_request', ref: 'refs/pull/7/merge', payload: fork });
    expect(result.log).toContain('nothing is pushed: the code comes from mallory/app, a fork');
    expect(result.log).toContain('DOCKER_MISSING');
    expect(dockerCalls()).not.toBe('');
    expect(ghcr.lines().filter((line) => !/^(?:GET|HEAD) /.test(line))).toEqual([]);
  });
});
