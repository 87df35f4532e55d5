import { quote } from '../printable.ts';
import type { Reader } from './findings.ts';
import type { Tree } from './tree.ts';

type Lookup = (name: string) => string | undefined;

/** Default texts may hold `$$`, but no variables of their own: those are for buildx. */
const PIECE = /\$(?:(\$)|([_a-zA-Z][_a-zA-Z0-9]*)|\{([_a-zA-Z][_a-zA-Z0-9]*)(?:(:?[-+])((?:[^${}]|\$\$)*))?\})|\$/g;
const MAX_LENGTH = 1 << 20;

/**
 * Replaces the variables in all values of a compose file: `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME-DEFAULT}`,
 * `${NAME:+VALUE}`, `${NAME+VALUE}` and `$$`
 * (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md). All else is for buildx, errors included.
 */
export function interpolate(tree: Tree, lookup: Lookup, reader: Reader): Tree {
  switch (tree.kind) {
    case 'text':
      return tree.text.includes('$')
        ? { ...tree, text: interpolateText(tree.text, lookup, { reader, line: tree.line }) }
        : tree;
    case 'list':
      return { ...tree, items: tree.items.map((item) => interpolate(item, lookup, reader)) };
    case 'map':
      return {
        ...tree,
        entries: tree.entries.map((entry) => ({ ...entry, value: interpolate(entry.value, lookup, reader) })),
      };
    default:
      return tree;
  }
}

function interpolateText(text: string, lookup: Lookup, { reader, line }: { reader: Reader; line: number }): string {
  const replaced = text.replace(
    PIECE,
    (piece, escaped?: string, bare?: string, braced?: string, operator = '', given = '') => {
      const name = bare ?? braced;
      if (escaped !== undefined) return '$';
      if (name === undefined) {
        reader.beyond(line, `the expression in ${quote(text)}`);
        return piece;
      }
      const value = lookup(name);
      const isThere = value !== undefined && (value !== '' || !String(operator).startsWith(':'));
      const other = String(given).replaceAll('$$', '$');
      if (String(operator).endsWith('-')) return isThere ? (value ?? '') : other;
      if (String(operator).endsWith('+')) return isThere ? other : '';
      if (value === undefined) reader.notice(line, `the variable ${quote(name)} is not set: it counts as empty`);
      return value ?? '';
    },
  );
  if (replaced.length <= MAX_LENGTH) return replaced;
  reader.problem(line, `a text comes to more than ${MAX_LENGTH} characters`);
  return '';
}
