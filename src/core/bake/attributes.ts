/**
 * What a target of a bake file may say (buildx 0.29, bake/bake.go): how it is written, and what comes of it where a target
 * is said twice or inherits: the later one stands, the lists follow each other, the keys of a map are each for itself, or
 * entries follow each other with each of them once.
 */
export const ATTRIBUTES = {
  annotations: { kind: 'texts', merge: 'append' },
  args: { kind: 'map', merge: 'keys' },
  attest: { kind: 'entries', merge: 'append' },
  'cache-from': { kind: 'entries', merge: 'append' },
  'cache-to': { kind: 'entries', merge: 'replace' },
  call: { kind: 'text', merge: 'replace' },
  context: { kind: 'text', merge: 'replace' },
  contexts: { kind: 'map', merge: 'keys' },
  description: { kind: 'text', merge: 'replace' },
  dockerfile: { kind: 'text', merge: 'replace' },
  'dockerfile-inline': { kind: 'text', merge: 'replace' },
  entitlements: { kind: 'texts', merge: 'append' },
  'extra-hosts': { kind: 'map', merge: 'keys' },
  inherits: { kind: 'texts', merge: 'append' },
  labels: { kind: 'map', merge: 'keys' },
  network: { kind: 'text', merge: 'replace' },
  'no-cache': { kind: 'flag', merge: 'replace' },
  'no-cache-filter': { kind: 'texts', merge: 'append' },
  output: { kind: 'entries', merge: 'replace' },
  platforms: { kind: 'texts', merge: 'replace' },
  pull: { kind: 'flag', merge: 'replace' },
  secret: { kind: 'entries', merge: 'append' },
  'shm-size': { kind: 'text', merge: 'replace' },
  ssh: { kind: 'entries', merge: 'append' },
  tags: { kind: 'texts', merge: 'replace' },
  target: { kind: 'text', merge: 'replace' },
  ulimits: { kind: 'texts', merge: 'append' },
} as const;

/** What bake takes for the name of a target, and so of a service. */
export function isTargetName(text: string): boolean {
  return /^[a-zA-Z0-9_-]+$/.test(text);
}

export type AttributeName = keyof typeof ATTRIBUTES;
export const ATTRIBUTE_NAMES: readonly AttributeName[] = Object.keys(ATTRIBUTES).filter(isAttributeName);

type NamesOf<Kind> = {
  [Name in AttributeName]: (typeof ATTRIBUTES)[Name]['kind'] extends Kind ? Name : never;
}[AttributeName];
export type TextName = NamesOf<'text'>;
export type TextsName = NamesOf<'texts'>;
export type FlagName = NamesOf<'flag'>;
export type MapName = NamesOf<'map'>;
export type EntriesName = NamesOf<'entries'>;

/** One of a list of caches, secrets, outputs …: its keys with their values; `paths` of ssh with commas between. */
export type Entry = ReadonlyMap<string, string>;
export type TextMap = ReadonlyMap<string, string>;

/** What one target says. */
export interface Attributes {
  readonly texts: ReadonlyMap<TextName, string>;
  readonly flags: ReadonlyMap<FlagName, boolean>;
  readonly lists: ReadonlyMap<TextsName, readonly string[]>;
  readonly maps: ReadonlyMap<MapName, TextMap>;
  readonly entries: ReadonlyMap<EntriesName, readonly Entry[]>;
}

export function isAttributeName(name: string): name is AttributeName {
  return Object.hasOwn(ATTRIBUTES, name);
}

/** What says nothing. */
export const NO_ATTRIBUTES: Attributes = {
  texts: new Map(),
  flags: new Map(),
  lists: new Map(),
  maps: new Map(),
  entries: new Map(),
};

/** `later` said after `earlier`, for the same target. */
export function mergeAttributes(earlier: Attributes, later: Attributes): Attributes {
  return {
    texts: new Map([
      ...earlier.texts,
      ...[...later.texts].filter(([name, text]) => name !== 'description' || text !== ''),
    ]),
    flags: new Map([...earlier.flags, ...later.flags]),
    lists: mergeEach(earlier.lists, later.lists, (name, a, b) => (appends(name) ? [...a, ...b] : b)),
    maps: mergeEach(earlier.maps, later.maps, (_, a, b) => new Map([...a, ...b])),
    entries: mergeEach(earlier.entries, later.entries, (name, a, b) =>
      appends(name) ? distinct(name, [...a, ...b]) : b,
    ),
  };
}

/** What bake makes of a target that was read: each item once, none that is empty. */
export function normalize(attributes: Attributes): Attributes {
  const { lists, maps, entries, texts } = attributes;
  const entitlements = [
    ...(lists.get('entitlements') ?? []),
    ...(texts.get('network') === 'host' ? ['network.host'] : []),
  ];
  const named = new Map([...lists, ['entitlements', entitlements] as const]);
  const contexts = new Map([...(maps.get('contexts') ?? [])].filter(([, value]) => value !== ''));
  return {
    ...attributes,
    lists: mapValues(named, (texts_) => [...new Set(texts_)].filter((text) => text !== '')),
    maps: maps.has('contexts') ? new Map([...maps, ['contexts', contexts] as const]) : maps,
    entries: mapValues(entries, (list, name) => distinct(name, list)),
  };
}

/** Attestations are one of each type, the last that was said; of what else is there twice, bake moves the last up. */
function distinct(name: EntriesName, entries: readonly Entry[]): readonly Entry[] {
  if (name === 'attest') return [...new Map(entries.map((entry) => [entry.get('type'), entry])).values()];
  const left = [...entries];
  const keys = left.map((entry) => JSON.stringify([...entry].sort(([a], [b]) => (a < b ? -1 : 1))));
  const places = new Map<string, number>();
  for (let at = left.length - 1; at >= 0; at -= 1) {
    const key = keys[at] ?? '';
    const same = places.get(key);
    const [last, lastKey = ''] = same === undefined ? [] : [left.pop(), keys.pop()];
    if (same !== undefined && last !== undefined && same < left.length) {
      left[same] = last;
      keys[same] = lastKey;
      places.set(lastKey, same);
    }
    places.set(key, at);
  }
  return left;
}

function appends(name: AttributeName): boolean {
  return ATTRIBUTES[name].merge === 'append';
}

function mergeEach<Name, Value>(
  earlier: ReadonlyMap<Name, Value>,
  later: ReadonlyMap<Name, Value>,
  merge: (name: Name, earlier: Value, later: Value) => Value,
): ReadonlyMap<Name, Value> {
  const merged = new Map(earlier);
  for (const [name, value] of later) {
    const before = earlier.get(name);
    merged.set(name, before === undefined ? value : merge(name, before, value));
  }
  return merged;
}

function mapValues<Name, Value>(
  map: ReadonlyMap<Name, Value>,
  change: (value: Value, name: Name) => Value,
): ReadonlyMap<Name, Value> {
  return new Map([...map].map(([name, value]) => [name, change(value, name)]));
}
