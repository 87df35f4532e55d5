import { describe, expect, it } from 'vitest';
import type { BuildScope } from '../../src/core/build-scope.ts';
import { parseDockerfile } from '../../src/core/dockerfile.ts';
import { readTarget } from '../../src/core/target-reads.ts';
import { buildScope } from '../support/build-scope.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const COMMIT = 'a'.repeat(40);

/** The line on which a Dockerfile is refused; `undefined` when it is taken. */
function refusedAt(text: string, scope: Partial<BuildScope> = {}): number | undefined {
  const parsed = parseDockerfile(text);
  if (!parsed.ok) return parsed.line;
  const reads = readTarget(parsed.value, buildScope(scope), AMD64);
  return reads.ok ? undefined : reads.line;
}

/** Of each instruction, arguments that BuildKit v0.29 takes and such that it refuses. */
const ARGUMENTS: readonly (readonly [instruction: string, taken: readonly string[], refused: readonly string[]])[] = [
  [
    'EXPOSE',
    [
      '80',
      '80/tcp',
      '80/UDP',
      '80/',
      '8000-8010',
      '1-1',
      '+80',
      '080',
      '0',
      '65535',
      '1:2',
      ':80',
      '1.2.3.4:1:2',
      '[::1]:1:2',
      '::1:1:2',
      '1-3:4',
      '1-3:4-6',
      '${A:-80}',
      '${A}',
      '80 90/sctp',
      '1.2.3.4::80',
      '[1.2.3.4]:1:2',
      '::ffff:1.2.3.4:1:2',
    ],
    [
      'x',
      '80/foo',
      '80/tcp/x',
      '/tcp',
      '-1',
      '65536',
      '80-',
      '8010-8000',
      '2-3-4',
      '0x50',
      '8_0',
      'a:80',
      '80:',
      '1:2:3',
      '999.1.1.1:1:2',
      '01.2.3.4:1:2',
      '[::1:1:2',
      '1-3:4-5',
      'fe80::1%eth0:1:2',
      '80 x',
      '${B:-x}',
      '99999999999999999999',
      '1::2:::3:1:2',
    ],
  ],
  [
    'STOPSIGNAL',
    ['SIGTERM', 'term', 'sigKill', '9', '-1', '99', 'RTMIN', 'SIGRTMIN+15', 'RTMAX-14', 'CLD', '+9'],
    [
      '0',
      '-0',
      'SIGFOO',
      'RTMIN+16',
      'RTMAX-15',
      'RTMIN+0',
      'RTMAX+1',
      'SIGSIGTERM',
      'INFO',
      '$A',
      'SIGTERM x',
      '99999999999999999999',
      'RTMIN+01',
    ],
  ],
  ['VOLUME', ['/a', '/a /b', '["/a"]', '"$A"x'], ['$A', '/a ${A}', "''", '[]']],
  [
    'RUN',
    [
      '--mount=type=tmpfs,target=/t,size=1.5GiB x',
      '--mount=type=cache,target=/c,sharing=LOCKED,mode=0755,uid=0 x',
      '--mount=target=/t,ro=T x',
      '--mount=type=ssh,required x',
      '--mount=type=secret,id=a,env=A x',
      '--device=vendor.com/class=a x',
      '--device=name=a,required=0 x',
      '--device=required x',
      '--device=a=b,required x',
    ],
    [
      '--mount=type=tmpfs,target=/t,size=1x x',
      '--mount=size=1m,type=tmpfs,target=/t x',
      '--mount=type=cache,target=/c,sharing=x x',
      '--mount=type=cache,target=/c,mode=9 x',
      '--mount=type=cache,target=/c,uid=-1 x',
      '--mount=type=cache,target=/c,gid=4294967296 x',
      '--mount=target=/t,ro=x x',
      '--mount=target=/t,ro=yes x',
      '--mount=required,type=ssh x',
      '--mount=type=ssh,source=a x',
      '--mount=type=secret,id=a,source=b x',
      '--device=a,b x',
      '--device=a,required=x x',
      '--device=name=a,name=b x',
      '--device= x',
    ],
  ],
  [
    'HEALTHCHECK',
    [
      'NONE',
      'CMD x',
      'CMD []x',
      '--retries=0 CMD x',
      '--interval=1ms CMD x',
      '--interval=0 CMD x',
      '--interval= CMD x',
    ],
    [
      '',
      'x',
      'NONE x',
      'CMD',
      'CMD []',
      'CMD [1]',
      '--retries=-1 CMD x',
      '--retries=2147483648 CMD x',
      '--interval=1us CMD x',
      '--interval=-1s CMD x',
      '--interval=5 CMD x',
      '--interval=1d CMD x',
      '--timeout=x CMD x',
      '--foo=1 CMD x',
    ],
  ],
  [
    'ADD',
    [
      'https://x.com/r.git?ref=a /',
      'https://x.com/r.git?ref=a#a /',
      'https://x.com/r.git?keep-git-dir /',
      'https://x.com/r.git?submodules=0 /',
      'https://x.com/r.git?mtime=commit /',
      'https://x.com/r.git?a;b /',
      'https://x.com/r.git?ref=%zz /',
      'https://x.com/a?foo=1 /',
      `--checksum=${COMMIT} https://x.com/r.git?commit=${COMMIT} /`,
      '--keep-git-dir https://x.com/r.git?keep-git-dir=1 /',
    ],
    [
      'https://x.com/r.git?foo=1 /',
      'https://x.com/r.git?REF=a /',
      'https://x.com/r.git?ref= /',
      'https://x.com/r.git?ref=a&ref=a /',
      'https://x.com/r.git?ref=a#b /',
      'https://x.com/r.git?tag=a&branch=b /',
      'https://x.com/r.git?ref=a&tag=a /',
      'https://x.com/r.git?subdir=a#:b /',
      'https://x.com/r.git?keep-git-dir=x /',
      'https://x.com/r.git?submodules=x /',
      'https://x.com/r.git?mtime=x /',
      'git@x.com:a/b?foo=1 /',
      'ssh://x.com/a?foo /',
      `--checksum=${COMMIT} https://x.com/r.git?commit=abcdef1 /`,
      '--keep-git-dir=false https://x.com/r.git?keep-git-dir /',
    ],
  ],
  [
    'COPY',
    ['<<E /\n${A:-x} \' "\nE', "<<'E' /\n${U:?no}\nE", '<<E /\n\\${U:?no}\nE', '--from=99999999999999999999 a /'],
    ['<<E /\n${U:?no}\nE', '<<E /\n${A\nE', '<<-E /\n\t${A!}\nE', '--from=9 a /', '<<E $A${U:?no}\nE'],
  ],
  ['ARG', ['A=1 B=${A:?}', 'B=${A:-x}'], ['B=${A:?}', 'B=${A:?} A=1']],
];

describe.each(ARGUMENTS)('%s', (instruction, taken, refused) => {
  it.each(taken)('takes %j', (args) => {
    expect(refusedAt(`FROM scratch\n\n${instruction} ${args}\n`)).toBeUndefined();
  });

  it.each(refused)('refuses %j', (args) => {
    expect(refusedAt(`FROM scratch\n\n${instruction} ${args}\n`)).toBe(3);
  });

  it('is not looked at in a stage that nothing needs, unless the file cannot be read with it', () => {
    const answers = refused.map((args) => refusedAt(`FROM scratch\n\n${instruction} ${args}\n\nFROM scratch\n`));
    for (const line of answers) expect([undefined, 3]).toContain(line);
  });

  it('is not refused where it depends on what only the base image knows', () => {
    expect(refusedAt(`FROM base\n${instruction} ${instruction === 'RUN' ? '--mount=type=$X x' : '$X $Y'}\n`)).not.toBe(
      1,
    );
  });
});

describe('FROM --platform', () => {
  it.each([
    'linux',
    'AMD64',
    'arm',
    'x86_64',
    'linux/amd64',
    'linux/x',
    'foo/bar',
    'linux/arm/v7',
    'linux/amd64/v9',
    'js/wasm',
    'macos',
    'windows(10.0.1)/amd64',
    '$BUILDPLATFORM',
  ])('takes %s', (platform) => {
    expect(refusedAt(`FROM --platform=${platform} busybox\n`)).toBeUndefined();
  });

  it.each([
    'x',
    'linux/',
    '/amd64',
    'linux//v7',
    'linux/arm/',
    'linux/arm/v7/x',
    '*',
    'linux/*',
    'linux/é',
    'li(nux',
    'linux(x',
    '$NONE',
    'a.b/c',
  ])('refuses %s, also for a stage that nothing needs', (platform) => {
    expect(refusedAt(`FROM busybox AS a\nFROM --platform=${platform} busybox\nFROM a\n`)).toBe(2);
  });
});

describe('a trigger that cannot be read', () => {
  it.each(['COPY', 'FOO x', 'RUN --mount', 'COPY --x a /', 'COPY --from=$X'])(
    'ONBUILD %s is refused where it runs',
    (trigger) => {
      const text = `FROM scratch AS a\nONBUILD ${trigger}\n`;
      expect(refusedAt(text)).toBeUndefined();
      expect(refusedAt(`${text}FROM a AS b\nFROM scratch\n`)).toBeUndefined();
      expect(refusedAt(`${text}FROM a\n`)).toBe(3);
    },
  );
});

describe('directives', () => {
  it.each(['skip=all', 'skip=A,B;error=true', 'experimental=all;skip=x', '', 'skip=a;error=T', 'error=false;skip='])(
    '# check=%s is taken',
    (options) => {
      expect(refusedAt(`# syntax=docker/dockerfile:1\n# check=${options}\nFROM scratch\n`)).toBeUndefined();
    },
  );

  it.each(['x', 'skip', 'x=1', 'error=maybe', 'skip=a;;error=true', 'skip=all;foo=1', 'skip=a;skip=b;error=true;c=d'])(
    '# check=%s is refused',
    (options) => {
      expect(refusedAt(`# syntax=docker/dockerfile:1\n# check=${options}\nFROM scratch\n`)).toBe(2);
      expect(refusedAt(`#!/bin/x\n# check=${options}\nFROM scratch\n`)).toBe(2);
      expect(refusedAt(`FROM scratch\n# check=${options}\n`)).toBeUndefined();
    },
  );
});

it.each([
  ['ARG SOURCE_DATE_EPOCH=x\nFROM scratch', {}, 1],
  ['ARG SOURCE_DATE_EPOCH=12\nFROM scratch', {}, undefined],
  ['ARG SOURCE_DATE_EPOCH=\nFROM scratch', {}, undefined],
  ['FROM scratch', { SOURCE_DATE_EPOCH: '1.5' }, 1],
  ['FROM scratch', { SOURCE_DATE_EPOCH: '-1' }, undefined],
])('SOURCE_DATE_EPOCH must be a number: %j with %j', (text, args, line) => {
  expect(refusedAt(text, { buildArgs: new Map(Object.entries(args)) })).toBe(line);
});

it.each([
  ['a target that is none comes before an image that is none', 'FROM Bad\nFROM scratch\n', { target: 'x' }, 2],
  ['a platform of a later line comes before the target', 'FROM scratch\nFROM --platform=* x\n', { target: 'x' }, 2],
])('%s', (_, text, scope, line) => {
  expect(refusedAt(text, scope)).toBe(line);
});
