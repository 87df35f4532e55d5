import { parseCsvRecord } from './csv.ts';
import type { Statement } from './dockerfile-statement.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseMount } from './run-mount.ts';
import { trimSpace } from './unicode-space.ts';

/** `--name=value` of an instruction. */
export interface Flag {
  readonly name: string;
  /** `true` or `false` for a flag that may stand without a value. Not expanded. */
  readonly value: string;
}

type FlagKind = 'text' | 'switch' | 'list';

const SOURCES_FLAGS = { chown: 'text', chmod: 'text', link: 'switch', exclude: 'list' } as const;

/** The flags that each instruction takes. */
const FLAGS: ReadonlyMap<string, Readonly<Record<string, FlagKind>>> = new Map<
  string,
  Readonly<Record<string, FlagKind>>
>([
  ['ADD', { ...SOURCES_FLAGS, 'keep-git-dir': 'switch', checksum: 'text', unpack: 'switch' }],
  ['CMD', {}],
  ['COPY', { ...SOURCES_FLAGS, from: 'text', parents: 'switch' }],
  ['ENTRYPOINT', {}],
  ['ENV', {}],
  ['EXPOSE', {}],
  ['FROM', { platform: 'text' }],
  [
    'HEALTHCHECK',
    { interval: 'text', timeout: 'text', 'start-period': 'text', 'start-interval': 'text', retries: 'text' },
  ],
  ['LABEL', {}],
  ['MAINTAINER', {}],
  ['ONBUILD', {}],
  ['RUN', { mount: 'list', network: 'text', security: 'text', device: 'list' }],
  ['SHELL', {}],
  ['USER', {}],
  ['VOLUME', {}],
  ['WORKDIR', {}],
]);
/** Instructions whose flags BuildKit drops unread. */
const FLAGS_UNREAD = new Set(['ARG', 'STOPSIGNAL']);

const MIN_WORDS: ReadonlyMap<string, number> = new Map(
  Object.entries({ ADD: 2, ARG: 1, COPY: 2, ENV: 1, EXPOSE: 1, HEALTHCHECK: 1, LABEL: 1, ONBUILD: 1, VOLUME: 1 }),
);
const ONE_WORD = new Set(['MAINTAINER', 'STOPSIGNAL', 'USER', 'WORKDIR']);
const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

/** What is read, or what is wrong; `isUnknown` where a newer frontend might take what BuildKit v0.29 does not know. */
export type Known<T> = Parsed<T> | { readonly ok: false; readonly problem: string; readonly isUnknown: true };

function unknown(problem: string): Known<never> {
  return { ok: false, problem, isUnknown: true };
}

/** The flags of a statement. A problem for an unknown instruction or flag, a missing value, and one that comes twice. */
export function parseFlags(name: string, { flags, words }: Statement): Known<readonly Flag[]> {
  const isNone = name === 'HEALTHCHECK' && words[0]?.toUpperCase() === 'NONE';
  if (FLAGS_UNREAD.has(name) || isNone) return parsed([]);
  const known = FLAGS.get(name);
  if (known === undefined) {
    const near = nearest(name, [...FLAGS.keys(), ...FLAGS_UNREAD]);
    return unknown(`${quote(name)} is not an instruction${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  const read: Flag[] = [];
  for (const text of flags) {
    const flag = parseFlag(text, known);
    if (!flag.ok) return { ...flag, problem: `${name}: ${flag.problem}` };
    if (known[flag.value.name] !== 'list' && read.some((other) => other.name === flag.value.name)) {
      return unparsable(`${name}: --${flag.value.name} is given twice`);
    }
    read.push(flag.value);
  }
  return parsed(read);
}

function parseFlag(text: string, known: Readonly<Record<string, FlagKind>>): Known<Flag> {
  const equals = text.indexOf('=');
  const name = text.slice(2, equals < 0 ? undefined : equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  const kind = Object.hasOwn(known, name) ? known[name] : undefined;
  if (kind === undefined) return unknown(`--${quote(name)} is not a flag of it`);
  if (kind !== 'switch') {
    return value === undefined ? unparsable(`--${name} needs a value`) : parsed({ name, value });
  }
  const word = value?.toLowerCase() ?? 'true';
  return word === 'true' || word === 'false'
    ? parsed({ name, value: word })
    : unparsable(`--${name}=${quote(value ?? '')}: true and false are allowed`);
}

/** What is wrong with the arguments; `undefined` when nothing is. */
export function checkRules(name: string, statement: Statement, flags: readonly Flag[]): string | undefined {
  const { words } = statement;
  const min = MIN_WORDS.get(name) ?? 0;
  if (words.length < min) return `${name} needs ${min === 1 ? 'an argument' : 'a source and a destination'}`;
  if (ONE_WORD.has(name) && words.length !== 1) return `${name} needs an argument`;
  switch (name) {
    case 'ARG':
    case 'ENV':
    case 'LABEL':
      return checkNames(name, words);
    case 'FROM':
      return checkFrom(words);
    case 'HEALTHCHECK':
      return checkHealthcheck(statement, flags);
    case 'ONBUILD':
      return checkOnbuild(words[0] ?? '');
    case 'RUN':
      return checkRun(flags);
    case 'SHELL':
      return statement.json && words.length > 0 ? undefined : 'SHELL needs a JSON array with at least one string';
    case 'VOLUME':
      return words.some((word) => trimSpace(word) === '') ? 'VOLUME: a path is empty' : undefined;
    default:
      return undefined;
  }
}

/** The value of the old `ENV NAME value` may begin with anything. */
function checkNames(name: string, words: readonly string[]): string | undefined {
  const isOldForm = name !== 'ARG' && words[0]?.includes('=') !== true;
  const isNameless = !isOldForm && words.some((word) => word.startsWith('='));
  return isNameless ? `${name}: a name is missing before "="` : undefined;
}

function checkFrom(words: readonly string[]): string | undefined {
  const [, as, name = ''] = words;
  if (words.length !== 1 && (words.length !== 3 || as?.toLowerCase() !== 'as')) {
    return 'FROM takes an image, or an image, AS and a name';
  }
  return words.length === 1 || STAGE_NAME.test(name.toLowerCase())
    ? undefined
    : `${quote(name)} is not a name for a stage: a letter, then letters, digits, "-", "_" and "." are allowed`;
}

function checkOnbuild(trigger: string): string | undefined {
  const name = trigger.toUpperCase();
  return ['ONBUILD', 'FROM', 'MAINTAINER'].includes(name) ? `ONBUILD cannot trigger ${name}` : undefined;
}

function checkRun(flags: readonly Flag[]): string | undefined {
  for (const { name, value } of flags) {
    if (name === 'network' && !['default', 'none', 'host'].includes(value)) {
      return `RUN: --network=${quote(value)}: default, none and host are allowed`;
    }
    if (name === 'security' && !['insecure', 'sandbox'].includes(value)) {
      return `RUN: --security=${quote(value)}: insecure and sandbox are allowed`;
    }
    const checked = name === 'mount' ? parseMount(value) : name === 'device' ? parseDevice(value) : parsed([]);
    if (!checked.ok) return `RUN: ${checked.problem}`;
  }
  return undefined;
}

/** `name`, `name=…` and `required` in any order, one name at most. */
function parseDevice(flag: string): Parsed<readonly string[]> {
  const fields = flag === '' ? unparsable('it is empty') : parseCsvRecord(flag);
  const refuse = (problem: string) => unparsable(`--device=${quote(flag)}: ${problem}`);
  if (!fields.ok) return refuse(fields.problem);
  let name = '';
  for (const field of fields.value) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (key === 'required') {
      if (value !== undefined && parseGoBoolean(value) === undefined) return refuse('"required" takes true and false');
    } else if (key === 'name' && value !== undefined) {
      if (name !== '') return refuse('it has two names');
      name = value;
    } else if (name === '') {
      name = field;
    } else {
      return refuse(`${quote(field)} is no field of a device: name and required are`);
    }
  }
  return fields;
}

function checkHealthcheck({ words }: Statement, flags: readonly Flag[]): string | undefined {
  const [type = '', ...command] = words;
  switch (type.toUpperCase()) {
    case 'NONE':
      return command.length === 0 ? undefined : 'HEALTHCHECK NONE takes no arguments';
    case 'CMD':
      return command.length === 0 ? 'HEALTHCHECK CMD needs a command' : checkTimings(flags);
    default:
      return `HEALTHCHECK: ${quote(type)} is not allowed: CMD and NONE are`;
  }
}

function checkTimings(flags: readonly Flag[]): string | undefined {
  const bad = flags.find(
    ({ name, value }) => value !== '' && !(name === 'retries' ? isCount(value) : isInterval(value)),
  );
  return bad === undefined ? undefined : `HEALTHCHECK: --${bad.name}=${quote(bad.value)} is out of range or malformed`;
}

function isCount(text: string): boolean {
  return /^[+-]?[0-9]+$/.test(text) && Number(text) >= 0 && Number(text) < 2 ** 31;
}

const UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 6e10,
  h: 3.6e12,
};

/** A duration of Go's time.ParseDuration that is zero or at least a millisecond. */
function isInterval(text: string): boolean {
  if (!/^[+-]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return false;
  let durationNs = 0;
  for (const [, count = '', unit = ''] of text.matchAll(/([0-9.]+)([a-zµμ]+)/g)) {
    durationNs += Number(count) * (UNITS_NS[unit] ?? 0);
  }
  return durationNs < 1 || (!text.startsWith('-') && durationNs >= 1e6 && durationNs < 2 ** 63);
}
