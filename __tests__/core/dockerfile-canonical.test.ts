import { describe, expect, it } from 'vitest';
import { canonicalInstructions, parseDockerfile } from '../../src/core/dockerfile.ts';

function canonical(text: string): readonly string[] {
  const result = parseDockerfile(text);
  if (!result.ok) throw new Error(`line ${result.line}: ${result.problem}`);
  return canonicalInstructions(result.value);
}

describe('canonicalInstructions', () => {
  it('reads well', () => {
    const text = [
      '# syntax=docker/dockerfile:1',
      'arg V=1',
      'from --platform=$BUILDPLATFORM node:${V} as Build',
      'copy --link --from=x "a" ["b c",   "d"]',
      'COPY ["b c",   "d"]',
      'run  npm ci   && x',
      'RUN [ -f x ]',
      'CMD ["a"]',
      'ENV A=b C="d e"',
      'HEALTHCHECK --retries=3 cmd curl x',
      'COPY <<EOF /f',
      'body',
      'EOF',
      '',
    ].join('\n');
    expect(canonical(text)).toEqual([
      '# syntax=docker/dockerfile:1',
      'ARG V=1',
      'FROM --platform=$BUILDPLATFORM node:${V} AS build',
      'COPY --link=true --from=x "\\"a\\"" "[\\"b" c", "\\"d\\"]"',
      'COPY ["b c","d"]',
      'RUN npm ci   && x',
      'RUN "[ -f x ]"',
      'CMD ["a"]',
      'ENV A=b "C=\\"d e\\""',
      'HEALTHCHECK --retries=3 CMD curl x',
      'COPY <<EOF /f\nbody\nEOF',
    ]);
  });

  const plain = 'FROM a AS b\nCOPY x \\\n  y /z\nRUN <<E\n a\nE\nENV k=v\n';
  it.each([
    ['comments', '# c\nFROM a AS b\nCOPY x \\\n# c\n  y /z\n# c\nRUN <<E\n a\nE\nENV k=v\n'],
    ['line ends outside of heredocs', 'FROM a AS b\r\nCOPY x \\\r\n  y /z\r\nRUN <<E\r\n a\nE\r\nENV k=v\r\n'],
    ['indentation', '  FROM a AS b\n\tCOPY x y \\\n /z\n  RUN <<E\n a\nE\n  ENV   k=v'],
    ['the case of names', 'from a As B\ncopy x y /z\nrun <<E\n a\nE\nenv k=v\n'],
    ['blank lines, a byte-order mark and a check directive', `\ufeff# check=skip=all\n\n${plain}\n\n`],
  ])('is the same whatever %s', (_, text) => {
    expect(canonical(text)).toEqual(canonical(plain));
  });

  it.each([
    ['RUN a', 'RUN ["a"]'],
    ['RUN a', 'RUN "a"'],
    ['RUN a b', 'RUN a  b'],
    ['RUN a\nRUN b', 'RUN a \\\nRUN b'],
    ['RUN <<E\n a\nE', 'RUN <<E\na\nE'],
    ['RUN <<E\na\r\nE', 'RUN <<E\na\nE'],
    ['RUN <<E\na\nE', 'RUN <<"E"\na\nE'],
    ['RUN <<E\n\ta\nE', 'RUN <<-E\n\ta\nE'],
    ['RUN <<A <<B\nx\nA\nB', 'RUN <<A <<B\nA\nx\nB'],
    ['COPY a b c', 'COPY ["a b", "c"]'],
    ['COPY ["a\tb","c"] /', 'COPY ["a b","c"]'],
    ['COPY --from=x a b', 'COPY a b'],
    ['COPY --link=false a b', 'COPY --link a b'],
    ['COPY -- --link a b', 'COPY --link a b'],
    ['ENV a=b c=d', 'ENV a="b c=d"'],
    ['ENV a b c=d', 'ENV a=b c=d'],
    ['ARG a', 'ARG a='],
    ['HEALTHCHECK NONE', 'HEALTHCHECK CMD NONE'],
    ['ONBUILD RUN a', 'RUN a'],
    ['USER a', 'WORKDIR a'],
  ])('tells %j from %j', (one, other) => {
    expect(canonical(`FROM x\n${one}`)).not.toEqual(canonical(`FROM x\n${other}`));
  });

  it('tells escape characters, frontends and stages apart', () => {
    const texts = [
      'FROM x\n',
      '# escape=`\nFROM x\n',
      '# syntax=a\nFROM x\n',
      'FROM x AS y\n',
      'FROM --platform=y x\n',
      'ARG x\nFROM x\n',
    ];
    expect(new Set(texts.map((text) => JSON.stringify(canonical(text)))).size).toBe(texts.length);
  });
});
