import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import * as given from '../support/event-payloads.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { type ActionRun, runAction } from '../support/runner.ts';

let registry: RunningRegistry;
let workspace: string;
beforeAll(async () => {
  registry = await startRegistry();
  workspace = mkdtempSync(join(tmpdir(), 'build-once-policies-'));
  const lines = [
    '# syntax=docker/dockerfile:1',
    `FROM ${registry.host}/base:1 AS base`,
    'FROM evil.example/unused:1 AS unused',
    'FROM base',
    'COPY --from=ghcr.io/acme-evil/tool:1 /tool /tool',
  ];
  writeFileSync(join(workspace, 'Dockerfile'), `${lines.join('\n')}\n`);
});
afterAll(async () => {
  await registry.close();
  rmSync(workspace, { recursive: true });
});
beforeEach(() => registry.forgetRequests());

const inputs = () => ({
  images: `${registry.host}/t/app,quay.io/acme/app`,
  'trusted-registries': `${registry.host},ghcr.io/acme`,
  'require-digest-pins': 'true',
  'max-age': 'soon',
  tags: 'latest',
  'forbid-tags': 'latest',
});
const step = (more: Partial<ActionRun> = {}) =>
  runAction({ action: CHECKOUT, workspace, with: inputs(), env: { PATH: NODE_DIRECTORY }, ...more });

/** All that the log must say of these inputs. */
const SAID = [
  'max-age: "soon" is not a duration',
  'tags: the tag "latest" is forbidden',
  'images: "quay.io/acme/app" is not trusted',
  'file: Dockerfile:1: "docker/dockerfile:1" (docker.io/docker/dockerfile) is not trusted',
  'file: Dockerfile:1: "docker/dockerfile:1" carries no digest',
  'file: Dockerfile:5: "ghcr.io/acme-evil/tool:1" is not trusted',
  'file: Dockerfile:5: "ghcr.io/acme-evil/tool:1" carries no digest',
];

describe('policies', () => {
  it('tell every violation at once, with all other bad input, before any request', async () => {
    const result = await step();
    for (const said of [...SAID, `file: Dockerfile:2: "${registry.host}/base:1" carries no digest`])
      expect(result.log).toContain(said);
    expect(result.log).not.toContain('evil.example');
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, outputs: {}, summary: '' });
    expect(result.annotations).toContainEqual(expect.objectContaining({ file: 'Dockerfile', line: 1 }));
    expect(registry.requests).toEqual([]);
  });

  it("hold for a stranger's pull request", async () => {
    const payload = given.pullRequest(given.fork('mallory/app'));
    const result = await step({ event: { name: 'pull_request', ref: 'refs/pull/7/merge', sha: given.SHA, payload } });
    for (const said of SAID) expect(result.log).toContain(said);
    expect(result.exitCode).toBe(2);
    expect(registry.requests).toEqual([]);
  });

  it('come from TRUSTED_REGISTRIES as well, and say so', async () => {
    const env = { PATH: NODE_DIRECTORY, TRUSTED_REGISTRIES: `${registry.host},docker.io/docker,ghcr.io/acme-evil` };
    const result = await step({ with: { images: `${registry.host}/t/app`, base: 'tag' }, env });
    expect(result.log).toContain('trusted-registries is "127.0.0.1');
    expect(result.log).toContain('from TRUSTED_REGISTRIES');
    // Next come requests, of which the first that fails ends the run.
    expect(result.log).not.toContain('is not trusted');
    expect(result.exitCode).toBe(1);
  });

  it('are flags of the CLI, where a hash is made without them', async () => {
    const cli = (...args: string[]) =>
      run([join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), ...args], { cwd: workspace });
    const flags = ['--trusted-registries=ghcr.io/acme', '--require-digest-pins'];
    const build = await cli('build', `--images=${registry.host}/t/app`, ...flags);
    expect(build).toMatchObject({ status: 2, stderr: expect.stringContaining('is not trusted') });
    expect(build.stderr).toContain('carries no digest');
    expect(await cli('hash', '--base=tag', ...flags)).toMatchObject({ status: 0 });
  });
});
