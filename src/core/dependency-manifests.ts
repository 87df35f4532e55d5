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

/** One entry of the table with a wildcard or a directory. */
interface Pattern {
  /** `/gradle/wrapper/`; `/` for any. */
  readonly directory: string;
  /** The file may also be further down. */
  readonly isDeep: boolean;
  /** How the file's name begins, what comes next, and how it ends, with any text between; alone `head` is the name. */
  readonly head: string;
  readonly middle: readonly string[];
  readonly tail: string | undefined;
}

const NAMES: readonly string[] = Object.values(DEPENDENCY_MANIFESTS).flatMap((row) => row.toLowerCase().split(' '));
const PLAIN: ReadonlySet<string> = new Set(NAMES.filter((name) => !/[*/]/.test(name)));
const PATTERNS: readonly Pattern[] = [...new Set(NAMES)].filter((name) => /[*/]/.test(name)).map(patternOf);
/** By the extension, which most files do not share with any pattern. */
const ANYWHERE = byExtension(PATTERNS.filter(({ directory }) => directory === '/'));
const INSIDE = PATTERNS.filter(({ directory }) => directory !== '/');
/** Most paths have none of these: one look spares all others. */
const DIRECTORIES = new RegExp([...new Set(INSIDE.map(({ directory }) => directory.replace(/\./g, '\\.')))].join('|'));

/**
 * True when the file at this path, with `/` between the names, is a dependency manifest or lock file: what
 * `hash-scope: manifests` counts. At any depth; the case of letters does not matter.
 */
export function isDependencyManifest(path: string): boolean {
  const lower = path.toLowerCase();
  const end = lower.lastIndexOf('/') + 1;
  const name = lower.slice(end);
  if (name === '') return false;
  if (PLAIN.has(name) || ANYWHERE.get(extensionOf(name))?.some((pattern) => fits(name, pattern)) === true) return true;
  const parents = `/${lower.slice(0, end)}`;
  return (
    DIRECTORIES.test(parents) &&
    INSIDE.some((pattern) => {
      const { directory, isDeep } = pattern;
      return (isDeep ? parents.includes(directory) : parents.endsWith(directory)) && fits(name, pattern);
    })
  );
}

function patternOf(pattern: string): Pattern {
  const names = pattern.split('/');
  const name = names.pop() ?? '';
  const directories = names.filter((one) => one !== '**');
  const [head = '', ...middle] = name === '**' ? ['', ''] : name.split('*');
  const tail = middle.pop();
  return {
    directory: directories.length === 0 ? '/' : `/${directories.join('/')}/`,
    isDeep: name === '**' || names.includes('**'),
    head,
    middle,
    tail,
  };
}

function byExtension(patterns: readonly Pattern[]): ReadonlyMap<string, readonly Pattern[]> {
  const groups = new Map<string, Pattern[]>();
  for (const pattern of patterns) {
    const extension = extensionOf(pattern.tail ?? '');
    groups.set(extension, [...(groups.get(extension) ?? []), pattern]);
  }
  return groups;
}

function extensionOf(name: string): string {
  return name.slice(Math.max(0, name.lastIndexOf('.')));
}

/** Every piece is looked for once, from left to right, so that no name takes long. */
function fits(name: string, { head, middle, tail }: Pattern): boolean {
  if (tail === undefined) return name === head;
  if (name.length < head.length + tail.length || !name.endsWith(tail) || !name.startsWith(head)) return false;
  let at = head.length;
  for (const piece of middle) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= name.length - tail.length;
}
