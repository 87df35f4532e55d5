import { describe, expect, it } from 'vitest';
import { frontendOf, imagesOf, remoteAdds, runsPrograms } from '../../src/core/build-inputs.ts';
import type { BuildScope } from '../../src/core/build-scope.ts';
import { type Dockerfile, detectSyntax, parseDockerfile } from '../../src/core/dockerfile.ts';
import { readTarget } from '../../src/core/target-reads.ts';
import type { Platform } from '../../src/oci/types.ts';
import { buildScope, knownBases } from '../support/build-scope.ts';
import vectors from '../vectors/context-files.json' with { type: 'json' };

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const ARM64: Platform = { os: 'linux', architecture: 'arm64' };
const ARMV7: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };

const accepted = vectors.cases.filter((vector) => !('error' in vector));

/** The scope of a vector. */
function scopeOf(vector: (typeof vectors.cases)[number]): BuildScope {
  const [os = '', architecture = ''] = (vector.platform ?? 'linux/amd64').split('/');
  const buildArgs = new Map(Object.entries(vector.buildArgs ?? {}));
  return buildScope({ buildArgs, platforms: [{ os, architecture }], target: vector.target });
}

function read(text: string): Dockerfile {
  const result = parseDockerfile(text);
  if (!result.ok) throw new Error(`line ${result.line}: ${result.problem}`);
  return result.value;
}

/** `reference:line` of every image, or the problem. */
function images(text: string, changes: Partial<BuildScope> = {}): readonly string[] | object {
  const result = imagesOf(read(text), buildScope(changes));
  return result.ok ? result.value.map(({ reference, line }) => `${reference} ${line}`) : result;
}

function adds(text: string, changes: Partial<BuildScope> = {}): readonly string[] {
  return remoteAdds(read(text), buildScope(changes)).map(({ source, line }) => `${source} ${line}`);
}

/** The same of what the target needs; none of what is refused. */
function reachedAdds(text: string): readonly string[] {
  const reads = readTarget(read(text), buildScope(), AMD64);
  const remotes = reads.ok ? reads.value.remotes : [];
  return remotes.flatMap(({ source, line, isPinned }) => (isPinned ? [] : `${source} ${line}`));
}

describe('imagesOf', () => {
  it.each([
    ['FROM', 'FROM node:22\nFROM alpine@sha256:' + 'a'.repeat(64), ['node:22 1', `alpine@sha256:${'a'.repeat(64)} 2`]],
    ['COPY --from', 'FROM scratch\nCOPY --from=nginx:1 a b', ['nginx:1 2']],
    ['mounts', 'FROM scratch\nRUN --mount=from=a,target=/x --mount=type=cache,FROM=b/c true', ['a 2', 'b/c 2']],
    ['the frontend', '# syntax=docker/dockerfile:1 --flag\nFROM scratch', ['docker/dockerfile:1 1']],
    ['stages that nothing needs', 'FROM a AS unused\nFROM b', ['a 1', 'b 2']],
    ['an image named like its own stage', 'FROM node AS node\nCOPY --from=node a b', ['node 1']],
    ['an image named like a later stage', 'FROM b AS a\nFROM c AS b', ['b 1', 'c 2']],
    ['a number in a mount, which names no stage there', 'FROM a\nRUN --mount=from=0 true', ['a 1', '0 2']],
    ['one image on two lines', 'FROM a\nFROM a', ['a 1', 'a 2']],
  ])('finds %s', (_, text, expected) => {
    expect(images(text)).toEqual(expected);
  });

  it.each([
    ['scratch', 'FROM scratch\nCOPY --from=scratch a b'],
    [
      'earlier stages, whatever the case',
      'FROM scratch AS One\nFROM one\nCOPY --from=oNe a b\nRUN --mount=from=ONE true',
    ],
    ['later stages in COPY and mounts', 'FROM scratch\nCOPY --from=z a b\nRUN --mount=from=z true\nFROM scratch AS z'],
    ['stage numbers', 'FROM scratch\nFROM scratch\nCOPY --from=0 a b'],
    ['an empty --from', 'FROM scratch\nCOPY --from= a b'],
    ['heredoc bodies', 'FROM scratch\nCOPY <<E /x\nFROM a\nE'],
    ['triggers for other builds', 'FROM scratch\nONBUILD COPY --from=builder a b'],
  ])('leaves out %s', (_, text) => {
    expect(images(text)).toEqual([]);
  });

  it('leaves out named contexts, by any spelling of their name', () => {
    const text =
      'FROM node:latest\nFROM docker.io/library/alpine:3 AS deps\nCOPY --from=tools a b\nFROM busybox AS replaced\nFROM x';
    const namedContexts = ['node', 'alpine:3', 'tools', 'replaced', 'x:2', 'scratch'];
    expect(images(text, { namedContexts })).toEqual(['x 5']);
  });

  it('takes no named context for scratch and the build context', () => {
    const text = 'FROM scratch\nCOPY --from=context a b';
    expect(images(text, { namedContexts: ['scratch', 'context'] })).toEqual(['context 2']);
  });

  it('counts the triggers that run in this build, and those only', () => {
    const text = 'FROM scratch AS base\nONBUILD COPY --from=a b c\nONBUILD RUN --mount=from=d true\nFROM base';
    expect(images(text)).toEqual(['a 2', 'd 3']);
  });

  it('counts the triggers of base images that are known, at the line of their FROM', () => {
    const text = 'FROM scratch AS mine\nFROM node\nFROM other';
    const node = [
      'COPY --from=a b c',
      'COPY --from=mine b c',
      'COPY --from=0 b c',
      'RUN --mount=from=d true',
      'WHAT',
      '',
    ];
    expect(images(text, knownBases({ node: { triggers: node } }))).toEqual(['node 2', 'a 2', 'd 2', 'other 3']);
    expect(images(text)).toEqual(['node 2', 'other 3']);
  });

  it('expands FROM with global args, build args and nothing else', () => {
    const text = 'ARG V=22\nARG NAME=node:${V}\nFROM ${NAME}\nARG V=1\nFROM x:${V%2}\nFROM y${HTTP_PROXY:-z}';
    expect(images(text)).toEqual(['node:22 3', 'x:2 5', 'yz 6']);
    const buildArgs = new Map([
      ['V', '24'],
      ['HTTP_PROXY', 'q'],
      ['toString', 'x'],
    ]);
    expect(images(text, { buildArgs })).toEqual(['node:24 3', 'x:24 5', 'yz 6']);
  });

  it('expands FROM to a stage', () => {
    expect(images('ARG BASE=one\nFROM a AS one\nFROM ${BASE}')).toEqual(['a 2']);
  });

  it('resolves platform args for each wanted platform', () => {
    const text =
      'FROM --platform=$BUILDPLATFORM a:$BUILDARCH\nFROM b:${TARGETARCH}${TARGETVARIANT}\nFROM c:${TARGETOS}\nFROM d:$TARGETSTAGE AS e';
    expect(images(text, { platforms: [ARM64, ARMV7] })).toEqual([
      'a:amd64 1',
      'b:arm64 2',
      'c:linux 3',
      'd:e 4',
      'b:armv7 2',
    ]);
    expect(images('FROM scratch AS a\nFROM x:$TARGETSTAGE', { target: 'a' })).toEqual(['x:a 2']);
  });

  it('takes a build arg for a platform arg', () => {
    expect(images('FROM a:$TARGETARCH', { buildArgs: new Map([['TARGETARCH', 'mine']]) })).toEqual(['a:mine 1']);
  });

  it('takes the frontend of BUILDKIT_SYNTAX instead of the directive', () => {
    const buildArgs = new Map([['BUILDKIT_SYNTAX', ' my/frontend:2 x']]);
    expect(imagesOf(read('# syntax=docker/dockerfile:1\nFROM scratch'), buildScope({ buildArgs }))).toEqual({
      ok: true,
      value: [{ reference: 'my/frontend:2', line: undefined }],
    });
  });

  it('knows the frontend of a file that is no Dockerfile', () => {
    const syntax = detectSyntax('// syntax=my/frontend:1\nhello');
    expect(frontendOf(syntax, new Map())).toEqual({ ok: true, value: { reference: 'my/frontend:1', line: 1 } });
    expect(frontendOf(undefined, new Map())).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ['a FROM that expands to nothing', 'ARG B\n\nFROM $B', 3, 'is empty'],
    ['a platform that expands to nothing', 'FROM --platform=$NO a', 1, 'is empty'],
    ['a FROM that is no reference', 'FROM a\nFROM Node:22', 2, 'upper-case'],
    ['a stage by another case than the lower one', 'FROM a AS One\nFROM ONE', 2, 'upper-case'],
    ['one in a stage that nothing needs', 'FROM a:!\nFROM scratch', 1, 'tag'],
    ['a FROM that cannot be expanded', 'FROM ${A:?give-A}', 1, 'give-A'],
    ['a global ARG that cannot be expanded', 'ARG A=${B?no-B}\nFROM a', 1, 'no-B'],
    ['a --from that is no reference', 'FROM a\nCOPY --from=A b c', 2, 'upper-case'],
    ['a mount that is no reference', 'FROM a\nRUN --mount=from=A b', 2, 'upper-case'],
    ['a stage number that is none', 'FROM a\nCOPY --from=1 b c', 2, 'no such stage'],
    ['a negative stage number', 'FROM a\nCOPY --from=-1 b c', 2, 'no such stage'],
    ['a frontend that is no reference', '# check=skip=all\n# syntax=A\nFROM a', 2, 'the frontend'],
    ['a Dockerfile without FROM', 'ARG A', 1, 'no FROM'],
  ])('refuses %s', (_, text, line, problem) => {
    expect(images(text)).toEqual({ ok: false, line, problem: expect.stringContaining(problem) });
  });

  const refused = vectors.cases.filter((vector) => 'error' in vector && /from|target/i.test(vector.error ?? ''));
  it.each(refused)('refuses $id as BuildKit does', (vector) => {
    const target = 'target' in vector ? vector.target : undefined;
    expect(images(vector.dockerfile, { target })).toMatchObject({ ok: false });
  });

  it.each(accepted)("finds all of BuildKit's images of $id", (vector) => {
    const found = imagesOf(read(vector.dockerfile), scopeOf(vector));
    const names = found.ok ? found.value.map(({ reference }) => reference.replace(/[:@].*/, '')) : [];
    const expected = (vector.sources ?? []).flatMap((source) => {
      const [, name] = /^docker-image:\/\/(?:docker\.io\/)?(?:library\/)?([^:@ ]+)/.exec(source) ?? [];
      return name ?? [];
    });
    expect(names).toEqual(expect.arrayContaining(expected));
  });

  it.each(accepted)("finds BuildKit's remote sources of $id", (vector) => {
    const expected = (vector.sources ?? []).filter((source) => !source.startsWith('docker-image:'));
    expect(remoteAdds(read(vector.dockerfile), scopeOf(vector))).toHaveLength(expected.length);
  });
});

describe('remoteAdds', () => {
  const commit = 'a'.repeat(40);

  it.each([
    ['http', 'ADD http://a/b /', ['http://a/b 2']],
    ['https', 'ADD https://a/b c https://d /', ['https://a/b 2', 'https://d 2']],
    ['git over https', 'ADD https://a/b.git#main /', ['https://a/b.git#main 2']],
    ['git over ssh', 'ADD git@a:b/c.git /', ['git@a:b/c.git 2']],
    ['git and ssh URLs', 'ADD git://a/b ssh://c/d /', ['git://a/b 2', 'ssh://c/d 2']],
    ['JSON', 'ADD ["https://a/b", "/"]', ['https://a/b 2']],
    ['quotes', 'ADD "https://a/b" /', ['"https://a/b" 2']],
    ['an ARG', 'ARG U=https://a/b\nADD $U /', ['$U 3']],
    ['an ENV', 'ENV H=a\nENV U=https://$H\nADD ${U}/b /', ['${U}/b 4']],
    ['a default', 'ARG U\nADD ${U:-https://a} /', ['${U:-https://a} 3']],
    ['an empty checksum', 'ADD --checksum= https://a/b /', ['https://a/b 2']],
    ['a checksum that expands to nothing', 'ARG C\nADD --checksum=$C https://a/b /', ['https://a/b 3']],
    ['a commit of what is no repository', `ADD https://a/b#${commit} /`, [`https://a/b#${commit} 2`]],
  ])('finds %s, in all stages and in those that the target needs', (_, text, expected) => {
    expect(adds(`FROM scratch\n${text}`)).toEqual(expected);
    expect(reachedAdds(`FROM scratch\n${text}`)).toEqual(expected);
  });

  it.each([
    ['paths', 'ADD a b.tar /'],
    ['COPY', 'COPY https://a/b /'],
    ['a checksum', 'ADD --checksum=sha256:x https://a/b /'],
    ['a checksum by ARG', 'ARG C=sha256:x\nADD --checksum=$C https://a/b /'],
    ['a commit', `ADD https://a/b.git#${commit}:sub /`],
    ['a commit in the query', `ADD git@a:b.git?ref=${commit} /`],
    ['an ARG that is a path', 'ARG JAR=target/*.jar\nADD $JAR /'],
    ['heredocs', 'ADD <<E /x\nhttps://a\nE'],
    ['an image that is named like one', 'ADD https:/a /'],
    ['triggers for other builds', 'ONBUILD ADD https://a/b /'],
  ])('leaves out %s', (_, text) => {
    expect(adds(`FROM scratch\n${text}`)).toEqual([]);
    expect(reachedAdds(`FROM scratch\n${text}`)).toEqual([]);
  });

  it('counts what cannot be expanded', () => {
    expect(adds('FROM scratch\nADD ${U:?unset} /')).toEqual(['${U:?unset} 2']);
  });

  it('counts triggers that run in this build', () => {
    expect(adds('FROM scratch AS a\nARG U=https://x\nONBUILD ADD $U /\nFROM a')).toEqual(['$U 3']);
  });

  it('counts triggers of base images that are known', () => {
    const triggers = ['ARG U=https://x', 'ADD $U /', 'ADD path /'];
    expect(adds('FROM node\nADD $U /', knownBases({ node: { triggers } }))).toEqual(['$U 1', '$U 2']);
  });

  it('takes build args, global args and inherited variables', () => {
    const text =
      'ARG G=https://g\nFROM scratch AS a\nARG G\nARG U=local\nENV E=$G\nFROM a\nADD $U /\nADD $E /\nADD ${TARGETARCH:-https://t} /';
    expect(adds(text)).toEqual(['$E 8', '${TARGETARCH:-https://t} 9']);
    expect(
      adds(text, {
        buildArgs: new Map([
          ['U', 'https://u'],
          ['G', 'path'],
        ]),
      }),
    ).toEqual(['$U 7', '${TARGETARCH:-https://t} 9']);
  });

  it.each([
    ['ADD $FROM_BASE /', 1],
    ['ADD "$FROM_BASE" /', 1],
    ['ADD http$S://a /', 1],
    ['ADD --checksum=$C https://a /', 1],
    ['ENV X=$FROM_BASE\nADD $X /', 1],
    ['ADD ./$FROM_BASE /', 0],
    ['ADD dist/$FROM_BASE.tar /', 0],
    ['ARG FROM_BASE=x\nADD $FROM_BASE /', 0],
  ])('with variables that an image may set, %j counts as %d', (text, count) => {
    expect(adds(`FROM image\n${text}`)).toHaveLength(count);
  });

  it('looks at every wanted platform', () => {
    const text = 'FROM scratch\nARG TARGETARCH\nADD ${TARGETARCH%64}://x /';
    expect(adds(text, { platforms: [AMD64, ARM64] })).toEqual([]);
    expect(
      adds('FROM scratch\nARG TARGETARCH\nADD ${TARGETARCH/arm64/https}://x /', { platforms: [AMD64, ARM64] }),
    ).toEqual(['${TARGETARCH/arm64/https}://x 3']);
  });
});

describe('runsPrograms', () => {
  it.each([
    ['FROM a\nCOPY b c', false],
    ['FROM a\nRUN b', true],
    ['FROM --platform=$BUILDPLATFORM a AS b\nRUN c\nFROM d\nCOPY --from=b e f', false],
    ['FROM --platform=${BUILDPLATFORM} a AS b\nFROM b\nRUN c', false],
    ['FROM --platform=linux/arm64 a\nRUN b', true],
    ['FROM a AS b\nFROM --platform=$BUILDPLATFORM b\nRUN c', true],
    ['FROM --platform=$BUILDPLATFORM a\nONBUILD RUN b', true],
  ])('%j: %s', (text, expected) => {
    expect(runsPrograms(read(text))).toBe(expected);
  });
});
