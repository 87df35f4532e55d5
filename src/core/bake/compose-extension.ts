import { quote } from '../printable.ts';
import {
  type Attributes,
  type EntriesName,
  type Entry,
  type FlagName,
  type MapName,
  mergeAttributes,
  NO_ATTRIBUTES,
  type TextsName,
} from './attributes.ts';
import { type ComposeValues, mapEntries, sortAgents } from './compose-values.ts';
import { kindName, type Tree } from './tree.ts';
import { meant } from './variables.ts';

/** https://docs.docker.com/build/bake/compose-file/#extension-field-with-x-bake */
const EXTENSION_KEYS =
  'cache-from cache-to contexts no-cache no-cache-filter output platforms pull secret ssh tags'.split(' ');

/** What `x-bake` adds to a build, as bake 0.29 does (bake/compose.go, composeExtTarget). */
export function extendBuild(own: Attributes, extension: Tree | undefined, values: ComposeValues): Attributes {
  if (extension === undefined || extension.kind === 'null') return own;
  const lists = new Map<TextsName, readonly string[]>();
  const maps = new Map<MapName, ReadonlyMap<string, string>>();
  const added = new Map<EntriesName, readonly Entry[]>();
  const flags = new Map<FlagName, boolean>();
  if (extension.kind !== 'map') values.problem(extension.line, `x-bake must be a map, not ${kindName(extension)}`);
  for (const { key, line, value } of mapEntries(extension)) {
    if (value.kind === 'null') values.beyond(line, `${quote(key)} in x-bake`);
    else if (key === 'pull' || key === 'no-cache') flags.set(key, values.flag(value, key));
    else if (key === 'tags' || key === 'platforms')
      lists.set(key, [...new Set([...(own.lists.get(key) ?? []), ...values.words(value, key)])]);
    else if (key === 'no-cache-filter') lists.set(key, values.words(value, key));
    else if (key === 'contexts')
      maps.set(key, new Map([...extraContexts(value, values), ...(own.maps.get(key) ?? [])]));
    else if (key === 'output' || key === 'secret' || key === 'ssh' || key === 'cache-from')
      added.set(key, values.parse(key, values.words(value, key), line));
    else if (key === 'cache-to')
      added.set(key, [...(own.entries.get(key) ?? []), ...values.parse(key, values.words(value, key), line)]);
    else values.problem(line, `${quote(key)} is no key of x-bake${meant(key, EXTENSION_KEYS)}`);
  }
  const empty = [...lists].filter(([name, list]) => list.length === 0 && name !== 'no-cache-filter');
  for (const [name] of empty) lists.delete(name);
  const merged = mergeAttributes(own, { ...NO_ATTRIBUTES, flags, lists, maps, entries: added });
  const agents = merged.entries.get('ssh');
  return agents === undefined
    ? merged
    : { ...merged, entries: new Map([...merged.entries, ['ssh', sortAgents(agents)] as const]) };
}

function extraContexts(tree: Tree, values: ComposeValues): ReadonlyMap<string, string> {
  if (tree.kind !== 'map') values.beyond(tree.line, 'contexts in x-bake');
  return new Map(
    mapEntries(tree).map(({ key, value }) => {
      const text = values.text(value, 'contexts');
      return [
        key,
        /^(?:service|target):/.test(text) ? `target:${text.slice(text.indexOf(':') + 1).replaceAll('.', '_')}` : text,
      ];
    }),
  );
}
