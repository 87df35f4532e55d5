import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Dockerfile,
  flagOf,
  flagsOf,
  type Instruction,
  pairsOf,
  parseDockerfile,
  sourcesOf,
  triggerOf,
} from '../../src/core/dockerfile.ts';
import vectors from '../vectors/parse.json' with { type: 'json' };

function read(text: string): Dockerfile {
  const result = parseDockerfile(text);
  if (!result.ok) throw new Error(`line ${result.line}: ${result.problem}`);
  return result.value;
}

/** The instructions of a stage that begins with `FROM scratch`. */
function instructionsOf(text: string): readonly Instruction[] {
  return read(`FROM scratch\n${text}`).stages[0]?.instructions ?? [];
}

function instructionOf(text: string): Instruction {
  const [first] = instructionsOf(text);
  if (first === undefined) throw new Error('no instruction');
  return first;
}

/** An instruction in the form of the vectors. */
function asVector(instruction: Instruction): object {
  const { name } = instruction;
  const base = { name };
  const used = [...new Set(instruction.flags.map((flag) => flag.name))].sort();
  if (name === 'RUN') return used.length === 0 ? base : { ...base, mounts: used };
  if (name !== 'COPY' && name !== 'ADD') return base;
  const { paths, documents, destination } = sourcesOf(instruction);
  const from = flagOf(instruction, 'from') ?? '';
  const exclude = flagsOf(instruction, 'exclude');
  return {
    ...base,
    ...(from === '' ? {} : { from }),
    ...(paths.length === 0 ? {} : { sources: paths }),
    ...(documents.length === 0 ? {} : { docs: documents.map((one) => one.name) }),
    dest: destination,
    ...(exclude.length === 0 ? {} : { exclude }),
    ...(flagOf(instruction, 'parents') === 'true' ? { parents: true } : {}),
  };
}

describe("BuildKit's own answers", () => {
  it.each(vectors.cases)('$id', ({ dockerfile, stages }) => {
    const expected = stages.map((stage) => ({
      ...stage,
      Cmds: (stage.Cmds ?? []).map((one) => ({
        ...one,
        name: one.name.toUpperCase(),
        ...('mounts' in one ? { mounts: [...(one.mounts ?? [])].sort() } : {}),
      })),
    }));
    const actual = read(dockerfile).stages.map(({ base, name, platform, instructions }) => ({
      Base: base,
      Name: name,
      Platform: platform,
      Cmds: instructions.map(asVector),
    }));
    expect(actual).toEqual(expected);
  });
});

describe('lines', () => {
  it('joins continued lines over comments and blank lines, and counts lines from 1', () => {
    const text = '\n# c\nFROM a\n\nRUN one \\\n  # comment\n\n  two \\  \n  three\nRUN four\n';
    expect(read(text).stages[0]?.instructions).toMatchObject([
      { words: ['one   two   three'], line: 5, endLine: 9 },
      { words: ['four'], line: 10, endLine: 10 },
    ]);
  });

  it.each([
    ['RUN a \\\\\nRUN b', ['a \\\\', 'b']],
    ['RUN a \\', ['a']],
    ['\\\nRUN a', ['a']],
    ['RUN a # b', ['a # b']],
    ['  RUN a\r\n\tRUN b\r\n', ['a', 'b']],
    ['RUN a\u2028b', ['a\u2028b']],
  ])('reads %j', (text, words) => {
    expect(instructionsOf(text).map((one) => one.words[0])).toEqual(words);
  });

  it('takes a line of 65,535 bytes and refuses a longer one', () => {
    expect(parseDockerfile(`FROM a\nRUN ${'x'.repeat(65_531)}\n`)).toMatchObject({ ok: true });
    expect(parseDockerfile(`FROM a\nRUN ${'x'.repeat(65_532)}\n`)).toMatchObject({ ok: false, line: 2 });
    expect(parseDockerfile(`FROM a\nRUN ${'é'.repeat(32_766)}\n`)).toMatchObject({ ok: false, line: 2 });
  });
});

describe('heredocs', () => {
  it('reads several of one line, and never reads a body as instructions', () => {
    const run = instructionOf('RUN <<A cat <<-"B"\nRUN no\n# not a comment\nA\n\tx\r\n\tB\nRUN yes');
    expect(run.heredocs).toEqual([
      { name: 'A', expand: true, chomp: false, content: 'RUN no\n# not a comment\n' },
      { name: 'B', expand: false, chomp: true, content: '\tx\r\n' },
    ]);
    expect(run.endLine).toBe(7);
  });

  it('gives COPY its documents, without the tabs that <<- drops', () => {
    const copy = instructionOf("COPY a <<-one <<'two' /x/\n\t\t1\n\tone\n$2\ntwo\n");
    expect(sourcesOf(copy)).toEqual({
      paths: ['a'],
      documents: [
        { name: 'one', expand: true, content: '1\n' },
        { name: 'two', expand: false, content: '$2\n' },
      ],
      destination: '/x/',
    });
  });

  it.each([
    ['JSON', 'RUN ["<<A"]\nRUN b'],
    ['quotes', 'RUN echo "<<A"\nRUN b'],
    ['an escape', 'RUN echo \\<<A\nRUN b'],
    ['a third bracket', 'RUN cat <<<A\nRUN b'],
    ['another instruction', 'LABEL a=<<A\nRUN b'],
    ['quotes that are not balanced', "RUN it's <<A\nRUN b"],
  ])('finds none in %s', (_, text) => {
    expect(instructionsOf(text)).toHaveLength(2);
  });
});

describe('arguments', () => {
  it.each([
    ['COPY a\tb  c', ['a', 'b', 'c'], false],
    ['COPY ["a b", "c"]', ['a b', 'c'], true],
    ['COPY --link ["a b", "c"]', ['a b', 'c'], true],
    ['COPY ["a", b]', ['["a",', 'b]'], false],
    ['CMD ["a", "b"]', ['a', 'b'], true],
    ['CMD  a  b ', ['a  b'], false],
    ['ENTRYPOINT []', [], true],
    ['HEALTHCHECK CMD ["a"]', ['CMD', 'a'], true],
    ['HEALTHCHECK cmd a  b', ['cmd', 'a  b'], false],
    ['RUN ["\\ud800"]', ['\ufffd'], true],
  ])('reads %s', (text, words, json) => {
    expect(instructionOf(text)).toMatchObject({ words, json });
  });

  it.each([
    [
      'ENV a=b c="d e" f=g\\ h',
      [
        ['a', 'b'],
        ['c', '"d e"'],
        ['f', 'g\\ h'],
      ],
    ],
    ['ENV a  b = c', [['a', 'b = c']]],
    ['LABEL "a b"="c"', [['"a b"', '"c"']]],
    [
      'ARG a b=c d=',
      [
        ['a', undefined],
        ['b', 'c'],
        ['d', ''],
      ],
    ],
  ])('reads the pairs of %s', (text, pairs) => {
    expect(pairsOf(instructionOf(text)).map(({ name, value }) => [name, value])).toEqual(pairs);
  });

  it('reads flags up to the first word, quotes and escapes removed', () => {
    const copy = instructionOf('COPY --from=a --exclude="b c" --exclude=\\d --link=FALSE -- --chown=x y');
    expect(copy.flags).toEqual([
      { name: 'from', value: 'a' },
      { name: 'exclude', value: 'b c' },
      { name: 'exclude', value: 'd' },
      { name: 'link', value: 'false' },
    ]);
    expect(copy.words).toEqual(['--chown=x', 'y']);
  });

  it('reads the bytes of a flag as characters, as BuildKit does', () => {
    expect(flagOf(instructionOf('COPY --exclude=é a b'), 'exclude')).toBe('Ã©');
    expect(instructionOf('COPY --exclude=é ü b').words).toEqual(['ü', 'b']);
  });

  it('knows global ARGs, names, platforms and lines of stages', () => {
    const { globalArgs, stages } = read('ARG A=1\nFROM --platform=$P x:${A} as One\nfrom one\n');
    expect(globalArgs.flatMap(pairsOf)).toEqual([{ name: 'A', value: '1' }]);
    expect(stages).toMatchObject([
      { name: 'one', base: 'x:${A}', platform: '$P', line: 2, instructions: [] },
      { name: '', base: 'one', platform: '', line: 3, instructions: [] },
    ]);
  });

  it('reads the trigger of ONBUILD as it will be read where it runs', () => {
    const [copy, run, broken] = instructionsOf('ONBUILD COPY --from=a b c\nonbuild  RUN <<E\nx\nE\nONBUILD COPY a');
    expect(copy?.words).toEqual(['COPY --from=a b c']);
    expect(copy && triggerOf(copy)).toMatchObject({ name: 'COPY', line: 2, words: ['b', 'c'] });
    expect(run?.words).toEqual(['RUN <<E\nx\nE']);
    expect(run && triggerOf(run)?.heredocs).toMatchObject([{ content: 'x\n' }]);
    expect(broken && triggerOf(broken)).toBeUndefined();
  });
});

describe('problems', () => {
  it.each([
    ['', 1, 'no instructions'],
    ['# only\n# comments\n', 2, 'no instructions'],
    ['# escape=x\nFROM a', 1, '"x" is no escape character'],
    ['# syntax=a\n# syntax=b\nFROM a', 2, 'twice'],
    ['RUN a\nFROM b', 1, 'before the first FROM'],
    ['FROM a\nRUN <<E\nx', 2, '"E" is not ended'],
    ['FROM a b', 1, 'FROM takes'],
    ['FROM', 1, 'FROM takes'],
    ['FROM a AS 1x', 1, 'not a name for a stage'],
    ['FROM --platform a', 1, '--platform needs a value'],
    ['FROM --platform=a --platform=b c', 1, 'twice'],
    ['FROM a\nCOPY b', 2, 'a source and a destination'],
    ['FROM a\nCOPY b <<E\nE', 2, 'cannot write to a heredoc'],
    ['FROM a\nCOPY --link=maybe b c', 2, 'true and false'],
    ['FROM a\nCMD [1]', 2, 'other things than strings'],
    ['FROM a\nENV', 2, 'needs an argument'],
    ['FROM a\nENV b', 2, 'no value'],
    ['FROM a\nENV b=c d', 2, 'no "="'],
    ['FROM a\nENV =c', 2, 'name is missing'],
    ['FROM a\nARG =c', 2, 'name is missing'],
    ['FROM a\nUSER', 2, 'needs an argument'],
    ['FROM a\nSHELL sh', 2, 'JSON array'],
    ['FROM a\nVOLUME [""]', 2, 'empty'],
    ['FROM a\nONBUILD', 2, 'needs an argument'],
    ['FROM a\nONBUILD ONBUILD RUN x', 2, 'cannot trigger'],
    ['FROM a\nONBUILD FROM x', 2, 'cannot trigger'],
    ['FROM a\nRUN --network=lan x', 2, 'default, none and host'],
    ['FROM a\nRUN --security=none x', 2, 'insecure and sandbox'],
    ['FROM a\nRUN --mount=from=$x x', 2, 'takes no variables'],
    ["FROM a\nRUN --mount='type=\"bind' x", 2, 'comma-separated'],
    ['FROM a\nHEALTHCHECK x', 2, 'CMD and NONE'],
    ['FROM a\nHEALTHCHECK CMD', 2, 'needs a command'],
    ['FROM a\nHEALTHCHECK NONE x', 2, 'no arguments'],
    ['FROM a\nHEALTHCHECK --interval=1us CMD x', 2, 'out of range'],
    ['FROM a\nHEALTHCHECK --retries=-1 CMD x', 2, 'out of range'],
  ])('refuses %j on line %d', (text, line, problem) => {
    expect(parseDockerfile(text)).toEqual({ ok: false, line, problem: expect.stringContaining(problem) });
  });

  it.each([
    ['FROM a\nRUNN b', 2, 'did you mean RUN?'],
    ['FROM --arch=x a', 1, '--"arch"'],
  ])('leaves %j on line %d to a newer frontend', (text, line, problem) => {
    const found = { ok: false, line, problem: expect.stringContaining(problem), isUnknown: true };
    expect(parseDockerfile(text)).toEqual(found);
  });

  it.each(['1h30m', '.5s', '0', '-0s', '+2ms', '1.s'])('takes the interval %s', (interval) => {
    expect(parseDockerfile(`FROM a\nHEALTHCHECK --interval=${interval} CMD x`)).toMatchObject({ ok: true });
  });

  it.each([
    ['a chain of ONBUILDs', `ONBUILD ${'ONBUILD '.repeat(8000)}RUN x`],
    ['an interval of digits', `HEALTHCHECK --interval=${'1'.repeat(60_000)} CMD x`],
    ['a keyword of 64 KiB', 'X'.repeat(65_000)],
    ['heredocs without end', `RUN ${'<<E '.repeat(16_000)}`],
  ])('answers on %s', (_, line) => {
    expect(parseDockerfile(`FROM a\n${line}\n`)).toMatchObject({ line: 2 });
  });

  it('answers for any text, in one printable line', () => {
    const piece = fc.constantFrom(
      'FROM a',
      '\n',
      '\\\n',
      'RUN ',
      'COPY ',
      'ENV ',
      '<<E',
      'E',
      '"',
      '--',
      '=',
      '[',
      '\u001b[1m',
      '#',
      'é',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const result = parseDockerfile(pieces.join(''));
        expect(result.ok || /^[^\u001b\n]+$/.test(result.problem)).toBe(true);
      }),
    );
  });
});
