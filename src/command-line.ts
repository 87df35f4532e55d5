import { nearest } from './core/nearest.ts';
import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import { isOptionName, OPTION_NAMES, OPTION_TABLE } from './option-table.ts';
import type { RawOptions } from './options.ts';

export const COMMAND_NAMES = ['build', 'hash', 'demo', 'help', 'version'] as const;
export type CliCommand = (typeof COMMAND_NAMES)[number];

/** What a person typed. */
export interface CommandLine {
  readonly command: CliCommand;
  readonly raw: RawOptions;
  /** Print the report as JSON. */
  readonly json: boolean;
  /** What is wrong with the words; the command may find more in the values. */
  readonly problems: readonly Problem[];
}

/**
 * Parses the arguments after the program's name. `--name value`, `--name=value`; lists may be repeated, switches need no
 * value but take `true` or `false`; one bare word after the command is the context. What is wrong is listed, and left out of `raw`.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const problems: Problem[] = [];
  const raw: Record<string, string> = {};
  const bare: string[] = [];
  let json = false;
  let help = false;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [, name = '', inline] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(argument) ?? [];
    if (argument === '--json') json = true;
    else if (argument === '--help' || argument === '-h') help = true;
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
  const [first = 'help', context, ...more] = bare;
  const command = COMMAND_NAMES.find((known) => known === first);
  if (command === undefined) problems.push({ input: 'command', message: unknownCommand(first) });
  if (context !== undefined && raw['context'] !== undefined) {
    problems.push({
      input: 'context',
      message: `${quote(context)} and --context ${quote(raw['context'])}: one is allowed`,
    });
  } else if (context !== undefined) raw['context'] = context;
  if (more.length > 0)
    problems.push({ input: 'arguments', message: `${more.map(quote).join(' ')}: one context is allowed` });
  return { command: help || command === undefined ? 'help' : command, raw, json, problems };
}

function unknownFlag(name: string): string {
  const negated = name.startsWith('no-') ? name.slice('no-'.length) : '';
  if (isOptionName(negated) && OPTION_TABLE[negated].shape === 'switch')
    return `is not a known flag; did you mean --${negated}=false?`;
  const near = nearest(name, [...OPTION_NAMES, 'json', 'help']);
  return `is not a known flag${near === undefined ? '' : `; did you mean --${near}?`}`;
}

function unknownCommand(name: string): string {
  const near = nearest(name, COMMAND_NAMES);
  return `${quote(name)} is not a command: ${COMMAND_NAMES.join(', ')} are${near === undefined ? '' : `; did you mean ${near}?`}`;
}
