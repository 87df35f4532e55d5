import { compareText, compareTexts, type Difference } from './difference.ts';
import { compareEntries, compareFiles } from './file-differences.ts';
import { canonicalJson, type InputManifest, isBuilderArg } from './input-manifest.ts';
import { compareInstructions } from './instruction-differences.ts';

/** What is compared by name; anything else that a manifest has is compared as a whole. */
const COMPARED = new Set(
  'scheme form scope uses targets dockerfile context namedContexts images buildArgs options files salt unique'.split(
    ' ',
  ),
);

/**
 * In what two input manifests differ, each thing once; nothing exactly where they are equal. Where one is of the whole
 * context and the other is not, only what both have can be compared, and the first difference says so.
 */
export function compareManifests(before: InputManifest, after: InputManifest): readonly Difference[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  const isOneForm = before.form === after.form;
  const files = compareFiles(before, after);
  const found = [
    ...compareForms(before, after, files.uncompared),
    ...files.differences,
    ...compareTexts('image', new Map(Object.entries(before.images)), new Map(Object.entries(after.images))),
    ...(isOneForm ? compareInstructions(before, after) : []),
    ...compareTexts('arg', argsOf(before, after), argsOf(after, before)),
    ...compareOptions(before, after),
    ...compareTexts('context', contextsOf(before, isOneForm), contextsOf(after, isOneForm)),
    ...compareEntries(before.files, after.files, 'hash-file'),
    ...compareRules(before, after),
  ];
  const unseen = { subject: 'rule', kind: 'changed', name: 'order', note: 'the same things in another order' } as const;
  return found.length > 0 ? once(found) : [unseen];
}

function compareForms(before: InputManifest, after: InputManifest, uncompared: number): readonly Difference[] {
  if (before.form === after.form) return [];
  const [when, then] =
    before.form === 'context' ? ['then', 'now only what is read'] : ['now', 'then only what was read'];
  const note = `the whole context counted ${when}, ${then}: instructions and ${uncompared} of its files are not compared`;
  return [{ subject: 'rule', kind: 'changed', name: 'form', before: before.form, after: after.form, note }];
}

/** In the form `inputs`, other args are in the instructions. */
function argsOf(manifest: InputManifest, other: InputManifest): ReadonlyMap<string, string> {
  const args = Object.entries(manifest.buildArgs);
  const isComparable = (name: string): boolean => manifest.form === other.form || isBuilderArg(name);
  return new Map(args.filter(([name]) => isComparable(name)));
}

/** Directories are compared by their files; whether there is one, and what the others are, here. */
function contextsOf({ namedContexts }: InputManifest, isOneForm: boolean): ReadonlyMap<string, string> {
  const contexts = Object.entries(namedContexts).filter(([, input]) => isOneForm || 'source' in input);
  return new Map(contexts.map(([name, input]) => [name, 'source' in input ? input.source : 'a directory']));
}

function compareOptions(before: InputManifest, after: InputManifest): readonly Difference[] {
  const names = [...new Set([...Object.keys(before.options), ...Object.keys(after.options)])];
  return names.flatMap((name): readonly Difference[] => {
    // In the form `inputs` the instructions say what the target is.
    if (name === 'target' && before.form !== after.form) return [];
    const [old, next] = [optionOf(before, name), optionOf(after, name)];
    const [theirs, ours] = [asList(old), asList(next)];
    const found = compareList(name, theirs, ours);
    if (found.length > 0 || canonicalJson(old) === canonicalJson(next)) return found;
    const isOrder = Array.isArray(old) && Array.isArray(next);
    return [{ subject: 'option', kind: 'changed', name, note: isOrder ? 'in another order' : 'given in another way' }];
  });
}

function optionOf({ options }: InputManifest, name: string): string | readonly string[] | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

function asList(value: string | readonly string[] | undefined): readonly string[] {
  if (typeof value !== 'string') return value ?? [];
  return value === '' ? [] : [value];
}

/** Values in the form `KEY=VALUE` belong together by the key; single ones by their place. */
function compareList(name: string, before: readonly string[], after: readonly string[]): readonly Difference[] {
  const removed = without(before, after);
  const added = without(after, before);
  const isOne = before.length <= 1 && after.length <= 1;
  const keyOf = (value: string): string =>
    isOne ? '' : value.includes('=') ? value.slice(0, value.indexOf('=')) : value;
  const waiting = [...added];
  const changed = removed.flatMap((value) => {
    const at = waiting.findIndex((one) => keyOf(one) === keyOf(value));
    return compareText({ subject: 'option', name }, value, at < 0 ? undefined : waiting.splice(at, 1)[0]);
  });
  return [...changed, ...waiting.flatMap((value) => compareText({ subject: 'option', name }, undefined, value))];
}

/** What the list has more often than the other one. */
function without(list: readonly string[], other: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const value of other) left.set(value, (left.get(value) ?? 0) + 1);
  return list.filter((value) => {
    const count = left.get(value) ?? 0;
    left.set(value, count - 1);
    return count <= 0;
  });
}

function compareRules(before: InputManifest, after: InputManifest): readonly Difference[] {
  const salt = compareText({ subject: 'rule', name: 'hash-salt' }, before.salt || undefined, after.salt || undefined);
  const scheme = compareText({ subject: 'rule', name: 'scheme' }, String(before.scheme), String(after.scheme));
  const scope = compareText({ subject: 'rule', name: 'hash-scope' }, before.scope, after.scope);
  const unique: Difference = {
    subject: 'rule',
    kind: 'changed',
    name: 'unique',
    note:
      after.unique === ''
        ? 'that build could not be repeated: it read what cannot be pinned'
        : 'this build cannot be repeated: it reads what cannot be pinned',
  };
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !COMPARED.has(name));
  const [old, next] = [before, after].map((manifest) => new Map<string, unknown>(Object.entries(manifest)));
  const rest = names.flatMap((name) =>
    compareText({ subject: 'rule', name }, textOf(old?.get(name)), textOf(next?.get(name))),
  );
  return [...salt, ...scheme, ...scope, ...(before.unique === after.unique ? [] : [unique]), ...rest];
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : canonicalJson(value);
}

/** An arg may be in the instructions as well. */
function once(differences: readonly Difference[]): readonly Difference[] {
  const args = new Map<string, Difference>();
  return differences.filter((difference) => {
    if (difference.subject !== 'arg') return true;
    const key = JSON.stringify([difference.name, difference.before, difference.after, difference.where]);
    const isKnown = args.has(key);
    args.set(key, difference);
    return !isKnown;
  });
}
