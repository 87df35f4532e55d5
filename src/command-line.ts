import { formatList } from './core/lists.ts';
import { nearest } from './core/nearest.ts';
import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import { isOptionName, OPTION_NAMES, OPTION_TABLE, type OptionName } from './option-table.ts';
import type { RawOptions } from './options.ts';

export const COMMAND_NAMES = [
  'build',
  'plan',
  'hash',
  'explain',
  'scan',
  'verify',
  'prune',
  'cleanup',
  'undo',
  'demo',
  'help',
  'version',
] as const;
export type CliCommand = (typeof COMMAND_NAMES)[number];

/** Flags that are no inputs: they say what is printed. */
const MARKS: ReadonlySet<string> = new Set(['--json', '--help', '-h', '--all', '--manifest', '--apply', '--yes']);
/** Flags that name a file of a plan. */
type FileFlag = 'plan' | 'plan-out';
/** Flags with a value that are no inputs, or are inputs by another name. */
const WORDS: Readonly<Record<string, OptionName | FileFlag>> = {
  plan: 'plan',
  'plan-out': 'plan-out',
  keep: 'retention',
  repo: 'images',
};

/** What the bare word after a command is, where it is not the context. */
const WORD_OF: Partial<Readonly<Record<CliCommand, 'files' | 'image' | 'journal' | 'nothing'>>> = {
  plan: 'files',
  explain: 'image',
  scan: 'image',
  verify: 'image',
  undo: 'journal',
  prune: 'nothing',
  cleanup: 'nothing',
};
const ALLOWED_WORDS = {
  context: 'one context is allowed',
  files: 'any number of files is allowed',
  image: 'one image is allowed; --context names a directory',
  journal: 'one journal is allowed',
  nothing: 'no word is allowed; --images names the repository',
} as const;

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
  /** The image that `explain` compares with, or that `scan` and `verify` look at; the journal of `undo`. */
  readonly reference: string | undefined;
  /** For `prune`: delete. */
  readonly apply: boolean;
  /** For `cleanup`: ask nobody. */
  readonly yes: boolean;
  /** For `prune`: the file of a plan to carry out, and the one to write a plan to. */
  readonly plan: string | undefined;
  readonly planOut: string | undefined;
  /** What is wrong with the words; the command may find more in the values. */
  readonly problems: readonly Problem[];
}

/**
 * Parses the arguments after the program's name. `--name value`, `--name=value`; lists may be repeated, switches need no
 * value but take `true` or `false`; one bare word after the command is the context, after `explain`, `scan` and
 * `verify` the image, after `undo` the journal; those after `plan` are files. What is wrong is listed, and left out of `raw`.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const problems: Problem[] = [];
  const raw: Record<string, string> = {};
  const files: Partial<Record<FileFlag, string>> = {};
  const bare: string[] = [];
  /** The flag that gave `retention`: what is kept is said once. */
  let rules: string | undefined;
  const marks = new Set<string>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [, name = '', inline] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(argument) ?? [];
    const flag = flagOf(name);
    if (MARKS.has(argument)) marks.add(argument);
    // Elsewhere it is a flag of build.
    else if (argument === '--version' && argv.length === 1) bare.push('version');
    else if (!argument.startsWith('-')) bare.push(argument);
    else if (flag === undefined) {
      problems.push({ input: quote(argument.split('=', 1)[0] ?? ''), message: unknownFlag(name) });
      // What follows is meant for it, and is no context.
      if (inline === undefined && argv[index + 1]?.startsWith('-') === false) index += 1;
    } else {
      const isSwitch = isOptionName(flag) && OPTION_TABLE[flag].shape === 'switch';
      const word = argv[index + 1]?.startsWith('--') === true ? undefined : argv[index + 1];
      // After a switch only these two words are meant for it; any other is the context.
      const next = isSwitch && word !== 'true' && word !== 'false' ? undefined : word;
      if (inline === undefined && next !== undefined) index += 1;
      const value = inline ?? next ?? (isSwitch ? 'true' : undefined);
      if (value === undefined) problems.push({ input: `--${name}`, message: 'needs a value' });
      else if (!isOptionName(flag)) files[flag] = value;
      else if (flag === 'retention' && rules !== undefined)
        problems.push({ input: `--${name}`, message: `comes after --${rules}: one of them is allowed` });
      else {
        if (flag === 'retention') rules = name;
        raw[flag] = OPTION_TABLE[flag].shape === 'list' && raw[flag] !== undefined ? `${raw[flag]}\n${value}` : value;
      }
    }
  }
  const [first = 'help', word, ...more] = bare;
  const command = COMMAND_NAMES.find((known) => known === first);
  if (command === undefined) problems.push({ input: 'command', message: unknownCommand(first) });
  const meaning = WORD_OF[command ?? 'help'] ?? 'context';
  if (meaning === 'context' && word !== undefined && raw['context'] !== undefined) {
    problems.push({
      input: 'context',
      message: `${quote(word)} and --context ${quote(raw['context'])}: one is allowed`,
    });
  } else if (meaning === 'context' && word !== undefined) raw['context'] = word;
  const words = bare.slice(1);
  if (meaning === 'files' && words.length > 0)
    raw['files'] = [...(raw['files'] === undefined ? [] : [raw['files']]), formatList(words)].join('\n');
  const stray = meaning === 'nothing' ? words : meaning === 'files' ? [] : more;
  if (stray.length > 0)
    problems.push({ input: 'arguments', message: `${stray.map(quote).join(' ')}: ${ALLOWED_WORDS[meaning]}` });
  if (command === 'undo' && word === undefined)
    problems.push({
      input: 'JOURNAL',
      message: 'is required: build-once undo JOURNAL, as the run that deleted printed it',
    });
  problems.push(...findStrayMarks({ marks, files, command }));
  problems.push(...(files.plan === undefined ? [] : findOthersThanPlan(raw)));
  return {
    command: marks.has('--help') || marks.has('-h') || command === undefined ? 'help' : command,
    raw,
    json: marks.has('--json'),
    manifest: marks.has('--manifest'),
    all: marks.has('--all'),
    reference: meaning === 'image' || meaning === 'journal' ? word : undefined,
    apply: marks.has('--apply') || command === 'cleanup',
    yes: marks.has('--yes'),
    plan: files.plan,
    planOut: files['plan-out'],
    problems,
  };
}

/** The option that a flag stands for. */
function flagOf(name: string): OptionName | FileFlag | undefined {
  if (Object.hasOwn(WORDS, name)) return WORDS[name];
  // Here the command is the first word.
  return isOptionName(name) && name !== 'command' ? name : undefined;
}

/** What belongs to one command, or to none of the others. */
function findStrayMarks({
  marks,
  files,
  command,
}: {
  readonly marks: ReadonlySet<string>;
  readonly files: Partial<Readonly<Record<FileFlag, string>>>;
  readonly command: CliCommand | undefined;
}): readonly Problem[] {
  const problems: Problem[] = [];
  const goesWith = (flag: string, isGiven: boolean, ...commands: readonly CliCommand[]): void => {
    if (isGiven && (command === undefined || !commands.includes(command)))
      problems.push({ input: flag, message: `goes with ${commands.join(' and ')}` });
  };
  goesWith('--manifest', marks.has('--manifest'), 'hash');
  goesWith('--all', marks.has('--all'), 'explain');
  goesWith('--apply', marks.has('--apply'), 'prune');
  goesWith('--yes', marks.has('--yes'), 'cleanup');
  goesWith('--plan', files.plan !== undefined, 'prune');
  goesWith('--plan-out', files['plan-out'] !== undefined, 'prune', 'cleanup');
  if (marks.has('--manifest') && marks.has('--json'))
    problems.push({ input: '--manifest', message: 'is JSON by itself; it does not go with --json' });
  if (files.plan !== undefined && command === 'prune' && !marks.has('--apply'))
    problems.push({ input: '--plan', message: 'goes with --apply: it is carried out' });
  return problems;
}

/** What a plan says itself: another word about it would be passed over. */
function findOthersThanPlan(raw: RawOptions): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [name, what] of [
    ['images', 'names the repositories'],
    ['retention', 'holds the rules'],
  ] as const)
    if (raw[name] !== undefined)
      problems.push({ input: `--${name}`, message: `does not go with --plan, which ${what}` });
  return problems;
}

function unknownFlag(name: string): string {
  const negated = name.startsWith('no-') ? name.slice('no-'.length) : '';
  if (isOptionName(negated) && OPTION_TABLE[negated].shape === 'switch')
    return `is not a known flag; did you mean --${negated}=false?`;
  const near = nearest(name, [
    ...OPTION_NAMES,
    ...Object.keys(WORDS),
    ...[...MARKS].map((mark) => mark.replace(/^-+/, '')),
  ]);
  return `is not a known flag${near === undefined ? '' : `; did you mean --${near}?`}`;
}

function unknownCommand(name: string): string {
  const near = nearest(name, COMMAND_NAMES);
  return `${quote(name)} is not a command: ${COMMAND_NAMES.join(', ')} are${near === undefined ? '' : `; did you mean ${near}?`}`;
}
