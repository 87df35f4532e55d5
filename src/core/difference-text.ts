import { counted } from './counted.ts';
import type { Difference, Subject } from './difference.ts';
import { parseDigest } from './digest.ts';
import { quote, toLine } from './printable.ts';

/** In words for one and for many; ties of groups are in this order. */
const SUBJECTS: Readonly<Record<Subject, readonly [one: string, many: string]>> = {
  rule: ['rule', 'rules'],
  file: ['file', 'files'],
  image: ['base image', 'base images'],
  instruction: ['instruction', 'instructions'],
  arg: ['build arg', 'build args'],
  option: ['option', 'options'],
  context: ['named context', 'named contexts'],
  'hash-file': ['file of hash-files', 'files of hash-files'],
};
const SIGNS: Readonly<Record<Difference['kind'], string>> = { changed: '~', added: '+', removed: '-' };
const MAX_NAME_LENGTH = 100;
const MAX_VALUE_LENGTH = 60;
/** Hexadecimal digits of a digest that are shown. */
const SHOWN_DIGITS = 12;
/** Lines that a screen has for differences, and what each group gets of them at least. */
const SCREEN_LINES = 16;
const MIN_SHOWN = 2;

/** Differences of one kind. */
interface Group {
  readonly subject: Subject;
  readonly differences: readonly Difference[];
}

/** `3 files, 1 base image`: the biggest groups first. */
export function countDifferences(differences: readonly Difference[]): string {
  return groupsOf(differences)
    .map(({ subject, differences: all }) => counted(all.length, ...SUBJECTS[subject]))
    .join(', ');
}

/** A heading and a few lines for each group, the biggest first, so that all fit on a screen; with `all`, every line. */
export function listDifferences(differences: readonly Difference[], all = false): readonly string[] {
  const groups = groupsOf(differences);
  const share = Math.max(MIN_SHOWN, Math.floor(SCREEN_LINES / Math.max(1, groups.length)));
  return groups.flatMap(({ subject, differences: found }) => {
    const shown = all || found.length <= share + 1 ? found : found.slice(0, share);
    const left = found.length - shown.length;
    return [
      counted(found.length, ...SUBJECTS[subject]),
      ...shown.map((one) => `  ${describeDifference(one)}`),
      ...(left === 0 ? [] : [`  … and ${left} more`]),
    ];
  });
}

/** One printable line: `~ node:22: sha256:0123456789ab → sha256:ba9876543210`. */
export function describeDifference({ kind, subject, name, where, before, after, note }: Difference): string {
  const place = where === undefined ? '' : ` (${subject === 'file' ? 'context ' : ''}${shown(where)})`;
  const values = subject === 'instruction' && kind !== 'changed' ? [] : [before, after];
  const said = values.flatMap((value) => (value === undefined ? [] : [valueOf(value, subject)])).join(' → ');
  const title = subject === 'instruction' && kind === 'changed' && name === after ? '' : shown(name);
  const parts = [`${title}${place}`.trim(), said, note === undefined ? '' : toLine(note, 2 * MAX_NAME_LENGTH)];
  return `${SIGNS[kind]} ${parts.filter((part) => part !== '').join(': ')}`;
}

function groupsOf(differences: readonly Difference[]): readonly Group[] {
  const groups = Object.keys(SUBJECTS).map((name) => {
    const found = differences.filter(({ subject }) => subject === name);
    return { first: found[0], differences: found };
  });
  return groups
    .flatMap(({ first, differences: found }) =>
      first === undefined ? [] : [{ subject: first.subject, differences: found }],
    )
    .sort((a, b) => b.differences.length - a.differences.length);
}

/** In quotes where it would not look like what it is. */
function shown(text: string): string {
  const line = toLine(text, MAX_NAME_LENGTH);
  return text !== '' && (line === text || text.length > line.length + MAX_NAME_LENGTH) ? line : quote(text);
}

function valueOf(text: string, subject: Subject): string {
  if (subject === 'image' && text === 'tag') return 'its tag (base: tag)';
  if (parseDigest(text) !== undefined) return text.slice(0, 'sha256:'.length + SHOWN_DIGITS);
  const line = toLine(text, MAX_VALUE_LENGTH);
  return line === text && text !== '' ? text : `"${line}"`;
}
