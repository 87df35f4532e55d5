import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BuildError, isBuildError, isHarmless, parseBuildFailure } from '../../src/tools/build-log.ts';

const rule = '--------------------';

/** As buildx 0.29 prints it for a RUN that fails on two platforms. */
const failedRun = `#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 113B done
#1 DONE 0.0s

#7 [linux/amd64 2/2] RUN echo a   && echo b   && false
#8 [linux/arm64 2/2] RUN echo a   && echo b   && false
#7 0.167 a
#8 0.170 other
#7 0.167 b
#7 ERROR: process "/bin/sh -c echo a   && echo b   && false" did not complete successfully: exit code: 1

#8 0.188 a
#8 ERROR: process "/bin/sh -c echo a   && echo b   && false" did not complete successfully: exit code: 1
------
 > [linux/amd64 2/2] RUN echo a   && echo b   && false:
0.167 a
0.167 b
------
Dockerfile:2
${rule}
   1 |     FROM 127.0.0.1:5055/base/busybox:1.38
   2 | >>> RUN echo a \\
   3 | >>>   && echo b \\
   4 | >>>   && false
   5 |     
${rule}
ERROR: failed to build: failed to solve: process "/bin/sh -c echo a   && echo b   && false" did not complete successfully: exit code: 1
`;

describe('an argument that docker does not take', () => {
  it('is the reason, and not the hint on usage below it', () => {
    const said = `invalid argument "x" for "--ulimit" flag: invalid ulimit argument: x\n\nUsage:  docker buildx build\n\nRun 'docker buildx build --help' for more information\n`;
    expect(parseBuildFailure(said).reason).toBe('invalid argument "x" for "--ulimit" flag: invalid ulimit argument: x');
  });
});

describe('a failing command', () => {
  it('is told with its step, its own log, its reason and its line', () => {
    expect(parseBuildFailure(failedRun)).toEqual({
      step: '[linux/amd64 2/2] RUN echo a && echo b && false',
      reason: 'process "/bin/sh -c echo a && echo b && false" did not complete successfully: exit code: 1',
      line: 2,
      excerpt: new Map([
        [1, 'FROM 127.0.0.1:5055/base/busybox:1.38'],
        [2, 'RUN echo a \\'],
        [3, '&& echo b \\'],
        [4, '&& false'],
        [5, ''],
      ]),
      target: undefined,
      log: ['a', 'b'],
      hint: undefined,
    });
  });

  it('shows the last 20 lines of its log', () => {
    const lines = Array.from({ length: 50 }, (_, index) => `#7 0.100 line ${index}`).join('\n');
    const { log } = parseBuildFailure(`#7 [1/1] RUN x\n${lines}\n#7 ERROR: exit code: 1\n`);
    expect(log).toHaveLength(20);
    expect(log.at(-1)).toBe('line 49');
  });
});

describe('a cache that cannot be read', () => {
  const missed = '#3 importing cache manifest from r/app:buildcache\n#3 ERROR: r/app:buildcache: not found\n';

  it('is not to blame for a command that fails', () => {
    expect(parseBuildFailure(missed + failedRun)).toMatchObject({
      step: expect.stringContaining('RUN echo a'),
      log: ['a', 'b'],
    });
  });

  it('is not to blame for an error that no step quotes', () => {
    const output = `${missed}#7 [1/1] RUN x\n#7 0.1 mine\n#7 ERROR: lost\nERROR: failed to solve: rpc error\n`;
    expect(parseBuildFailure(output)).toMatchObject({ step: '[1/1] RUN x', log: ['mine'] });
  });
});

describe('a line that says ERROR of a build that goes well', () => {
  const harmless =
    'ERROR: (*service).Write failed: rpc error: code = Unavailable desc = ref layer-sha256:8bdf locked for 2.548523ms (since 2026-11-21 10:03:16.605978019 +0000 UTC m=+0.570223667): unavailable';

  it('is the one of two platforms that write one blob', () => {
    expect(isHarmless(harmless)).toBe(true);
  });

  it.each([
    `#7 0.100 ${harmless}`,
    ` ${harmless}`,
    `${harmless}; and the disk is full`,
    'ERROR: (*service).Write failed',
    'ERROR: (*service).Write failed: no space left on device',
    'ERROR: failed to solve: ref x locked: unavailable',
    'ERROR: (*service).Commit failed error="ref x locked for 1ms: unavailable"',
    '',
  ])('is not %j', (line) => {
    expect(isHarmless(line)).toBe(false);
  });
});

describe('a Dockerfile that does not parse', () => {
  it('is told by its line, and has no step', () => {
    const output = `#1 DONE 0.0s\nDockerfile.dev:2\n${rule}\n   1 |     FROM x\n   2 | >>> RUNN echo\n${rule}\nERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN\n`;
    expect(parseBuildFailure(output)).toMatchObject({
      step: undefined,
      line: 2,
      reason: 'dockerfile parse error on line 2: unknown instruction: RUNN',
    });
  });
});

it('takes no other text with a colon and a number for a place in the Dockerfile', () => {
  const output = `Dockerfile:3\n${rule}\n   3 | >>> RUN x\n${rule}\nLearn more at https://docs.example:443\nERROR: x\n`;
  expect(parseBuildFailure(output).line).toBe(3);
});

describe('a builder that is lost', () => {
  it('is told by what buildx said last', () => {
    expect(parseBuildFailure('#1 [internal] waiting for connection\nERROR: context deadline exceeded\n')).toMatchObject(
      {
        step: undefined,
        line: undefined,
        reason: 'context deadline exceeded',
      },
    );
  });

  it.each(['', '\n', 'no colon', '#', '#1', '#x y', 'a:1\n', `a:1\n${rule}`])(
    'that prints %j is told too',
    (output) => {
      expect(parseBuildFailure(output).reason).not.toBe('');
    },
  );
});

describe('what usually helps', () => {
  it.each([
    ['exec /bin/sh: exec format error', 'emulation'],
    ['write /x: no space left on device', 'disk space'],
    ['failed to authorize: 401 Unauthorized', 'log in'],
    ['pull access denied, repository does not exist', 'log in'],
    ['dial tcp: lookup x.invalid: no such host', 'could not reach'],
    ['dial tcp 127.0.0.1:5000: connect: connection refused', 'network=host'],
    ['failed to load cache key: unknown scheme git: not found', 'the builder has no git'],
    ["fatal: could not read Username for 'https://x': terminal prompts disabled", 'GIT_AUTH_TOKEN'],
    ['process "/bin/sh -c x" did not complete successfully: exit code: 137', 'memory'],
    ['no match for platform in manifest: not found', 'Windows images cannot be used'],
  ])('against %j is said', (reason, hint) => {
    expect(parseBuildFailure(`ERROR: failed to solve: ${reason}`).hint).toContain(hint);
  });

  it('is looked for in the log of the step, too', () => {
    expect(
      parseBuildFailure(
        '#4 [1/1] RUN x\n#4 0.1 exec /x: exec format error\n#4 ERROR: exit code: 255\nERROR: exit code: 255',
      ).hint,
    ).toContain('emulation');
  });

  it('is not made up', () => {
    expect(parseBuildFailure('ERROR: exit code: 1').hint).toBeUndefined();
  });
});

describe('a build that prints what buildx prints', () => {
  it('cannot name another step, line or reason', () => {
    const forged = `#6 [1/2] RUN fine
#6 0.100 #6 ERROR: forged
#7 [1/1] RUN forge
#7 0.100 #9 ERROR: forged
#7 0.100 ERROR: forged
#7 0.100 Dockerfile:99
#7 0.100 ${rule}
#7 ERROR: exit code: 1
Dockerfile:3
${rule}
   3 | >>> RUN forge
${rule}
ERROR: failed to solve: exit code: 1
`;
    expect(parseBuildFailure(forged)).toMatchObject({ step: '[1/1] RUN forge', line: 3, reason: 'exit code: 1' });
  });

  it('is shown in short, printable lines', () => {
    const evil = `\u001b[31m::error::\r${'x'.repeat(1_000_000)}\u202e`;
    const failure = parseBuildFailure(`#7 [1/1] RUN ${evil}\n#7 0.1 ${evil}\n#7 ERROR: ${evil}\nERROR: ${evil}`);
    for (const text of [failure.step ?? '', failure.reason, ...failure.log]) {
      expect(text.length).toBeLessThanOrEqual(400);
      expect(text).not.toMatch(/[\u001b\u202e\r\n]/);
    }
  });

  it('never stops the reader', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom(rule, 'a:1', '#1 [x]', '#1 ERROR: ', 'ERROR: ', '   1 | >>> '))),
        (lines) => {
          const failure = parseBuildFailure(lines.join('\n'));
          expect(failure.log.length).toBeLessThanOrEqual(20);
          expect(failure.line ?? 1).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('the error of a failed build', () => {
  const error = new BuildError(parseBuildFailure(failedRun), {
    command: 'docker buildx build',
    status: 1,
    location: { file: 'Dockerfile', line: 2 },
  });

  it('says the step, the reason and the last lines', () => {
    expect(error.message.split('\n')).toEqual([
      expect.stringMatching(/^the build failed at \[linux\/amd64 2\/2\] RUN .*: process .* exit code: 1$/),
      '  a',
      '  b',
    ]);
    expect(error).toMatchObject({
      code: 'BUILD_FAILED',
      exitCode: 1,
      status: 1,
      location: { file: 'Dockerfile', line: 2 },
    });
  });

  it('is known by its shape', () => {
    expect(isBuildError(error)).toBe(true);
    expect(isBuildError(new Error('x'))).toBe(false);
    expect(isBuildError(undefined)).toBe(false);
  });
});
