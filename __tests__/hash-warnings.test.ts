import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { runCommand } from '../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../src/registry/server.ts';
import { plantImage } from './support/planted-image.ts';
import { writeTree } from './support/write-tree.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const HEAD = 'fedcba9876543210fedcba9876543210fedcba98';
const DIGEST = `sha256:${'a'.repeat(64)}`;
const NOW = '2026-11-21T14:07:54Z';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'b'.repeat(64)}\nsize 12345\n`;
const TWO_PLATFORMS = 'linux/amd64,linux/arm64';
const BOTH = ['linux/amd64', 'linux/arm64'];

let registry: RunningRegistry;
let root: string;
beforeAll(async () => {
  registry = await startRegistry();
  for (const image of ['app', 'app-amd64', 'app-arm64', 'latest-is-a-name']) {
    await plantImage({ image: `${registry.host}/${image}`, tags: ['latest', '1', SHA], platforms: BOTH });
  }
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-warnings-'));
});
afterEach(() => rmSync(root, { recursive: true }));

interface World {
  /** `REGISTRY` stands for one that is there. */
  readonly dockerfile: string;
  /** Besides the Dockerfile; a number is the size of a file of zeros. */
  readonly files?: Readonly<Record<string, string | number>>;
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: () => unknown;
}

interface Said {
  readonly message: string;
  readonly file: string | undefined;
  readonly line: number | undefined;
}

function write(files: Readonly<Record<string, string | number>>): void {
  for (const [name, content] of Object.entries(files)) {
    writeTree(root, { [name]: typeof content === 'string' ? content : '' });
    if (typeof content === 'number') truncateSync(join(root, name), content);
  }
}

/** Hashes for two platforms; answers what was said, and the error that ended it. */
async function hash({ dockerfile, files = {}, flags, env = {}, prepare }: World) {
  write({ Dockerfile: dockerfile.replaceAll('REGISTRY', registry.host), ...files });
  prepare?.();
  const said: Said[] = [];
  const terminal = createTerminalHost({ cwd: root, env, write: () => {} });
  const warning = (message: string, at?: { readonly file: string; readonly line?: number }): void =>
    void said.push({ message, file: at?.file, line: at?.line });
  const host = { ...terminal, now: () => new Date(NOW), log: { ...terminal.log, warning } };
  const { report, error } = await runCommand('hash', { platforms: TWO_PLATFORMS, ...flags }, host);
  await terminal.finish();
  return { said, report, error };
}

interface Warned extends World {
  readonly what: string;
  readonly line: number | undefined;
  readonly message: string | RegExp;
}

const ON_RUNNER = {
  GITHUB_SHA: SHA,
  GITHUB_RUN_ID: '19567890123',
  GITHUB_RUN_NUMBER: '42',
  GITHUB_EVENT_NAME: 'push',
  GITHUB_REPOSITORY: 'acme/app',
};

/** A target with one ARG, and a value for it. */
function arg(name: string, value: string, more: Partial<World> = {}): World {
  const dockerfile = `FROM scratch\nARG OTHER\nARG ${name}\nCOPY Dockerfile /\n`;
  return { dockerfile, flags: { 'build-args': `${name}=${value}` }, env: ON_RUNNER, ...more };
}

const GIT = { '.git/HEAD': 'ref: refs/heads/main\n', '.git/index': 'x', 'src/a': '1' };
const COPY_ALL = 'FROM scratch\n\nCOPY . /app\n';
const COPY_SRC = 'FROM scratch\nCOPY src /src\n';
const NPM = { 'package.json': '{}', 'package-lock.json': '{}' };
const COPY_PACKAGE = 'FROM scratch\nCOPY package.json /\n';

describe('is said, once for two platforms, on its line', () => {
  const cases: readonly Warned[] = [
    {
      what: '.git that is copied',
      dockerfile: COPY_ALL,
      files: GIT,
      line: 3,
      message: 'the build reads ".git", which differs in every checkout, so that nothing is ever reused; add .git to',
    },
    {
      what: '.git of a checkout further down',
      dockerfile: COPY_ALL,
      files: { 'app/.git/HEAD': 'x' },
      line: 3,
      message:
        'the build reads "app/.git", which differs in every checkout, so that nothing is ever reused; add **/.git',
    },
    {
      what: '.git that is mounted',
      dockerfile: 'FROM scratch\nRUN --mount=source=.git,target=/g git describe\n',
      files: GIT,
      line: 2,
      message: 'add .git to .dockerignore',
    },
    {
      what: '.git of a named context',
      dockerfile: 'FROM scratch\nCOPY --from=lib / /lib\n',
      files: { 'lib/.git/HEAD': 'x' },
      flags: { 'build-contexts': 'lib=lib' },
      line: 2,
      message: 'the build reads ".git" of the context "lib"',
    },
    {
      what: '.git where the whole context counts',
      dockerfile: `FROM x.example/y@${DIGEST}\n`,
      flags: { base: 'tag' },
      files: GIT,
      line: undefined,
      message: 'the build reads ".git"',
    },
    {
      what: 'a pointer of git LFS',
      dockerfile: 'FROM scratch\nCOPY src /src\nCOPY model.bin /\n',
      files: { 'src/a': '1', 'model.bin': POINTER },
      line: 3,
      message:
        '"model.bin" is a pointer of git LFS and not the file, and the image gets it so; check out with lfs: true',
    },
    {
      what: 'a pointer of git LFS that is copied twice',
      dockerfile: 'FROM scratch\nCOPY model.bin /a\nCOPY model.bin /b\n',
      files: { 'model.bin': POINTER },
      line: 2,
      message: '"model.bin" is a pointer',
    },
    {
      what: 'many pointers of git LFS, in one sentence',
      dockerfile: COPY_SRC,
      files: Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`src/${name}`, POINTER])),
      line: 2,
      message: '"src/a", "src/b", "src/c" and 2 more are pointers of git LFS and not the files',
    },
    {
      what: 'ADD of a URL',
      dockerfile: 'FROM scratch\nADD https://x.example/a.tar /\n',
      line: 2,
      message:
        /^ADD "https:\/\/x\.example\/a\.tar" has no checksum: .*, so every run builds; add --checksum=sha256:…, or/,
    },
    {
      what: 'ADD of a branch',
      dockerfile: 'FROM scratch\nADD https://x.example/a.git#main /\n',
      line: 2,
      message: 'ADD "https://x.example/a.git#main" has no checksum',
    },
    ...[
      ['the commit', 'COMMIT', SHA],
      ['the commit in short', 'VERSION', '1.2.3-g0123456'],
      ['the commit in capitals', 'REVISION', SHA.toUpperCase()],
    ].map(([what = '', name = '', value = '']): Warned => {
      const message = `the build arg "${name}" is made from this run's commit, so that every commit builds; say it by a label`;
      return { ...arg(name, value), what: `a build arg: ${what}`, line: 3, message };
    }),
    ...[
      ["the run's id", 'BUILD', '19567890123'],
      ["the run's page", 'URL', 'https://github.com/acme/app/actions/runs/19567890123/attempts/1'],
      ["the run's number", 'BUILD_NUMBER', '42'],
      ['a time', 'BUILD_DATE', '2026-11-21T14:05:00Z'],
      ['a time with a zone', 'BUILD_DATE', '2026-11-21T09:05:00-05:00'],
      ['a time with a fraction', 'BUILD_DATE', '2026-11-21T14:05:00.123Z'],
      ['a time in a version', 'VERSION', '1.0.20261121140500'],
      ['a time as a file name has it', 'STAMP', '20261121-140500'],
      ['seconds', 'CACHE_BUST', '1795270000'],
      ['milliseconds', 'CACHE_BUST', '1795270000123'],
      ['what date prints', 'BUILT', 'Sat Nov 21 14:05:00 UTC 2026'],
      ['what HTTP has', 'BUILT', 'Sat, 21 Nov 2026 14:05:00 GMT'],
    ].map(([what = '', name = '', value = '']): Warned => {
      const message = `the build arg "${name}" is another one in every run, so that every run builds; say it by a label`;
      return { ...arg(name, value), what: `a build arg: ${what}`, line: 3, message };
    }),
    {
      what: 'a build arg from the environment',
      ...arg('GITHUB_SHA', '', { flags: { 'build-args': 'GITHUB_SHA' } }),
      line: 3,
      message: 'the build arg "GITHUB_SHA"',
    },
    {
      what: 'a build arg that two stages of the target declare',
      dockerfile: 'FROM scratch AS a\nARG SHA\nCOPY Dockerfile /\nFROM scratch\nARG SHA\nCOPY --from=a / /\n',
      flags: { 'build-args': `SHA=${SHA}` },
      env: ON_RUNNER,
      line: 2,
      message: 'the build arg "SHA"',
    },
    {
      what: 'a build arg with the last commit of a pull request',
      ...arg('SHA', HEAD, {
        files: { 'event.json': JSON.stringify({ pull_request: { head: { sha: HEAD } } }) },
        env: { ...ON_RUNNER, GITHUB_EVENT_NAME: 'pull_request', GITHUB_EVENT_PATH: 'event.json' },
      }),
      line: 3,
      message: 'the build arg "SHA" is made from this run\'s commit',
    },
    {
      what: 'a build arg with the time of the commit',
      ...arg('SOURCE_DATE_EPOCH', '', {
        flags: {},
        files: { 'event.json': JSON.stringify({ head_commit: { timestamp: '2026-11-20T10:00:00+01:00' } }) },
        env: { ...ON_RUNNER, GITHUB_EVENT_PATH: 'event.json', SOURCE_DATE_EPOCH: '1795165200' },
      }),
      line: 3,
      message: 'the build arg "SOURCE_DATE_EPOCH" is made from this run\'s commit',
    },
    {
      what: 'a build arg that nothing declares, where everything counts',
      dockerfile: `FROM x.example/y@${DIGEST}\n`,
      flags: { 'build-args': `SHA=${SHA}`, base: 'tag' },
      env: ON_RUNNER,
      line: undefined,
      message: 'the build arg "SHA"',
    },
    {
      what: 'a base that is named by the commit',
      dockerfile: 'ARG TAG\nFROM REGISTRY/app:$TAG\nCOPY Dockerfile /\n',
      flags: { 'build-args': `TAG=${SHA}` },
      env: ON_RUNNER,
      line: 2,
      message: /^the image name ".*" is made from this run's commit, so that every commit builds; name that image by/,
    },
    {
      what: 'a base without a tag',
      dockerfile: 'FROM REGISTRY/app\nCOPY Dockerfile /\n',
      line: 1,
      message: /^the image "[^"]*\/app" has no tag, which means "latest": .* name a version, or a digest$/,
    },
    {
      what: 'a base without a tag, another one for each platform',
      dockerfile: 'FROM REGISTRY/app-$TARGETARCH\nCOPY Dockerfile /\n',
      line: 1,
      message: '/app-amd64" has no tag',
    },
    {
      what: 'a base with the tag latest, by an ARG',
      dockerfile: 'ARG TAG=latest\nFROM REGISTRY/app:$TAG\nCOPY Dockerfile /\n',
      line: 2,
      message: /^the image "[^"]*\/app:latest" is named by "latest": /,
    },
    {
      what: 'an image without a tag that is copied from',
      dockerfile: 'FROM scratch\nCOPY --from=REGISTRY/app /x /\n',
      line: 2,
      message: 'has no tag',
    },
    {
      what: 'a copied directory of which the ignore file leaves nothing',
      dockerfile: COPY_SRC,
      files: { 'src/a': '1', '.dockerignore': '# built\nsrc/*\n' },
      line: 2,
      message: 'nothing of "src" is copied: line 2 of ".dockerignore" hides what is in it: "src/*"; take that line out',
    },
    {
      what: 'a context of which the ignore file leaves nothing',
      dockerfile: COPY_ALL,
      files: { 'src/a': '1', 'Dockerfile.dockerignore': '*\n' },
      line: 3,
      message: 'nothing of "." is copied: line 1 of "Dockerfile.dockerignore" hides what is in it: "*"',
    },
    {
      what: 'a lock file that is left behind',
      dockerfile: COPY_PACKAGE,
      files: NPM,
      line: 2,
      message:
        /^"package\.json" is copied without "package-lock\.json": .*; copy it too, or name it in the ignore file/,
    },
    {
      what: 'a lock file that the ignore file hides from a glob',
      dockerfile: 'FROM scratch\nCOPY package*.json /\n',
      files: { ...NPM, '.dockerignore': '*\n!package.json\n' },
      line: 2,
      message: '"package.json" is copied without "package-lock.json" (line 1 of ".dockerignore" hides it: "*"): other',
    },
    {
      what: 'a lock file beside a Dockerfile further down',
      dockerfile: '',
      files: { 'go/Dockerfile': 'FROM scratch\nCOPY go/go.mod /\n', 'go/go.mod': '', 'go/go.sum': '' },
      flags: { file: 'go/Dockerfile' },
      line: 2,
      message: '"go/go.mod" is copied without "go/go.sum"',
    },
    ...[
      ['pyproject.toml', 'uv.lock'],
      ['pyproject.toml', 'poetry.lock'],
      ['Pipfile', 'Pipfile.lock'],
      ['Cargo.toml', 'Cargo.lock'],
      ['composer.json', 'composer.lock'],
      ['Gemfile', 'Gemfile.lock'],
      ['gems.rb', 'gems.locked'],
      ['build.gradle.kts', 'gradle.lockfile'],
      ['package.json', 'pnpm-lock.yaml'],
      ['package.json', 'yarn.lock'],
      ['package.json', 'bun.lock'],
    ].map(([manifest = '', lock = '']): Warned => {
      const dockerfile = `FROM scratch\nCOPY ${manifest} /\n`;
      const message = `"${manifest}" is copied without "${lock}"`;
      return {
        what: `${lock} that is left behind`,
        dockerfile,
        files: { [manifest]: '', [lock]: '' },
        line: 2,
        message,
      };
    }),
    {
      what: 'too many bytes, with the directories to blame',
      dockerfile: COPY_ALL,
      files: { 'src/a': 1000, 'web/.cache/a/x': 300_000_000, 'web/.cache/b/y': 150_000_000, 'model.bin': 100_000_000 },
      line: 3,
      message:
        /^the build reads 550\.0 MB in 5 files, most of it in "web\/\.cache" \(450\.0 MB in 2 files\), "model\.bin" \(100\.0 MB in 1 file\); leave out/,
    },
  ];
  it.each(cases)('$what', async ({ line, message, ...world }) => {
    const { said, report, error } = await hash(world);
    expect(error).toBeUndefined();
    const file = world.flags?.['file'] ?? 'Dockerfile';
    expect(said.filter((one) => !/whole context/.test(one.message))).toEqual([
      {
        message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
        file,
        line,
      },
    ]);
    expect(report.warnings).toEqual(
      said.map((one) => `${line === undefined ? '' : `${file}:${line}: `}${one.message}`),
    );
  });
});

describe('is not said', () => {
  const cases: readonly (World & { readonly what: string })[] = [
    { what: '.git that is ignored', dockerfile: COPY_ALL, files: { ...GIT, '.dockerignore': '.git' } },
    { what: '.git that is not copied', dockerfile: COPY_SRC, files: GIT },
    { what: '.git that does not count', dockerfile: COPY_ALL, files: GIT, flags: { 'hash-ignore': '.git' } },
    { what: '.git of a submodule', dockerfile: COPY_ALL, files: { 'lib/.git': 'gitdir: ../.git/modules/lib\n' } },
    { what: 'names like .git', dockerfile: COPY_ALL, files: { '.github/a': '', '.gitignore': '', 'x.git/HEAD': '' } },
    {
      what: '.git in a stage that the target does not reach',
      dockerfile: `${COPY_ALL}FROM scratch\nCOPY src /src\n`,
      files: GIT,
    },
    { what: 'a pointer that is not copied', dockerfile: COPY_SRC, files: { 'src/a': '1', 'model.bin': POINTER } },
    {
      what: 'what only looks like a pointer',
      dockerfile: COPY_SRC,
      files: {
        'src/spec.md': `The file says:\n${POINTER}`,
        'src/version': 'version https://git-lfs.github.com/spec/v1\n',
        'src/long': `${POINTER}${'x'.repeat(1024 - POINTER.length)}`,
        'src/other': POINTER.replace('git-lfs.github.com', 'example.com'),
        'src/empty': '',
      },
    },
    {
      what: 'ADD with a checksum',
      dockerfile: `FROM scratch\nADD --checksum=${DIGEST} https://x.example/a.tar /\n`,
    },
    { what: 'ADD of a commit', dockerfile: `FROM scratch\nADD https://x.example/a.git#${SHA} /\n` },
    {
      what: 'ADD of a URL in a stage that the target does not reach',
      dockerfile: 'FROM scratch\nADD https://x.example/a.tar /\nFROM scratch\nCOPY Dockerfile /\n',
    },
    { what: 'a build arg that nothing declares', ...arg('X', '', { flags: { 'build-args': `SHA=${SHA}` } }) },
    {
      what: 'a build arg that only another stage declares',
      dockerfile: 'FROM scratch\nARG SHA\nFROM scratch\nCOPY Dockerfile /\n',
      flags: { 'build-args': `SHA=${SHA}` },
      env: ON_RUNNER,
    },
    {
      what: 'a build arg before the first FROM that nothing uses',
      dockerfile: 'ARG SHA\nFROM scratch\nCOPY Dockerfile /\n',
      flags: { 'build-args': `SHA=${SHA}` },
      env: ON_RUNNER,
    },
    {
      what: 'a default that somebody wrote today',
      dockerfile: `FROM scratch\nARG REFRESHED=${NOW}\nCOPY Dockerfile /\n`,
    },
    ...[
      ['the commit of something else', 'NGINX_COMMIT', HEAD],
      ['a part of the commit that is too short', 'VERSION', '1.0-012345'],
      ['digits of the commit inside of others', 'SUM', `f${SHA}`],
      ['a day', 'REFRESH', '2026-11-21'],
      ['a day in digits', 'REFRESH', '20261121'],
      ['a time long ago', 'SINCE', '2025-01-01T00:00:00Z'],
      ['a time in seconds long ago', 'SINCE', '1700000000'],
      ['a version', 'GO_VERSION', '1.26.4'],
      ['the number of the run by chance', 'NODE_MAJOR', '42'],
      ['the number of the run in a version', 'VERSION', '1.42.0'],
      ['something long', 'TEXT', `${'1'.repeat(5000)} ${'2026-11-21T14:05'.repeat(1000)}`],
      ['nothing', 'EMPTY', ''],
    ].map(([what = '', name = '', value = '']) => ({ what: `a build arg: ${what}`, ...arg(name, value) })),
    {
      what: 'a commit outside of a runner',
      ...arg('SHA', SHA, { env: {} }),
    },
    { what: 'a base with a version', dockerfile: 'FROM REGISTRY/app:1\nCOPY Dockerfile /\n' },
    {
      what: 'a base whose name has latest in it',
      dockerfile: 'FROM REGISTRY/latest-is-a-name:1\nCOPY Dockerfile /\n',
    },
    { what: 'a base with a digest', dockerfile: `FROM x.example/y@${DIGEST}\nCOPY Dockerfile /\n` },
    { what: 'latest with a digest', dockerfile: `FROM x.example/y:latest@${DIGEST}\nCOPY Dockerfile /\n` },
    {
      what: 'latest in a stage that the target does not reach',
      dockerfile: 'FROM REGISTRY/app AS unused\nFROM scratch\nCOPY Dockerfile /\n',
    },
    {
      what: 'a stage by its name, and a named context',
      dockerfile: 'FROM scratch AS app\nCOPY Dockerfile /\nFROM app\nCOPY --from=lib / /\n',
      files: { 'lib/a': '' },
      flags: { 'build-contexts': 'lib=lib' },
    },
    {
      what: 'a hidden path that a glob names',
      dockerfile: 'FROM scratch\nCOPY src/* dist* /x/\n',
      files: { 'src/a': '1', 'src/b': '2', 'dist/c': '', '.dockerignore': 'src/b\ndist' },
    },
    {
      what: 'a copied directory of which something is left',
      dockerfile: COPY_SRC,
      files: { 'src/a': '1', 'src/b': '2', '.dockerignore': 'src/b' },
    },
    { what: 'a copied directory that is empty', dockerfile: COPY_SRC, prepare: () => mkdirSync(join(root, 'src')) },
    {
      what: 'a directory of which --exclude leaves nothing',
      dockerfile: 'FROM scratch\nCOPY --exclude=b src /src\n',
      files: { 'src/a': '1', 'src/b': '2', '.dockerignore': 'src/a' },
    },
    { what: 'a lock file that is copied', dockerfile: 'FROM scratch\nCOPY package*.json /\n', files: NPM },
    {
      what: 'a lock file that is mounted',
      dockerfile: 'FROM scratch\nCOPY package.json /\nRUN --mount=source=package-lock.json,target=/l npm ci\n',
      files: NPM,
    },
    { what: 'a lock file without its manifest', dockerfile: COPY_SRC, files: { 'src/a': '1', ...NPM } },
    {
      what: 'npm beside a build in Go',
      dockerfile: 'FROM scratch\nCOPY go.mod go.sum main.go /\n',
      files: { 'go.mod': '', 'go.sum': '', 'main.go': '', ...NPM },
    },
    {
      what: 'a second lock file of the same ecosystem',
      dockerfile: 'FROM scratch\nCOPY package.json yarn.lock /\n',
      files: { ...NPM, 'yarn.lock': '' },
    },
    {
      what: 'a lock file that is read somewhere else',
      dockerfile: 'FROM scratch\nCOPY package.json web/pnpm-lock.yaml /\n',
      files: { ...NPM, 'web/pnpm-lock.yaml': '' },
    },
    {
      what: 'requirements in place of a lock file',
      dockerfile: 'FROM scratch\nCOPY pyproject.toml requirements.txt /\n',
      files: { 'pyproject.toml': '', 'requirements.txt': '', 'poetry.lock': '' },
    },
    {
      what: 'vendored modules in place of go.sum',
      dockerfile: 'FROM scratch\nCOPY go.mod /\nCOPY vendor /vendor\n',
      files: { 'go.mod': '', 'go.sum': '', 'vendor/modules.txt': '' },
    },
    {
      what: 'a lock file that the ignore file names',
      dockerfile: 'FROM scratch\nCOPY package*.json /\n',
      files: { ...NPM, '.dockerignore': '**/package-lock.json' },
    },
    {
      what: 'a lock file in a stage that the target does not reach',
      dockerfile: `${COPY_PACKAGE}FROM scratch\nCOPY Dockerfile /\n`,
      files: NPM,
    },
    { what: 'no more bytes than the limit', dockerfile: COPY_SRC, files: { 'src/a': 499_999_999, 'src/b': 1, big: 9 } },
    {
      what: 'many bytes that are copied often',
      dockerfile: 'FROM scratch AS a\nCOPY src /a\nFROM a\nCOPY src /b\nCOPY src /c\n',
      files: { 'src/a': 200_000_000 },
    },
    {
      what: 'many bytes that are not copied',
      dockerfile: COPY_SRC,
      files: { 'src/a': '1', 'model.bin': 600_000_000 },
    },
  ];
  it.each(cases)('$what', async (world) => {
    const { said, report, error } = await hash(world);
    expect(error).toBeUndefined();
    expect(said).toEqual([]);
    expect(report.warnings).toEqual([]);
  });
});

describe('warnings', () => {
  it('come with the worst first', async () => {
    const { said } = await hash({
      dockerfile: 'FROM REGISTRY/app\nARG SHA\nCOPY . /app\nADD https://x.example/a /\n',
      files: { ...GIT, 'model.bin': POINTER },
      flags: { 'build-args': `SHA=${SHA}` },
      env: ON_RUNNER,
    });
    expect(said.map(({ line }) => line)).toEqual([4, 3, 2, 3, 1]);
  });

  it('never show the value of a build arg', async () => {
    const { said } = await hash(arg('TOKEN', `hunter2-${SHA}`));
    expect(said).toHaveLength(1);
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  it('show hostile names as one printable line', async () => {
    const name = 'a\n::error::x\u001b[31m\u202e%0A';
    const { said } = await hash({
      dockerfile: COPY_SRC,
      files: { [`src/${name}`]: POINTER, 'src/.git/HEAD': '' },
      prepare: () => symlinkSync(name, join(root, 'src/link')),
    });
    expect(said).toHaveLength(2);
    for (const { message } of said) expect(message).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(said[1]?.message).toContain('"src/a ::error::x\ufffd%0A"');
  });
});
