/** File names that say what an ecosystem's packages are, in which versions and from where. */
const NAMES: ReadonlySet<string> = new Set(
  [
    // npm, pnpm, yarn, bun
    'package.json package-lock.json npm-shrinkwrap.json .npmrc',
    'pnpm-lock.yaml pnpm-workspace.yaml .pnpmfile.cjs .pnpmfile.mjs pnpmfile.cjs',
    'yarn.lock .yarnrc .yarnrc.yml bun.lock bun.lockb bunfig.toml',
    // pip, setuptools, Pipenv, Poetry, uv, PDM
    'setup.py setup.cfg pipfile pipfile.lock pyproject.toml pylock.toml .python-version',
    'poetry.lock poetry.toml uv.lock uv.toml pdm.lock pip.conf',
    // Maven, Gradle
    'pom.xml extensions.xml maven.config maven-wrapper.properties',
    'gradle.properties gradle.lockfile buildscript-gradle.lockfile gradle-wrapper.properties verification-metadata.xml',
    // Go, Cargo
    'go.mod go.sum go.work go.work.sum',
    'cargo.toml cargo.lock rust-toolchain rust-toolchain.toml',
    // Composer, Bundler
    'composer.json composer.lock symfony.lock',
    'gemfile gemfile.lock gems.rb gems.locked .ruby-version',
    // NuGet
    'packages.config packages.lock.json nuget.config global.json',
    'directory.packages.props directory.build.props directory.build.targets',
  ].flatMap((names) => names.split(' ')),
);

/** Families of names: `requirements-dev.txt`, `libs.versions.toml`, `app.gemspec`, `App.csproj`. */
const PATTERNS: readonly RegExp[] = [
  /^(?:[^/]*-)?(?:requirements|constraints)[^/]*\.(?:txt|in)$/,
  /^pylock\.[^/]+\.toml$/,
  /\.gradle(?:\.kts)?$/,
  /\.versions\.toml$/,
  /\.gemspec$/,
  /\.(?:cs|fs|vb)proj$/,
];
/** Names that count in one directory only. */
const PATHS = /(?:^|\/)(?:requirements\/[^/]+\.(?:txt|in)|\.cargo\/config(?:\.toml)?)$/;

/**
 * True when the file at this path, with `/` between the names, is a dependency manifest or lock file: what
 * `hash-scope: manifests` counts. At any depth; the case of letters does not matter.
 */
export function isDependencyManifest(path: string): boolean {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf('/') + 1);
  return NAMES.has(name) || PATTERNS.some((pattern) => pattern.test(name)) || PATHS.test(lower);
}
