import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';

const FLAGS = ['--platforms=linux/amd64', '--hash-scope=manifests'];

let registry: RunningRegistry;
let workspace: string;
let image: string;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'build-once-scope-'));
  cpSync(join(CHECKOUT, '__tests__/fixtures/ecosystems/npm'), workspace, { recursive: true });
  edit('Dockerfile', (text) =>
    text.replace(/^FROM .*$/m, 'FROM scratch AS deps').replace('COPY src', 'FROM deps\nCOPY src'),
  );
  image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
});
afterEach(() => rmSync(workspace, { recursive: true }));

function edit(file: string, change: (text: string) => string): void {
  const at = join(workspace, file);
  writeFileSync(at, change(readFileSync(at, 'utf8')));
}

/** A step on a machine without docker: whatever succeeds has found its image. */
const step = (ref: string, inputs: Readonly<Record<string, string>> = {}) =>
  runAction({
    action: CHECKOUT,
    workspace,
    with: { images: image, platforms: 'linux/amd64', 'hash-scope': 'manifests', ...inputs },
    event: { ref, sha: 'a'.repeat(40) },
    env: { PATH: NODE_DIRECTORY },
  });

async function plant(flags: readonly string[] = FLAGS): Promise<string> {
  const hash = await hashOf(workspace, flags);
  return plantImage({ image, tags: [`hash-${hash.slice(0, 32)}`], annotations: { 'dev.build-once.inputs': hash } });
}

describe('a step with hash-scope: manifests', () => {
  it('reuses the image after an edit of a source, and says in one warning which files do not count', async () => {
    const digest = await plant();
    edit('src/index.js', (text) => `${text}// edited\n`);
    const result = await step('refs/heads/main');
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', digest, version: 'main' });
    const warnings = result.annotations.filter(({ level }) => level === 'warning');
    expect(warnings).toEqual([expect.objectContaining({ file: 'Dockerfile' })]);
    expect(warnings[0]?.message).toContain('the build reads 1 file that does not count ("src/index.js")');
    expect(result.summary).toContain('3 of 4 files that the build reads');
  });

  it('misses after an edit of the lock file, and takes no image of the other scope', async () => {
    await plant();
    await plant(['--platforms=linux/amd64']);
    edit('package-lock.json', (text) => `${text}\n`);
    expect((await step('refs/heads/main')).outputs['reason']).toBe('not-found');
    await plant(['--platforms=linux/amd64']);
    expect((await step('refs/heads/main')).outputs['reason']).toBe('not-found');
  });

  it('refuses a release before it asks or writes anything', async () => {
    await plant();
    registry.forgetRequests();
    const result = await step('refs/tags/v1.2.3');
    expect(result).toMatchObject({ status: 'failure', exitCode: 2 });
    expect(result.log).toContain('the version tags "1.2.3", "1.2", "1", "latest" do not go together');
    expect(registry.requests).toEqual([]);
  });

  it('releases a stage that reads nothing else', async () => {
    const digest = await plant([...FLAGS, '--target=deps']);
    const result = await step('refs/tags/v1.2.3', { target: 'deps' });
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', digest, version: '1.2.3' });
    expect(result.annotations).toEqual([]);
  });
});
