import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { parseOptions } from '../../src/options.ts';
import { runCommand } from '../../src/pipeline.ts';
import { runnable } from '../../src/stage.ts';
import { hashStage } from '../../src/stages/hash.ts';
import { sampleRun } from '../support/sample-run.ts';
import { writeTree } from '../support/write-tree.ts';

let root: string;
let context: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-cases-'));
  context = join(root, 'context');
  mkdirSync(context);
});
afterEach(() => rmSync(root, { recursive: true }));

type Flags = Readonly<Record<string, string>>;

function write(files: Readonly<Record<string, string>>): void {
  writeTree(context, files);
}

const link = (target: string, name: string) => symlinkSync(target, join(context, name));
const remove = (name: string) => unlinkSync(join(context, name));
const rename = (from: string, to: string) => renameSync(join(context, from), join(context, to));

/** The hash, or what is wrong. */
async function hashOf(flags: Flags = {}, cwd = context): Promise<string> {
  const log: string[] = [];
  const host = createTerminalHost({ cwd, env: { HOME: root }, write: (line: string) => log.push(line) });
  const { report, error } = await runCommand('hash', { platforms: 'linux/amd64', ...flags }, host);
  await host.finish();
  return report.hash ?? `${error?.message}`;
}

interface Case {
  readonly title: string;
  /** What is copied: files besides the Dockerfile. */
  readonly files: Readonly<Record<string, string>>;
  readonly before?: () => unknown;
  readonly change: () => unknown;
  readonly flags?: Flags;
  readonly later?: Flags;
}

const TREE = {
  'src/a': '1',
  'src/lib/b': '2',
  'src/x': '3',
  'other/a': '4',
  'README.md': 'readme',
  'package.json': '{}',
};
const COPY_SRC = 'FROM scratch\nCOPY src /src\n';

/** A case whose Dockerfile is `text`. */
function when(title: string, text: string, change: () => unknown, more: Partial<Case> = {}): Case {
  return { ...more, title, files: { ...TREE, Dockerfile: text, ...more.files }, change };
}

async function bothHashes({ files, before, change, flags, later }: Case): Promise<readonly [string, string]> {
  write(files);
  before?.();
  const first = await hashOf(flags);
  change();
  const second = await hashOf(later ?? flags);
  for (const hash of [first, second]) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  return [first, second];
}

const edit = (name: string) => () => write({ [name]: 'edited' });

describe('must change', () => {
  const cases: readonly Case[] = [
    when('1 content of a copied file', 'FROM scratch\nCOPY package.json /\n', edit('package.json')),
    when('2 file in a copied directory', COPY_SRC, edit('src/lib/b')),
    when('3 new file', COPY_SRC, edit('src/new')),
    when('4 deleted file', COPY_SRC, () => remove('src/x')),
    when('5 rename, same order', COPY_SRC, () => rename('src/x', 'src/y')),
    when('6 move between copied directories', 'FROM scratch\nCOPY src /src\nCOPY other /other\n', () =>
      rename('src/x', 'other/x'),
    ),
    when('7 two files swap contents', COPY_SRC, () => write({ 'src/a': '3', 'src/x': '1' })),
    when('8 bytes move over a file boundary', COPY_SRC, () => write({ 'src/a': '12', 'src/lib/b': '' })),
    when('9 chmod +x', COPY_SRC, () => chmodSync(join(context, 'src/a'), 0o755)),
    when('10 inner symlink retarget', COPY_SRC, () => (remove('src/l'), link('x', 'src/l')), {
      before: () => link('a', 'src/l'),
    }),
    when('11 file behind a top-level symlinked directory', 'FROM scratch\nCOPY l /l\n', edit('src/a'), {
      before: () => link('src', 'l'),
    }),
    when(
      '12 top-level symlink retarget to another copied directory',
      'FROM scratch\nCOPY l /l\nCOPY src /src\nCOPY other /other\n',
      () => (remove('l'), link('other', 'l')),
      { before: () => link('src', 'l') },
    ),
    when(
      '13 RUN bind-mount source',
      'FROM scratch\nRUN --mount=source=package.json,target=/p x\n',
      edit('package.json'),
    ),
    when('14 RUN mount of the whole context', 'FROM scratch\nRUN --mount=target=/p x\n', edit('README.md')),
    when('15 COPY heredoc body', 'FROM scratch\nCOPY <<E /x\none\nE\n', () =>
      write({ Dockerfile: 'FROM scratch\nCOPY <<E /x\ntwo\nE\n' }),
    ),
    when(
      '16 file copied after a RUN heredoc that mentions COPY',
      'FROM scratch\nRUN <<E\nCOPY other /\nE\nCOPY src /\n',
      edit('src/a'),
    ),
    when('17 ARG default path', 'FROM scratch\nARG D=src\nCOPY $D /\n', edit('src/a')),
    when('18 ${V:-d}', 'FROM scratch\nCOPY ${V:-src} /\n', edit('src/a')),
    when('19 ${V%s}', 'FROM scratch\nARG V=src.bak\nCOPY ${V%.bak} /\n', edit('src/a')),
    when('20 ARG inherited through a FROM stage', 'FROM scratch AS a\nARG V=src\nFROM a\nCOPY $V /\n', edit('src/a')),
    when('21 $TARGETARCH path', 'FROM scratch\nARG TARGETARCH\nCOPY bin-$TARGETARCH /\n', edit('bin-amd64'), {
      files: { 'bin-amd64': '1' },
    }),
    when('22 declared build arg value', 'FROM scratch\nARG V\nCOPY src /\n', () => {}, {
      flags: { 'build-args': 'V=1' },
      later: { 'build-args': 'V=2' },
    }),
    when('23 ignore file newly excludes a copied file', COPY_SRC, () => write({ '.dockerignore': 'src/x' })),
    when('24 Dockerfile-specific ignore file wins', COPY_SRC, () => write({ 'Dockerfile.dockerignore': '' }), {
      files: { '.dockerignore': 'src/x' },
    }),
    when('25 ! re-include below an excluded directory', COPY_SRC, edit('src/lib/b'), {
      files: { '.dockerignore': 'src/lib\n!src/lib/b' },
    }),
    when('26 a+b literal pattern', COPY_SRC, edit('src/aab'), { files: { 'src/aab': '', '.dockerignore': 'src/a+b' } }),
    when('27 case-sensitive pattern', COPY_SRC, edit('src/a'), { files: { '.dockerignore': 'SRC' } }),
    when('28 JSON COPY with a blank', 'FROM scratch\nCOPY ["a b", "/"]\n', edit('a b'), { files: { 'a b': '' } }),
    when('29 JSON after a flag', 'FROM scratch\nCOPY --chmod=0644 ["package.json", "/"]\n', edit('package.json')),
    when('30 quoted source', 'FROM scratch\nCOPY "package.json" /\n', edit('package.json')),
    when('31 --parents **', 'FROM scratch\nCOPY --parents src/**/b /\n', edit('src/lib/b')),
    when('32 glob gains a match', 'FROM scratch\nCOPY *.json /\n', edit('new.json')),
    when('33 absolute and .. source', 'FROM scratch\nCOPY /src/a ../../other /\n', edit('other/a')),
    when('34 escape=`', '# escape=`\nFROM scratch\nCOPY `\n src /\n', edit('src/a')),
    when('ONBUILD that the image keeps', 'FROM scratch\nCOPY src /\nONBUILD RUN a\n', () =>
      write({ Dockerfile: 'FROM scratch\nCOPY src /\nONBUILD RUN b\n' }),
    ),
    when('35 local ONBUILD COPY', 'FROM scratch AS a\nONBUILD COPY src /\nFROM a\n', edit('src/a')),
    when('36 CMD', `${COPY_SRC}CMD one\n`, () => write({ Dockerfile: `${COPY_SRC}CMD two\n` })),
    when('37 other target', 'FROM scratch AS a\nCOPY src /\nFROM scratch AS b\nCOPY other /\n', () => {}, {
      flags: { target: 'a' },
      later: { target: 'b' },
    }),
    when('38 platforms', COPY_SRC, () => {}, { later: { platforms: 'linux/amd64,linux/arm64' } }),
    when('39 empty file added', COPY_SRC, () => write({ 'src/empty': '' })),
    when('40 CRLF in a copied script', COPY_SRC, () => write({ 'src/a': 'a\r\n' }), { files: { 'src/a': 'a\n' } }),
    ...(
      [
        ['copied', 'FROM scratch\nCOPY a /x\n'],
        ['a glob takes', 'FROM scratch\nCOPY a* /x\n'],
        ['mounted', 'FROM scratch\nRUN --mount=source=a,target=/a cp -r /a /x\n'],
        ['behind a link', 'FROM scratch\nCOPY l /x\n'],
      ] as const
    ).map(([how, text]) =>
      when(
        `file that is ${how} becomes a directory that holds it`,
        text,
        () => {
          rename('a', 'b');
          write({ 'a/a': '1' });
          if (how === 'behind a link') rename('a/a', 'a/l');
        },
        { files: { a: '1' }, before: () => link('a', 'l') },
      ),
    ),
    when('66 file of a named context', 'FROM scratch\nCOPY --from=more a /\n', edit('other/a'), {
      files: { '.dockerignore': '*' },
      flags: { 'build-contexts': 'more=other' },
    }),
  ];
  it.each(cases)('$title', async (one) => {
    const [before, after] = await bothHashes(one);
    expect(after).not.toBe(before);
  });
});

describe('must not change', () => {
  const two = 'FROM scratch AS a\nCOPY other /\nRUN one\nFROM scratch AS b\nCOPY src /\n';
  const elsewhere = () => cpSync(context, join(root, 'copy'), { recursive: true, preserveTimestamps: false });
  const cases: readonly Case[] = [
    when('41 uncopied file edited', COPY_SRC, edit('README.md')),
    when('42 uncopied file added', COPY_SRC, edit('new')),
    when('43 ignored file in a copied directory', COPY_SRC, edit('src/x'), { files: { '.dockerignore': 'src/x' } }),
    when('44 file of another target', 'FROM scratch AS a\nCOPY src /\nFROM a AS b\nCOPY other /\n', edit('other/a'), {
      flags: { target: 'a' },
    }),
    when('45 file of an unused stage', two, edit('other/a')),
    when('46 instruction of an unused stage', two, () => write({ Dockerfile: two.replace('RUN one', 'RUN two') })),
    when('47 comment', COPY_SRC, () => write({ Dockerfile: `# hello\n${COPY_SRC}` })),
    when('48 Dockerfile CRLF', COPY_SRC, () => write({ Dockerfile: COPY_SRC.replaceAll('\n', '\r\n') })),
    when('49 mtime', COPY_SRC, () => utimesSync(join(context, 'src/a'), 1, 1)),
    when('50 other checkout path', COPY_SRC, () => {
      elsewhere();
      context = join(root, 'copy');
    }),
    when('51 umask 002', COPY_SRC, () => chmodSync(join(context, 'src/a'), 0o664)),
    when('52 undeclared arg', COPY_SRC, () => {}, { later: { 'build-args': 'NOBODY=asks' } }),
    when('53 arg equal to the default', 'FROM scratch\nARG V=1\nCOPY src /\n', () => {}, {
      later: { 'build-args': 'V=1' },
    }),
    when('54 ignore-file comment', COPY_SRC, () => write({ '.dockerignore': '# comment\n' }), {
      files: { '.dockerignore': '' },
    }),
    when('55 ignore of an unused path', COPY_SRC, () => write({ '.dockerignore': 'other' })),
    when("56 --exclude'd file", 'FROM scratch\nCOPY --exclude=x src /\n', edit('src/x')),
    when('57 outside the --parents glob', 'FROM scratch\nCOPY --parents src/*/b /\n', edit('src/a')),
    when('58 outside the mounted path', 'FROM scratch\nRUN --mount=source=src,target=/s x\n', edit('other/a')),
    when('59 target of an inner symlink outside the copied directory', COPY_SRC, edit('other/a'), {
      before: () => link('../other/a', 'src/l'),
    }),
    when('a new unused stage', COPY_SRC, () => write({ Dockerfile: `FROM scratch AS unused\n${COPY_SRC}` })),
    when('another name for a stage', 'FROM scratch AS a\nCOPY src /\nFROM scratch\nCOPY --from=a / /\n', () =>
      write({ Dockerfile: 'FROM scratch AS z\nCOPY src /\nFROM scratch\nCOPY --from=z / /\n' }),
    ),
    when('the own name of the target', 'FROM scratch AS a\nCOPY src /\n', () => {}, { later: { target: 'A' } }),
    when(
      'another directory with the same content behind a link',
      'FROM scratch\nCOPY l /l\n',
      () => {
        cpSync(join(context, 'src'), join(context, 'again'), { recursive: true });
        remove('l');
        link('again', 'l');
      },
      { before: () => link('src', 'l') },
    ),
    when('order of the platforms', COPY_SRC, () => {}, {
      flags: { platforms: 'linux/amd64,linux/arm64' },
      later: { platforms: 'linux/arm64,linux/amd64' },
    }),
    when('hash-ignore', COPY_SRC, edit('src/lib/b'), { flags: { 'hash-ignore': 'src/lib' } }),
  ];
  it.each(cases)('$title', async (one) => {
    const [before, after] = await bothHashes(one);
    expect(after).toBe(before);
  });
});

describe('what BuildKit would refuse is refused, with the line', () => {
  it.each([
    ['too few arguments', 'FROM scratch\nCOPY a\n', 'line 2: COPY needs a source and a destination'],
    ['a heredoc without an end', 'FROM scratch\nCOPY <<E /x\n', 'line 2: '],
    ['no stage', '# nothing\n', 'line 1: '],
    ['a missing file', 'FROM scratch\nCOPY missing /\n', 'line 2: COPY "/missing" is not in the context'],
    ['an ignored file', 'FROM scratch\nCOPY README.md /\n', 'line 1 of ".dockerignore" hides it: "README.md"'],
    ['86 a loop of links', 'FROM scratch\nCOPY loop /\n', 'line 2: COPY "/loop": its links lead in circles'],
    ['89 a pattern', 'FROM scratch\nCOPY --exclude=[ src /\n', 'line 2'],
    ['a later stage', 'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n', 'line 2'],
  ])('%s', async (_, text, message) => {
    write({ ...TREE, Dockerfile: text, '.dockerignore': 'README.md' });
    link('loop', 'loop');
    expect(await hashOf()).toContain(message);
  });
});

it.each([
  ['src', 'counts towards the content and cannot be read: EACCES'],
  ['other', /^[0-9a-f]{64}$/],
])('87 a directory that may not be listed is an error only where it is read: %s', async (name, answer) => {
  write({ ...TREE, Dockerfile: COPY_SRC });
  const host = createTerminalHost({ cwd: context, env: {}, write: () => {} });
  const list: typeof host.files.list = (at) => {
    if (at.endsWith(name)) throw Object.assign(new Error('denied'), { code: 'EACCES' });
    return host.files.list(at);
  };
  const { report, error } = await runCommand(
    'hash',
    { platforms: 'linux/amd64' },
    { ...host, files: { ...host.files, list } },
  );
  const said = report.hash ?? `${error?.message}`;
  if (typeof answer === 'string') expect(said).toContain(answer);
  else expect(said).toMatch(answer);
});

describe('the manifest, which is published, never holds', () => {
  const SECRET = 'hunter2';
  const published = async (flags: Flags, text: string, unknown = false) => {
    write({ ...TREE, Dockerfile: text });
    const host = createTerminalHost({ cwd: context, env: {}, write: () => {} });
    const { options, problems } = parseOptions(flags);
    expect(problems).toEqual([]);
    const { results } = await runnable(hashStage)(sampleRun({ host, options }));
    const manifest = JSON.stringify(results.hash?.manifest);
    expect(manifest).toContain(unknown ? '"form":"context"' : '"form":"inputs"');
    return manifest;
  };
  const build = `FROM scratch\nARG KEY\nARG URL=https://$KEY@x\nARG SET=1\nRUN curl $URL\nCOPY src /\n`;

  it.each<[string, Flags, string]>([
    ['a build arg', { 'build-args': `KEY=${SECRET}` }, build],
    ['a build arg in place of a default', { 'build-args': `SET=${SECRET}` }, build],
    ['a build arg that is global', { 'build-args': `KEY=${SECRET}` }, `ARG KEY=1\n${build}`],
    ['a build arg that another stage inherits', { 'build-args': `KEY=${SECRET}` }, `${build}FROM scratch\nARG KEY\n`],
    ['the password of a proxy', { 'build-args': `HTTP_PROXY=http://me:${SECRET}@x` }, `${build}ARG HTTP_PROXY\n`],
  ])('%s', async (_, flags, text) => {
    expect(await published(flags, text)).not.toContain(SECRET);
  });

  it.each([
    ['exactly what is read', '', false],
    ['everything', `# syntax=x.example/y@sha256:${'a'.repeat(64)}\n`, true],
  ])('the query of a URL, which may be signed, where %s counts', async (_, syntax, unknown) => {
    const flags = { 'build-contexts': `more=https://files.example/a.tar?signature=${SECRET}` };
    const manifest = await published(flags, `${syntax}FROM scratch\nCOPY --from=more / /\n`, unknown);
    expect(manifest).toContain('https://files.example/a.tar?…');
    expect(manifest).not.toContain(SECRET);
  });

  it('a build arg where everything counts', async () => {
    const text = `# syntax=x.example/y@sha256:${'a'.repeat(64)}\n${build}`;
    expect(await published({ 'build-args': `KEY=${SECRET}` }, text, true)).not.toContain(SECRET);
  });

  it('but holds what stands in the Dockerfile', async () => {
    const manifest = await published({ 'build-args': 'SET=1' }, `ARG G=2\n${build}ARG G\nARG TARGETARCH\n`);
    for (const arg of ['ARG SET=1', 'ARG G=2', 'ARG TARGETARCH=amd64']) expect(manifest).toContain(arg);
  });

  it('a digest that could be taken for the text of another', async () => {
    const given = await published({ 'build-args': 'V=1' }, 'FROM scratch\nARG V\n');
    const text = /ARG V=(sha256:[0-9a-f]{64})/.exec(given)?.[1] ?? 'none';
    expect(await published({}, `FROM scratch\nARG V=${text}\n`)).not.toContain(`ARG V=${text}"`);
  });
});

it('an ADD that nothing pins is seen whatever an unused stage makes of its variables', async () => {
  const unused = `FROM scratch AS unused\nENV A=${'x'.repeat(1000)}\nENV B=${'$A'.repeat(900)}\n${'ENV C=$B\n'.repeat(40)}`;
  write({ Dockerfile: `${unused}FROM scratch\nARG URL=https://a.example/b\nADD $URL /b\n` });
  const before = await hashOf();
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashOf()).not.toBe(before);
});

describe('what is not fully understood counts as a whole', () => {
  it('90 a frontend that is not Docker’s', async () => {
    write({ ...TREE, Dockerfile: `# syntax=x.example/y@sha256:${'a'.repeat(64)}\n${COPY_SRC}` });
    const before = await hashOf();
    write({ 'README.md': 'edited' });
    const after = await hashOf();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(after).not.toBe(before);
  });
});
