import { describe, expect, it } from 'vitest';
import type { BuildScope } from '../../src/core/build-scope.ts';
import { resolveUse, type UsedEntry } from '../../src/core/context-resolver.ts';
import { type ContextTree, contextTree } from '../../src/core/context-tree.ts';
import { parseDockerfile } from '../../src/core/dockerfile.ts';
import { compileIgnorePatterns, parseIgnoreFile, walkContext } from '../../src/core/dockerignore.ts';
import { formatPlatform, parsePlatform } from '../../src/core/platform.ts';
import { formatReference, parseReference } from '../../src/core/reference.ts';
import { readTarget, type TargetReads } from '../../src/core/target-reads.ts';
import type { Platform } from '../../src/oci/types.ts';
import { buildScope, knownBases } from '../support/build-scope.ts';
import vectors from '../vectors/context-files.json' with { type: 'json' };

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };

type Answer = TargetReads | { readonly problem: string; readonly line: number };

function read(text: string, changes: Partial<BuildScope> = {}): Answer {
  const parsed = parseDockerfile(text);
  if (!parsed.ok) return parsed;
  const scope = buildScope(changes);
  const [platform = AMD64] = scope.platforms;
  const reads = readTarget(parsed.value, scope, platform);
  return reads.ok ? reads.value : reads;
}

function reads(text: string, changes: Partial<BuildScope> = {}): TargetReads {
  const answer = read(text, changes);
  if ('problem' in answer) throw new Error(`line ${answer.line}: ${answer.problem}`);
  return answer;
}

/** The tree of these paths; a link is `[path, target]`, a directory ends in a slash. */
function treeOf(entries: readonly (string | readonly [string, string])[], ignore = ''): ContextTree {
  const links = new Map(entries.flatMap((entry) => (typeof entry === 'string' ? [] : [entry])));
  const kinds = new Map<string, Map<string, 'file' | 'directory' | 'symlink'>>([['', new Map()]]);
  for (const entry of entries) {
    const path = typeof entry === 'string' ? entry : entry[0];
    const names = path.split('/');
    for (const [depth, name] of names.entries()) {
      const parent = names.slice(0, depth).join('/');
      if (name === '') continue;
      const isLast = depth === names.length - 1;
      const own = [parent, name].filter((part) => part !== '').join('/');
      const kind = !isLast ? 'directory' : links.has(own) ? 'symlink' : 'file';
      if (kinds.get(parent)?.has(name) !== true) kinds.get(parent)?.set(name, kind);
      if (kind === 'directory' && !kinds.has(own)) kinds.set(own, new Map());
    }
  }
  const patterns = parseIgnoreFile(ignore);
  const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
  if (!matcher.ok) throw new Error(matcher.problem);
  const list = (directory: string) => [...(kinds.get(directory) ?? [])].map(([name, kind]) => ({ name, kind }));
  const walked = walkContext({ matcher: matcher.value, list });
  if (!walked.ok) throw new Error(walked.problem);
  return contextTree(walked.value, (path) => links.get(path) ?? '');
}

/** `name <- path` of all that the first use of a COPY takes, or the problem. */
function taken(copy: string, tree: ContextTree, changes: Partial<BuildScope> = {}): readonly string[] | string {
  const uses = reads(`FROM scratch\nWORKDIR /w\n${copy}`, changes).uses;
  const answers = uses.map((use) => resolveUse(tree, use));
  const refused = answers.find((answer) => !answer.ok);
  if (refused?.ok === false) return refused.problem;
  return answers.flatMap((answer) =>
    answer.ok ? answer.value.map(({ name, path, kind }) => `${name} <- ${path}${kind === 'directory' ? '/' : ''}`) : [],
  );
}

interface Vector {
  readonly dockerfile: string;
  readonly files: readonly { readonly path: string; readonly type?: string; readonly link?: string }[];
  readonly ignore: string;
  readonly platform?: string;
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly images?: Readonly<
    Record<
      string,
      { readonly Env?: readonly string[]; readonly WorkingDir?: string; readonly OnBuild?: readonly string[] }
    >
  >;
}

function readVector({ dockerfile, platform = 'linux/amd64', target, buildArgs = {}, images = {} }: Vector): Answer {
  const wanted = parsePlatform(platform);
  const scope: BuildScope = {
    platforms: [wanted.ok ? wanted.value : AMD64],
    buildPlatform: AMD64,
    target,
    buildArgs: new Map(Object.entries(buildArgs)),
    namedContexts: [],
  };
  const configOf = (name: string) => Object.entries(images).find(([part]) => name.includes(part))?.[1];
  return read(dockerfile, {
    ...scope,
    baseOf: (name) => {
      const { Env = [], WorkingDir, OnBuild = [] } = configOf(name) ?? {};
      const pairs = Env.map((pair): [string, string] => {
        const equals = pair.indexOf('=');
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      });
      return { environment: new Map(pairs), directory: WorkingDir || '/', triggers: OnBuild };
    },
  });
}

function treeOfVector({ files, ignore }: Vector): ContextTree {
  return treeOf(
    files.map(({ path, link }) => (link === undefined ? path : [path, link])),
    ignore,
  );
}

const pathsOf = (entries: readonly UsedEntry[], kind: UsedEntry['kind']) =>
  entries.filter((entry) => entry.kind === kind).map(({ path }) => path);

function sourceOf({ reference, platform }: TargetReads['images'][number]): string {
  const parsed = parseReference(reference);
  if (!parsed.ok) return reference;
  const { tag, digest } = parsed.value;
  const named = { ...parsed.value, tag: tag ?? (digest === undefined ? 'latest' : undefined) };
  return `docker-image://${formatReference(named)} ${formatPlatform(platform)}`;
}

describe('what a target reads, as BuildKit has it', () => {
  it.each(vectors.cases.filter((vector) => 'error' in vector))('$id is refused', (vector) => {
    expect(readVector(vector)).toMatchObject({ problem: expect.any(String) });
  });

  describe.each(vectors.cases.filter((vector) => !('error' in vector)))('$id', (vector) => {
    const answer = readVector(vector);
    const { uses, images, remotes, uncertain } = 'problem' in answer ? reads('FROM scratch') : answer;

    it('uses', () => {
      expect(answer).not.toHaveProperty('problem');
      expect(uncertain).toEqual([]);
      const seen = uses.map(({ op, source, include, exclude }) => ({
        op: op === 'bind' ? 'mount' : 'copy',
        src: source,
        ...(include === undefined ? {} : { include }),
        ...(exclude.length === 0 ? {} : { exclude }),
      }));
      expect(seen).toEqual(
        vector.uses?.map((use) =>
          Object.fromEntries(Object.entries(use).filter(([key]) => key !== 'matched' && key !== 'missing')),
        ),
      );
    });

    it('files', () => {
      const tree = treeOfVector(vector);
      const used = new Set<string>();
      for (const [index, use] of uses.entries()) {
        const expected = vector.uses?.[index];
        const resolved = resolveUse(tree, use);
        expect(resolved.ok).toBe(!(expected !== undefined && 'missing' in expected));
        if (!resolved.ok) continue;
        const matched = expected?.matched ?? [];
        const files = matched.filter((entry) => !/^(?:symlink|emptydir):/.test(entry));
        expect(pathsOf(resolved.value, 'file').sort()).toEqual([...files].sort());
        const links = resolved.value
          .filter(({ kind }) => kind === 'symlink')
          .map(({ name, path }) => `${name}->${tree.readLink(path)}`);
        const expectedLinks = matched.filter((entry) => entry.startsWith('symlink:'));
        expect(links.length).toBe(expectedLinks.length);
        for (const link of links) expect(expectedLinks.some((entry) => entry.endsWith(`/${link}`))).toBe(true);
        for (const path of pathsOf(resolved.value, 'file')) used.add(path);
      }
      expect([...used].sort()).toEqual([...(vector.usedFiles ?? [])].sort());
    });

    it('sources', () => {
      const isImage = (source: string) => source.startsWith('docker-image:');
      expect([...new Set(images.map(sourceOf))].sort()).toEqual((vector.sources ?? []).filter(isImage).sort());
      expect(new Set(remotes.map(({ source }) => source)).size).toBe(
        (vector.sources ?? []).filter((source) => !isImage(source)).length,
      );
    });
  });
});

/** `op source` of every use. */
function uses(text: string, changes: Partial<BuildScope> = {}): readonly string[] | string {
  const answer = read(text, changes);
  if ('problem' in answer) return `line ${answer.line}: ${answer.problem}`;
  const shown = answer.uses.map(
    ({ op, source, context }) => `${op} ${source}${context === undefined ? '' : ` of ${context}`}`,
  );
  return [...shown, ...answer.uncertain];
}

describe('readTarget', () => {
  it.each([
    [
      'a stage that only an unused one needs',
      'FROM scratch AS a\nCOPY a /\nFROM a AS b\nFROM scratch\nCOPY c /',
      ['copy /c'],
    ],
    ['the last holder of a name', 'FROM scratch AS a\nCOPY a /\nFROM scratch AS a\nCOPY b /\nFROM a', ['copy /b']],
    [
      'what a step needs before the step',
      'FROM scratch AS a\nCOPY a /\nFROM scratch\nCOPY b /\nCOPY --from=a / /',
      ['copy /b', 'copy /a'],
    ],
    [
      'no stage of which only a heredoc is copied',
      'FROM scratch AS a\nCOPY a /\nFROM scratch\nCOPY --from=a <<E /x\nE',
      [],
    ],
    [
      'no stage that is mounted as tmpfs or ssh',
      'FROM scratch AS a\nCOPY a /\nFROM scratch\nRUN --mount=type=tmpfs,from=a,target=/x --mount=type=ssh,from=a true',
      [],
    ],
    [
      'a stage behind a cache mount',
      'FROM scratch AS a\nCOPY a /\nFROM scratch\nRUN --mount=type=cache,from=a,target=/x true',
      ['copy /a'],
    ],
    ['the whole context where a variable is empty', 'FROM scratch\nARG E\nCOPY $E /x', ['copy /']],
    [
      'mounts by where they go',
      'FROM scratch\nRUN --mount=source=a,target=/z --mount=source=b,target=/y true',
      ['bind /b', 'bind /a'],
    ],
    [
      'a mount whose type is a variable',
      'FROM scratch\nARG T=bind\nRUN --mount=type=$T,source=a,target=/x true',
      ['bind /a'],
    ],
    [
      'ENV over an ARG in the next stage',
      'FROM scratch AS a\nENV V=env\nARG V=arg\nCOPY $V /\nFROM a\nCOPY $V /',
      ['copy /arg', 'copy /env'],
    ],
    ['an ARG that the next stage inherits', 'FROM scratch AS a\nARG V=arg\nFROM a\nCOPY $V /', ['copy /arg']],
    [
      "a trigger before the stage's own",
      'FROM scratch AS a\nONBUILD COPY a /\nFROM a\nCOPY b /',
      ['copy /a', 'copy /b'],
    ],
    ['a trigger once', 'FROM scratch AS a\nONBUILD COPY a /\nFROM a AS b\nFROM b', ['copy /a']],
    ['--exclude as written', 'FROM scratch\nARG X\nCOPY --exclude=$X a /', ['copy /a']],
    ['capital URLs as paths', 'FROM scratch\nCOPY HTTP://h/x /', ['copy /HTTP:/h/x']],
  ])('takes %s', (_, text, expected) => {
    expect(uses(text)).toEqual(expected);
  });

  it.each([
    ['a base whose ENV is not known', 'FROM node\nCOPY $DIR /', ['COPY "$DIR" on line 2']],
    ['an ARG that such a base may override', 'FROM node AS a\nARG V=x\nFROM a\nCOPY $V /', ['COPY "$V" on line 4']],
    ['a mount', 'FROM node\nRUN --mount=source=$D,target=/x true', ['RUN --mount="source=$D,target=/x" on line 2']],
    ['nothing where the Dockerfile sets it', 'FROM node\nARG V=x\nCOPY $V /', ['copy /x']],
    ['nothing where the base is known', 'FROM known\nCOPY $DIR /', ['copy /from-base']],
  ])('says what it cannot know: %s', (_, text, expected) => {
    expect(uses(text, knownBases({ known: { environment: new Map([['DIR', 'from-base']]) } }))).toEqual(expected);
  });

  it.each([
    ['a copy from a later stage', 'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a', 2],
    ['a stage that copies from itself', 'FROM scratch AS a\nCOPY --from=a x /', 2],
    [
      'a circle in stages that nothing needs',
      'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nCOPY --from=a x /\nFROM scratch',
      4,
    ],
    ['COPY of a git repository', 'FROM scratch\nCOPY git@h.org:a/b /', 2],
    ['a checksum of a path', 'FROM scratch\nADD --checksum=sha256:00 a /', 2],
    ['a checksum of two sources', 'FROM scratch\nADD --checksum=sha256:00 https://h/a https://h/b /', 2],
    ['a mode that is none', 'FROM scratch\nCOPY --chmod=99999 a /', 2],
    ['a mount on the root', 'FROM scratch\nRUN --mount=source=a true', 2],
    ['a mount of unknown type', 'FROM scratch\nRUN --mount=type=no,target=/x true', 2],
    ['a key that the mount does not take', 'FROM scratch\nRUN --mount=uid=1,target=/x true', 2],
    ['a variable that must be set', 'FROM scratch\nLABEL a=${V:?no}', 2],
  ])('refuses %s', (_, text, line) => {
    expect(read(text)).toMatchObject({ problem: expect.any(String), line });
  });

  it.each([
    ['that only another target needs', 'FROM scratch AS a\nCOPY ${V:?no} /\nFROM scratch\nCOPY b /', ['copy /b']],
    ['of an ARG that is given', 'FROM scratch\nARG V=${W:?no}\nCOPY $V /', ['copy /given']],
  ])('does not mind a bad word %s', (_, text, expected) => {
    expect(uses(text, { buildArgs: new Map([['V', 'given']]) })).toEqual(expected);
  });

  it('lets the trigger of a base read the stage that it stands in', () => {
    const base = knownBases({ onbuild: { triggers: ['COPY a /', 'COPY --from=me / /x'] } });
    expect(uses('FROM onbuild AS me\nCOPY b /', base)).toEqual(['copy /a', 'copy /b']);
  });

  it('marks what a trigger of a base brings in, and keeps the triggers of the target only', () => {
    const text = 'FROM onbuild AS a\nONBUILD RUN one\nFROM a\nCOPY b /\nONBUILD RUN two';
    const { instructions } = reads(text, knownBases({ onbuild: { triggers: ['RUN x'] } }));
    const marked = ['FROM onbuild', '#ONBUILD RUN x', 'FROM #0', 'RUN one', 'COPY b /', 'ONBUILD RUN two'];
    expect(instructions).toEqual(marked);
  });

  it('knows what each image is for, and on which platform', () => {
    const text =
      'FROM a AS one\nFROM --platform=$BUILDPLATFORM b AS two\nFROM unused\nFROM one\nCOPY --from=two / /\nCOPY --from=c / /';
    const seen = reads(text, { platforms: [{ os: 'linux', architecture: 'arm64' }] }).images;
    const shown = seen.map(({ reference, role, platform }) => `${reference} ${role} ${formatPlatform(platform)}`);
    expect(shown).toEqual(['a root linux/arm64', 'b base linux/amd64', 'c content linux/arm64']);
  });

  it('reads named contexts where they are named', () => {
    const text =
      'FROM scratch AS replaced\nCOPY never /\nFROM base\nCOPY --from=tools a /\nCOPY --from=replaced b /\nRUN --mount=from=tools,source=c,target=/c true';
    const namedContexts = ['base', 'tools', 'replaced'];
    expect(uses(text, { namedContexts })).toEqual([
      'from / of base',
      'copy /a of tools',
      'copy /b of replaced',
      'bind /c of tools',
    ]);
  });

  it('writes the instructions so that only what matters matters', () => {
    const text =
      'ARG B=build\nFROM scratch AS unused\nFROM node AS build\nARG V=1\nARG W\nFROM ${B}\nCOPY --from=build --chmod=0644 a /b\nRUN --mount=from=build,target=/x true # x\n';
    expect(reads(text).instructions).toEqual([
      'FROM node',
      'ARG V=1',
      'ARG W',
      'FROM #0',
      'COPY --from=#0 --chmod=0644 a /b',
      'RUN --mount=from=#0,target=/x true # x',
    ]);
    const renamed = text.replaceAll('build', 'other').replace('FROM scratch AS unused\n', '# gone\n');
    expect(reads(renamed).instructions).toEqual(reads(text).instructions);
    const given = new Map([
      ['V', '1'],
      ['NOBODY', 'asks'],
    ]);
    expect(reads(text, { buildArgs: given }).instructions).toEqual(reads(text).instructions);
    expect(reads(text, { buildArgs: new Map([['V', '2']]) }).instructions).not.toEqual(reads(text).instructions);
  });
});

describe('resolveUse', () => {
  const tree = treeOf([
    'src/a.ts',
    'src/lib/b.ts',
    'src/lib/c.md',
    'src/empty/',
    'file',
    'two/a.ts',
    'pair/z',
    ['link', 'src/lib'],
    ['up', '../../src'],
    ['abs', '/src/lib/b.ts'],
    ['loop', 'pool'],
    ['pool', 'loop'],
    ['gone', 'nowhere'],
    ['src/inner', 'lib'],
    ['deep/abs', '/src/lib'],
    ['chain', 'link'],
  ]);

  it.each([
    [
      'a directory',
      'COPY src /',
      [
        'a.ts <- src/a.ts',
        'empty <- src/empty/',
        'inner <- src/inner',
        'lib/b.ts <- src/lib/b.ts',
        'lib/c.md <- src/lib/c.md',
      ],
    ],
    ['a file by its last name', 'COPY ./src/../file /', ['file <- file']],
    ['an empty directory', 'COPY src/empty /', ['. <- src/empty/']],
    ['a directory of which nothing is left', 'COPY --exclude=** two /', ['. <- two/']],
    ['a link to a directory', 'COPY link /', ['b.ts <- src/lib/b.ts', 'c.md <- src/lib/c.md']],
    ['a link to a link', 'COPY chain /', ['b.ts <- src/lib/b.ts', 'c.md <- src/lib/c.md']],
    [
      'a link out of the context, which stays inside',
      'COPY up/lib /',
      ['b.ts <- src/lib/b.ts', 'c.md <- src/lib/c.md'],
    ],
    ["an absolute link, by the link's name", 'COPY abs /', ['abs <- src/lib/b.ts']],
    ['what a link leads through', 'COPY link/b.ts /', ['b.ts <- src/lib/b.ts']],
    ['a glob behind a link', 'COPY link/*.ts /', ['b.ts <- src/lib/b.ts']],
    ['no glob into a link', 'COPY l*/*.ts /', []],
    ['a glob for directories, one after the other', 'COPY */a.ts /', ['a.ts <- src/a.ts', 'a.ts <- two/a.ts']],
    ['a glob of nothing', 'COPY nothing* /', []],
    ['a glob below a file', 'COPY file/* /', []],
    ['no more of a directory that the glob matches', 'COPY pa*[^y]? /', ['z <- pair/z']],
    ['a slash for a class, and for nothing else', 'COPY two[^z]a.ts two?a.ts two*a.ts /', ['a.ts <- two/a.ts']],
    ['an absolute link further down', 'COPY deep/abs /', ['b.ts <- src/lib/b.ts', 'c.md <- src/lib/c.md']],
    ['two stars as one', 'COPY **/*.md /', []],
    ['--parents with the path', 'COPY --parents src/**/*.md /', ['src/lib/c.md <- src/lib/c.md']],
    ['--parents from the pivot', 'COPY --parents src/./lib/b.ts /', ['lib/b.ts <- src/lib/b.ts']],
    ['--exclude at depth', 'COPY --exclude=**/*.md src/lib two /', ['b.ts <- src/lib/b.ts', 'a.ts <- two/a.ts']],
    ['--exclude not of files', 'COPY --exclude=file file /', ['file <- file']],
    [
      'a mount, which is no glob',
      'RUN --mount=source=src/lib,target=/x true',
      ['b.ts <- src/lib/b.ts', 'c.md <- src/lib/c.md'],
    ],
  ])('takes %s', (_, copy, expected) => {
    expect(taken(copy, tree)).toEqual(expected);
  });

  it.each([
    ['a path', 'COPY missing /', 'COPY "/missing" is not in the context'],
    ['a link that leads nowhere', 'COPY gone /', 'COPY "/gone" is not in the context'],
    ['what stands before a glob', 'COPY missing/*.ts /', 'is not in the context'],
    ['a mount', 'RUN --mount=source=missing,target=/x true', 'RUN --mount "/missing" is not in the context'],
    ['a glob as a mount', 'RUN --mount=source=src*,target=/x true', 'is not in the context'],
    ['what --parents names', 'COPY --parents src/missing /', 'COPY "/src/missing" is not in the context'],
    ['a directory itself with --parents', 'COPY --parents . /', 'COPY "/" is not in the context'],
    [
      'a file before a pivot with nothing behind',
      'COPY --parents src/a.ts/./ /',
      'COPY "/src/a.ts" is not in the context',
    ],
    ['a directory itself behind the pivot', 'COPY --parents src/./. /', 'COPY "/src" is not in the context'],
  ])('misses %s', (_, copy, problem) => {
    expect(taken(copy, tree)).toContain(problem);
  });

  it('gives up on links in circles', () => {
    expect(taken('COPY loop /', tree)).toContain('its links lead in circles');
    expect(taken('COPY loop/x /', tree)).toContain('its links lead in circles');
  });

  it('refuses a pattern that BuildKit refuses', () => {
    expect(taken('COPY --exclude=[ src /', tree)).toContain('not a valid pattern');
  });
});
