import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFiles } from '../../src/hosts/files.ts';

const MEBIBYTE = 1 << 20;
let root: string;
const owned: string[] = [];
const at = (name: string): string => path.join(root, name);

beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'files-test-'));
  fs.writeFileSync(at('file'), 'text\n');
  fs.writeFileSync(at('program'), '#!/bin/sh\n', { mode: 0o755 });
  fs.mkdirSync(at('directory'));
  fs.writeFileSync(at('directory/inside'), 'x');
  fs.symlinkSync('file', at('link'));
  fs.symlinkSync('nowhere', at('dangling'));
  fs.symlinkSync('circle', at('circle'));
  execFileSync('mkfifo', [at('pipe')]);
});

afterAll(() => fs.rmSync(root, { recursive: true }));

/** What it throws, if it does. */
function attempt(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

const files = (): ReturnType<typeof createFiles> => createFiles(root, (directory) => owned.push(directory));

describe('the digest of a file', () => {
  it.each([
    ['an empty one', 0],
    ['a small one', 12],
    ['one of a piece less a byte', MEBIBYTE - 1],
    ['one of exactly a piece', MEBIBYTE],
    ['one of a piece and a byte', MEBIBYTE + 1],
    ['one of three pieces', 3 * MEBIBYTE],
  ])('is that of its bytes: %s', (_, sizeBytes) => {
    const bytes = Buffer.alloc(sizeBytes, 'build-once');
    fs.writeFileSync(at('sized'), bytes);
    expect(files().digest('sized')).toEqual({
      sha256: createHash('sha256').update(bytes).digest('hex'),
      executable: false,
      sizeBytes,
      isLfsPointer: false,
    });
  });

  it('is none where the file changes meanwhile', async () => {
    fs.writeFileSync(at('growing'), Buffer.alloc(4 * MEBIBYTE));
    const writer = spawn('sh', ['-c', 'while echo more; do :; done >> growing'], { cwd: root });
    try {
      await expect
        .poll(() => attempt(() => files().digest('growing')), { timeout: 30_000, interval: 1 })
        .toMatchObject({ code: 'FILE_CHANGED' });
    } finally {
      writer.kill('SIGKILL');
      await once(writer, 'close');
    }
  });

  it('is not mixed up with the one before, when a large one is followed by a small one', () => {
    fs.writeFileSync(at('large'), Buffer.alloc(MEBIBYTE + 5, 1));
    const port = files();
    port.digest('large');
    expect(port.digest('file').sha256).toBe(createHash('sha256').update('text\n').digest('hex'));
  });

  it.each([
    [0o755, true],
    [0o700, true],
    [0o100, true],
    [0o644, false],
    [0o677, false],
  ])('with mode %o tells whether its owner may execute it: %s', (mode, executable) => {
    fs.writeFileSync(at('moded'), '');
    fs.chmodSync(at('moded'), mode);
    expect(files().digest('moded').executable).toBe(executable);
  });

  it('tells a pointer of git LFS, up to 1023 bytes', () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\next-0-x sha256:${'a'.repeat(64)}\noid sha256:${'b'.repeat(64)}\nsize 1\n`;
    const isPointer = (text: string): boolean => {
      fs.writeFileSync(at('pointer'), text);
      return files().digest('pointer').isLfsPointer;
    };
    expect(isPointer(pointer)).toBe(true);
    expect(isPointer(pointer.replaceAll('\n', '\r\n'))).toBe(true);
    expect(isPointer(pointer.padEnd(1023, ' '))).toBe(true);
    expect(isPointer(pointer.padEnd(1024, ' '))).toBe(false);
    expect(isPointer(` ${pointer}`)).toBe(false);
  });

  it('of a link is that of its target; of nothing and of a directory it is an error', () => {
    expect(files().digest('link')).toEqual(files().digest('file'));
    expect(() => files().digest('nowhere')).toThrow('ENOENT');
    expect(() => files().digest('directory')).toThrow('EISDIR');
  });
});

describe('what a path is', () => {
  it.each([
    ['file', 'file'],
    ['directory', 'directory'],
    ['link', 'symlink'],
    ['dangling', 'symlink'],
    ['circle', 'symlink'],
    ['pipe', 'other'],
    ['nowhere', undefined],
    ['file/below', undefined],
    ['circle/below', undefined],
    ['no/such/place', undefined],
    ['n\0ul', undefined],
  ])('%j is %s', (name, kind) => {
    expect(files().kindOf(name)).toBe(kind);
  });

  it('a name that no file system takes is not there', () => {
    const name = 'x'.repeat(1_000_000);
    expect([files().kindOf(name), files().read(name), files().list(name)]).toEqual([undefined, undefined, undefined]);
  });

  it('the entries of a directory have kinds; a file and nothing have no entries', () => {
    const kinds = new Map(
      files()
        .list('')
        ?.map(({ name, kind }) => [name, kind]),
    );
    expect(kinds.get('file')).toBe('file');
    expect(kinds.get('directory')).toBe('directory');
    expect(kinds.get('dangling')).toBe('symlink');
    expect(kinds.get('pipe')).toBe('other');
    expect([files().list('file'), files().list('nowhere')]).toEqual([undefined, undefined]);
    expect(files().list('directory')).toEqual([{ name: 'inside', kind: 'file' }]);
  });
});

describe('reading', () => {
  it('gives the bytes, or the text, or the target of a link', () => {
    expect(files().readText('file')).toBe('text\n');
    expect(files().readText(at('link'))).toBe('text\n');
    expect([...(files().read('directory/inside') ?? [])]).toEqual([120]);
    expect(files().readLink('dangling')).toBe('nowhere');
  });

  it('gives a large file in pieces, without gaps', async () => {
    const bytes = randomBytes(MEBIBYTE + 1);
    fs.writeFileSync(at('large'), bytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of files().pieces('large')) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(1);
    expect(Buffer.concat(pieces)).toEqual(bytes);
    const first = (file: string) => files().pieces(file)[Symbol.asyncIterator]().next();
    await expect(first('nowhere')).rejects.toThrow('ENOENT');
    await expect(first('/dev/zero')).rejects.toThrow('it is no file');
  });

  it('what is not there gives nothing; what cannot be read is an error', () => {
    expect([files().read('nowhere'), files().readText('dangling'), files().readText('circle')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => files().read('directory')).toThrow('EISDIR');
    // This one would never end.
    expect(() => files().read('/dev/zero')).toThrow('it is a device');
  });
});

describe('writing', () => {
  const modeOf = (name: string): number => fs.statSync(at(name)).mode & 0o777;

  it('makes the directories, and a file that only its owner may read', () => {
    files().write('new/deep/file', 'secret');
    expect([fs.readFileSync(at('new/deep/file'), 'utf8'), modeOf('new/deep/file')]).toEqual(['secret', 0o600]);
  });

  it('writes a large text in pieces, as if it were one', () => {
    const pieces = ['', 'a'.repeat(MEBIBYTE), '\u{1f600}', 'b', ''];
    files().write('pieces', pieces.values());
    expect(fs.readFileSync(at('pieces'), 'utf8')).toBe(pieces.join(''));
    files().write('pieces', []);
    expect(fs.readFileSync(at('pieces'), 'utf8')).toBe('');
  });

  it('replaces a file that everyone could read with one that only its owner may', () => {
    fs.writeFileSync(at('open'), 'a longer text', { mode: 0o644 });
    files().write('open', new Uint8Array([65]));
    expect([fs.readFileSync(at('open'), 'utf8'), modeOf('open')]).toEqual(['A', 0o600]);
  });
});

it('a temporary directory is private, and is handed over for removal', () => {
  const directory = files().makeTemporaryDirectory('build-once-test-');
  expect(owned).toEqual([directory]);
  expect(path.dirname(directory)).toBe(os.tmpdir());
  expect(path.basename(directory)).toMatch(/^build-once-test-/);
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
  fs.rmdirSync(directory);
});

it('a temporary directory is made where the host says', () => {
  const directory = createFiles(root, (made) => void owned.push(made), 'directory').makeTemporaryDirectory('x-');
  expect(path.dirname(directory)).toBe(at('directory'));
  fs.rmdirSync(directory);
});

it('a temporary directory is made beside what it is for, with the folders on the way', () => {
  const directory = files().makeTemporaryDirectory('.x-', 'a/b');
  expect(path.dirname(directory)).toBe(at('a/b'));
  expect(owned.at(-1)).toBe(directory);
  fs.rmSync(at('a'), { recursive: true });
});

describe('a move', () => {
  it('takes a directory to another name, with the folders on the way', () => {
    fs.mkdirSync(at('from'));
    fs.writeFileSync(at('from/x'), 'x');
    expect(files().move('from', 'to/deep/there')).toBe(true);
    expect(fs.readFileSync(at('to/deep/there/x'), 'utf8')).toBe('x');
    expect(fs.existsSync(at('from'))).toBe(false);
  });

  it('leaves what is there already', () => {
    fs.mkdirSync(at('second'));
    fs.writeFileSync(at('second/x'), 'second');
    fs.mkdirSync(at('first'));
    fs.writeFileSync(at('first/x'), 'first');
    expect(files().move('second', 'first')).toBe(false);
    expect(files().move('second', 'file')).toBe(false);
    expect(fs.readFileSync(at('first/x'), 'utf8')).toBe('first');
    expect(fs.readFileSync(at('second/x'), 'utf8')).toBe('second');
  });

  it('of what is not there is an error', () => {
    expect(() => files().move('nothing', 'elsewhere')).toThrow(expect.objectContaining({ code: 'UNWRITABLE_FILE' }));
  });
});

it('a link leads to a directory, wherever it is itself', () => {
  fs.mkdirSync(at('links'));
  files().linkDirectory('directory', 'links/one');
  expect(fs.readFileSync(at('links/one/inside'), 'utf8')).toBe('x');
  expect(files().kindOf('links/one')).toBe('symlink');
});

describe('what cannot be written', () => {
  // Root may write everywhere, but not into what is no directory.
  it.each<[string, () => void]>([
    ['file/x', () => files().write('file/x', '')],
    ['directory', () => files().write('directory', '')],
    ['file', () => createFiles(root, () => {}, at('file')).makeTemporaryDirectory('x-')],
    ['nowhere', () => createFiles(root, () => {}, at('nowhere')).makeTemporaryDirectory('x-')],
    ['file/x', () => files().makeTemporaryDirectory('x-', 'file/x')],
    ['file', () => files().linkDirectory('directory', 'file')],
  ])('is an error that names it: %s', (name, write) => {
    expect(write).toThrow(
      expect.objectContaining({
        code: 'UNWRITABLE_FILE',
        message: expect.stringMatching(new RegExp(`^"${at(name)}" cannot be written: E[A-Z]+$`)),
        hint: expect.stringContaining('TMPDIR'),
      }),
    );
  });

  it('on a full disk is said so', () => {
    expect(() => files().write('/dev/full', 'x')).toThrow('"/dev/full" cannot be written: ENOSPC');
  });
});
