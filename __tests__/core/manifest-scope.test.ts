import { expect, it } from 'vitest';
import { contextTree } from '../../src/core/context-tree.ts';
import { keepManifests } from '../../src/core/manifest-scope.ts';

const LINKS: Readonly<Record<string, string>> = { 'go.mod': 'mods/app', 'src/link': '../x', 'yarn.lock': 'yarn.lock' };
const ENTRIES = [
  { path: 'go.mod', kind: 'symlink' },
  { path: 'go.sum', kind: 'file' },
  { path: 'mods', kind: 'directory' },
  { path: 'mods/app', kind: 'file' },
  { path: 'mods/other', kind: 'file' },
  { path: 'package.json', kind: 'other' },
  { path: 'pom.xml', kind: 'directory' },
  { path: 'secret', kind: 'directory' },
  { path: 'src', kind: 'directory' },
  { path: 'src/link', kind: 'symlink' },
  { path: 'src/main.go', kind: 'file' },
  { path: 'yarn.lock', kind: 'symlink' },
] as const;

function kept(entries: Parameters<typeof keepManifests>[0]): readonly string[] {
  const tree = contextTree(ENTRIES, (path) => LINKS[path] ?? '');
  return keepManifests(entries, tree, new Set(['secret'])).map(({ path }) => path);
}

it('keeps manifests, what they are links to, links, and directories that nobody may list', () => {
  const all = ['go.mod', 'go.sum', 'mods/app', 'package.json', 'secret', 'src/link', 'yarn.lock'];
  expect(kept(ENTRIES)).toEqual(all);
});

it('keeps nothing that was not asked about', () => {
  expect(kept(ENTRIES.filter(({ path }) => path !== 'mods/app' && path !== 'go.sum'))).not.toContain('mods/app');
  expect(kept([])).toEqual([]);
});
