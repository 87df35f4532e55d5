import { parseGoBoolean } from '../go-boolean.ts';
import { nearest } from '../nearest.ts';
import { quote } from '../printable.ts';
import type { Reader } from './findings.ts';
import { parseTemplate } from './template.ts';
import { TextBudget } from './text-budget.ts';
import { entriesOf, isPlainNumber, type Tree, type TreeEntry, valueOf } from './tree.ts';

/** Answers what a variable is in the environment. */
export type Lookup = (name: string) => string | undefined;
/** A value of HCL. Numbers are whole. */
export interface Value {
  readonly kind: 'text' | 'number' | 'boolean';
  readonly text: string;
}

/** Answers what a scalar of a bake file comes to; `undefined` when something was reported. */
export type ReadScalar = (tree: Tree, reader: Reader) => Value | undefined;

/** A `variable` block, and what stands in it. */
export interface VariableBlock {
  readonly entry: TreeEntry;
  readonly reader: Reader;
}

/** Those that buildx makes itself. */
const BUILT_IN = ['BAKE_CMD_CONTEXT', 'BAKE_LOCAL_PLATFORM'];
/** A switch of buildx against the environment; which releases know it is buildx's to say. */
const NO_ENVIRONMENT = 'BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP';
const PLAIN_KEYS = ['default', 'description', 'sensitive'];

/**
 * Evaluates the variables of all files, of which the last block of a name stands and the environment wins, and answers
 * how texts with their names are read. Circles, and names that nobody gave, are problems.
 */
export function readVariables(blocks: readonly VariableBlock[], lookup: Lookup): ReadScalar {
  const byName = new Map(blocks.map((block) => [block.entry.key, block]));
  const values = new Map<string, Value | undefined>();
  const open: string[] = [];
  const budget = new TextBudget();

  const valueOfVariable = (name: string, line: number, reader: Reader): Value | undefined => {
    if (values.has(name)) return values.get(name);
    const block = byName.get(name);
    if (block === undefined || BUILT_IN.includes(name)) {
      if (BUILT_IN.includes(name)) reader.beyond(line, `the variable ${name}`);
      else reader.problem(line, `there is no variable ${quote(name)}${meant(name, byName.keys())}`);
      return undefined;
    }
    if (open.includes(name)) {
      const circle = [...open.slice(open.indexOf(name)), name].join(' → ');
      block.reader.problem(block.entry.line, `variables lead in a circle: ${circle}`);
      return undefined;
    }
    open.push(name);
    const value = evaluate(block, lookup, readScalar);
    open.pop();
    values.set(name, value);
    return value;
  };

  const readScalar: ReadScalar = (tree, reader) => {
    if (tree.kind === 'number' || tree.kind === 'boolean') return { kind: tree.kind, text: tree.text };
    if (tree.kind !== 'text') {
      reader.beyond(tree.line, tree.kind === 'other' ? `the number ${tree.text}` : 'a value that is no text');
      return undefined;
    }
    const parts = parseTemplate(tree.text);
    if (parts === undefined) {
      reader.beyond(tree.line, `the expression ${quote(tree.text)}`);
      return undefined;
    }
    const found = parts.map((part) =>
      'text' in part ? { kind: 'text' as const, text: part.text } : valueOfVariable(part.variable, tree.line, reader),
    );
    const [only] = found;
    if (found.length === 1 && only !== undefined) return only;
    if (found.some((part) => part === undefined)) return undefined;
    const length = found.reduce((sum, part) => sum + (part?.text.length ?? 0), 0);
    if (!budget.take(length, tree.line, reader)) return undefined;
    return { kind: 'text', text: found.map((part) => part?.text ?? '').join('') };
  };

  for (const { entry, reader } of blocks) {
    if (lookup(NO_ENVIRONMENT) !== undefined) reader.beyond(undefined, `the environment variable ${NO_ENVIRONMENT}`);
    valueOfVariable(entry.key, entry.line, reader);
  }
  return readScalar;
}

function evaluate({ entry, reader }: VariableBlock, lookup: Lookup, readScalar: ReadScalar): Value | undefined {
  const { key: name, value: body, line } = entry;
  const stray = entriesOf(body).find(({ key }) => !PLAIN_KEYS.includes(key));
  if (body.kind !== 'map' || stray !== undefined) {
    reader.beyond(stray?.line ?? line, `the variable ${quote(name)} with ${quote(stray?.key ?? body.kind)}`);
    return undefined;
  }
  const given = lookup(name);
  const standIn = valueOf(body, 'default');
  if (standIn === undefined) return { kind: 'text', text: given ?? '' };
  const value =
    standIn.kind === 'null' && given !== undefined ? { kind: 'text' as const, text: '' } : readScalar(standIn, reader);
  if (given === undefined || value === undefined) return value;
  if (value.kind === 'text') return { kind: 'text', text: given };
  if (value.kind === 'number' && isPlainNumber(given)) return { kind: 'number', text: given };
  const truth = value.kind === 'boolean' ? parseGoBoolean(given) : undefined;
  if (truth !== undefined) return { kind: 'boolean', text: String(truth) };
  reader.beyond(line, `the variable ${quote(name)}, whose value in the environment is no plain ${value.kind}`);
  return undefined;
}

/** `; did you mean X?`, or nothing. */
export function meant(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
