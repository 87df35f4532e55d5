import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RunningRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';
import { makeDirectory, openRegistry, openSigstore } from '../support/signing.ts';
import type { SigstoreServices } from '../support/sigstore.ts';

const RELEASE = { ref: 'refs/tags/v1.2.3', sha: 'a'.repeat(40) };

let sigstore: SigstoreServices;
let registry: RunningRegistry;
let workspace: string;
let image: string;
beforeEach(async () => {
  sigstore = await openSigstore();
  registry = await openRegistry();
  workspace = makeDirectory();
  image = `${registry.host}/acme/app`;
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  writeFileSync(join(workspace, '.dockerignore'), '*.json\n');
  writeFileSync(join(workspace, 'root.json'), sigstore.trustedRoot);
  writeFileSync(join(workspace, 'config.json'), sigstore.signingConfig);
});

async function plant(): Promise<string> {
  const hash = await hashOf(workspace);
  return plantImage({ image, tags: [`hash-${hash.slice(0, 32)}`], annotations: { 'dev.build-once.inputs': hash } });
}

const step = (inputs: Readonly<Record<string, string>> = {}) =>
  runAction({
    action: CHECKOUT,
    workspace,
    with: {
      images: image,
      platforms: 'linux/amd64',
      sign: 'keyless',
      trust: 'hash',
      'sigstore-trusted-root': 'root.json',
      'sigstore-signing-config': 'config.json',
      ...inputs,
    },
    event: RELEASE,
    env: { PATH: NODE_DIRECTORY, HOME: workspace, ...sigstore.jobEnv({ repository: 'acme/app', ref: RELEASE.ref }) },
  });

const cli = (...args: string[]) =>
  run([join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), ...args], {
    cwd: workspace,
    env: { PATH: NODE_DIRECTORY, HOME: workspace },
  });

describe('a run that signs', () => {
  it('signs the index and each platform before the tags, once, and says how to verify it', async () => {
    const digest = await plant();
    const first = await step();
    expect(first.status, first.log).toBe('success');
    expect(first.outputs).toMatchObject({ signed: 'true', digest });
    expect(first.outputs['verify-command']).toContain(`${image}@${digest}`);
    const entries = sigstore.requests.filter((one) => one.startsWith('POST /api/v1/log/entries')).length;
    expect(entries).toBeGreaterThanOrEqual(2);
    const second = await step();
    expect(second.outputs).toMatchObject({ signed: 'true', digest });
    expect(sigstore.requests.filter((one) => one.startsWith('POST /api/v1/log/entries'))).toHaveLength(entries);
    const identity = '/https:..github.com.acme.app.+@refs.tags.v1.2.3/';
    const verified = await cli(
      'verify',
      `${image}:1.2.3`,
      '--trust-identity',
      identity,
      '--sigstore-trusted-root=root.json',
    );
    expect(verified.status, verified.stderr).toBe(0);
    expect(verified.stdout).toContain('refs/tags/v1.2.3');
    const others = await cli(
      'verify',
      `${image}:1.2.3`,
      '--trust-identity',
      'https://x.example',
      '--sigstore-trusted-root=root.json',
    );
    expect(others).toMatchObject({ status: 1, stderr: expect.stringContaining('UNVERIFIED') });
  });
});
