import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ContextReading, readContextInputs } from '../src/context-inputs.ts';
import { canonicalJson } from '../src/core/input-manifest.ts';
import { readDockerfile } from '../src/dockerfile-inputs.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions, type RawOptions } from '../src/options.ts';
import { CHECKOUT } from './support/programs.ts';

const SAMPLES = join(CHECKOUT, '__tests__/fixtures/ecosystems');
const MANIFESTS = { 'hash-scope': 'manifests' };

let context: string;
beforeEach(() => {
  context = mkdtempSync(join(tmpdir(), 'build-once-scope-'));
});
afterEach(() => rmSync(context, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(context, name)), { recursive: true });
    writeFileSync(join(context, name), content);
  }
}

/** What a build for linux/amd64 reads of the context, with no request for a base image. */
function read(raw: RawOptions = {}): ContextReading {
  const host = createTerminalHost({ cwd: context, env: {}, write: () => {} });
  const { options, problems } = parseOptions(raw);
  expect(problems).toEqual([]);
  const platforms = [{ os: 'linux', architecture: 'amd64' }];
  const { targets } = readDockerfile('Dockerfile', { host, options, platforms });
  const reading = readContextInputs({ host, options }, { dockerfile: 'Dockerfile', targets });
  expect(reading.problems).toEqual([]);
  return reading;
}

const hashed = (raw: RawOptions = {}): string => canonicalJson(read(raw).inputs);

interface Sample {
  /** What the install step goes by: the files that count. */
  readonly manifests: readonly string[];
  /** What the build reads besides. */
  readonly others: readonly string[];
}

const ECOSYSTEMS: Readonly<Record<string, Sample>> = {
  npm: { manifests: ['.npmrc', 'package-lock.json', 'package.json'], others: ['src/index.js'] },
  pnpm: {
    manifests: ['package.json', 'packages/hello/package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'],
    others: ['packages/hello/src/index.js'],
  },
  yarn: {
    manifests: ['.yarn/patches/ms-npm-2.1.3-81ff3cfac1.patch', '.yarnrc.yml', 'package.json', 'yarn.lock'],
    others: ['src/index.js'],
  },
  pip: {
    manifests: ['constraints.txt', 'requirements.in', 'requirements.txt'],
    others: ['Dockerfile', 'main.py'],
  },
  poetry: { manifests: ['poetry.lock', 'poetry.toml', 'pyproject.toml'], others: ['main.py'] },
  uv: { manifests: ['.python-version', 'pyproject.toml', 'uv.lock'], others: ['main.py'] },
  maven: { manifests: ['.mvn/maven.config', 'pom.xml'], others: ['src/main/java/Hello.java'] },
  gradle: {
    manifests: [
      'build.gradle.kts',
      'gradle.lockfile',
      'gradle.properties',
      'gradle/libs.versions.toml',
      'settings.gradle.kts',
    ],
    others: ['src/main/java/Hello.java'],
  },
  go: { manifests: ['go.mod', 'go.sum'], others: ['Dockerfile', 'cmd/hello/main.go'] },
  cargo: {
    manifests: ['.cargo/config.toml', 'Cargo.lock', 'Cargo.toml', 'rust-toolchain.toml'],
    others: ['src/main.rs'],
  },
  composer: { manifests: ['composer.json', 'composer.lock'], others: ['src/Hello.php'] },
  bundler: {
    manifests: ['.ruby-version', 'Gemfile', 'Gemfile.lock', 'hello.gemspec'],
    others: ['app/hello.rb'],
  },
  nuget: {
    manifests: [
      'Directory.Packages.props',
      'global.json',
      'nuget.config',
      'src/Hello/Hello.csproj',
      'src/Hello/packages.lock.json',
    ],
    others: ['src/Hello/Program.cs'],
  },
};

describe.each(Object.entries(ECOSYSTEMS))('a project of %s', (name, { manifests, others }) => {
  beforeEach(() => cpSync(join(SAMPLES, name), context, { recursive: true }));

  it('counts its manifests and nothing else with hash-scope: manifests', () => {
    const { paths, scoped } = read(MANIFESTS);
    expect(paths).toEqual(manifests);
    expect(scoped).toEqual({ counted: manifests.length, others });
    expect(read().paths).toEqual(expect.arrayContaining([...manifests, ...others]));
  });

  it.each(manifests)('has another hash after an edit of %s, in either scope', (file) => {
    const before = [hashed(), hashed(MANIFESTS)];
    appendFileSync(join(context, file), ' ');
    const after = [hashed(), hashed(MANIFESTS)];
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, false]);
  });

  it.each(others.filter((file) => file !== 'Dockerfile'))('has the same after an edit of %s, in one scope', (file) => {
    const before = [hashed(), hashed(MANIFESTS)];
    appendFileSync(join(context, file), ' ');
    const after = [hashed(), hashed(MANIFESTS)];
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, true]);
  });
});

it('has a sample of every ecosystem', () => {
  expect(readdirSync(SAMPLES).sort()).toEqual(Object.keys(ECOSYSTEMS).sort());
});
