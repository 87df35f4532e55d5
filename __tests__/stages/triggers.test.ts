import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/host.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { runCommand } from '../../src/pipeline.ts';
import { startRegistry } from '../../src/registry/server.ts';
import { posixFiles, type Tree, windowsFiles } from '../support/windows-files.ts';

const TREE: Tree = {
  Dockerfile: { kind: 'file', text: 'FROM scratch\nCOPY . /\n' },
  '.dockerignore': { kind: 'file', text: '.git\r\n' },
  'bin/run': { kind: 'file', text: 'x', executable: true },
};

let lines: string[];
let cwd: string;
beforeEach(() => {
  lines = [];
  cwd = mkdtempSync(join(tmpdir(), 'triggers-test-'));
  writeFileSync(join(cwd, 'config.json'), '{}');
});
afterEach(() => rmSync(cwd, { recursive: true }));

/** This machine with those files, and without docker. */
function hostWith(files: Host['files']): Host {
  const env = { PATH: '/nonexistent', DOCKER_CONFIG: cwd };
  return { ...createTerminalHost({ cwd, env, write: (line) => lines.push(line) }), files };
}

describe('on a machine with the rules of Windows', () => {
  it('the hash and the lookup are those of Linux', async () => {
    const [windows, linux] = await Promise.all(
      [windowsFiles(TREE), posixFiles(TREE)].map((files) => runCommand('hash', {}, hostWith(files))),
    );
    expect(windows?.report.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(windows?.report.hash).toBe(linux?.report.hash);
    expect(lines.join()).not.toContain('Windows');
  });

  it('an image that is built has a hash of its own, because all of its files are executable', async () => {
    const registry = await startRegistry();
    const images = `${registry.host}/acme/app`;
    const host = hostWith(windowsFiles(TREE));
    const build = () => runCommand('build', { images, scan: 'false' }, host);
    const hashes = [await build(), await build()];
    await registry.close();
    const plain = await runCommand('hash', {}, host);
    expect(hashes.map(({ error }) => error)).toEqual([
      expect.objectContaining({ code: 'DOCKER_MISSING' }),
      expect.objectContaining({ code: 'DOCKER_MISSING' }),
    ]);
    expect(new Set([plain, ...hashes].map(({ report }) => report.hash)).size).toBe(3);
    expect(lines.join()).toContain('every file of an image that is built there is executable');
  });
});
