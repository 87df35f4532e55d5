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
    [
      ['prune', '--images', 'a/b', '--retention', '10'],
      { command: 'prune', apply: false, raw: { images: 'a/b', retention: '10' } },
    ],
    [['prune', '--apply', '--plan', 'p.json'], { command: 'prune', apply: true, plan: 'p.json', planOut: undefined }],
    [['prune', '--plan-out=p.json'], { command: 'prune', apply: false, planOut: 'p.json', plan: undefined }],
    [['prune', '--local', '--dry-run'], { raw: { local: 'true', 'dry-run': 'true' } }],
    [
      ['cleanup', '--keep', '5', '--repo', 'a/b'],
      { command: 'cleanup', apply: true, yes: false, raw: { retention: '5', images: 'a/b' } },
    ],
    [['cleanup', '--yes', '--repo', 'a/b', '--repo=c/d'], { yes: true, raw: { images: 'a/b\nc/d' } }],
    [['undo', 'j.jsonl'], { command: 'undo', reference: 'j.jsonl', raw: {} }],
    [['build', '--version', '1.2.3'], { command: 'build', raw: { version: '1.2.3' } }],
  ])('%j', (argv, expected) => {
    expect(parseCommandLine(argv)).toMatchObject(expected);
  });

  it.each<[string[], string]>([
    [
      ['biuld'],
      'command: "biuld" is not a command: build, plan, hash, explain, scan, verify, prune, cleanup, undo, demo, help, version are; did you mean build?',
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
    [['build', '--apply'], '--apply: goes with prune'],
    [['prune', '--yes'], '--yes: goes with cleanup'],
    [['cleanup', '--plan', 'p.json'], '--plan: goes with prune'],
    [['build', '--plan-out', 'p.json'], '--plan-out: goes with prune and cleanup'],
    [['prune', '--plan', 'p.json'], '--plan: goes with --apply: it is carried out'],
    [['prune', '--apply', '--plan=p', '--retention=3'], '--retention: does not go with --plan, which holds the rules'],
    [['prune', '--apply', '--plan=p', '--repo=a/b'], '--images: does not go with --plan, which names the repositories'],
    [['prune', '--retention=9', '--retention=3'], '--retention: comes after --retention: one of them is allowed'],
    [['cleanup', '--keep=9', '--retention=3'], '--retention: comes after --keep: one of them is allowed'],
    [['prune', '--plan'], '--plan: needs a value'],
    [['prune', 'a/b'], 'arguments: "a/b": no word is allowed; --images names the repository'],
    [['undo', 'a', 'b'], 'arguments: "b": one journal is allowed'],
    [['undo'], 'JOURNAL: is required: build-once undo JOURNAL, as the run that deleted printed it'],
    [['build', '--command', 'prune'], '"--command": is not a known flag'],
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

  it.each(OPTION_NAMES.filter((name) => name !== 'command'))('has the flag --%s', (name) => {
    expect(helpText()).toMatch(new RegExp(`^ {2}--${name} {2,}\\S`, 'm'));
  });

  it('says a default once', () => {
    for (const line of helpText().split('\n')) expect(line.split(/default:/i).length).toBeLessThanOrEqual(2);
    expect(helpText()).toMatch(/--context .* \(default: \.\)/);
  });
});
