import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Masker } from '../../src/hosts/masker.ts';
import { formatCommand, formatFileCommand, toPlainLines } from '../../src/hosts/workflow-commands.ts';
import { parsePairs } from '../support/file-commands.ts';

/** Pieces of both generations of the runner's commands, and what could hide or revive them. */
const PIECE = fc.constantFrom(
  '::',
  ':',
  '##[',
  '#',
  '[',
  ']',
  '%0A',
  '%25',
  '%',
  '\n',
  '\r',
  '\r\n',
  ' ',
  '\t',
  '\u000b',
  '\u0085',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\u001b[0m',
  '\u001b]',
  '\u0007',
  '\u0000',
  'set-output name=x',
  'add-mask',
  'Stop-Commands',
  'error',
  'x',
  ',',
  ';',
  '=',
);
const HOSTILE = fc.array(PIECE, { maxLength: 30 }).map((pieces) => pieces.join(''));

interface RunnerCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

/** What actions/runner v2.336 takes a line for: ActionCommand.cs, TryParseV2, then TryParse. Any name counts here. */
function parseCommand(line: string): RunnerCommand | undefined {
  const trimmed = line.replace(/^[\s\u0085]+/, '');
  const end = trimmed.startsWith('::') ? trimmed.indexOf('::', 2) : -1;
  if (end >= 0) {
    const [name = '', ...rest] = trimmed.slice(2, end).split(' ');
    const pairs = rest
      .join(' ')
      .trim()
      .split(',')
      .filter((pair) => pair !== '');
    const properties = pairs.map((pair) => [
      pair.slice(0, pair.indexOf('=')),
      unescape(pair.slice(pair.indexOf('=') + 1)),
    ]);
    return { name, properties: Object.fromEntries(properties), data: unescape(trimmed.slice(end + 2), false) };
  }
  const [, name, data = ''] = /##\[([^\]]*)\](.*)/.exec(line) ?? [];
  return name === undefined ? undefined : { name, properties: {}, data };
}

function unescape(text: string, isProperty = true): string {
  const unescaped = isProperty ? text.replaceAll('%3A', ':').replaceAll('%2C', ',') : text;
  return unescaped.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
}

/** As .NET reads a child's output: a line ends at a line feed, a carriage return, or both. */
function commandsIn(printed: string): readonly RunnerCommand[] {
  return printed.split(/\r\n|\n|\r/).flatMap((line) => parseCommand(line) ?? []);
}

it('the rules of the runner that are emulated here find a command of either generation', () => {
  expect(commandsIn('a\r \u0085::error file=a%3Ab,line=1::x%0Ay\n1 ##[add-mask]z')).toEqual([
    { name: 'error', properties: { file: 'a:b', line: '1' }, data: 'x\ny' },
    { name: 'add-mask', properties: {}, data: 'z' },
  ]);
});

describe('plain text', () => {
  it.each([
    ['::set-output name=x::y', ': :set-output name=x::y'],
    ['a\n::add-mask::a', 'a\n: :add-mask::a'],
    ['a\r::add-mask::a', 'a\n: :add-mask::a'],
    ['  \t::error::x', '  \t: :error::x'],
    ['\u00a0::error::x', '\u00a0: :error::x'],
    ['\u001b[31m::error::x', ': :error::x'],
    ['x ##[add-mask]y', 'x ## [add-mask]y'],
    ['#\u001b[0m#[error]y', '## [error]y'],
    ['##[[error]', '## [[error]'],
    ['a::b::c', 'a::b::c'],
    ['%0A::error::x', '%0A::error::x'],
    ['', ''],
  ])('%j is printed as %j', (text, printed) => {
    expect(toPlainLines(text)).toBe(printed);
    expect(commandsIn(printed)).toEqual([]);
  });

  it('holds no command of either generation, whatever it is', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        expect(commandsIn(toPlainLines(text))).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });

  it('of 1 MB is read in one pass', () => {
    for (const piece of ['::', '##[', ' ', '\n', '\r', ' ::', '#', '\u001b[']) {
      expect(commandsIn(toPlainLines(piece.repeat(1_000_000 / piece.length)))).toEqual([]);
    }
  });
});

describe('a command', () => {
  it('carries any message to the letter', () => {
    fc.assert(
      fc.property(HOSTILE, (message) => {
        const printed = formatCommand('error', message);
        expect(printed).not.toMatch(/[\r\n]/);
        expect(parseCommand(printed)).toEqual({ name: 'error', properties: {}, data: message });
      }),
      { numRuns: 2000 },
    );
  });

  it('carries any property to the letter', () => {
    fc.assert(
      fc.property(HOSTILE, HOSTILE, (file, message) => {
        const command = parseCommand(formatCommand('warning', message, { file, line: 3, title: 'x' }));
        expect(command).toEqual({ name: 'warning', properties: { file, line: '3', title: 'x' }, data: message });
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves out what is not given', () => {
    expect(formatCommand('endgroup', '')).toBe('::endgroup::');
    expect(formatCommand('notice', 'x', { file: 'a b.txt' })).toBe('::notice file=a b.txt::x');
  });
});

describe('a file command', () => {
  const delimiter = 'build-once-0123456789abcdef';

  it('carries any value that has no carriage return to the letter, beside others', () => {
    fc.assert(
      fc.property(HOSTILE, HOSTILE, (a, b) => {
        const content = formatFileCommand('a', a, delimiter) + formatFileCommand('b', b, delimiter);
        expect(parsePairs(content)).toEqual({ a, b });
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['a\nEOF\nb=c', 'a\nghadelimiter\nPATH<<x\ny\nx', '<<', 'a=b'])('with %j sets nothing else', (value) => {
    expect(parsePairs(formatFileCommand('name', value, delimiter))).toEqual({ name: value });
  });

  it('is refused when its delimiter is in the value', () => {
    expect(() => formatFileCommand('name', `x\n${delimiter}\nother=1`, delimiter)).toThrow('delimiter');
    expect(() => formatFileCommand(delimiter, 'x', delimiter)).toThrow('delimiter');
  });
});

describe('a masker', () => {
  function maskerOf(...secrets: string[]): Masker {
    const masker = new Masker();
    for (const secret of secrets) masker.add(secret);
    return masker;
  }

  it.each<[string[], string, string]>([
    [['hunter2'], 'a hunter2 b hunter2', 'a *** b ***'],
    [['abc', 'abcdef'], 'abcdef abc', '*** ***'],
    [['line 1\r\nline 2'], 'x line 2 y', 'x *** y'],
    [['line 1\nline 2'], 'line 1\nline 2', '***'],
    [['ab', '', '  ', '\n'], 'ab  \n', 'ab  \n'],
    [['$&', '$1x'], '$1x $&', '*** $&'],
    [['.*+'], 'a .*+ b', 'a *** b'],
    [['Hunter2'], 'hunter2', 'hunter2'],
  ])('of %j makes %j %j', (secrets, text, hidden) => {
    expect(maskerOf(...secrets).hide(text)).toBe(hidden);
  });

  it('tells what it hides, for the runner to hide it too', () => {
    expect(new Masker().add('abc\nde\nfgh')).toEqual(['abc\nde\nfgh', 'abc', 'fgh']);
    expect(new Masker().add('')).toEqual([]);
  });

  it('hides a secret that shows only when the text is made printable', () => {
    const masker = maskerOf('hunter2', 'pass\u001bword');
    expect(masker.toPrintable('hun\u001b[31mter2')).toBe('***');
    expect(masker.toPrintable('pass\u001bword')).toBe('***');
    expect(maskerOf('a\r\nb').toPrintable('a\r\nb')).toBe('***');
  });
});
