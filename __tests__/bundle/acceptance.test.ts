import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { writeTree } from '../support/write-tree.ts';

// The cases of the content hash that need more than files: git, registries, other machines. By the numbers that
// `__tests__/stages/hash.test.ts` has for the others.

const NODE = join(NODE_DIRECTORY, 'node');
const CLI = join(CHECKOUT, 'dist/cli.js');

let root: string;
let context: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-acceptance-'));
  context = join(root, 'context');
  write({ Dockerfile: 'FROM scratch\nCOPY src /src\n', 'src/a': '1', 'src/lib/b': '2', 'README.md': 'readme' });
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>, directory = context): void {
  writeTree(directory, files);
}

function git(directory: string, ...args: readonly string[]): string {
  const who = ['-c', 'user.name=n', '-c', 'user.email=n@example.com', '-c', 'protocol.file.allow=always'];
  return execFileSync('git', [...who, ...args], { cwd: directory, encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commitAll(directory: string): void {
  git(directory, 'init', '--quiet', '--initial-branch=main');
  git(directory, 'add', '--all');
  git(directory, 'commit', '--quiet', '--message=all');
}

const own = (...flags: readonly string[]) => hashOf(context, ['--platforms=linux/amd64', ...flags]);

describe('must change', () => {
  it('70 custom label', async () => {
    expect(await own('--labels=team=a')).not.toBe(await own('--labels=team=b'));
  });

  it('79 LFS pointer or the file that it stands for', async () => {
    write({ 'src/a': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 5\n` });
    const pointer = await own();
    write({ 'src/a': 'bytes' });
    expect(await own()).not.toBe(pointer);
  });

  it('80 submodule commit', async () => {
    const library = join(root, 'library');
    write({ file: 'one' }, library);
    commitAll(library);
    commitAll(context);
    git(context, 'submodule', '--quiet', 'add', library, 'src/library');
    const before = await own();
    write({ file: 'two' }, library);
    git(library, 'commit', '--quiet', '--all', '--message=two');
    git(context, 'submodule', '--quiet', 'update', '--remote');
    expect(await own()).not.toBe(before);
  });

  it('81 untracked file that git ignores and the build copies', async () => {
    write({ '.gitignore': 'dist\n', Dockerfile: 'FROM scratch\nCOPY dist /dist\n', 'dist/app.js': '1' });
    commitAll(context);
    const before = await own();
    write({ 'dist/app.js': '2' });
    expect(git(context, 'status', '--porcelain')).toBe('');
    expect(await own()).not.toBe(before);
  });

  it('82 dirty worktree', async () => {
    commitAll(context);
    const before = await own();
    write({ 'src/a': 'not committed' });
    expect(await own()).not.toBe(before);
  });

  it.each([
    ['a newline', 'a\nb', 'a b'],
    ['a backslash', 'c\\d', 'c/d'],
    ['an emoji', '🦊', '🐺'],
    ['another Unicode form', '\u00e9', 'e\u0301'],
  ])('85 file name with %s', async (_, one, other) => {
    write({ [`src/${one}`]: 'x' });
    const before = await own();
    rmSync(join(context, 'src', one));
    write({ [`src/${other}`]: 'x' });
    expect(await own()).not.toBe(before);
  });
});

describe('must not change', () => {
  const volatile = ['created=2026-01-01T00:00:00Z', 'revision=1', 'version=pr-1', 'source=https://x', 'url=https://x'];
  it('69 labels of metadata-action that differ from run to run', async () => {
    const labels = (texts: readonly string[]) => texts.map((text) => `--labels=org.opencontainers.image.${text}`);
    const later = volatile.map((text) => `${text}0`);
    expect(await own(...labels(volatile))).toBe(await own(...labels(later)));
  });

  it('71 secret value', async () => {
    expect(await own('--secrets=token=x')).toBe(await own('--secrets=token=y'));
  });

  it.each([
    '--cache-from=type=gha',
    '--cache-to=type=inline',
    '--builder=other',
    '--tags=edge',
    '--push=false',
    '--load',
    '--no-cache',
    '--pull',
    '--shm-size=1g',
    '--ulimit=nofile=1024:1024',
    '--cgroup-parent=x',
  ])('72 %s', async (flag) => {
    expect(await own(flag)).toBe(await own());
  });

  it('84 order in which files were made and are found', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `src/${(index * 7919) % 97}`);
    const other = join(root, 'other');
    write(Object.fromEntries(names.map((name) => [name, name])));
    for (const name of names.toReversed()) write({ [name]: name }, other);
    for (const name of readdirSync(context, { recursive: true, encoding: 'utf8' }).toSorted().toReversed()) {
      cpSync(join(context, name), join(other, name), { recursive: true });
    }
    expect(await hashOf(other)).toBe(await own());
  });

  it.each([
    { LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    { LC_ALL: 'C', TZ: 'Asia/Tokyo' },
  ])('locale and time zone: %j', async (env) => {
    write({ 'src/I': '', 'src/i': '', 'src/ı': '', 'src/Z': '', 'src/ä': '' });
    const argv = [NODE, CLI, 'hash', '--platforms=linux/amd64'] as const;
    const { stdout } = await run(argv, { cwd: context, env: { ...process.env, ...env } });
    expect(stdout.trim()).toBe(`hash-${(await own()).slice(0, 32)}`);
  });

  it('with and without .git', async () => {
    const before = await own();
    commitAll(context);
    expect(await own()).toBe(before);
  });
});

describe('reads', () => {
  it('88 an instruction of more than 64 KiB; one such line is refused, as BuildKit does', async () => {
    const many = `RUN echo \\\n${' xxxxxxxx \\\n'.repeat(20_000)} y`;
    write({ Dockerfile: `FROM scratch\n${many}\nCOPY src /src\n` });
    const before = await own();
    expect(await own()).toBe(before);
    write({ Dockerfile: `FROM scratch\n${many}z\nCOPY src /src\n` });
    expect(await own()).not.toBe(before);
    write({ Dockerfile: `FROM scratch\nRUN echo ${'x'.repeat(100_000)}\n` });
    const { status, stderr } = await run([NODE, CLI, 'hash'], { cwd: context });
    expect(status).toBe(2);
    expect(stderr).toContain('"Dockerfile" line 2: the line is longer than 65535 bytes');
  });

  it('92 a lower-case dockerfile', async () => {
    const before = await own();
    renameSync(join(context, 'Dockerfile'), join(context, 'dockerfile'));
    expect(await own()).toBe(before);
  });

  it('93 a Dockerfile outside of the context, with an ignore file of its own', async () => {
    const before = await own();
    renameSync(join(context, 'Dockerfile'), join(root, 'Build'));
    expect(await own('--file=../Build')).toBe(before);
    write({ 'Build.dockerignore': 'src/a\n' }, root);
    expect(await own('--file=../Build')).not.toBe(before);
  });

  it('94 no Dockerfile from standard input: it says what is allowed instead', async () => {
    const argv = [NODE, CLI, 'hash', '--file=-'] as const;
    const { status, stderr } = await run(argv, { cwd: context });
    expect(status).toBe(2);
    expect(stderr).toContain('there is no Dockerfile at "-"');
  });
});

describe('looks', () => {
  let registry: RunningRegistry;
  let image: string;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.close());
  beforeEach(() => {
    image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  });

  /** What a build says on a machine without docker: a hit needs none, a miss fails there, with its reason. */
  async function lookup(
    flags: readonly string[] = [],
  ): Promise<{ readonly status: number | undefined; readonly text: string }> {
    const platforms = flags.some((flag) => flag.startsWith('--platforms')) ? [] : ['--platforms=linux/amd64'];
    const env = { PATH: NODE_DIRECTORY, HOME: root };
    const argv = [NODE, CLI, 'build', '--scan=false', `--images=${image}`, ...platforms, ...flags] as const;
    const { status, stdout, stderr } = await run(argv, { cwd: context, env });
    return { status, text: `${stdout}${stderr}` };
  }

  async function plant(annotations: Readonly<Record<string, string>> = {}, flags?: readonly string[]): Promise<string> {
    const hash = await hashOf(context, flags);
    const tags = [`hash-${hash.slice(0, 32)}`];
    await plantImage({ image, tags, annotations: { 'dev.build-once.inputs': hash, ...annotations } });
    return hash;
  }

  it('and takes the image that has the content', async () => {
    await plant();
    expect(await lookup()).toMatchObject({ status: 0 });
  });

  it('73 a hit that lacks linux/arm64 is a miss, with the reason', async () => {
    const both = ['--platforms=linux/amd64,linux/arm64'];
    await plant({}, both);
    const { status, text } = await lookup(both);
    expect(status).toBe(1);
    expect(text).toMatch(/miss \(incomplete\): .*it lacks linux\/arm64/);
  });

  it('74 another full hash than the tag stands for is a miss', async () => {
    await plant({ 'dev.build-once.inputs': 'f'.repeat(64) });
    const { status, text } = await lookup();
    expect(status).toBe(1);
    expect(text).toMatch(/miss \(mismatch\): .*it carries the content hash f{64}/);
  });

  it.each([401, 403, 500])(
    '77 a registry that answers %d is an error, after repetitions where they can help',
    async (status) => {
      await plant();
      registry.fail({ kind: 'manifest', method: 'GET', action: { kind: 'status', status } });
      try {
        const run = await lookup();
        expect(run.status, run.text).toBe(1);
        expect(run.text).not.toContain('miss');
        expect(run.text).toContain(`${status}`);
        expect(run.text.includes('attempt 1 failed')).toBe(status === 500);
      } finally {
        registry.repair();
      }
    },
  );

  it('75 older than max-age is a miss', async () => {
    await plant({ 'org.opencontainers.image.created': '2020-01-01T00:00:00Z' });
    const { status, text } = await lookup(['--max-age=30d']);
    expect(status).toBe(1);
    expect(text).toMatch(/miss \(expired\): /);
  });
});
