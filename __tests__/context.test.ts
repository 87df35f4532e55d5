import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findDockerfile, findIgnoreFile, readContext, readExtraFiles, readIgnoreFile } from '../src/context.ts';
import {
  compileIgnorePatterns,
  type IgnoreMatcher,
  NOTHING_IGNORED,
  parseIgnoreFile,
} from '../src/core/dockerignore.ts';
import type { Entry } from '../src/core/input-manifest.ts';
import { UsageError } from '../src/errors.ts';
import type { FileEntry, Files } from '../src/host.ts';
import { createFiles } from '../src/hosts/files.ts';

let root: string;
let files: Files;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'context-test-'));
  files = createFiles(root, () => {});
});
afterEach(() => fs.rmSync(root, { recursive: true }));

/** Makes these files below the root; a name that ends in `/` is an empty directory, one that begins with `@` a link. */
function make(tree: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(tree)) {
    const at = path.join(root, name.replace(/^@/, ''));
    fs.mkdirSync(name.endsWith('/') ? at : path.dirname(at), { recursive: true });
    if (name.startsWith('@')) fs.symlinkSync(content, at);
    else if (!name.endsWith('/')) fs.writeFileSync(at, content);
  }
}

function ignoring(text: string): IgnoreMatcher {
  const patterns = parseIgnoreFile(text);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (!matcher.ok) throw new Error(matcher.problem);
  return matcher.value;
}

function leaf(content: string, flag = '-'): string {
  return createHash('sha256').update(content).digest('hex') + flag;
}

function entries(ignored = '', uncounted?: string, port = files): readonly Entry[] {
  return readContext(port, {
    directory: '.',
    matcher: ignoring(ignored),
    ...(uncounted === undefined ? {} : { uncounted: ignoring(uncounted) }),
  });
}

function names(ignored = '', uncounted?: string): string[] {
  return entries(ignored, uncounted).map(([name]) => name);
}

describe('the context', () => {
  it('is every file with its bytes, its exec bit, links with their targets, and empty directories', () => {
    make({
      a: 'x',
      'bin/run': '#!/bin/sh',
      'empty/': '',
      'deep/empty/': '',
      '@link': 'a',
      '@dangling': 'no/where',
      '@dir': 'bin',
      '@abs': '/etc/passwd',
    });
    fs.chmodSync(path.join(root, 'bin/run'), 0o755);
    expect(entries()).toEqual([
      ['a', leaf('x')],
      ['abs', '@/etc/passwd'],
      ['bin/run', leaf('#!/bin/sh', 'x')],
      ['dangling', '@no/where'],
      ['deep/empty', '/'],
      ['dir', '@bin'],
      ['empty', '/'],
      ['link', '@a'],
    ]);
  });

  it('has a mark for a pipe, and does not wait for it', () => {
    execFileSync('mkfifo', [path.join(root, 'pipe')]);
    expect(entries()).toEqual([['pipe', '?']]);
  });

  it('is nothing where there is nothing', () => {
    expect(entries()).toEqual([]);
  });

  it.each<[string, () => void]>([
    ['a byte', () => fs.writeFileSync(path.join(root, 'f'), 'y')],
    ['an exec bit', () => fs.chmodSync(path.join(root, 'f'), 0o755)],
    ['the target of a link', () => (fs.unlinkSync(path.join(root, 'l')), fs.symlinkSync('g', path.join(root, 'l')))],
    [
      'a file instead of a link',
      () => (fs.unlinkSync(path.join(root, 'l')), fs.writeFileSync(path.join(root, 'l'), 'x')),
    ],
    ['an empty file', () => fs.writeFileSync(path.join(root, 'new'), '')],
    ['an empty directory', () => fs.mkdirSync(path.join(root, 'new'))],
    ['a file in what was an empty directory', () => fs.writeFileSync(path.join(root, 'e/f'), '')],
    ['another name', () => fs.renameSync(path.join(root, 'f'), path.join(root, 'F'))],
    ['a pipe', () => execFileSync('mkfifo', [path.join(root, 'pipe')])],
  ])('changes with %s', (_, change) => {
    make({ f: 'x', '@l': 'f', 'e/': '' });
    const before = entries();
    change();
    expect(entries()).not.toEqual(before);
  });

  it.each<[string, () => void]>([
    ['the time of a file', () => fs.utimesSync(path.join(root, 'f'), 1, 1)],
    ['other mode bits', () => fs.chmodSync(path.join(root, 'f'), 0o604)],
    ['the mode of a directory', () => fs.chmodSync(path.join(root, 'd'), 0o700)],
    ['what a link points at', () => fs.writeFileSync(path.join(root, 'ignored'), 'y')],
  ])('does not change with %s', (_, change) => {
    make({ f: 'x', 'd/g': '', ignored: 'x', '@l': 'ignored' });
    const before = entries('ignored');
    change();
    expect(entries('ignored')).toEqual(before);
  });

  it('is the same in whatever order the names are found', () => {
    make({ b: '', a: '', 'c/z': '', 'c/y': '', 'a-b': '', 'A/x': '', '😀': '', '！': '' });
    const reversed: Files = { ...files, list: (at) => files.list(at)?.toReversed() };
    expect(entries('', undefined, reversed)).toEqual(entries());
  });

  it('keeps names to the letter', () => {
    make({ 'a b': '', 'new\nline': '', 'back\\slash': '', '"q"': '', '::x': '', ä: '', 'a\u0308': '', '%0A': '' });
    expect(names()).toEqual(['"q"', '%0A', '::x', 'a b', 'a\u0308', 'back\\slash', 'new\nline', 'ä']);
  });

  describe('with names that are no UTF-8', () => {
    const raw = (...bytes: number[]) => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]);

    it('reads each under a name of its own, also beside the character that stands for such bytes', () => {
      fs.writeFileSync(raw(0x78, 0xff), '1');
      fs.writeFileSync(raw(0x78, 0xfe), '2');
      make({ 'x\ufffd': '3' });
      expect(entries()).toEqual([
        ['x\ufffd', leaf('3')],
        ['x\udcfe', leaf('2')],
        ['x\udcff', leaf('1')],
      ]);
      expect(entries('x*')).toEqual([]);
    });

    it('reads what is in such directories, and what such links say', () => {
      fs.mkdirSync(raw(0xc3));
      fs.writeFileSync(raw(0xc3, 0x2f, 0x61), '1');
      fs.symlinkSync(Buffer.from([0x61, 0xed, 0xa0, 0x80]), raw(0x6c));
      expect(entries()).toEqual([
        ['l', '@a\udced\udca0\udc80'],
        ['\udcc3/a', leaf('1')],
      ]);
    });
  });

  it('fails on a directory whose path is too long for the system, rather than take it for empty', () => {
    const name = 'd'.repeat(250);
    const deep = Array.from({ length: 20 }, () => name).join('/');
    execFileSync('sh', ['-c', `for i in $(seq 20); do mkdir ${name} && cd -P ${name} || exit 1; done; echo x >f`], {
      cwd: root,
    });
    try {
      expect(() => entries()).toThrow(/counts towards the content and cannot be read: ENAMETOOLONG/);
      expect(entries('d*')).toEqual([]);
    } finally {
      execFileSync('rm', ['-rf', deep.slice(0, 250)], { cwd: root });
    }
  });

  it('leaves out what the ignore file leaves out, and keeps what it brings back', () => {
    make({
      'node_modules/a/b': '',
      'src/a': '',
      'src/b.test': '',
      'docs/keep.md': '',
      'docs/x': '',
      'gone/': '',
      'all/x': '',
    });
    expect(names('node_modules\n**/*.test\ndocs\n!docs/keep.md\ngone\nall/*')).toEqual([
      'all',
      'docs/keep.md',
      'src/a',
    ]);
  });

  it('never looks into an ignored directory that no exception needs', () => {
    make({ 'node_modules/a/b': '', a: '' });
    const asked: string[] = [];
    const watching: Files = { ...files, list: (at) => (asked.push(at), files.list(at)) };
    expect(entries('node_modules', undefined, watching)).toEqual([['a', leaf('')]]);
    expect(asked.map((at) => path.normalize(at).replace(/\/$/, ''))).toEqual(['.']);
  });
});

describe('hash-ignore', () => {
  const tree = { 'README.md': '', 'docs/a.md': '', 'docs/b': '', 'src/a': '', 'only/x.md': '', 'empty/': '' };

  it('leaves out what does not count, though the build gets it', () => {
    make(tree);
    expect(names('', '**/*.md')).toEqual(['docs/b', 'empty', 'only', 'src/a']);
    expect(names('', 'docs\nonly\nempty')).toEqual(['README.md', 'src/a']);
    expect(names('', '*\n!src')).toEqual(['src/a']);
    expect(names('', '*')).toEqual([]);
  });

  it('works on what the ignore file left', () => {
    make(tree);
    expect(names('docs/a.md\nsrc', '!docs/a.md\n*.md')).toEqual(['docs/b', 'empty', 'only/x.md']);
    expect(names('docs', 'docs/b')).toEqual(names('docs'));
  });

  it('makes a change of what it names no change', () => {
    make(tree);
    const before = entries('', '**/*.md');
    make({ 'docs/new.md': 'x', 'README.md': 'changed' });
    expect(entries('', '**/*.md')).toEqual(before);
  });

  it('does not have what it names read', () => {
    make({ secret: '', a: '' });
    expect(entries('', 'secret', refusing('secret'))).toEqual([['a', leaf('')]]);
  });
});

/** The files, of which these cannot be read: to root everything is readable. */
function refusing(...refused: readonly string[]): Files {
  const refuse = <T>(at: string, read: () => T): T => {
    if (!refused.includes(path.relative(root, files.resolve(at)))) return read();
    throw Object.assign(new Error(`EACCES: permission denied, '${at}'`), { code: 'EACCES' });
  };
  return {
    ...files,
    list: (at) => refuse(at, () => files.list(at)),
    digest: (at) => refuse(at, () => files.digest(at)),
    read: (at) => refuse(at, () => files.read(at)),
    readLink: (at) => refuse(at, () => files.readLink(at)),
  };
}

describe('what cannot be read', () => {
  const tree = { 'a/f': '', b: '', '@l': 'b' };

  it.each(['b', 'a/f', 'a', 'l'])('is an error that names it: %s', (name) => {
    make(tree);
    const message = `"${name}" counts towards the content and cannot be read: EACCES`;
    expect(() => entries('', undefined, refusing(name))).toThrow(
      expect.objectContaining({ code: 'UNREADABLE_FILE', message, hint: expect.stringContaining('.dockerignore') }),
    );
  });

  it.each(['b', 'a/f', 'a', 'l'])('is none where it is ignored: %s', (name) => {
    make(tree);
    expect(entries(name, undefined, refusing(name)).map(([at]) => at)).not.toContain(name);
  });

  it('is an error also where an exception might bring it back, unless it is the permission that lacks', () => {
    make({ 'a/f': '', b: '' });
    expect(entries('a\n!a/f', undefined, refusing('a'))).toEqual([['b', leaf('')]]);
  });

  it('is named in one printable line', () => {
    const hostile = '\u001b[31m\n::add-mask::x';
    make({ [hostile]: '' });
    const message = '"::add-mask::x" counts towards the content and cannot be read: EACCES';
    expect(() => entries('', undefined, refusing(hostile))).toThrow(expect.objectContaining({ message }));
  });

  it('is a file that went while it was read', () => {
    make({ a: '' });
    const going: Files = { ...files, list: () => [{ name: 'gone', kind: 'file' } satisfies FileEntry] };
    expect(() => entries('', undefined, going)).toThrow('"gone" counts towards the content and cannot be read: ENOENT');
  });
});

describe('the Dockerfile', () => {
  it('is the one that is given, else the one in the context', () => {
    make({
      'web/Dockerfile': '',
      'web/dockerfile': '',
      'low/dockerfile': '',
      'other/Containerfile': '',
      '@link': 'web/Dockerfile',
    });
    expect(findDockerfile(files, 'web', undefined)).toBe('web/Dockerfile');
    expect(findDockerfile(files, 'low', undefined)).toBe('low/dockerfile');
    expect(findDockerfile(files, 'web', 'other/Containerfile')).toBe('other/Containerfile');
    expect(findDockerfile(files, 'web', 'link')).toBe('link');
  });

  it.each(['nowhere', 'directory', 'pipe', 'x'.repeat(1000)])('is not %s', (given) => {
    make({ 'directory/': '', 'empty/': '' });
    execFileSync('mkfifo', [path.join(root, 'pipe')]);
    expect(findDockerfile(files, '.', given)).toBeUndefined();
    expect(findDockerfile(files, 'empty', undefined)).toBeUndefined();
  });
});

describe('the ignore file', () => {
  it("is the Dockerfile's own where there is one, else the context's", () => {
    make({ 'web/.dockerignore': '', 'docker/prod.Dockerfile': '', 'docker/prod.Dockerfile.dockerignore': '' });
    expect(findIgnoreFile(files, 'web', 'docker/prod.Dockerfile')).toBe('docker/prod.Dockerfile.dockerignore');
    expect(findIgnoreFile(files, 'web', 'docker/dev.Dockerfile')).toBe('web/.dockerignore');
    expect(findIgnoreFile(files, 'web')).toBe('web/.dockerignore');
    expect(findIgnoreFile(files, 'docker', 'docker/dev.Dockerfile')).toBeUndefined();
  });

  it('is read; where there is none, nothing is ignored', () => {
    make({ '.dockerignore': 'a\n', a: '', b: '', '@dangling': 'nowhere' });
    const matcher = readIgnoreFile(files, '.dockerignore');
    expect(readContext(files, { directory: '.', matcher }).map(([name]) => name)).toEqual([
      '.dockerignore',
      'b',
      'dangling',
    ]);
    expect(readIgnoreFile(files, undefined)).toBe(NOTHING_IGNORED);
    expect(readIgnoreFile(files, 'dangling').patterns).toEqual([]);
  });

  it.each([
    ['!\n', 'a lone "!"'],
    ['[\n', ''],
    [`${'x'.repeat(70_000)}\n`, 'longer than'],
  ])('with a bad pattern is bad input (%#)', (text, problem) => {
    make({ '.dockerignore': text, a: '' });
    const reading = (): unknown =>
      readContext(files, { directory: '.', matcher: readIgnoreFile(files, '.dockerignore') });
    expect(reading).toThrow(UsageError);
    expect(reading).toThrow(problem);
  });

  it('that is a directory or cannot be read is an error, not nothing', () => {
    make({ '.dockerignore/x': '' });
    expect(() => readIgnoreFile(files, '.dockerignore')).toThrow(
      '".dockerignore" counts towards the content and cannot be read: EISDIR',
    );
    expect(() => readIgnoreFile(refusing('.dockerignore'), '.dockerignore')).toThrow('EACCES');
  });
});

describe('hash-files', () => {
  it('are files and directories by the names that were given', () => {
    make({ VERSION: '1', 'scripts/a': 'a', 'scripts/deep/b': 'b', 'scripts/empty/': '', '.dockerignore': '*' });
    expect(readExtraFiles(files, ['VERSION', 'scripts', 'nowhere'])).toEqual([
      ['VERSION', leaf('1')],
      ['scripts', '/'],
      ['scripts/a', leaf('a')],
      ['scripts/deep/b', leaf('b')],
      ['scripts/empty', '/'],
    ]);
  });

  it('that are links count with what they point at, and end where it is not', () => {
    make({
      'real/f': 'x',
      '@file': 'real/f',
      '@dir': 'real',
      '@twice': 'file',
      '@dangling': 'nowhere',
      '@circle': 'circle',
      'sub/x': '',
    });
    fs.symlinkSync('../real/f', path.join(root, 'sub/up'));
    expect(readExtraFiles(files, ['file'])).toEqual([
      ['file', '@real/f'],
      ['file', leaf('x')],
    ]);
    expect(readExtraFiles(files, ['dir'])).toEqual([
      ['dir', '@real'],
      ['dir', '/'],
      ['dir/f', leaf('x')],
    ]);
    expect(readExtraFiles(files, ['twice'])).toEqual([
      ['twice', '@file'],
      ['twice', '@real/f'],
      ['twice', leaf('x')],
    ]);
    expect(readExtraFiles(files, ['sub/up'])).toEqual([
      ['sub/up', '@../real/f'],
      ['sub/up', leaf('x')],
    ]);
    expect(readExtraFiles(files, ['dangling'])).toEqual([['dangling', '@nowhere']]);
    expect(readExtraFiles(files, ['circle']).length).toBeLessThan(50);
  });

  it('that cannot be read are an error', () => {
    make({ a: '' });
    expect(() => readExtraFiles(refusing('a'), ['a'])).toThrow(
      '"a" counts towards the content and cannot be read: EACCES',
    );
  });
});
