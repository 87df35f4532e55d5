import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type GitRepository, type GitServer, startGitServer } from '../support/git-server.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { writeTree } from '../support/write-tree.ts';

const CLI = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'hash', '--platforms=linux/amd64'] as const;
const FILES = {
  'app/Dockerfile': 'FROM scratch\nCOPY . /\n',
  'app/.dockerignore': '*.md\n',
  'app/a': '1\n',
  'app/read.md': '1\n',
  'other/b': '1\n',
};

let server: GitServer;
let repository: GitRepository;
let directory: string;
let temporary: string;
let count = 0;
beforeAll(async () => {
  server = await startGitServer();
});
afterAll(() => server.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'git-context-'));
  temporary = join(directory, 'tmp');
  mkdirSync(temporary);
  count += 1;
  repository = server.create(`r${count}`);
  repository.write(FILES);
  repository.commit();
});
afterEach(() => rmSync(directory, { recursive: true }));

async function hash(context: string, flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = await run([...CLI, `--context=${context}`, ...flags], {
    cwd: directory,
    env: { ...process.env, HOME: directory, TMPDIR: temporary, ...env },
  });
  return { status, tag: stdout.trim(), stderr };
}

async function tagOf(fragment: string, flags: readonly string[] = []): Promise<string> {
  const { status, tag, stderr } = await hash(`${repository.url}${fragment}`, flags);
  expect(status, stderr).toBe(0);
  expect(tag).toMatch(/^hash-[0-9a-f]{32}$/);
  return tag;
}

describe('the hash of a git repository', () => {
  it('is one for the branch, the tag, the commit and the other spellings of the same files', async () => {
    repository.git('tag', '-a', 'v1', '-m', 'x');
    const commit = repository.commit();
    const fragments = ['#:app', '#main:app', '#v1:/app/', `#${commit}:app`, '?branch=main&subdir=app', '?tag=v1#:app'];
    const tags = await Promise.all(fragments.map((fragment) => tagOf(fragment)));
    expect(new Set(tags).size).toBe(1);
  });

  it('is that of a directory with the same files and no ignore file', async () => {
    writeTree(directory, FILES);
    writeFileSync(join(directory, 'app/Dockerfile.dockerignore'), 'Dockerfile.dockerignore\n');
    const { tag } = await hash('app');
    expect(tag).toBe(await tagOf('#:app'));
  });

  it('stays when another directory changes, and changes with its own files, ignored or not', async () => {
    const tags = [await tagOf('#:app')];
    for (const change of [{ 'other/b': '2\n' }, { 'app/a': '2\n' }, { 'app/read.md': '2\n' }]) {
      repository.write(change);
      repository.commit();
      tags.push(await tagOf('#:app'));
    }
    expect(tags[1]).toBe(tags[0]);
    expect(new Set(tags).size).toBe(3);
  });

  it('takes the Dockerfile from the repository and hash-files from the workspace', async () => {
    repository.write({ 'app/docker/prod': 'FROM scratch\n' });
    repository.commit();
    writeFileSync(join(directory, 'more'), '1');
    const plain = await tagOf('#:app');
    expect(await tagOf('#:app', ['--file=docker/prod'])).not.toBe(plain);
    expect(await tagOf('#:app', ['--hash-files=more'])).not.toBe(plain);
  });

  it('follows a Dockerfile that is a link inside of the context, as the builder does', async () => {
    symlinkSync('/docker/prod', join(repository.directory, 'app/Dockerfile.link'));
    repository.write({ 'app/docker/prod': 'FROM scratch\n' });
    repository.commit();
    expect(await tagOf('#:app', ['--file=Dockerfile.link'])).toBe(await tagOf('#:app', ['--file=docker/prod']));
  });

  it('leaves no file behind', async () => {
    await tagOf('#:app');
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('a git context is refused', () => {
  it.each([
    ['#:none', [], 'context: http://127.0.0.1:PORT/REPO.git has no directory "none" at COMMIT'],
    ['#:app/a', [], 'has no directory "app/a"'],
    ['#:linked', [], 'has no directory "linked"'],
    ['', [], 'file: http://127.0.0.1:PORT/REPO.git has no Dockerfile "Dockerfile" at COMMIT'],
    ['#:app', ['--file=none'], 'has no Dockerfile "app/none"'],
    ['#:app', ['--file=outside'], 'has no Dockerfile "app/outside"'],
    ['#:app', ['--file=/etc/passwd'], 'file: "/etc/passwd" is outside of the git repository'],
    ['#:app', ['--file=x/../../other/b'], 'is outside of the git repository'],
    ['#--upload-pack=x:app', [], 'ref "--upload-pack=x" cannot be one'],
  ])('for %s %j', async (fragment, flags, message) => {
    symlinkSync('app', join(repository.directory, 'linked'));
    symlinkSync('/etc/passwd', join(repository.directory, 'app/outside'));
    const commit = repository.commit();
    const { status, stderr } = await hash(`${repository.url}${fragment}`, flags);
    expect(status, stderr).toBe(2);
    const [, port = ''] = /:(\d+)\//.exec(repository.url) ?? [];
    const said = stderr.replaceAll(commit, 'COMMIT').replaceAll(port, 'PORT').replaceAll(`r${count}.git`, 'REPO.git');
    expect(said).toContain(message);
    expect(said).not.toContain('root:');
  });

  it('before anything is asked, when the address holds a password, which no word of the log shows', async () => {
    const before = server.requests.length;
    const { status, stderr } = await hash(repository.url.replace('//', '//me:hunter2@'));
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('GIT_AUTH_TOKEN') });
    expect(stderr).not.toContain('hunter2');
    expect(server.requests.length).toBe(before);
  });

  it('where there is no git program, and for a ref that is not there', async () => {
    const missing = await hash(`${repository.url}#nope`);
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining('GIT_FAILED') });
    const bare = await hash(repository.url, [], { PATH: directory });
    expect(bare).toMatchObject({ status: 1, stderr: expect.stringContaining('GIT_MISSING') });
  });
});
