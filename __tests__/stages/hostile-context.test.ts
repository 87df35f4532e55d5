import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILE_CHANGED, type Files } from '../../src/host.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { runCommand } from '../../src/pipeline.ts';
import { writeTree } from '../support/write-tree.ts';

const HASH = /^[0-9a-f]{64}$/;
const ALL = 'FROM scratch\nCOPY . /\n';
let root: string;
let context: string;

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'build-once-hostile-'));
  context = join(root, 'context');
  fs.mkdirSync(context);
});
afterEach(() => fs.rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>, directory = context): void {
  writeTree(directory, files);
}

/** The hash, or what is wrong. `change`: how the file system behaves otherwise. */
async function hashOf(cwd = context, change: (files: Files) => Partial<Files> = () => ({})): Promise<string> {
  const host = createTerminalHost({ cwd, env: { HOME: root }, write: () => {} });
  const files = { ...host.files, ...change(host.files) };
  const { report, error } = await runCommand('hash', { platforms: 'linux/amd64' }, { ...host, files });
  await host.finish();
  return report.hash ?? `${error?.message}`;
}

describe('the same tree has the same hash', () => {
  const TREE: Readonly<Record<string, string>> = {
    Dockerfile: 'FROM scratch\nCOPY src /src\nCOPY *.md /\n',
    '.dockerignore': '**/*.log\n',
    'README.md': 'readme',
    'src/B': '1',
    'src/a': '2',
    'src/é': '3',
    'src/z/\u{1F600}': '4',
    'src/z/\uff01': '5',
    'src/b.log': 'ignored',
  };
  const reversed = Object.fromEntries(Object.entries(TREE).reverse());

  it.each([
    ['at another path', (at: string) => write(TREE, at)],
    ['made in another order', (at: string) => write(reversed, at)],
    [
      'with a repository of git in it',
      (at: string) => write({ ...TREE, '.git/HEAD': 'ref: x', '.git/index': 'x' }, at),
    ],
    [
      'whose times run the other way',
      (at: string) => {
        write(TREE, at);
        for (const [age, name] of Object.keys(TREE).entries()) fs.utimesSync(join(at, name), age, 1e9 - age);
      },
    ],
    [
      'written under another umask',
      (at: string) => {
        write(TREE, at);
        execFileSync('chmod', ['-R', 'g+w,o-rwx', at]);
      },
    ],
    [
      'with other bits on its directories',
      (at: string) => {
        write(TREE, at);
        fs.chmodSync(join(at, 'src'), 0o3775);
      },
    ],
  ])('%s', async (_, make) => {
    write(TREE);
    const expected = await hashOf();
    expect(expected).toMatch(HASH);
    const other = join(root, 'other', 'path');
    make(other);
    expect(await hashOf(other)).toBe(expected);
  });

  it('listed in any order', async () => {
    write(TREE);
    const expected = await hashOf();
    const orders = [
      (names: readonly string[]) => names.toReversed(),
      (names: readonly string[]) => names.toSorted((a, b) => a.localeCompare(b, 'sv')),
      (names: readonly string[]) => names.toSorted((a, b) => b.localeCompare(a, 'de', { sensitivity: 'base' })),
    ];
    for (const order of orders) {
      const list = (files: Files): Partial<Files> => ({
        list(at) {
          const entries = files.list(at);
          const byName = new Map(entries?.map((entry) => [entry.name, entry]));
          return entries && order([...byName.keys()]).flatMap((name) => byName.get(name) ?? []);
        },
      });
      expect(await hashOf(context, list)).toBe(expected);
    }
  });

  it('under another locale and time zone', () => {
    write(TREE);
    const cli = join(import.meta.dirname, '../../src/cli.ts');
    const run = (env: Readonly<Record<string, string>>) =>
      execFileSync(process.execPath, [cli, 'hash', '--json', '--platforms', 'linux/amd64', '.'], {
        cwd: context,
        env: { PATH: process.env['PATH'], HOME: root, ...env },
        encoding: 'utf8',
      });
    const hash = /[0-9a-f]{64}/.exec(run({}))?.[0];
    expect(hash).toMatch(HASH);
    for (const env of [{ LC_ALL: 'tr_TR.UTF-8', TZ: 'Asia/Tokyo' }, { LC_ALL: 'C' }, { LANG: 'sv_SE.UTF-8' }]) {
      expect(run(env)).toContain(hash);
    }
  });
});

describe('85 names', () => {
  const NAMES = [
    'a\nb',
    'a\tb',
    '\u{1F600}',
    'a\\b',
    'é',
    'e\u0301',
    'É',
    '\u001b[31m',
    ' a',
    '"',
    '$x',
    '-',
    '\u202e',
    'a b',
  ];

  it('of every kind count, and none is taken for another', async () => {
    const seen = new Set<string>();
    for (const name of NAMES) {
      for (const content of ['1', '2']) {
        write({ Dockerfile: ALL, [name]: content });
        seen.add(await hashOf());
      }
      fs.unlinkSync(join(context, name));
    }
    expect([...seen].every((hash) => HASH.test(hash))).toBe(true);
    expect(seen.size).toBe(2 * NAMES.length);
  });

  it('that are no UTF-8 are told apart, in files, directories and what links say', async () => {
    const at = (...bytes: number[]) => Buffer.concat([Buffer.from(`${context}/`), Buffer.from(bytes)]);
    write({ Dockerfile: ALL });
    const seen = new Set<string>();
    for (const byte of [0x80, 0xc3, 0xfe, 0xff]) {
      fs.writeFileSync(at(byte), 'x');
      seen.add(await hashOf());
      fs.unlinkSync(at(byte));
      fs.mkdirSync(at(byte));
      fs.writeFileSync(at(byte, 0x2f, byte), 'x');
      seen.add(await hashOf());
      fs.rmSync(at(byte), { recursive: true });
      fs.symlinkSync(Buffer.of(byte), at(0x6c));
      seen.add(await hashOf());
      fs.unlinkSync(at(0x6c));
    }
    expect([...seen].every((hash) => HASH.test(hash))).toBe(true);
    expect(seen.size).toBe(12);
  });
});

describe('a Dockerfile that is no UTF-8', () => {
  const dockerfile = (text: string) => fs.writeFileSync(join(context, 'Dockerfile'), Buffer.from(text, 'latin1'));

  it.each(['RUN echo X', 'LABEL a=X', 'ENV A=X', 'COPY <<E /a\nX\nE', 'RUN --network=none echo X', 'CMD ["a"] X'])(
    'counts by its bytes: %j',
    async (line) => {
      const seen = new Set<string>();
      for (const letter of ['\xe9', '\xe8', '\xc3\xa9', '\xef\xbf\xbd']) {
        dockerfile(`FROM scratch\n${line.replace('X', letter)}\n`);
        seen.add(await hashOf());
      }
      expect([...seen].every((hash) => HASH.test(hash))).toBe(true);
      expect(seen.size).toBe(4);
    },
  );

  it('names files and ignores them by their bytes', async () => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${context}/caf`), Buffer.of(0xe9)]), '1');
    dockerfile('FROM scratch\nCOPY --link caf\xe9 /\n');
    expect(await hashOf()).toMatch(HASH);
    fs.writeFileSync(join(context, '.dockerignore'), Buffer.from('caf\xe9', 'latin1'));
    expect(await hashOf()).toContain('is not in the context');
  });
});

describe('what is no file, directory or link', () => {
  it('a pipe is never opened: it counts where it is copied, and not elsewhere', async () => {
    write({ Dockerfile: ALL, 'src/a': '1' });
    const before = await hashOf();
    execFileSync('mkfifo', [join(context, 'src/pipe')]);
    const withPipe = await hashOf();
    expect([before, withPipe].every((hash) => HASH.test(hash))).toBe(true);
    expect(withPipe).not.toBe(before);
    write({ '.dockerignore': 'src/pipe\n.dockerignore\n' });
    expect(await hashOf()).toBe(before);
  });

  it('a socket is never opened either', async () => {
    write({ Dockerfile: ALL });
    const before = await hashOf();
    const server = net.createServer().listen(join(context, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const during = await hashOf();
    await new Promise((resolve) => server.close(resolve));
    expect(during).toMatch(HASH);
    expect(during).not.toBe(before);
    expect(await hashOf()).toBe(before);
  });

  it('a file that became a pipe since it was listed is an error, and not waited for', async () => {
    write({ Dockerfile: ALL, a: '1' });
    const become = (files: Files): Partial<Files> => ({
      digest(at) {
        if (!at.endsWith('a')) return files.digest(at);
        fs.unlinkSync(join(context, 'a'));
        execFileSync('mkfifo', [join(context, 'a')]);
        return files.digest(at);
      },
    });
    expect(await hashOf(context, become)).toContain('"a" counts towards the content and cannot be read');
  });
});

describe('what cannot be read', () => {
  const deny =
    (name: string) =>
    (files: Files): Partial<Files> => ({
      digest(at) {
        if (at.endsWith(name)) throw Object.assign(new Error('denied'), { code: 'EACCES' });
        return files.digest(at);
      },
    });

  it('a file that changes meanwhile', async () => {
    write({ Dockerfile: ALL, 'src/log': '1' });
    const said = await hashOf(context, (files) => ({
      digest(at) {
        if (at.endsWith('log')) throw Object.assign(new Error('changed'), { code: FILE_CHANGED });
        return files.digest(at);
      },
    }));
    expect(said).toContain('src/log" changed while it was read');
  });

  it.each([
    ['counts', ALL, '', 'src/secret" counts towards the content and cannot be read: EACCES'],
    ['is ignored', ALL, 'src/secret', HASH],
    ['is not copied', 'FROM scratch\nCOPY src/a /\n', '', HASH],
    ['is excluded', 'FROM scratch\nCOPY --exclude=secret src /\n', '', HASH],
  ])('a file that %s', async (_, dockerfile, ignore, answer) => {
    write({ Dockerfile: dockerfile, 'src/secret': '1', 'src/a': '2', '.dockerignore': ignore });
    const said = await hashOf(context, deny('secret'));
    if (typeof answer === 'string') expect(said).toContain(answer);
    else expect(said).toMatch(answer);
  });
});

describe('depth', () => {
  it.each([200, 1_000])('a tree %i deep is read to its end', async (depth) => {
    const path = `${Array.from({ length: depth }, () => 'd').join('/')}/f`;
    write({ Dockerfile: 'FROM scratch\nCOPY d /d\n', [path]: '1' });
    const before = await hashOf();
    write({ [path]: '2' });
    const after = await hashOf();
    expect(before).toMatch(HASH);
    expect(after).toMatch(HASH);
    expect(after).not.toBe(before);
  });

  it.each([
    ['syntax', '[a-', '".dockerignore" line 3: "[a-" is not a valid pattern'],
    ['a lone !', '!', '".dockerignore" line 3: a lone "!"'],
    ['what fails only on a path', 'd[z-a]', '".dockerignore": "d[z-a]" is not a valid pattern'],
  ])('a bad pattern of the ignore file is refused with its place: %s', async (_, pattern, said) => {
    write({ Dockerfile: ALL, '.dockerignore': `# a comment\n\n${pattern}\n`, 'd/f': '1' });
    expect(await hashOf()).toContain(said);
  });

  it('a line of the ignore file over 64 KiB is refused, as by a build', async () => {
    write({ Dockerfile: ALL, '.dockerignore': `a\n${'x'.repeat(70_000)}\n` });
    expect(await hashOf()).toContain('line 2 of the ignore file is longer than 65535 bytes');
  });
});
