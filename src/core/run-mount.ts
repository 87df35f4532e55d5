import { parseCsvRecord } from './csv.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import type { Expanded } from './stage-environment.ts';

/** One field of `RUN --mount=`. */
export interface MountField {
  /** Lower case. */
  readonly key: string;
  /** Not expanded; `undefined` for a key that stands alone, as `rw` may. */
  readonly value: string | undefined;
}

/**
 * The fields of a `--mount` flag (BuildKit v0.29, frontend/dockerfile/instructions). A problem when they are no CSV record,
 * and when `from` holds a variable: BuildKit does not expand that one.
 */
export function parseMount(flag: string): Parsed<readonly MountField[]> {
  const fields = flag === '' ? unparsable('it is empty') : parseCsvRecord(flag);
  if (!fields.ok) return unparsable(`--mount=${quote(flag)}: ${fields.problem}`);
  const mount = fields.value.map((field): MountField => {
    const equals = field.indexOf('=');
    if (equals < 0) return { key: field.toLowerCase(), value: undefined };
    return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1) };
  });
  const variable = mount.find(({ key, value }) => key === 'from' && value !== undefined && /\$./su.test(value));
  if (variable !== undefined) {
    return unparsable(
      `--mount=${quote(flag)}: "from" takes no variables; name a stage by FROM with a global ARG instead`,
    );
  }
  return parsed(mount);
}

/** The stage, named context or image that is mounted; `undefined` for the build context or nothing. */
export function mountSource(mount: readonly MountField[]): string | undefined {
  const from = mount.findLast(({ key, value }) => key === 'from' && value !== undefined)?.value;
  return from === '' ? undefined : from;
}

const KINDS = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const KEYS = new Set(
  'type from source src target dst destination readonly ro readwrite rw required size id sharing mode uid gid env'.split(
    ' ',
  ),
);
const SWITCHES = new Set(['readonly', 'ro', 'readwrite', 'rw', 'required']);

/** A mount with its variables expanded. */
export interface BoundMount {
  /** `uncertain` when that depends on variables that are not known; the rest means nothing then. */
  readonly kind: (typeof KINDS)[number] | 'uncertain';
  /** As expanded. */
  readonly source: string;
  readonly target: string;
}

/** Expands a `--mount` flag and checks it as BuildKit v0.29 does (frontend/dockerfile/instructions, parseMount). */
export function bindMount(flag: string, expand: (word: string) => Expanded): Parsed<BoundMount> {
  const fields = parseMount(flag);
  if (!fields.ok) return fields;
  const refuse = (problem: string) => unparsable(`--mount=${quote(flag)}: ${problem}`);
  const values = new Map<string, string>();
  for (const { key, value } of fields.value) {
    if (!KEYS.has(key)) return refuse(`${quote(key)} is no key of a mount`);
    if (value === undefined && !SWITCHES.has(key)) return refuse(`${quote(key)} needs a value`);
    const expanded = expand(value ?? 'true');
    if (!expanded.certain) return parsed({ kind: 'uncertain', source: '', target: '' });
    if (expanded.text === undefined) return refuse(expanded.problem ?? 'it cannot be expanded');
    // These two depend on the type that was given before them.
    const kindsSoFar = key === 'required' ? ['secret', 'ssh'] : key === 'size' ? ['tmpfs'] : undefined;
    if (kindsSoFar?.includes(typeIn(values)) === false) return refuse(`${key} needs type=${kindsSoFar[0]} before it`);
    const problem = findFieldProblem(key, expanded.text);
    if (problem !== undefined) return refuse(problem);
    values.set(ALIASES.get(key) ?? key, expanded.text);
  }
  const kind = KINDS.find((one) => one === typeIn(values)) ?? 'bind';
  const problem = findMisplacedKey(kind, values);
  if (problem !== undefined) return refuse(problem);
  return parsed({ kind, source: values.get('source') ?? '', target: values.get('target') ?? '' });
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
]);
/** The types that each of these keys goes with. */
const TYPES_OF_KEYS: ReadonlyMap<string, readonly BoundMount['kind'][]> = new Map([
  ['mode', ['secret', 'ssh', 'cache']],
  ['uid', ['secret', 'ssh', 'cache']],
  ['gid', ['secret', 'ssh', 'cache']],
  ['sharing', ['cache']],
]);
const SHARING = ['shared', 'private', 'locked'];
/** A size of docker/go-units v0.5, RAMInBytes. */
const SIZE = /^[+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)? ?(?:b|[kmgtp](?:i?b)?)?$/i;

function typeIn(values: ReadonlyMap<string, string>): string {
  return (values.get('type') ?? 'bind').toLowerCase();
}

function findFieldProblem(key: string, value: string): string | undefined {
  const word = value.toLowerCase();
  if (key === 'type' && !KINDS.some((kind) => kind === word)) {
    return `${quote(word)} is no type of a mount: ${KINDS.join(', ')} are`;
  }
  if (key === 'sharing' && !SHARING.includes(word)) return `sharing=${quote(value)}: ${SHARING.join(', ')} are allowed`;
  if (SWITCHES.has(key) && parseGoBoolean(value) === undefined)
    return `${key}=${quote(value)}: true and false are allowed`;
  if (key === 'size' && !SIZE.test(value)) return `size=${quote(value)}: a number and a unit are allowed, as in 64m`;
  const base = key === 'mode' ? 8 : key === 'uid' || key === 'gid' ? 10 : undefined;
  const isFit = base === undefined || isUnsigned(value, base);
  return isFit ? undefined : `${key}=${quote(value)}: a${base === 8 ? 'n octal' : ''} number below 2^32 is allowed`;
}

function isUnsigned(text: string, base: 8 | 10): boolean {
  return (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text) && Number.parseInt(text, base) < 2 ** 32;
}

function findMisplacedKey(kind: BoundMount['kind'], values: ReadonlyMap<string, string>): string | undefined {
  for (const [key, types] of TYPES_OF_KEYS) {
    if (values.has(key) && !types.includes(kind)) return `${key} does not go with the type ${kind}`;
  }
  const has = (key: string) => (values.get(key) ?? '') !== '';
  if (kind === 'ssh' && has('source')) return 'source does not go with the type ssh';
  if (kind !== 'secret') return undefined;
  if (has('from')) return 'from does not go with the type secret';
  if (has('source') && has('id')) return 'a secret takes a source or an id, not both';
  return ['source', 'target', 'id'].some(has) ? undefined : 'a secret needs an id, a source or a target';
}
