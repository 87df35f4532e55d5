import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGitIndex } from '../../src/core/git-index.ts';
import { findProgram } from '../support/programs.ts';
import { gitIndex } from '../support/windows-files.ts';

const LONG = 'd/'.repeat(150) + 'long';
let root: string;

function git(repository: string, ...args: string[]): void {
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, GIT_CONFIG_NOSYSTEM: '1' };
  execFileSync('git', ['-C', repository, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A repository with two files, a program, a link and a name in UTF-8, all in its index. */
function makeRepository(name: string, ...init: string[]): string {
  const repository = path.join(root, name);
  fs.mkdirSync(path.join(repository, path.dirname(LONG)), { recursive: true });
  git(root, 'init', '-q', ...init, repository);
  for (const file of ['a', 'bin-run', 'ünï 😀', LONG]) fs.writeFileSync(path.join(repository, file), file);
  fs.chmodSync(path.join(repository, 'bin-run'), 0o755);
  fs.symlinkSync('a', path.join(repository, 'link'));
  git(repository, 'add', '.');
  return repository;
}

function indexOf(repository: string): ReadonlyMap<string, boolean> | undefined {
  return readGitIndex(fs.readFileSync(path.join(repository, '.git/index')));
}

const EXPECTED = new Map([
  ['a', false],
  ['bin-run', true],
  [LONG, false],
  ['ünï 😀', false],
]);

describe.skipIf(findProgram('git', process.env['PATH'] ?? '') === undefined)('an index of git', () => {
  beforeAll(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'git-index-test-'));
  });
  afterAll(() => fs.rmSync(root, { recursive: true }));

  it.each(['2', '4'])('of version %s tells which files are executable', (version) => {
    const repository = makeRepository(`v${version}`);
    git(repository, 'update-index', '--index-version', version);
    expect(indexOf(repository)).toEqual(EXPECTED);
  });

  it('of version 3, which a file that is only intended to be added makes', () => {
    const repository = makeRepository('v3');
    fs.writeFileSync(path.join(repository, 'intended'), '');
    git(repository, 'add', '-N', 'intended');
    expect(indexOf(repository)).toEqual(new Map([...EXPECTED, ['intended', false]]));
  });

  it('with sha256', () => {
    expect(indexOf(makeRepository('sha256', '--object-format=sha256'))).toEqual(EXPECTED);
  });

  it('that shares its entries with another file says nothing', () => {
    const repository = makeRepository('split');
    git(repository, 'update-index', '--split-index');
    expect(indexOf(repository)).toBeUndefined();
  });

  it('that is cut anywhere says nothing', () => {
    const bytes = fs.readFileSync(path.join(makeRepository('cut'), '.git/index'));
    for (let length = 0; length < bytes.length - 20; length += 7) {
      expect(readGitIndex(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
  });
});

describe('what is no index', () => {
  it.each([
    '',
    'DIRC',
    `DIRC${'\0'.repeat(20)}`,
    'x'.repeat(1_000_000),
    `DIRC\0\0\0\u0002\xff\xff\xff\xff${'\0'.repeat(99)}`,
  ])('says nothing (%#)', (text) => {
    expect(readGitIndex(Buffer.from(text, 'latin1'))).toBeUndefined();
  });

  it('never throws', () => {
    const valid = gitIndex(
      new Map([
        ['a/b', true],
        ['c', false],
      ]),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 5 }), (changes) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of changes) bytes[at] = byte;
        readGitIndex(bytes);
      }),
    );
  });
});
