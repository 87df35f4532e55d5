import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Files } from '../src/host.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { runCommand } from '../src/pipeline.ts';
import { writeTree } from './support/write-tree.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-hidden-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** How a run ends that is to hash for two platforms. `change`: how the file system behaves otherwise. */
async function hash(
  flags: Readonly<Record<string, string>> = {},
  change: (files: Files) => Partial<Files> = () => ({}),
) {
  const log: string[] = [];
  const terminal = createTerminalHost({ cwd: root, env: {}, write: (line) => void log.push(line) });
  const host = { ...terminal, files: { ...terminal.files, ...change(terminal.files) } };
  const { report } = await runCommand('hash', { platforms: 'linux/amd64,linux/arm64', ...flags }, host);
  await terminal.finish();
  return { failure: report.failure, log: log.join('\n') };
}

describe('a copied path that the ignore file hides is refused, with the line that hides it', () => {
  const hidden = (file: string, line: number, text: string): string =>
    `line ${line} of "${file}" hides it: "${text}"; take that line out, or except it by "!" below`;
  it.each([
    ['a file', 'COPY dist/a /', '.dockerignore', '# x\n\ndist\n', hidden('.dockerignore', 3, 'dist')],
    [
      'by the last pattern that decides',
      'COPY dist /',
      '.dockerignore',
      'dist\n!dist\n /dist/ \n',
      hidden('.dockerignore', 3, '/dist/'),
    ],
    [
      'by the Dockerfile’s own',
      'COPY dist /',
      'Dockerfile.dockerignore',
      '*\n',
      hidden('Dockerfile.dockerignore', 1, '*'),
    ],
    ['in front of a glob', 'COPY dist/*.js /', '.dockerignore', '\ufeffdist\n', hidden('.dockerignore', 1, 'dist')],
    ['of a mount', 'RUN --mount=source=dist,target=/d x', '.dockerignore', 'd*t\n', hidden('.dockerignore', 1, 'd*t')],
    ['with --parents', 'COPY --parents dist/a /', '.dockerignore', '**/a\n', hidden('.dockerignore', 1, '**/a')],
  ])('%s', async (_, copy, file, patterns, message) => {
    writeTree(root, { 'dist/a': '', [file]: patterns, Dockerfile: `FROM scratch\n\n${copy}\n` });
    const { failure, log } = await hash();
    expect(failure?.message).toContain(`; ${message}`);
    expect(failure?.at).toEqual({ file: 'Dockerfile', line: 3 });
    expect(log).not.toContain('warning');
  });

  it('but not what is not there at all', async () => {
    writeTree(root, { Dockerfile: 'FROM scratch\nCOPY dist /\n', '.dockerignore': 'dist\n' });
    const { failure } = await hash();
    expect(failure?.message).toMatch(/COPY "\/dist" is not in the context$/);
  });

  it('also in a directory that may not be entered', async () => {
    writeTree(root, { Dockerfile: 'FROM scratch\nCOPY dist/a /\n', 'dist/a': '', '.dockerignore': 'dist\n' });
    const { failure } = await hash({}, (files) => ({
      kindOf(at) {
        if (at.endsWith('dist/a')) throw Object.assign(new Error('denied'), { code: 'EACCES' });
        return files.kindOf(at);
      },
    }));
    expect(failure).toMatchObject({ code: 'BAD_INPUT', message: expect.stringContaining('hides it: "dist"') });
  });

  it('of a named context, by its own ignore file', async () => {
    const dockerfile = 'FROM scratch\nCOPY --from=lib dist /\n';
    writeTree(root, { Dockerfile: dockerfile, 'lib/dist/a': '', 'lib/.dockerignore': 'dist\n', '.dockerignore': '' });
    const { failure } = await hash({ 'build-contexts': 'lib=lib' });
    expect(failure?.message).toContain(`; ${hidden('lib/.dockerignore', 1, 'dist')}`);
  });
});
