import { describe, expect, it } from 'vitest';
import { isDependencyManifest } from '../../src/core/dependency-manifests.ts';

const ECOSYSTEMS: Readonly<Record<string, readonly string[]>> = {
  npm: ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', '.npmrc'],
  pnpm: ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.pnpmfile.cjs'],
  yarn: ['package.json', 'yarn.lock', '.yarnrc.yml'],
  pip: ['requirements.txt', 'requirements-dev.txt', 'dev-requirements.txt', 'requirements/base.txt', 'constraints.txt'],
  poetry: ['pyproject.toml', 'poetry.lock', 'poetry.toml'],
  uv: ['pyproject.toml', 'uv.lock', 'uv.toml'],
  Maven: ['pom.xml', '.mvn/extensions.xml', '.mvn/wrapper/maven-wrapper.properties'],
  Gradle: [
    'build.gradle',
    'build.gradle.kts',
    'settings.gradle',
    'settings.gradle.kts',
    'gradle.properties',
    'gradle.lockfile',
    'gradle/libs.versions.toml',
    'gradle/wrapper/gradle-wrapper.properties',
  ],
  Go: ['go.mod', 'go.sum', 'go.work', 'go.work.sum'],
  Cargo: ['Cargo.toml', 'Cargo.lock', '.cargo/config.toml', 'rust-toolchain.toml'],
  Composer: ['composer.json', 'composer.lock'],
  Bundler: ['Gemfile', 'Gemfile.lock', 'app.gemspec'],
  NuGet: [
    'App.csproj',
    'packages.config',
    'packages.lock.json',
    'NuGet.Config',
    'Directory.Packages.props',
    'global.json',
  ],
};

describe('isDependencyManifest', () => {
  for (const [ecosystem, names] of Object.entries(ECOSYSTEMS)) {
    it.each(names)(`knows ${ecosystem}'s %s, at any depth`, (name) => {
      expect(isDependencyManifest(name)).toBe(true);
      expect(isDependencyManifest(`services/api/${name}`)).toBe(true);
    });
  }

  it.each([
    'src/index.ts',
    'README.md',
    'Dockerfile',
    'my-package.json',
    'package.json.bak',
    'package.json/x',
    'requirements.md',
    'config.toml',
    'docs/base.txt',
    'go.modx',
    '',
  ])('knows that %j is none', (path) => {
    expect(isDependencyManifest(path)).toBe(false);
  });
});
