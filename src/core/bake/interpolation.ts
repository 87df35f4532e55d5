import { quote } from '../printable.ts';
import type { Reader } from './findings.ts';
import { TextBudget } from './text-budget.ts';
import type { Tree } from './tree.ts';
import type { Lookup } from './variables.ts';

/** Default texts may hold `$$`, but no variables of their own: those are for buildx. */
const PIECE = /\$(?:(\$)|([_a-zA-Z][_a-zA-Z0-9]*)|\{([_a-zA-Z][_a-zA-Z0-9]*)(?:(:?[-+])((?:[^${}]|\$\$)*))?\})|\$/g;

/**
 * Replaces the variables in all values of a compose file: `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME-DEFAULT}`,
 * `${NAME:+VALUE}`, `${NAME+VALUE}` and `$$`
 * (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md). All else is for buildx, errors included.
 */
export function interpolate(tree: Tree, lookup: Lookup, reader: Reader): Tree {
  const budget = new TextBudget();
  const walk = (at: Tree): Tree => {
    if (at.kind === 'list') return { ...at, items: at.items.map(walk) };
    if (at.kind === 'map')
      return { ...at, entries: at.entries.map((entry) => ({ ...entry, value: walk(entry.value) })) };
    if (at.kind !== 'text' || !at.text.includes('$')) return at;
    const text = interpolateText(at, lookup, reader);
    return { ...at, text: budget.take(text.length, at.line, reader) ? text : '' };
  };
  return walk(tree);
}

function interpolateText({ text, line }: { text: string; line: number }, lookup: Lookup, reader: Reader): string {
  let result = '';
  let end = 0;
  for (const found of text.matchAll(PIECE)) {
    result += text.slice(end, found.index);
    end = found.index + found[0].length;
    const [, escaped, bare, name = bare, operator = '', given = ''] = found;
    if (escaped !== undefined) result += '$';
    else if (name === undefined) reader.beyond(line, `the expression in ${quote(text)}`);
    else
      result += valueOf({ name, operator, given }, lookup, () => {
        reader.notice(line, `the variable ${quote(name)} is not set: it counts as empty`);
      });
  }
  return result + text.slice(end);
}

interface Expression {
  readonly name: string;
  /** `:-`, `-`, `:+`, `+`, or empty. */
  readonly operator: string;
  readonly given: string;
}

function valueOf({ name, operator, given }: Expression, lookup: Lookup, onMissing: () => void): string {
  const value = lookup(name);
  const isThere = value !== undefined && (value !== '' || !operator.startsWith(':'));
  const other = given.replaceAll('$$', '$');
  if (operator.endsWith('-')) return isThere ? value : other;
  if (operator.endsWith('+')) return isThere ? other : '';
  if (value === undefined) onMissing();
  return value ?? '';
}
