import { parseJson } from '../json.ts';
import { type Parsed, parsed, unparsable } from '../parsed.ts';
import { quote } from '../printable.ts';

/** What of an entry of a matrix is no input, but for people and for the run to compare. */
const FACTS = ['name', 'hash', 'reason'];
/** The inputs that say what the images are: `plan` hands them on to the job that builds. */
export const ENTRY_INPUTS = [
  'files',
  'targets',
  'images',
  'platforms',
  'hash-files',
  'hash-ignore',
  'hash-salt',
  'hash-scope',
  'base',
] as const;

/** An entry of the matrix, taken apart. */
export interface ReadEntry {
  /** The inputs that it gives. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The content hashes that the plan has seen, in the order of `targets`. */
  readonly hashes: readonly string[];
}

/** Parses the input `entry`: one entry of `matrix`, as JSON. Empty is `undefined`. */
export function parseMatrixEntry(text: string): Parsed<ReadEntry | undefined> {
  if (text.trim() === '') return parsed(undefined);
  const form = 'one entry of the output matrix is allowed, as JSON: ${{ toJSON(matrix) }}';
  const value = parseJson(text);
  if (Array.isArray(value)) return unparsable(`a list, perhaps the whole matrix: ${form}`);
  if (typeof value !== 'object' || value === null) return unparsable(`${quote(text)}: ${form}`);
  const entries = Object.entries(value);
  const known: readonly string[] = [...ENTRY_INPUTS, ...FACTS];
  const unknown = entries.filter(([key]) => !known.includes(key)).map(([key]) => quote(key));
  if (unknown.length > 0) return unparsable(`${unknown.join(', ')} is nothing that a plan writes; ${form}`);
  const strange = entries.filter(([, item]) => typeof item !== 'string').map(([key]) => quote(key));
  if (strange.length > 0) return unparsable(`${strange.join(', ')} is no text; ${form}`);
  const texts = entries.map(([key, item]): readonly [string, string] => [key, String(item)]);
  const missing = ['files', 'targets'].filter((key) => texts.every(([name]) => name !== key));
  if (missing.length > 0) return unparsable(`${missing.join(' and ')} missing in ${quote(text)}; ${form}`);
  const hashes = texts.find(([key]) => key === 'hash')?.[1].split('\n') ?? [];
  return parsed({ inputs: Object.fromEntries(texts.filter(([key]) => !FACTS.includes(key))), hashes });
}
