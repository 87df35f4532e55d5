import { parseCsvRecord } from './csv.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

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
