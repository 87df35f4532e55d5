import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ContextReading, readContextInputs } from '../src/context-inputs.ts';
import { canonicalJson } from '../src/core/input-manifest.ts';
import { readDockerfile } from '../src/dockerfile-inputs.ts';
import { whatCounts } from '../src/hash-scope.ts';
import type { Host } from '../src/host.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions, type RawOptions } from '../src/options.ts';
import { type CommandName, runCommand } from '../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../src/registry/server.ts';
import { plantImage } from './support/planted-image.ts';
import { CHECKOUT } from './support/programs.ts';
import { writeTree } from './support/write-tree.ts';

const SAMPLES = join(CHECKOUT, '__tests__/fixtures/ecosystems');
const MANIFESTS = { 'hash-scope': 'manifests' };

let context: string;
beforeEach(() => {
  context = mkdtempSync(join(tmpdir(), 'build-once-scope-'));
});
afterEach(() => rmSync(context, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  writeTree(context, files);
}

/** Without docker: nothing can be built. */
function hostOf(log: string[]): ReturnType<typeof createTerminalHost> {
  return createTerminalHost({ cwd: context, env: { HOME: context }, write: (line: string) => log.push(line) });
}

/** What a build for linux/amd64 reads of the context, with no request for a base image. */
function read(raw: RawOptions = {}, host: Host = hostOf([])): ContextReading {
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

describe('hash-scope: manifests', () => {
  const TREE = { Dockerfile: 'FROM scratch\nCOPY . /app\n', 'package.json': '{}', 'src/a.js': '1', 'src/b.js': '2' };

  it('is part of what is hashed, so that no image of one scope is one of the other', () => {
    write({ Dockerfile: 'FROM scratch\nCOPY package.json /\n', 'package.json': '{}' });
    expect(read(MANIFESTS).inputs).toEqual({ ...read().inputs, scope: 'manifests' });
    expect(hashed(MANIFESTS)).not.toBe(hashed());
    expect(hashed({ 'hash-scope': 'inputs' })).toBe(hashed());
  });

  it('is one of two words', () => {
    expect(parseOptions({ 'hash-scope': 'manifest' }).problems).toEqual([
      { input: 'hash-scope', message: '"manifest" is not allowed: inputs, manifests are; did you mean manifests?' },
    ]);
  });

  const edits: readonly (readonly [what: string, changes: boolean, edit: () => void])[] = [
    ['a manifest', true, () => write({ 'package.json': '{"name":"x"}' })],
    ['a new manifest in a directory', true, () => write({ 'src/package.json': '{}' })],
    ['the instructions', true, () => write({ Dockerfile: 'FROM scratch\nCOPY . /srv\n' })],
    ['a link', true, () => symlinkSync('a.js', join(context, 'src/c.js'))],
    ['a manifest and a source', true, () => write({ 'package.json': '{"name":"x"}', 'src/a.js': '9' })],
    ['a source', false, () => write({ 'src/a.js': '9' })],
    ['a new source', false, () => write({ 'src/c.js': '' })],
    ['an empty directory', false, () => mkdirSync(join(context, 'empty'))],
    ['a directory of the name of a manifest', false, () => write({ 'src/package.json/x': '' })],
    ['a comment of the Dockerfile, which is copied', false, () => write({ Dockerfile: `# new\n${TREE.Dockerfile}` })],
  ];
  it.each(edits)('%s changes the hash: %s', (_, changes, edit) => {
    write(TREE);
    const before = hashed(MANIFESTS);
    edit();
    expect(hashed(MANIFESTS) !== before).toBe(changes);
  });

  it('has one hash for a context of nothing and one of nothing that counts', () => {
    write({ ...TREE, '.dockerignore': '*' });
    const before = hashed(MANIFESTS);
    write({ '.dockerignore': '*\n!src/a.js' });
    expect(hashed(MANIFESTS)).toBe(before);
  });

  it('counts what a link of a manifest’s name leads to, over any links, also when it is not copied under that name', () => {
    write({ ...TREE, 'deps/list': 'a', 'deps/other': 'b' });
    symlinkSync('../deps/next', join(context, 'src/requirements.txt'));
    symlinkSync('list', join(context, 'deps/next'));
    expect(read(MANIFESTS).paths).toEqual(['deps/list', 'deps/next', 'package.json', 'src/requirements.txt']);
    const before = hashed(MANIFESTS);
    write({ 'deps/other': 'c' });
    expect(hashed(MANIFESTS)).toBe(before);
    write({ 'deps/list': 'c' });
    expect(hashed(MANIFESTS)).not.toBe(before);
    write({ Dockerfile: 'FROM scratch\nCOPY src/requirements.txt /\n' });
    expect(read(MANIFESTS).paths).toEqual(['deps/list']);
  });

  it('takes links in circles for links', () => {
    write(TREE);
    symlinkSync('yarn.lock', join(context, 'src/yarn.lock'));
    expect(read(MANIFESTS).paths).toEqual(['package.json', 'src/yarn.lock']);
  });

  it('reads no file that does not count', () => {
    write(TREE);
    const host = hostOf([]);
    const digest: typeof host.files.digest = (file) => {
      if (file.endsWith('.js')) throw Object.assign(new Error('denied'), { code: 'EACCES' });
      return host.files.digest(file);
    };
    expect(read(MANIFESTS, { ...host, files: { ...host.files, digest } }).paths).toEqual(['package.json']);
  });

  it('fails on a directory that nobody may list: there may be manifests in it', () => {
    write(TREE);
    const host = hostOf([]);
    const list: typeof host.files.list = (at) => {
      if (at.endsWith('src')) throw Object.assign(new Error('denied'), { code: 'EACCES' });
      return host.files.list(at);
    };
    expect(() => read(MANIFESTS, { ...host, files: { ...host.files, list } })).toThrow('EACCES');
  });

  it('counts hash-files whatever their names, and leaves out hash-ignore before it looks at names', () => {
    write({ ...TREE, 'src/package.json': '{}' });
    const flags = { ...MANIFESTS, 'hash-files': 'src/a.js', 'hash-ignore': 'src/b.js\nsrc/package.json\nDockerfile' };
    expect(read(flags).scoped).toEqual({ counted: 2, others: [] });
    const before = hashed(flags);
    write({ 'src/a.js': '9' });
    expect(hashed(flags)).not.toBe(before);
  });

  it('holds for named contexts', () => {
    write({
      ...TREE,
      Dockerfile: 'FROM scratch\nCOPY package.json /\nCOPY --from=more . /\n',
      'more/go.mod': '',
      'more/x': '',
    });
    const flags = { ...MANIFESTS, 'build-contexts': 'more=more' };
    expect(read(flags)).toMatchObject({ paths: ['package.json'], scoped: { counted: 2, others: ['more:x'] } });
  });

  it('holds where the whole context counts', () => {
    const dockerfile = `# syntax=x.example/y@sha256:${'a'.repeat(64)}\nFROM scratch\n`;
    write({ ...TREE, Dockerfile: dockerfile, 'more/go.mod': '', 'more/x': '' });
    const flags = { ...MANIFESTS, 'build-contexts': 'more=more' };
    const others = ['Dockerfile', 'more/x', 'more:x', 'src/a.js', 'src/b.js'];
    expect(read(flags)).toMatchObject({
      inputs: {
        form: 'context',
        scope: 'manifests',
        namedContexts: { more: { entries: [['go.mod', expect.anything()]] } },
      },
      paths: ['more/go.mod', 'package.json'],
      scoped: { counted: 3, others },
    });
    const before = hashed(flags);
    write({ 'src/a.js': '9', 'more/x': '9' });
    expect(hashed(flags)).toBe(before);
    write({ Dockerfile: `${dockerfile}LABEL a=b\n` });
    expect(hashed(flags)).not.toBe(before);
  });
});

describe('what counts, in words', () => {
  const named = { 'build-contexts': 'more=more' };
  beforeEach(() => write({ a: '', 'more/x': '', 'more/y': '', Dockerfile: 'FROM scratch\nCOPY --from=more . /\n' }));

  it('tells the files of named contexts from those of the context', () => {
    expect(whatCounts(read(named))).toBe('no context entry, 2 of named contexts');
    write({ Dockerfile: 'FROM scratch\nCOPY a /\n' });
    expect(whatCounts(read(named))).toBe('1 context entry');
  });

  it('tells them where the whole context counts', () => {
    write({ Dockerfile: `# syntax=x.example/y@sha256:${'a'.repeat(64)}\nFROM scratch\n` });
    expect(whatCounts(read(named))).toBe('4 context entries, 2 of named contexts');
  });
});

describe('a run with hash-scope: manifests', () => {
  let registry: RunningRegistry;
  let base: string;
  beforeAll(async () => {
    registry = await startRegistry();
    base = `${registry.host}/base`;
    await plantImage({ image: base, tags: ['1'] });
  });
  afterAll(() => registry.close());

  async function ended(copied: string, raw: Readonly<Record<string, string>>, command: CommandName = 'build') {
    const sources = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [`${name}.js`, '']));
    write({ Dockerfile: `FROM ${base}:1\nCOPY ${copied} /\n`, 'package.json': '{}', ...sources });
    const log: string[] = [];
    const host = hostOf(log);
    registry.forgetRequests();
    const given = { ...MANIFESTS, scan: 'false', images: `${registry.host}/app`, platforms: 'linux/amd64', ...raw };
    const { report, error } = await runCommand(command, given, host);
    await host.finish();
    return { report, code: report.failure?.code, message: error?.message ?? '', log: log.join('\n') };
  }

  const VERSIONS: readonly (readonly [Record<string, string>, named: string])[] = [
    [{ tags: '1.2.3' }, 'tag "1.2.3"'],
    [{ version: 'v1.2.3' }, 'tags "1.2.3", "1.2", "1", "latest"'],
    [{ version: '1.2.3-rc.1' }, 'tag "1.2.3-rc.1"'],
    [{ version: '1.2.3', tags: 'type=semver,pattern={{major}}', flavor: 'latest=false' }, 'tag "1"'],
    [{ tags: 'deps-2026', 'immutable-tags': '^deps-' }, 'tag "deps-2026"'],
    [{ tags: '1.2.3', flavor: 'latest=false', 'immutable-tags': '^never$' }, 'tag "1.2.3"'],
    [{ tags: '1.2.3', push: 'false' }, 'tag "1.2.3"'],
  ];
  it.each(VERSIONS)(
    'refuses version tags before any request when the build reads other files: %o',
    async (raw, named) => {
      const { code, message } = await ended('.', raw);
      expect(code).toBe('BAD_INPUT');
      expect(message).toContain(`hash-scope: manifests and the version ${named} do not go together: the build reads`);
      expect(message).toContain('7 files that do not count ("Dockerfile", "a.js", "b.js", "c.js", "d.js", …)');
      expect(registry.requests).toEqual([]);
    },
  );

  it('tells it together with what is not there', async () => {
    const { message } = await ended('*.js missing', { tags: '1.2.3' });
    expect(message.split('\n').map((line) => line.split(':', 1)[0])).toEqual(['file', 'hash-scope']);
    expect(registry.requests).toEqual([]);
  });

  it.each([
    ['.', { tags: 'main\nlatest\npr-7\n2026-11' }],
    ['.', { tags: 'type=sha' }],
    ['package.json', { tags: '1.2.3\ntype=semver,pattern={{version}}', version: '1.2.3' }],
  ])('goes on to look for the image when %s is copied, for %o', async (copied, raw) => {
    const { code, log } = await ended(copied, raw);
    expect(code).toBe('DOCKER_MISSING');
    expect(log).toContain('miss (not-found)');
  });

  it('only hashes with the command hash, which sets no tags', async () => {
    const { report } = await ended('.', { tags: '1.2.3' }, 'hash');
    expect(report.status).toBe('hashed');
  });

  it('warns of the files that do not count once, and says in log and report how many do', async () => {
    const { report, log } = await ended('.', {}, 'hash');
    const warning =
      'the build reads 7 files that do not count ("Dockerfile", "a.js", "b.js", "c.js", "d.js", …); when only they change';
    expect(log.split(warning)).toHaveLength(2);
    const counts = '1 of 8 files that the build reads (hash-scope: manifests)';
    expect(log).toContain(`${counts}, 1 image: hash-`);
    expect(report.inputs[0]).toBe(`${counts}, among them package.json`);
  });

  it('warns of nothing where manifests are all that is read', async () => {
    const { report, log } = await ended('package.json', {}, 'hash');
    expect(log).not.toContain('do not count');
    expect(report.inputs[0]).toContain('1 of 1 file that the build reads');
  });
});
