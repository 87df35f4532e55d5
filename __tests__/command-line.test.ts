import { describe, expect, it } from 'vitest';
import { COMMAND_NAMES, parseCommandLine } from '../src/command-line.ts';
import { helpText } from '../src/help.ts';
import { OPTION_NAMES } from '../src/option-table.ts';

function problemsOf(argv: readonly string[]): string[] {
  return parseCommandLine(argv).problems.map(({ input, message }) => `${input}: ${message}`);
}

describe('a command line', () => {
  it.each<[string[], object]>([
    [[], { command: 'help', raw: {}, json: false }],
    [['help'], { command: 'help' }],
    [['--help'], { command: 'help' }],
    [['build', '-h'], { command: 'help' }],
    [['--version'], { command: 'version', raw: {} }],
    [['version'], { command: 'version' }],
    [['demo'], { command: 'demo' }],
    [['build'], { command: 'build', raw: {} }],
    [['hash', '--json'], { command: 'hash', json: true }],
    [['hash', '--manifest', './web'], { command: 'hash', manifest: true, raw: { context: './web' } }],
    [['explain'], { command: 'explain', raw: {}, reference: undefined, all: false }],
    [['explain', '1.2.3', '--all'], { command: 'explain', raw: {}, reference: '1.2.3', all: true }],
    [['explain', 'a/b:1', '--context', './web'], { reference: 'a/b:1', raw: { context: './web' } }],
    [['build', './web'], { command: 'build', raw: { context: './web' } }],
    [['build', '--context', './web'], { raw: { context: './web' } }],
    [['build', '--file', 'a b'], { raw: { file: 'a b' } }],
    [['build', '--file=a=b'], { raw: { file: 'a=b' } }],
    [['build', '--file='], { raw: { file: '' } }],
    [['build', '--hash-salt=line 1\nline 2'], { raw: { 'hash-salt': 'line 1\nline 2' } }],
    [['build', '--hash-salt=--x'], { raw: { 'hash-salt': '--x' } }],
    [['build', '--hash-salt', '-x'], { raw: { 'hash-salt': '-x' } }],
    [['--force', 'build', '.'], { command: 'build', raw: { force: 'true', context: '.' } }],
    [['build', '--push=false'], { raw: { push: 'false' } }],
    [['build', '--push', 'false'], { command: 'build', raw: { push: 'false' } }],
    [['build', '--push', 'true', './web'], { raw: { push: 'true', context: './web' } }],
    [['build', '--force', './false'], { raw: { force: 'true', context: './false' } }],
    [['build', '--images', 'a/b', '--images=c/d'], { raw: { images: 'a/b\nc/d' } }],
    [['build', '--tags', 'a', '--tags', 'b'], { raw: { tags: 'a\nb' } }],
    [['build', '--target', 'a', '--target', 'b'], { raw: { target: 'b' } }],
    [['build', '--version', '1.2.3'], { command: 'build', raw: { version: '1.2.3' } }],
  ])('%j', (argv, expected) => {
    expect(parseCommandLine(argv)).toMatchObject(expected);
  });

  it.each<[string[], string]>([
    [
      ['biuld'],
      'command: "biuld" is not a command: build, hash, explain, scan, verify, demo, help, version are; did you mean build?',
    ],
    [['constructor'], 'command: "constructor" is not a command'],
    [['build', '--no-push'], '"--no-push": is not a known flag; did you mean --push=false?'],
    [['build', '--no-force=true'], '"--no-force": is not a known flag; did you mean --force=false?'],
    [['build', '--no-target'], '"--no-target": is not a known flag'],
    [['build', '--platform', 'x'], '"--platform": is not a known flag; did you mean --platforms?'],
    [['build', '--jason'], '"--jason": is not a known flag; did you mean --json?'],
    [['build', '--json=true'], '"--json": is not a known flag'],
    [['build', '-f'], '"-f": is not a known flag'],
    [['build', '--manifest'], '--manifest: goes with hash'],
    [['hash', '--manifest', '--json'], '--manifest: is JSON by itself; it does not go with --json'],
    [['hash', '--all'], '--all: goes with explain'],
    [['explain', '--al'], '"--al": is not a known flag; did you mean --all?'],
    [['explain', 'a', 'b'], 'arguments: "b": one image is allowed; --context names a directory'],
    [['build', '-'], '"-": is not a known flag'],
    [['build', '--'], '"--": is not a known flag'],
    [['build', '--__proto__=x'], '"--__proto__": is not a known flag'],
    [['build', '--file'], '--file: needs a value'],
    [['build', '--file', '--target', 'x'], '--file: needs a value'],
    [['build', 'a', 'b', 'c'], 'arguments: "b" "c": one context is allowed'],
    [['build', 'a', '--context', 'b'], 'context: "a" and --context "b": one is allowed'],
  ])('%j is refused', (argv, problem) => {
    expect(problemsOf(argv)).toEqual([expect.stringContaining(problem)]);
  });

  it('has every problem named at once', () => {
    expect(problemsOf(['biuld', '.', 'x', '--nope=1', '--file'])).toHaveLength(4);
  });

  it('that is hostile is shown in printable lines', () => {
    const hostile = '--\u001b[31m\n::add-mask::x';
    expect(problemsOf(['build', hostile, '\u001b]0;x\u0007\n', 'a\nb']).join('')).not.toMatch(/\p{Cc}/u);
  });

  it('shows no value of a flag that it does not know', () => {
    expect(problemsOf(['build', '--pasword=hunter2']).join()).not.toContain('hunter2');
  });
});

describe('the help', () => {
  it.each([...COMMAND_NAMES])('has the command %s', (name) => {
    expect(helpText()).toMatch(new RegExp(`^ {2}${name} {2,}\\S`, 'm'));
  });

  it.each(OPTION_NAMES)('has the flag --%s', (name) => {
    expect(helpText()).toMatch(new RegExp(`^ {2}--${name} {2,}\\S`, 'm'));
  });

  it('says a default once', () => {
    for (const line of helpText().split('\n')) expect(line.split(/default:/i).length).toBeLessThanOrEqual(2);
    expect(helpText()).toMatch(/--context .* \(default: \.\)/);
  });
});
