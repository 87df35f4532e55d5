import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDockerfile, findIgnoreFile, readContext, readExtraFiles, readIgnoreFile } from '../src/context.ts';
import {
  type ContextInputs,
  type ContextReading,
  findChanges,
  isDirectoryContext,
  readContextInputs,
} from '../src/context-inputs.ts';
import { parseBuildContext } from '../src/core/build-options.ts';
import { NOTHING_IGNORED } from '../src/core/dockerignore.ts';
import { parseContext } from '../src/core/git-source.ts';
import { canonicalJson } from '../src/core/input-manifest.ts';
import type { Files } from '../src/host.ts';
import { gitIndex, posixFiles, type Tree, type TreeEntry, windowsFiles } from './support/windows-files.ts';

const file = (text: string, executable = false): TreeEntry => ({ kind: 'file', text, executable });

const TREE: Tree = {
  Dockerfile: file('FROM scratch\nCOPY . /\n'),
  'Dockerfile.dockerignore': file('# ours\n*.md\n!app/keep.md\nDockerfile*\n.git\n'),
  'README.md': file('x'),
  'app/main.sh': file('#!/bin/sh\n', true),
  'app/data.txt': file('a\nb\n'),
  'app/keep.md': file('kept'),
  'app/link': { kind: 'symlink', target: '../lib/shared.js' },
  'lib/shared.js': file('1'),
  'lib/empty': { kind: 'directory' },
  'assets/logo': file('png'),
  VERSION: file('1.2.3'),
};

interface Spelled {
  readonly context?: string;
  readonly file?: string;
  readonly assets?: string;
  readonly hashFiles?: readonly string[];
}

const GIVEN = { context: '.', assets: 'assets', hashFiles: ['VERSION', 'app/main.sh', 'lib'] };

function settingOf(files: Files, given: Spelled) {
  const { context, assets, hashFiles } = { ...GIVEN, ...given };
  const cwd = files.resolve('.');
  return {
    host: { files, cwd, env: {} },
    options: {
      context,
      hashFiles,
      hashIgnore: [],
      hashScope: 'inputs' as const,
      cacheTo: [],
      buildContexts: [{ name: 'assets', value: assets }],
    },
  };
}

function reading(files: Files, given: Spelled = {}): ContextReading {
  const setting = settingOf(files, given);
  const dockerfile = findDockerfile(files, setting.options.context, given.file) ?? 'none';
  return readContextInputs(setting, { dockerfile, targets: undefined });
}

function inputs(files: Files, given: Spelled = {}): ContextInputs {
  return reading(files, given).inputs;
}

describe('the same tree has the same hash', () => {
  const expected = inputs(posixFiles(TREE));

  it('83 on Windows, with other separators, no exec bits, other order, and links with backslashes', () => {
    expect(inputs(windowsFiles(TREE))).toEqual(expected);
    expect(canonicalJson(expected)).not.toContain('\\\\');
    expect(expected.context.map(([name]) => name)).toEqual([
      'VERSION',
      'app/data.txt',
      'app/keep.md',
      'app/link',
      'app/main.sh',
      'assets/logo',
      'lib/empty',
      'lib/shared.js',
    ]);
  });

  it.each<[string, Spelled]>([
    ['backslashes', { assets: '.\\assets', hashFiles: ['VERSION', 'app\\main.sh', 'lib'] }],
    ['a context with a dot', { context: '.\\' }],
    ['a drive', { context: 'C:\\work', assets: 'c:\\work\\assets', file: 'C:\\work\\Dockerfile' }],
    ['a drive and slashes', { context: 'C:/work', assets: 'C:/work/assets', file: 'C:/work/Dockerfile' }],
    ['a Dockerfile with a dot', { file: '.\\Dockerfile' }],
    ['other case', { context: 'c:\\WORK', assets: 'ASSETS', file: 'DockerFile' }],
  ])('when paths are given with %s', (_, given) => {
    expect(inputs(windowsFiles(TREE), given)).toEqual(expected);
  });

  it.each(['\\\\server\\share\\work', '\\\\?\\C:\\work', '//server/share/work', 'D:\\a b\\ünï'])(
    'in the checkout %s',
    (directory) => {
      const files = windowsFiles(TREE, directory);
      expect(inputs(files)).toEqual(expected);
      expect(inputs(files, { context: directory, assets: path.win32.join(directory, 'assets') })).toEqual(expected);
    },
  );

  it('in a part of a checkout, a worktree of git and a submodule', () => {
    const tree: Tree = { 'svc/Dockerfile': file('FROM scratch\n'), 'svc/run': file('x', true), 'svc/data': file('y') };
    const part = { context: 'svc', assets: 'svc', hashFiles: ['svc/run'] };
    const wanted = inputs(posixFiles(tree), part);
    expect(inputs(windowsFiles(tree), { ...part, context: '.\\svc' })).toEqual(wanted);
    const index = Buffer.from(
      gitIndex(
        new Map([
          ['run', true],
          ['data', false],
          ['Dockerfile', false],
        ]),
      ),
    ).toString('latin1');
    const files = windowsFiles({
      ...tree,
      'svc/.git': file('gitdir: ../.git/modules/svc\n'),
      'svc/.dockerignore': file('.git\r\n.dockerignore\r\n'),
      '.git/modules/svc/index': file(index),
    });
    expect(readContext(files, { directory: 'svc', matcher: readIgnoreFile(files, 'svc\\.dockerignore') })).toEqual(
      wanted.context,
    );
  });

  it('whatever is in it', () => {
    const name = fc.stringMatching(/^[a-z0-9 _.ü-]{0,5}[a-zü]$/);
    const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
      fc.record({ kind: fc.constant('file' as const), text: fc.string(), executable: fc.boolean() }),
      fc.record({ kind: fc.constant('symlink' as const), target: fc.constantFrom('a', '../b/c', 'd/e') }),
    );
    const trees = fc.dictionary(
      fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
      entry,
    );
    fc.assert(
      fc.property(trees, (tree) => {
        // A file cannot be a directory as well.
        const names = Object.keys(tree).filter((one) => one !== '.git' && !one.startsWith('.git/'));
        const legal = names.filter((one) => !names.some((other) => other.startsWith(`${one}/`)));
        const checkout: Tree = {
          ...Object.fromEntries(legal.flatMap((one) => (tree[one] === undefined ? [] : [[one, tree[one]]]))),
          '.dockerignore': file('.git\n*a/b\n'),
        };
        const given = { assets: '.', hashFiles: legal.slice(0, 3) };
        expect(inputs(windowsFiles(checkout), given)).toEqual(inputs(posixFiles(checkout), given));
      }),
    );
  });
});

describe('another hash is right', () => {
  it.each<[string, Tree]>([
    ['line endings that git turned into CRLF', { 'app/data.txt': file('a\r\nb\r\n') }],
    ['a link that git wrote down as a text file', { 'app/link': file('../lib/shared.js') }],
  ])('for %s: the build gets other bytes', (_, change) => {
    expect(inputs(windowsFiles({ ...TREE, ...change }))).not.toEqual(inputs(posixFiles(TREE)));
  });

  it('for a file that git does not have: on Windows it counts as executable, as the build gets it', () => {
    const files = windowsFiles(TREE);
    const index = Buffer.from(gitIndex(new Map([['Dockerfile', false]])));
    const unknown: Files = { ...files, read: (at) => (at.endsWith('index') ? index : files.read(at)) };
    const leaves = readContext(unknown, { directory: 'assets', matcher: NOTHING_IGNORED }).map(([, leaf]) => leaf);
    expect(leaves).toEqual([expect.stringMatching(/x$/)]);
    const outside: Files = { ...files, kindOf: (at) => (at.endsWith('.git') ? undefined : files.kindOf(at)) };
    expect(readExtraFiles(outside, ['VERSION'])).toEqual([['VERSION', expect.stringMatching(/x$/)]]);
  });

  it('for names that differ in their Unicode form: names count as the disk has them', () => {
    const [composed, decomposed] = ['ä', 'a\u0308'].map((name) => inputs(posixFiles({ ...TREE, [name]: file('') })));
    expect(composed).not.toEqual(decomposed);
  });

  it('on Linux for a backslash: there it is part of a name', () => {
    const files = posixFiles({ 'a\\b': file('1'), 'a/b': file('2') });
    expect(readExtraFiles(files, ['a\\b'])).toEqual([['a\\b', expect.any(String)]]);
    expect(readExtraFiles(files, ['a\\b'])).not.toEqual(readExtraFiles(files, ['a/b']));
  });
});

describe('line endings of', () => {
  const crlf = (entry: TreeEntry | undefined): TreeEntry =>
    entry?.kind === 'file' ? file(entry.text.replaceAll('\n', '\r\n')) : file('');

  it.each(['Dockerfile', 'Dockerfile.dockerignore'])('the %s do not count', (name) => {
    const tree = { ...TREE, [name]: crlf(TREE[name]) };
    expect(inputs(posixFiles(tree))).toEqual(inputs(posixFiles(TREE)));
    expect(inputs(windowsFiles(tree))).toEqual(inputs(posixFiles(TREE)));
  });
});

describe('where case does not matter', () => {
  const files = windowsFiles({ 'web/dockerfile': file(''), 'web/.DockerIgnore': file('') });

  it('a Dockerfile and an ignore file are found in any case', () => {
    expect(findDockerfile(files, 'Web', undefined)).toBe('Web\\Dockerfile');
    expect(findIgnoreFile(files, 'web', 'web\\Dockerfile')).toBe('web\\.dockerignore');
  });

  it('the names in the hash are those of the disk', () => {
    const names = readContext(files, { directory: 'WEB', matcher: NOTHING_IGNORED }).map(([name]) => name);
    expect(names).toEqual(['.DockerIgnore', 'dockerfile']);
  });
});

describe('a named context that is a directory of Windows', () => {
  it.each(['C:\\dir', 'c:/dir', 'C:dir', '.\\dir', '..\\dir', '\\\\server\\share', '\\\\?\\C:\\dir'])('%s', (value) => {
    const parsed = parseBuildContext(`name=${value}`);
    expect(parsed).toMatchObject({ ok: true, value: { name: 'name', value } });
    expect(isDirectoryContext(value)).toBe(true);
    expect(parseContext(value)).toEqual({ ok: true, value });
  });
});

describe('what changed during a build', () => {
  it('is named as Windows spells it, and git’s own index is passed over', () => {
    const before = windowsFiles({ ...TREE, 'Dockerfile.dockerignore': file('') });
    const setting = settingOf(
      windowsFiles({ ...TREE, 'Dockerfile.dockerignore': file(''), 'app/data.txt': file('c') }),
      {},
    );
    const then = reading({
      ...before,
      digest: (at) => ({ ...before.digest(at), ...(at.endsWith('.git\\index') ? { sha256: '' } : {}) }),
    });
    expect(findChanges(setting, { dockerfile: 'Dockerfile', targets: undefined }, then)).toEqual(['app\\data.txt']);
  });
});
