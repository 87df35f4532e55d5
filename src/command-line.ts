import { nearest } from './core/nearest.ts';
import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import { isOptionName, OPTION_NAMES, OPTION_TABLE } from './option-table.ts';
import type { RawOptions } from './options.ts';

export const COMMAND_NAMES = ['build', 'hash', 'explain', 'scan', 'verify', 'demo', 'help', 'version'] as const;
export type CliCommand = (typeof COMMAND_NAMES)[number];

/** Flags that are no inputs: they say what is printed. */
const MARKS: ReadonlySet<string> = new Set(['--json', '--help', '-h', '--all', '--manifest']);

/** What a person typed. */
export interface CommandLine {
  readonly command: CliCommand;
  readonly raw: RawOptions;
  /** Print the report as JSON. */
  readonly json: boolean;
  /** For `hash`: print what was hashed. */
  readonly manifest: boolean;
  /** For `explain`: list everything. */
  readonly all: boolean;
  /** The image that `explain` compares with, or that `scan` and `verify` look at. */
  readonly reference: string | undefined;
  /** What is wrong with the words; the command may find more in the values. */
  readonly problems: readonly Problem[];
}

/**
 * Parses the arguments after the program's name. `--name value`, `--name=value`; lists may be repeated, switches need no
 * value but take `true` or `false`; one bare word after the command is the context, after `explain`, `scan` and
 * `verify` the image. What is wrong is listed, and left out of `raw`.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const problems: Problem[] = [];
  const raw: Record<string, string> = {};
  const bare: string[] = [];
  const marks = new Set<string>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [, name = '', inline] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(argument) ?? [];
    if (MARKS.has(argument)) marks.add(argument);
    // Elsewhere it is a flag of build.
    else if (argument === '--version' && argv.length === 1) bare.push('version');
    else if (!argument.startsWith('-')) bare.push(argument);
    else if (!isOptionName(name)) {
      problems.push({ input: quote(argument.split('=', 1)[0] ?? ''), message: unknownFlag(name) });
      // What follows is meant for it, and is no context.
      if (inline === undefined && argv[index + 1]?.startsWith('-') === false) index += 1;
    } else {
      const isSwitch = OPTION_TABLE[name].shape === 'switch';
      const word = argv[index + 1]?.startsWith('--') === true ? undefined : argv[index + 1];
      // After a switch only these two words are meant for it; any other is the context.
      const next = isSwitch && word !== 'true' && word !== 'false' ? undefined : word;
      if (inline === undefined && next !== undefined) index += 1;
      const value = inline ?? next ?? (isSwitch ? 'true' : undefined);
      if (value === undefined) problems.push({ input: `--${name}`, message: 'needs a value' });
      else
        raw[name] = OPTION_TABLE[name].shape === 'list' && raw[name] !== undefined ? `${raw[name]}\n${value}` : value;
    }
  }
  const [first = 'help', word, ...more] = bare;
  const command = COMMAND_NAMES.find((known) => known === first);
  if (command === undefined) problems.push({ input: 'command', message: unknownCommand(first) });
  const takesImage = command === 'explain' || command === 'scan' || command === 'verify';
  const context = takesImage ? undefined : word;
  if (context !== undefined && raw['context'] !== undefined) {
    problems.push({
      input: 'context',
      message: `${quote(context)} and --context ${quote(raw['context'])}: one is allowed`,
    });
  } else if (context !== undefined) raw['context'] = context;
  if (more.length > 0)
    problems.push({
      input: 'arguments',
      message: `${more.map(quote).join(' ')}: one ${takesImage ? 'image is allowed; --context names a directory' : 'context is allowed'}`,
    });
  problems.push(...findStrayMarks(marks, command));
  return {
    command: marks.has('--help') || marks.has('-h') || command === undefined ? 'help' : command,
    raw,
    json: marks.has('--json'),
    manifest: marks.has('--manifest'),
    all: marks.has('--all'),
    reference: takesImage ? word : undefined,
    problems,
  };
}

/** What belongs to one command, or to none of the others. */
function findStrayMarks(marks: ReadonlySet<string>, command: CliCommand | undefined): readonly Problem[] {
  const problems: Problem[] = [];
  if (marks.has('--manifest') && command !== 'hash') problems.push({ input: '--manifest', message: 'goes with hash' });
  if (marks.has('--manifest') && marks.has('--json'))
    problems.push({ input: '--manifest', message: 'is JSON by itself; it does not go with --json' });
  if (marks.has('--all') && command !== 'explain') problems.push({ input: '--all', message: 'goes with explain' });
  return problems;
}

function unknownFlag(name: string): string {
  const negated = name.startsWith('no-') ? name.slice('no-'.length) : '';
  if (isOptionName(negated) && OPTION_TABLE[negated].shape === 'switch')
    return `is not a known flag; did you mean --${negated}=false?`;
  const near = nearest(name, [...OPTION_NAMES, 'json', 'help', 'all', 'manifest']);
  return `is not a known flag${near === undefined ? '' : `; did you mean --${near}?`}`;
}

function unknownCommand(name: string): string {
  const near = nearest(name, COMMAND_NAMES);
  return `${quote(name)} is not a command: ${COMMAND_NAMES.join(', ')} are${near === undefined ? '' : `; did you mean ${near}?`}`;
}
