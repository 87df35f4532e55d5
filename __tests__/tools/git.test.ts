import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseGitSource } from '../../src/core/git-source.ts';
import type { Command } from '../../src/host.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { checkOut, type GitAccess, resolveCommit } from '../../src/tools/git.ts';
import { type GitRepository, type GitServer, startGitServer } from '../support/git-server.ts';

let server: GitServer;
let plainServer: GitServer;
let directory: string;
let env: Record<string, string | undefined>;
let commands: Command[];
let host: ReturnType<typeof createTerminalHost>;
beforeAll(async () => {
  [server, plainServer] = await Promise.all([startGitServer(), startGitServer({ plain: true })]);
});
afterAll(() => Promise.all([server.close(), plainServer.close()]));
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'git-test-'));
  env = { ...process.env, HOME: directory };
  commands = [];
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(): void {
  const real = createTerminalHost({ cwd: directory, env, write: () => {} });
  const exec: typeof real.exec = (command) => {
    commands.push(command);
    return real.exec(command);
  };
  host = { ...real, exec };
}

function accessTo(text: string, authorization?: string): GitAccess {
  const source = parseGitSource(text);
  if (!source.ok) throw new Error(source.problem);
  return { source: source.value, authorization };
}

/** The files at what the source names, and what is in them. */
async function filesAt(text: string, authorization?: string): Promise<Readonly<Record<string, string>>> {
  const access = accessTo(text, authorization);
  const commit = await resolveCommit(host, access);
  const checkout = await checkOut(host, access, commit);
  expect(checkout.commit).toBe(commit);
  const names = fs.readdirSync(checkout.directory, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names
      .filter((name) => fs.lstatSync(path.join(checkout.directory, name)).isFile())
      .map((name) => [name, fs.readFileSync(path.join(checkout.directory, name), 'utf8')]),
  );
}

let count = 0;
function create(on = server, settings?: Parameters<GitServer['create']>[1]): GitRepository {
  count += 1;
  const repository = on.create(`r${count}`, settings);
  repository.write({ a: '1' });
  repository.commit();
  return repository;
}

describe('git brings', () => {
  it('the head of the default branch, without its history and .git', async () => {
    const repository = create();
    repository.write({ a: '2', 'b/c': '3' });
    repository.commit();
    expect(await filesAt(repository.url)).toEqual({ a: '2', 'b/c': '3' });
  });

  it('a branch, a tag, an annotated tag and a commit that no branch holds any more', async () => {
    const repository = create();
    repository.git('tag', 'v1');
    repository.write({ a: '2' });
    const gone = repository.commit();
    repository.git('tag', '-a', 'v2', '-m', 'x');
    repository.git('checkout', '-q', '-b', 'next');
    repository.write({ a: '3' });
    repository.commit();
    repository.git('checkout', '-q', 'main');
    repository.git('reset', '-q', '--hard', 'v1');
    repository.commit();
    const seen = await Promise.all(
      ['', '#next', '#v1', '#v2', `#${gone}`].map((ref) => filesAt(`${repository.url}${ref}`)),
    );
    expect(seen.map(({ a }) => a)).toEqual(['1', '3', '1', '2', '2']);
  });

  it('a repository that is hashed with sha256', async () => {
    const repository = create(server, { format: 'sha256' });
    expect(await resolveCommit(host, accessTo(repository.url))).toHaveLength(64);
    expect(await filesAt(`${repository.url}#main`)).toEqual({ a: '1' });
  });

  it('all there is where a server gives no single commit', async () => {
    const repository = create(plainServer);
    expect(await filesAt(repository.url)).toEqual({ a: '1' });
  });

  it('submodules of submodules, also by a relative address, unless they are not wanted', async () => {
    const [inner, middle, outer] = [create(), create(), create()];
    middle.addSubmodule('inner', inner.url, inner.git('rev-parse', 'HEAD'));
    middle.commit();
    outer.addSubmodule('lib/middle', `../${path.basename(middle.url)}`, middle.git('rev-parse', 'HEAD'));
    outer.commit();
    const files = await filesAt(outer.url);
    expect(files).toMatchObject({ a: '1', 'lib/middle/a': '1', 'lib/middle/inner/a': '1' });
    expect(await filesAt(`${outer.url}?submodules=false`)).not.toHaveProperty('lib/middle/a');
  });

  it('bytes, modes and links as they are in the repository', async () => {
    const repository = create();
    repository.write({ text: 'a\r\nb\n', run: '' });
    repository.git('update-index', '--add', '--chmod=+x', 'run');
    repository.git('config', 'core.fileMode', 'false');
    fs.writeFileSync(path.join(directory, '.gitconfig'), '[core]\n\tautocrlf = true\n');
    repository.commit();
    const access = accessTo(repository.url);
    const { directory: tree } = await checkOut(host, access, await resolveCommit(host, access));
    expect(fs.readFileSync(path.join(tree, 'text'), 'utf8')).toBe('a\r\nb\n');
    expect(fs.statSync(path.join(tree, 'run')).mode & 0o100).toBe(0o100);
  });
});

describe('git is not led astray', () => {
  it('by the configuration of the user and of the repository that it was started in', async () => {
    const repository = create();
    const evil = `[url "http://127.0.0.1:1/"]\n\tinsteadOf = ${server.origin}/\n[core]\n\thooksPath = ${directory}\n`;
    fs.writeFileSync(path.join(directory, '.gitconfig'), evil);
    fs.mkdirSync(path.join(directory, '.git/objects'), { recursive: true });
    fs.mkdirSync(path.join(directory, '.git/refs'));
    fs.writeFileSync(path.join(directory, '.git/HEAD'), 'ref: refs/heads/main\n');
    fs.writeFileSync(path.join(directory, '.git/config'), evil);
    fs.writeFileSync(path.join(directory, 'post-checkout'), `#!/bin/sh\ntouch '${directory}/ran'\n`, { mode: 0o755 });
    env = { ...env, GIT_DIR: path.join(directory, '.git'), GIT_WORK_TREE: directory, GIT_INDEX_FILE: '/dev/null' };
    open();
    expect(await filesAt(repository.url)).toEqual({ a: '1' });
    expect(fs.readdirSync(directory)).not.toContain('ran');
    expect(fs.readdirSync(path.join(directory, '.git')).sort()).toEqual(['HEAD', 'config', 'objects', 'refs']);
  });

  it('by a submodule on this machine, or one that a program fetches', async () => {
    env = { ...env, GIT_ALLOW_PROTOCOL: 'http:file:ext' };
    open();
    for (const url of [directory, `file://${directory}`, `ext::touch ${directory}/ran`]) {
      const repository = create();
      repository.addSubmodule('sub', url, repository.git('rev-parse', 'HEAD'));
      repository.commit();
      await expect(filesAt(repository.url)).rejects.toMatchObject({ code: 'GIT_FAILED' });
    }
    expect(fs.readdirSync(directory)).not.toContain('ran');
  });
});

describe('a private repository', () => {
  const basic = `basic ${Buffer.from('x-access-token:hunter2-secret').toString('base64')}`;

  it('is read with the header, which no argument holds', async () => {
    const repository = create();
    server.locked.set(path.basename(repository.url, '.git'), basic);
    expect(await filesAt(repository.url, basic)).toEqual({ a: '1' });
    const args = commands.map(({ argv }) => argv.join(' ')).join('\n');
    expect(args).toContain('ls-remote');
    expect(args).not.toMatch(/hunter2|basic/);
    expect(args).not.toContain(basic.slice(6));
  });

  it('keeps its header from other repositories of the server', async () => {
    const [repository, other] = [create(), create()];
    server.locked.set(path.basename(other.url, '.git'), basic);
    repository.addSubmodule('other', other.url, other.git('rev-parse', 'HEAD'));
    repository.commit();
    await expect(filesAt(repository.url, basic)).rejects.toMatchObject({ code: 'GIT_FAILED' });
  });

  it('is an error without it, or with a wrong one, that says which secret is missing', async () => {
    const repository = create();
    server.locked.set(path.basename(repository.url, '.git'), basic);
    for (const authorization of [undefined, 'basic d3Jvbmc6d3Jvbmc=']) {
      await expect(filesAt(repository.url, authorization)).rejects.toMatchObject({
        code: 'GIT_FAILED',
        message: expect.stringContaining(`git could not look up the ref in ${repository.url}: fatal: `),
        hint: expect.stringContaining('GIT_AUTH_TOKEN'),
      });
    }
  });
});

describe('an error says what is missing', () => {
  it.each([
    ['#nope', 'it has no branch and no tag "nope"', 'all of its digits'],
    ['#abcdef1', 'it has no branch and no tag "abcdef1"', 'a shortened commit'],
    [`#${'a'.repeat(40)}`, 'git could not check out', 'Check the address and the ref'],
    ['?checksum=aaaaaaa', 'its default branch is ', 'Name a branch'],
  ])('for %s', async (fragment, message, hint) => {
    const repository = create();
    await expect(filesAt(`${repository.url}${fragment}`)).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it('for a repository that is not there', async () => {
    await expect(filesAt(`${server.origin}/none.git`)).rejects.toMatchObject({
      code: 'GIT_FAILED',
      message: expect.stringMatching(
        /git could not look up the ref in http:.*none\.git: fatal: repository .* not found/,
      ),
    });
  });

  it('for the program itself', async () => {
    env = { ...env, PATH: directory };
    open();
    await expect(filesAt(`${server.origin}/none.git`)).rejects.toMatchObject({ code: 'GIT_MISSING' });
  });
});
