import { cleanPath } from '../clean-path.ts';
import { quote } from '../printable.ts';
import { splitOnce } from '../split-once.ts';
import {
  type Attributes,
  type EntriesName,
  type Entry,
  type FlagName,
  type MapName,
  mergeAttributes,
  NO_ATTRIBUTES,
  type TextName,
  type TextsName,
} from './attributes.ts';
import { parseEntryText } from './entries.ts';
import type { Reader } from './findings.ts';
import { kindName, type Tree, type TreeEntry, valueOf } from './tree.ts';
import { meant } from './variables.ts';

/** A service with a `build`. */
export interface ComposeService {
  readonly name: string;
  readonly service: Tree;
  readonly build: Tree;
  readonly line: number;
}

export interface ComposeFacts {
  /** The file's own `secrets`, by name. */
  readonly secrets: ReadonlyMap<string, Tree>;
  /** What a variable is in the environment or in `.env`. */
  readonly lookup: (name: string) => string | undefined;
  readonly reader: Reader;
}

/** https://github.com/compose-spec/compose-spec/blob/main/build.md; those without meaning for bake are read over. */
const BUILD_KEYS =
  'additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts isolation labels network no_cache platforms privileged provenance pull sbom secrets shm_size ssh tags target ulimits'.split(
    ' ',
  );
/** https://docs.docker.com/build/bake/compose-file/#extension-field-with-x-bake */
const EXTENSION_KEYS =
  'cache-from cache-to contexts no-cache no-cache-filter output platforms pull secret ssh tags'.split(' ');
const SCHEME = /^(?:https?|git|ssh|docker-image|oci-layout):\/\//;
const SIZE = /^([1-9][0-9]*)(?:b|([kmg])b?)?$/i;
const MAX_MANTISSA = 1000;

/** What a service says of its build, as bake 0.29 makes a target of it (bake/compose.go). */
export function readComposeBuild(composed: ComposeService, facts: ComposeFacts): Attributes {
  return new BuildReader(composed, facts).read();
}

class BuildReader {
  readonly #composed: ComposeService;
  readonly #facts: ComposeFacts;
  readonly #reader: Reader;
  readonly #texts = new Map<TextName, string>();
  readonly #flags = new Map<FlagName, boolean>();
  readonly #lists = new Map<TextsName, readonly string[]>();
  readonly #maps = new Map<MapName, ReadonlyMap<string, string>>();
  readonly #entries = new Map<EntriesName, readonly Entry[]>();

  constructor(composed: ComposeService, facts: ComposeFacts) {
    this.#composed = composed;
    this.#facts = facts;
    this.#reader = facts.reader;
  }

  read(): Attributes {
    const { build, service, line } = this.#composed;
    if (build.kind === 'text') this.#texts.set('context', this.#path(build.text, build.line));
    else if (build.kind !== 'map') this.#problem(line, `build must be a path or a map, not ${kindName(build)}`);
    for (const entry of entries(build)) this.#readKey(entry);
    const image = valueOf(service, 'image');
    const own = this.#attributes();
    const extended = this.#extend(own, valueOf(build, 'x-bake'));
    if ((extended.lists.get('tags') ?? []).length > 0 || image === undefined || image.kind === 'null') return extended;
    const reference = this.#text(image, 'image');
    return reference === ''
      ? extended
      : { ...extended, lists: new Map([...extended.lists, ['tags', [reference]] as const]) };
  }

  #attributes(): Attributes {
    return { texts: this.#texts, flags: this.#flags, lists: this.#lists, maps: this.#maps, entries: this.#entries };
  }

  #readKey({ key, line, value }: TreeEntry): void {
    if (key.startsWith('x-')) return;
    if (!BUILD_KEYS.includes(key))
      return this.#problem(line, `${quote(key)} is no key of build${meant(key, BUILD_KEYS)}`);
    if (value.kind === 'null') {
      if (!['args', 'labels'].includes(key)) this.#reader.beyond(line, `${quote(key)} without a value`);
      return;
    }
    switch (key) {
      case 'context':
        return void this.#texts.set('context', this.#path(this.#text(value, key), line));
      case 'dockerfile':
      case 'dockerfile_inline':
      case 'target':
      case 'network': {
        const text = this.#text(value, key);
        if (text !== '') this.#texts.set(key === 'dockerfile_inline' ? 'dockerfile-inline' : key, text);
        return;
      }
      case 'args':
        return void this.#maps.set('args', this.#args(value));
      case 'labels':
        return void this.#maps.set(
          'labels',
          new Map([...this.#pairs(value, key)].map(([name, text]) => [name, text ?? ''])),
        );
      case 'additional_contexts':
        return void this.#maps.set('contexts', this.#contexts(this.#pairs(value, key), line));
      case 'extra_hosts':
        return void this.#maps.set('extra-hosts', this.#hosts(value));
      case 'tags':
      case 'platforms':
        return void this.#lists.set(key, this.#items(value, key));
      case 'cache_from':
        return void this.#entries.set('cache-from', this.#parse('cache-from', this.#items(value, key), line));
      case 'cache_to':
        return void this.#entries.set('cache-to', this.#parse('cache-to', this.#items(value, key), line));
      case 'no_cache':
      case 'pull':
        if (this.#flag(value, key)) this.#flags.set(key === 'pull' ? 'pull' : 'no-cache', true);
        return;
      case 'shm_size':
        return this.#shmSize(value);
      case 'ulimits':
        return void this.#lists.set('ulimits', this.#ulimits(value));
      case 'ssh':
        return void this.#entries.set('ssh', this.#ssh(value));
      case 'secrets':
        return void this.#entries.set('secret', this.#secrets(value));
      case 'sbom':
      case 'provenance':
        return this.#attest(key, this.#text(value, key), line);
    }
  }

  #problem(line: number, message: string): void {
    this.#reader.problem(line, `service ${quote(this.#composed.name)}: ${message}`);
  }

  #beyond(line: number, what: string): void {
    this.#reader.beyond(line, `${what} of service ${quote(this.#composed.name)}`);
  }

  #text(tree: Tree, what: string): string {
    if (tree.kind === 'text' || tree.kind === 'number') return tree.text;
    if (tree.kind === 'boolean') return tree.text;
    if (tree.kind === 'list' || tree.kind === 'map')
      this.#problem(tree.line, `${what} must be a text, not ${kindName(tree)}`);
    else this.#beyond(tree.line, `${what}: ${quote(tree.text)}`);
    return '';
  }

  #flag(tree: Tree, what: string): boolean {
    if (tree.kind === 'boolean' || (tree.kind === 'text' && ['true', 'false'].includes(tree.text)))
      return tree.text === 'true';
    this.#beyond(tree.line, what);
    return false;
  }

  #items(tree: Tree, what: string): readonly string[] {
    if (tree.kind === 'list') return tree.items.map((item) => this.#text(item, what));
    this.#problem(tree.line, `${what} must be a list, not ${kindName(tree)}`);
    return [];
  }

  /** A map, or a list of `KEY=VALUE`. */
  #pairs(tree: Tree, what: string): ReadonlyMap<string, string | undefined> {
    if (tree.kind === 'null') return new Map();
    if (tree.kind === 'list') {
      return new Map(
        tree.items.map((item): [string, string | undefined] => {
          const [key = '', value] = splitOnce(this.#text(item, what), '=');
          return [key, value];
        }),
      );
    }
    if (tree.kind !== 'map') this.#problem(tree.line, `${what} must be a map or a list, not ${kindName(tree)}`);
    return new Map(
      entries(tree).map(({ key, value }) => [
        key,
        value.kind === 'null' ? undefined : this.#text(value, `${what}.${key}`),
      ]),
    );
  }

  /** One without a value takes that of the service's environment, else of the run's, else there is none. */
  #args(tree: Tree): ReadonlyMap<string, string> {
    const { service } = this.#composed;
    const args = this.#pairs(tree, 'args');
    const environment = [...args.values()].includes(undefined)
      ? this.#pairs(valueOf(service, 'environment') ?? { kind: 'null', text: '', line: 0 }, 'environment')
      : new Map();
    const resolved = new Map<string, string>();
    for (const [name, given] of args) {
      if (given === undefined && valueOf(service, 'env_file') !== undefined)
        this.#beyond(tree.line, `the build arg ${quote(name)} with "env_file"`);
      const value = given ?? environment.get(name) ?? this.#facts.lookup(name);
      if (value !== undefined) resolved.set(name, value);
    }
    return resolved;
  }

  #contexts(pairs: ReadonlyMap<string, string | undefined>, line: number): ReadonlyMap<string, string> {
    return new Map(
      [...pairs].map(([name, value = '']) => {
        const [scheme, target = ''] = splitOnce(value, ':');
        if (scheme === 'service' || scheme === 'target') return [name, `target:${target.replaceAll('.', '_')}`];
        return [name, this.#path(value, line)];
      }),
    );
  }

  #hosts(tree: Tree): ReadonlyMap<string, string> {
    const hosts = new Map<string, readonly string[]>();
    const add = (host: string, addresses: readonly string[], line: number): void => {
      if (
        host === '' ||
        addresses.length === 0 ||
        addresses.some((address) => address === '' || /[[\],]/.test(address))
      ) {
        this.#beyond(line, 'extra_hosts');
      }
      hosts.set(host, [...(hosts.get(host) ?? []), ...addresses]);
    };
    for (const { key, line, value } of entries(tree))
      add(key, value.kind === 'list' ? this.#items(value, 'extra_hosts') : [this.#text(value, 'extra_hosts')], line);
    for (const item of tree.kind === 'map' ? [] : this.#items(tree, 'extra_hosts')) {
      const [host = '', address = ''] = splitOnce(item, item.includes('=') ? '=' : ':');
      if (!item.includes('=') && address.includes(':')) this.#beyond(tree.line, `extra_hosts ${quote(item)}`);
      add(host, [address], tree.line);
    }
    return new Map([...hosts].map(([host, addresses]) => [host, addresses.join(',')]));
  }

  /** Sizes that go-units writes in full: it keeps four digits. */
  #shmSize(tree: Tree): void {
    const text = this.#text(tree, 'shm_size');
    const [, digits, unit = ''] = SIZE.exec(text) ?? [];
    let count = Number(digits ?? '0');
    let step = ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase());
    while (count > 0 && count % 1024 === 0) [count, step] = [count / 1024, step + 1];
    const name = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][step];
    if (count === 0 || count > MAX_MANTISSA || name === undefined) this.#beyond(tree.line, `shm_size ${quote(text)}`);
    else this.#texts.set('shm-size', `${count}${name}`);
  }

  #ulimits(tree: Tree): readonly string[] {
    if (tree.kind !== 'map') this.#problem(tree.line, `ulimits must be a map, not ${kindName(tree)}`);
    const ulimits = entries(tree).map(({ key, line, value }) => {
      const [soft, hard] = [valueOf(value, 'soft'), valueOf(value, 'hard')];
      if (soft?.kind !== 'number' || hard?.kind !== 'number' || entries(value).length !== 2) {
        this.#beyond(line, `the ulimit ${quote(key)}`);
        return '';
      }
      return `${key}=${soft.text}:${hard.text}`;
    });
    return ulimits;
  }

  #ssh(tree: Tree): readonly Entry[] {
    const agents = [...this.#pairs(tree, 'ssh')].map(([id, path = '']): Entry => {
      return new Map(
        path === ''
          ? [['id', id]]
          : [
              ['id', id],
              ['paths', this.#path(path, tree.line)],
            ],
      );
    });
    return sortAgents(agents);
  }

  #secrets(tree: Tree): readonly Entry[] {
    if (tree.kind !== 'list') this.#problem(tree.line, `secrets must be a list, not ${kindName(tree)}`);
    return (tree.kind === 'list' ? tree.items : []).map((item): Entry => {
      const source = valueOf(item, 'source');
      const id = this.#text(item.kind === 'map' ? (source ?? item) : item, 'secrets');
      const secret = this.#facts.secrets.get(id);
      if (secret === undefined)
        this.#problem(item.line, `there is no secret ${quote(id)}${meant(id, this.#facts.secrets.keys())}`);
      if (
        entries(secret).some(
          ({ key, value }) => !['file', 'environment', 'name'].includes(key) || value.kind !== 'text',
        )
      ) {
        this.#beyond(item.line, `the secret ${quote(id)}`);
      }
      const textAt = (key: string): string =>
        valueOf(secret, key)?.kind === 'text' ? this.#text(valueOf(secret, key) ?? item, key) : '';
      const [file, variable] = [textAt('file'), textAt('environment')];
      const parts = [
        ['id', id],
        ['src', file === '' ? '' : this.#path(file, item.line)],
        ['env', variable],
      ] as const;
      return new Map(parts.filter(([, value]) => value !== ''));
    });
  }

  #attest(type: string, text: string, line: number): void {
    const attest = ['true', 'false'].includes(text)
      ? `type=${type},disabled=${text === 'false'}`
      : `type=${type},${text}`;
    const own = this.#parse('attest', [attest], line);
    const all = [...(this.#entries.get('attest') ?? []), ...own];
    this.#entries.set(
      'attest',
      all.sort((a, b) => ((a.get('type') ?? '') < (b.get('type') ?? '') ? 1 : -1)),
    );
  }

  #parse(name: EntriesName, texts: readonly string[], line: number): readonly Entry[] {
    return texts.flatMap((text) => {
      if (text === '') return [];
      const parsed = parseEntryText(name, text);
      if (parsed === undefined) this.#beyond(line, `${name} ${quote(text)}`);
      return parsed ?? [];
    });
  }

  /** As compose cleans paths; addresses stay. */
  #path(path: string, line: number): string {
    if (SCHEME.test(path)) return path;
    if (/^~|:|^github\.com\/|\\/.test(path)) this.#beyond(line, `the path ${quote(path)}`);
    return cleanPath(path);
  }

  #extend(own: Attributes, extension: Tree | undefined): Attributes {
    if (extension === undefined || extension.kind === 'null') return own;
    const lists = new Map<TextsName, readonly string[]>();
    const maps = new Map<MapName, ReadonlyMap<string, string>>();
    const added = new Map<EntriesName, readonly Entry[]>();
    const flags = new Map<FlagName, boolean>();
    if (extension.kind !== 'map') this.#problem(extension.line, `x-bake must be a map, not ${kindName(extension)}`);
    for (const { key, line, value } of entries(extension)) {
      if (value.kind === 'null') this.#beyond(line, `${quote(key)} in x-bake`);
      else if (key === 'pull' || key === 'no-cache') flags.set(key, this.#flag(value, key));
      else if (key === 'tags' || key === 'platforms')
        lists.set(key, [...new Set([...(own.lists.get(key) ?? []), ...this.#words(value, key)])]);
      else if (key === 'no-cache-filter') lists.set(key, this.#words(value, key));
      else if (key === 'contexts')
        maps.set(key, new Map([...this.#extraContexts(value), ...(own.maps.get(key) ?? [])]));
      else if (key === 'output' || key === 'secret' || key === 'ssh' || key === 'cache-from')
        added.set(key, this.#parse(key, this.#words(value, key), line));
      else if (key === 'cache-to')
        added.set(key, [...(own.entries.get(key) ?? []), ...this.#parse(key, this.#words(value, key), line)]);
      else this.#problem(line, `${quote(key)} is no key of x-bake${meant(key, EXTENSION_KEYS)}`);
    }
    const empty = [...lists].filter(([name, list]) => list.length === 0 && name !== 'no-cache-filter');
    for (const [name] of empty) lists.delete(name);
    const merged = mergeAttributes(own, { ...NO_ATTRIBUTES, flags, lists, maps, entries: added });
    const agents = merged.entries.get('ssh');
    return agents === undefined
      ? merged
      : { ...merged, entries: new Map([...merged.entries, ['ssh', sortAgents(agents)] as const]) };
  }

  #extraContexts(tree: Tree): ReadonlyMap<string, string> {
    if (tree.kind !== 'map') this.#beyond(tree.line, 'contexts in x-bake');
    return new Map(
      entries(tree).map(({ key, value }) => {
        const text = this.#text(value, 'contexts');
        return [
          key,
          /^(?:service|target):/.test(text) ? `target:${text.slice(text.indexOf(':') + 1).replaceAll('.', '_')}` : text,
        ];
      }),
    );
  }

  /** A list, or one text whose words are it. */
  #words(tree: Tree, what: string): readonly string[] {
    return tree.kind === 'text' ? tree.text.split(/\s+/).filter((word) => word !== '') : this.#items(tree, what);
  }
}

function entries(tree: Tree | undefined): readonly TreeEntry[] {
  return tree?.kind === 'map' ? tree.entries : [];
}

function sortAgents(agents: readonly Entry[]): readonly Entry[] {
  const keyOf = (agent: Entry): string => `${agent.get('id') ?? ''}\0${agent.get('paths') ?? ''}`;
  return [...agents].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
