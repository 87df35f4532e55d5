import { parseCsvRecord } from '../csv.ts';
import { parseGoBoolean } from '../go-boolean.ts';
import { splitOnce } from '../split-once.ts';
import type { EntriesName, Entry } from './attributes.ts';

const SECRET_KEYS = ['type', 'id', 'src', 'source', 'env'];

/**
 * Reads an entry that is written as one text, `type=registry,ref=…`, as buildx 0.29 does (util/buildflags); several where
 * references stand in a row. `undefined` for what is better left to buildx, as it may refuse it.
 */
export function parseEntryText(name: EntriesName, text: string): readonly Entry[] | undefined {
  if (name === 'ssh') return [parseSsh(text)];
  const fields = parseCsvRecord(text);
  if (!fields.ok || /[\r\n]/.test(text)) return undefined;
  if (name.startsWith('cache') && !text.includes('=')) {
    return fields.value.map(
      (ref) =>
        new Map([
          ['ref', ref],
          ['type', 'registry'],
        ]),
    );
  }
  const [only = ''] = fields.value;
  if (name === 'output' && fields.value.length === 1 && only === text && !text.startsWith('type=')) {
    return [
      new Map([
        ['dest', text],
        ['type', text === '-' ? 'tar' : 'local'],
      ]),
    ];
  }
  const pairs = fields.value.map((field) => splitOnce(field, '='));
  const known = new Map<string, string>();
  for (const [key = '', value] of pairs) {
    if (value === undefined || key === '') return undefined;
    known.set(spellKey(name, key), value);
  }
  const entry = finishEntry(name, known);
  return entry === undefined ? undefined : [entry];
}

/** What an entry is that is written as a map, or that was taken apart; `undefined` as for {@link parseEntryText}. */
export function finishEntry(name: EntriesName, keys: ReadonlyMap<string, string>): Entry | undefined {
  if (name === 'secret') return finishSecret(keys);
  if (name === 'ssh') return keys;
  if ((keys.get('type') ?? '') === '') return undefined;
  if (name !== 'attest')
    return new Map([...keys].filter(([key, value]) => key !== 'dest' || value !== '' || name !== 'output'));
  const { disabled = 'false', ...rest } = Object.fromEntries(keys);
  const isDisabled = parseGoBoolean(disabled);
  if (isDisabled === undefined) return undefined;
  return new Map([...Object.entries(rest), ...(isDisabled ? [['disabled', 'true'] as const] : [])]);
}

/** Keys in another case than theirs; those of attestations that are for BuildKit stay. */
function spellKey(name: EntriesName, key: string): string {
  const lower = key.toLowerCase();
  if (name === 'output') return lower.trim();
  if (name !== 'attest') return lower;
  return ['type', 'disabled'].includes(lower.trim()) ? lower.trim() : key;
}

function finishSecret(keys: ReadonlyMap<string, string>): Entry | undefined {
  const type = keys.get('type') ?? 'file';
  if ([...keys.keys()].some((key) => !SECRET_KEYS.includes(key)) || !['file', 'env'].includes(type)) return undefined;
  if (keys.has('src') && keys.has('source')) return undefined;
  const path = keys.get('src') ?? keys.get('source') ?? '';
  const variable = keys.get('env') ?? '';
  const isVariable = type === 'env' && variable === '';
  const parts = [
    ['id', keys.get('id') ?? ''],
    ['src', isVariable ? '' : path],
    ['env', isVariable ? path : variable],
  ] as const;
  return new Map(parts.filter(([, value]) => value !== ''));
}

function parseSsh(text: string): Entry {
  const [id = '', paths] = splitOnce(text, '=');
  return new Map(
    paths === undefined
      ? [['id', id]]
      : [
          ['id', id],
          ['paths', paths],
        ],
  );
}
