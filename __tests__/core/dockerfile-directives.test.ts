import { describe, expect, it } from 'vitest';
import { type Dockerfile, detectSyntax, parseDockerfile } from '../../src/core/dockerfile.ts';

function read(text: string): Dockerfile {
  const result = parseDockerfile(text);
  if (!result.ok) throw new Error(`line ${result.line}: ${result.problem}`);
  return result.value;
}

describe('directives', () => {
  it.each([
    ['# syntax=docker/dockerfile:1\n', 'docker/dockerfile:1', 1],
    ['#syntax = a b \n', 'a b', 1],
    ['\ufeff# SYNTAX=a\n', 'a', 1],
    ['#!/usr/bin/env docker\n# syntax=a\n', 'a', 2],
    ['# escape=`\n# check=skip=all\n# syntax=a\r\n', 'a', 3],
    ['// syntax=a\n', 'a', 1],
    ['{"syntax": "a"}', 'a', 1],
  ])('detects the frontend in %j', (text, value, line) => {
    expect(detectSyntax(text)).toEqual({ value, line });
  });

  it.each([
    '',
    '# a comment\n# syntax=a\n',
    '\n# syntax=a\n',
    'FROM a\n# syntax=a\n',
    '# other=x\n# syntax=a\n',
    ' # syntax=a\n',
    '{"syntax": 1}',
    '[]',
  ])('detects none in %j', (text) => {
    expect(detectSyntax(text)).toBeUndefined();
  });

  it('keeps what the frontend directive says, and where', () => {
    expect(read('# syntax=docker/dockerfile:1-labs\nFROM a').syntax).toEqual({
      value: 'docker/dockerfile:1-labs',
      line: 1,
    });
  });

  it('escapes with a backtick, so that a backslash at the end of a line joins nothing', () => {
    const { escape, stages } = read('# escape=`\nFROM a\nRUN dir C:\\\nRUN a `\n  b\n');
    expect(escape).toBe('`');
    expect(stages[0]?.instructions.map(({ words }) => words)).toEqual([['dir C:\\'], ['a   b']]);
  });
});
