import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { runCommand } from '../../src/pipeline.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { writeTree } from '../support/write-tree.ts';

/** What a run asks a network that refuses everything: its base image is the end of it. */
async function askedBy(command: 'build' | 'hash', images: string): Promise<readonly string[]> {
  const workspace = mkdtempSync(join(tmpdir(), 'greet-'));
  onTestFinished(() => rmSync(workspace, { recursive: true }));
  writeTree(workspace, { Dockerfile: 'FROM base.test/base:1\n' });
  const proxy = await startForwardProxy({ routes: {}, fault: () => 403 });
  onTestFinished(() => proxy.close());
  const env = { PATH: '/nonexistent', DOCKER_CONFIG: '/nonexistent', HTTPS_PROXY: proxy.url };
  const host = createTerminalHost({ cwd: workspace, env, write: () => {} });
  const { error } = await runCommand(command, { images, platforms: 'linux/amd64', tags: 'dev' }, host);
  expect(error?.message).toContain('base.test');
  return proxy.requests.map(({ target }) => target).sort();
}

describe('the registries of the images', () => {
  it('are greeted, each once, while the base image is looked up', async () => {
    expect(await askedBy('build', 'one.test/a/app\none.test/b/app\ntwo.test/app')).toEqual([
      'base.test:443',
      'one.test:443',
      'two.test:443',
    ]);
  });

  it('are left alone by who does not need them', async () => {
    expect(await askedBy('hash', 'one.test/app')).toEqual(['base.test:443']);
  });
});
