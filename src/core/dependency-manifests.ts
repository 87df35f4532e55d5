/**
 * What the install steps of these package managers read besides the packages: which packages, in which versions, from where,
 * and by which version of the tool. Names at any depth, with `*` for any text in a name and `**` for any directories;
 * docs/hash-scope.md shows the same table.
 */
export const DEPENDENCY_MANIFESTS: Readonly<Record<string, string>> = {
  npm: 'package.json package-lock.json npm-shrinkwrap.json .npmrc .nvmrc .node-version patches/**/*.patch',
  pnpm:
    'package.json package.json5 package.yaml pnpm-lock.yaml pnpm-lock.*.yaml pnpm-workspace.yaml .npmrc ' +
    '.pnpmfile.cjs .pnpmfile.mjs pnpmfile.cjs pnpmfile.js patches/**/*.patch',
  Yarn:
    'package.json yarn.lock .yarnrc .yarnrc.yml .npmrc .pnp.cjs .pnp.loader.mjs ' +
    '.yarn/patches/** .yarn/plugins/** .yarn/releases/** patches/**/*.patch',
  Bun: 'package.json bun.lock bun.lockb bunfig.toml .npmrc patches/**/*.patch',
  Deno: 'deno.json deno.jsonc deno.lock import_map.json package.json .npmrc',
  pip:
    '*requirements*.txt *requirements*.in *requirements*.lock *constraints*.txt *constraints*.in ' +
    'requirements/**/*.txt requirements/**/*.in constraints/**/*.txt constraints/**/*.in ' +
    'pyproject.toml pylock.toml pylock.*.toml setup.py setup.cfg pip.conf .python-version',
  Pipenv: 'Pipfile Pipfile.lock .python-version',
  Poetry: 'pyproject.toml poetry.lock poetry.toml',
  PDM: 'pyproject.toml pdm.lock pdm.toml .pdm.toml .python-version',
  uv: 'pyproject.toml uv.lock uv.toml .python-version',
  Maven: 'pom.xml .mvn/** mvnw mvnw.cmd settings.xml toolchains.xml',
  Gradle:
    '*.gradle *.gradle.kts gradle.properties *.versions.toml gradle.lockfile buildscript-gradle.lockfile ' +
    'settings-gradle.lockfile gradle/dependency-locks/*.lockfile gradle/verification-* gradle-daemon-jvm.properties ' +
    'gradle/wrapper/* gradlew gradlew.bat buildSrc/src/**',
  Go: 'go.mod go.sum go.work go.work.sum vendor/modules.txt',
  Cargo: 'Cargo.toml Cargo.lock .cargo/config .cargo/config.toml rust-toolchain rust-toolchain.toml',
  Composer: 'composer.json composer.lock symfony.lock',
  Bundler:
    'Gemfile Gemfile.lock gems.rb gems.locked *.gemspec *.gemfile *.gemfile.lock .bundle/config .ruby-version ' +
    '.tool-versions',
  NuGet:
    '*.csproj *.fsproj *.vbproj *.proj *.sln *.slnx *.slnf *.props *.targets packages.config packages.*.config ' +
    'packages.lock.json packages.*.lock.json nuget.config global.json dotnet-tools.json ' +
    'paket.dependencies paket.lock paket.references',
};

/** What stands for these in a regular expression. */
const WILDCARDS: Readonly<Record<string, string>> = { '**/': '(?:[^/]+/)*', '**': '[^]+', '*': '[^/]*' };
const NAMES: readonly string[] = Object.values(DEPENDENCY_MANIFESTS).flatMap((row) => row.toLowerCase().split(' '));
const PLAIN: ReadonlySet<string> = new Set(NAMES.filter((name) => !/[*/]/.test(name)));
const PATTERNS = compile(NAMES.filter((name) => name.includes('*') && !name.includes('/')));
const PATHS = compile(NAMES.filter((name) => name.includes('/')));

/**
 * True when the file at this path, with `/` between the names, is a dependency manifest or lock file: what
 * `hash-scope: manifests` counts. At any depth; the case of letters does not matter.
 */
export function isDependencyManifest(path: string): boolean {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf('/') + 1);
  return PLAIN.has(name) || PATTERNS.test(name) || PATHS.test(lower);
}

/** A pattern begins where a name begins, unless any text may stand before it. */
function compile(patterns: readonly string[]): RegExp {
  const sources = [...new Set(patterns)].map((pattern) => {
    const rest = pattern.replace(/^\*/, '');
    const text = rest.replace(/\*\*\/|\*\*?|[.+]/g, (part) => WILDCARDS[part] ?? `\\${part}`);
    return rest === pattern ? `(?:^|/)${text}` : text;
  });
  return new RegExp(`(?:${sources.join('|')})$`);
}
