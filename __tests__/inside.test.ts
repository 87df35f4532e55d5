import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFiles } from '../src/hosts/files.ts';
import { resolveInside } from '../src/inside.ts';

describe('a path inside of a directory', () => {
  let outer: string;
  let root: string;
  beforeEach(() => {
    outer = mkdtempSync(join(tmpdir(), 'inside-'));
    root = join(outer, 'root');
    mkdirSync(join(root, 'a/b'), { recursive: true });
    writeFileSync(join(root, 'a/file'), '');
    writeFileSync(join(root, 'file'), '');
    writeFileSync(join(outer, 'secret'), '');
  });
  afterEach(() => rmSync(outer, { recursive: true }));

  const at = (inside: string): string | undefined =>
    resolveInside(
      createFiles(root, () => {}),
      root,
      inside,
    );
  const link = (name: string, target: string): void => symlinkSync(target, join(root, name));

  it.each(['a/file', './a//file', 'a/b/../file', '../a/file'])('%s leads there', (inside) => {
    expect(at(inside)).toBe(join(root, 'a/file'));
  });

  it.each([
    ['a/file', 'a/file'],
    ['/a/file', 'a/file'],
    ['../../../a/file', 'a/file'],
    ['a/b/../../file', 'file'],
  ])('a link to %s leads to %s', (target, expected) => {
    link('link', target);
    expect(at('link')).toBe(join(root, expected));
  });

  it('a link to a file outside, or to itself, leads nowhere', () => {
    link('out', join(outer, 'secret'));
    link('up', '../secret');
    link('loop', 'loop');
    expect([at('out'), at('up'), at('loop'), at('missing'), at('file/x')]).toEqual(Array(5).fill(undefined));
  });

  it('goes through linked directories', () => {
    link('directory', '/a/b/..');
    expect(at('directory/file')).toBe(join(root, 'a/file'));
  });
});
