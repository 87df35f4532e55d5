import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEPENDENCY_MANIFESTS, isDependencyManifest } from '../../src/core/dependency-manifests.ts';
import { CHECKOUT } from '../support/programs.ts';

/** A file that each pattern with a wildcard is for; others are files themselves. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'patches/**/*.patch': ['patches/ms+2.1.3.patch', 'patches/@types/node.patch'],
  'pnpm-lock.*.yaml': ['pnpm-lock.main.yaml'],
  '.yarn/patches/**': ['.yarn/patches/ms.patch'],
  '.yarn/plugins/**': ['.yarn/plugins/@yarnpkg/plugin-version.cjs'],
  '.yarn/releases/**': ['.yarn/releases/yarn-4.9.1.cjs'],
  '*requirements*.txt': ['requirements.txt', 'requirements-dev.txt', 'dev_requirements.txt'],
  '*requirements*.in': ['requirements.in'],
  '*requirements*.lock': ['requirements-dev.lock'],
  '*constraints*.txt': ['constraints.txt', 'upper-constraints.txt'],
  '*constraints*.in': ['constraints.in'],
  'requirements/**/*.txt': ['requirements/base.txt', 'requirements/prod/base.txt'],
  'requirements/**/*.in': ['requirements/base.in'],
  'constraints/**/*.txt': ['constraints/base.txt'],
  'constraints/**/*.in': ['constraints/base.in'],
  'pylock.*.toml': ['pylock.dev.toml'],
  '.mvn/**': ['.mvn/extensions.xml', '.mvn/wrapper/maven-wrapper.properties', '.mvn/wrapper/a\nb'],
  '*.gradle': ['build.gradle', 'settings.gradle', 'gradle/deps.gradle'],
  '*.gradle.kts': ['build.gradle.kts'],
  '*.versions.toml': ['gradle/libs.versions.toml'],
  'gradle/dependency-locks/*.lockfile': ['gradle/dependency-locks/compileClasspath.lockfile'],
  'gradle/verification-*': ['gradle/verification-metadata.xml'],
  'gradle/wrapper/*': ['gradle/wrapper/gradle-wrapper.properties', 'gradle/wrapper/gradle-wrapper.jar'],
  'buildSrc/src/**': ['buildSrc/src/main/kotlin/Versions.kt'],
  '*.gemspec': ['app.gemspec', '.gemspec'],
  '*.gemfile': ['gemfiles/rails_8.gemfile'],
  '*.gemfile.lock': ['gemfiles/rails_8.gemfile.lock'],
  '*.csproj': ['App.csproj'],
  '*.fsproj': ['App.fsproj'],
  '*.vbproj': ['App.vbproj'],
  '*.proj': ['dirs.proj'],
  '*.sln': ['App.sln'],
  '*.slnx': ['App.slnx'],
  '*.slnf': ['App.slnf'],
  '*.props': ['Directory.Packages.props', 'Directory.Build.props'],
  '*.targets': ['Directory.Build.targets'],
  'packages.*.config': ['packages.App.config'],
  'packages.*.lock.json': ['packages.App.lock.json'],
};

describe('isDependencyManifest', () => {
  for (const [ecosystem, row] of Object.entries(DEPENDENCY_MANIFESTS)) {
    const names = row.split(' ').flatMap((name) => EXAMPLES[name] ?? [name]);
    it.each(names)(`knows %j of ${ecosystem}, at any depth and in any case`, (name) => {
      expect(name).not.toContain('*');
      expect(isDependencyManifest(name)).toBe(true);
      expect(isDependencyManifest(`services/api/${name}`)).toBe(true);
      expect(isDependencyManifest(name.toUpperCase())).toBe(true);
    });
  }

  it.each([
    'src/index.ts',
    'README.md',
    'Dockerfile',
    'my-package.json',
    'package.json.bak',
    'package.json\n',
    'package.json/x',
    'requirements.md',
    'requirements/readme.md',
    'config.toml',
    'cargo/config.toml',
    'x.cargo/config.toml',
    'docs/base.txt',
    'my-requirements/base.txt',
    'go.modx',
    'csproj',
    'App.csproj.user',
    'pylock.toml.txt',
    'libsxversions.toml',
    'mvn/x',
    '.mvn/',
    'gradle/wrapper/more/x',
    'buildSrc/build/x',
    '',
  ])('knows that %j is none', (path) => {
    expect(isDependencyManifest(path)).toBe(false);
  });

  it.each(['requirements', 'requirements/', 'a/', '.', 'patches/a/'])(
    'answers at once for a million of %j',
    (piece) => {
      expect(isDependencyManifest(piece.repeat(1_000_000 / piece.length))).toBe(false);
      expect(isDependencyManifest(`${piece.repeat(1_000_000 / piece.length)}/requirements.txt`)).toBe(true);
    },
  );
});

it('is told in docs/hash-scope.md, each row as it is', () => {
  const page = readFileSync(join(CHECKOUT, 'docs/hash-scope.md'), 'utf8');
  const [, table = ''] = page.split(/<!-- \/?manifests -->/);
  const rows = table.split('\n').flatMap((line) => {
    const [, name = '', files = ''] = /^\| +(\w+) +\| (`.*`) +\|$/.exec(line) ?? [];
    return name === '' ? [] : [[name, files.replaceAll('`', '')]];
  });
  expect(Object.fromEntries(rows)).toEqual(DEPENDENCY_MANIFESTS);
});
