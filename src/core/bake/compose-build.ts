import { quote } from '../printable.ts';
import { splitOnce } from '../split-once.ts';
import {
  type Attributes,
  type EntriesName,
  type Entry,
  type FlagName,
  type MapName,
  type TextName,
  type TextsName,
} from './attributes.ts';
import { extendBuild } from './compose-extension.ts';
import { ComposeValues, mapEntries, sortAgents } from './compose-values.ts';
import type { Reader } from './findings.ts';
import { kindName, type Tree, type TreeEntry, valueOf } from './tree.ts';
import { type Lookup, meant } from './variables.ts';

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
  readonly lookup: Lookup;
  readonly reader: Reader;
}

/** https://github.com/compose-spec/compose-spec/blob/main/build.md; those without meaning for bake are read over. */
const BUILD_KEYS =
  'additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts isolation labels network no_cache platforms privileged provenance pull sbom secrets shm_size ssh tags target ulimits'.split(
    ' ',
  );
const SIZE = /^([1-9][0-9]*)(?:b|([kmg])b?)?$/i;
const MAX_MANTISSA = 1000;

/** What a service says of its build, as bake 0.29 makes a target of it (bake/compose.go). */
export function readComposeBuild(composed: ComposeService, facts: ComposeFacts): Attributes {
  return new BuildReader(composed, facts).read();
}

class BuildReader {
  readonly #composed: ComposeService;
  readonly #facts: ComposeFacts;
  readonly #values: ComposeValues;
  readonly #texts = new Map<TextName, string>();
  readonly #flags = new Map<FlagName, boolean>();
  readonly #lists = new Map<TextsName, readonly string[]>();
  readonly #maps = new Map<MapName, ReadonlyMap<string, string>>();
  readonly #entries = new Map<EntriesName, readonly Entry[]>();

  constructor(composed: ComposeService, facts: ComposeFacts) {
    this.#composed = composed;
    this.#facts = facts;
    this.#values = new ComposeValues(composed.name, facts.reader);
  }

  read(): Attributes {
    const { build, service, line } = this.#composed;
    if (build.kind === 'text') this.#texts.set('context', this.#values.path(build.text, build.line));
    else if (build.kind !== 'map') this.#values.problem(line, `build must be a path or a map, not ${kindName(build)}`);
    for (const entry of mapEntries(build)) this.#readKey(entry);
    if (this.#texts.has('dockerfile') && this.#texts.has('dockerfile-inline')) {
      this.#values.problem(line, 'dockerfile and dockerfile_inline cannot be together');
    }
    const image = valueOf(service, 'image');
    const own = this.#attributes();
    const extended = extendBuild(own, valueOf(build, 'x-bake'), this.#values);
    if ((extended.lists.get('tags') ?? []).length > 0 || image === undefined || image.kind === 'null') return extended;
    const reference = this.#values.string(image, 'image');
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
      return this.#values.problem(line, `${quote(key)} is no key of build${meant(key, BUILD_KEYS)}`);
    if (value.kind === 'null') {
      if (!['args', 'labels'].includes(key)) this.#values.beyond(line, `${quote(key)} without a value`);
      return;
    }
    switch (key) {
      case 'context':
        return void this.#texts.set('context', this.#values.path(this.#values.string(value, key), line));
      case 'dockerfile':
      case 'dockerfile_inline':
      case 'target':
      case 'network': {
        const text = this.#values.string(value, key);
        if (text !== '') this.#texts.set(key === 'dockerfile_inline' ? 'dockerfile-inline' : key, text);
        return;
      }
      case 'args':
        return void this.#maps.set('args', this.#args(value));
      case 'labels':
        return void this.#maps.set(
          'labels',
          new Map([...this.#values.pairs(value, key)].map(([name, text]) => [name, text ?? ''])),
        );
      case 'additional_contexts':
        return void this.#maps.set('contexts', this.#contexts(this.#values.pairs(value, key), line));
      case 'extra_hosts':
        return void this.#maps.set('extra-hosts', this.#hosts(value));
      case 'tags':
      case 'platforms':
        return void this.#lists.set(key, this.#values.items(value, key));
      case 'cache_from':
        return void this.#entries.set(
          'cache-from',
          this.#values.parse('cache-from', this.#values.items(value, key), line),
        );
      case 'cache_to':
        return void this.#entries.set('cache-to', this.#values.parse('cache-to', this.#values.items(value, key), line));
      case 'no_cache':
      case 'pull':
        if (this.#values.flag(value, key)) this.#flags.set(key === 'pull' ? 'pull' : 'no-cache', true);
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
        return this.#attest(key, this.#values.text(value, key), line);
    }
  }

  /** One without a value takes that of the service's environment, else of the run's, else there is none. */
  #args(tree: Tree): ReadonlyMap<string, string> {
    const { service } = this.#composed;
    const args = this.#values.pairs(tree, 'args');
    const environment = [...args.values()].includes(undefined)
      ? this.#values.pairs(valueOf(service, 'environment') ?? { kind: 'null', text: '', line: 0 }, 'environment')
      : new Map();
    const resolved = new Map<string, string>();
    for (const [name, given] of args) {
      if (given === undefined && valueOf(service, 'env_file') !== undefined)
        this.#values.beyond(tree.line, `the build arg ${quote(name)} with "env_file"`);
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
        return [name, this.#values.path(value, line)];
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
        this.#values.beyond(line, 'extra_hosts');
      }
      hosts.set(host, [...(hosts.get(host) ?? []), ...addresses]);
    };
    for (const { key, line, value } of mapEntries(tree))
      add(
        key,
        value.kind === 'list' ? this.#values.items(value, 'extra_hosts') : [this.#values.text(value, 'extra_hosts')],
        line,
      );
    for (const item of tree.kind === 'map' ? [] : this.#values.items(tree, 'extra_hosts')) {
      const [host = '', address = ''] = splitOnce(item, item.includes('=') ? '=' : ':');
      if (!item.includes('=') && address.includes(':')) this.#values.beyond(tree.line, `extra_hosts ${quote(item)}`);
      add(host, [address], tree.line);
    }
    return new Map([...hosts].map(([host, addresses]) => [host, addresses.join(',')]));
  }

  /** Sizes that go-units writes in full: it keeps four digits. */
  #shmSize(tree: Tree): void {
    const text = this.#values.text(tree, 'shm_size');
    const [, digits, unit = ''] = SIZE.exec(text) ?? [];
    let count = Number(digits ?? '0');
    let step = ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase());
    while (count > 0 && count % 1024 === 0) [count, step] = [count / 1024, step + 1];
    const name = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][step];
    if (count === 0 || count > MAX_MANTISSA || name === undefined)
      this.#values.beyond(tree.line, `shm_size ${quote(text)}`);
    else this.#texts.set('shm-size', `${count}${name}`);
  }

  #ulimits(tree: Tree): readonly string[] {
    if (tree.kind !== 'map') this.#values.problem(tree.line, `ulimits must be a map, not ${kindName(tree)}`);
    const ulimits = mapEntries(tree).map(({ key, line, value }) => {
      const [soft, hard] = [valueOf(value, 'soft'), valueOf(value, 'hard')];
      if (soft?.kind !== 'number' || hard?.kind !== 'number' || mapEntries(value).length !== 2) {
        this.#values.beyond(line, `the ulimit ${quote(key)}`);
        return '';
      }
      return `${key}=${soft.text}:${hard.text}`;
    });
    return ulimits;
  }

  #ssh(tree: Tree): readonly Entry[] {
    const agents = [...this.#values.pairs(tree, 'ssh')].map(([id, path = '']): Entry => {
      return new Map(
        path === ''
          ? [['id', id]]
          : [
              ['id', id],
              ['paths', this.#values.path(path, tree.line)],
            ],
      );
    });
    return sortAgents(agents);
  }

  #secrets(tree: Tree): readonly Entry[] {
    if (tree.kind !== 'list') this.#values.problem(tree.line, `secrets must be a list, not ${kindName(tree)}`);
    return (tree.kind === 'list' ? tree.items : []).map((item): Entry => {
      const source = valueOf(item, 'source');
      const id = this.#values.text(item.kind === 'map' ? (source ?? item) : item, 'secrets');
      const secret = this.#facts.secrets.get(id);
      if (secret === undefined)
        this.#values.problem(item.line, `there is no secret ${quote(id)}${meant(id, this.#facts.secrets.keys())}`);
      if (
        mapEntries(secret).some(
          ({ key, value }) => !['file', 'environment', 'name'].includes(key) || value.kind !== 'text',
        )
      ) {
        this.#values.beyond(item.line, `the secret ${quote(id)}`);
      }
      const textAt = (key: string): string =>
        valueOf(secret, key)?.kind === 'text' ? this.#values.text(valueOf(secret, key) ?? item, key) : '';
      const [file, variable] = [textAt('file'), textAt('environment')];
      const parts = [
        ['id', id],
        ['src', file === '' ? '' : this.#values.path(file, item.line)],
        ['env', variable],
      ] as const;
      return new Map(parts.filter(([, value]) => value !== ''));
    });
  }

  #attest(type: string, text: string, line: number): void {
    const attest = ['true', 'false'].includes(text)
      ? `type=${type},disabled=${text === 'false'}`
      : `type=${type},${text}`;
    const own = this.#values.parse('attest', [attest], line);
    const all = [...(this.#entries.get('attest') ?? []), ...own];
    this.#entries.set(
      'attest',
      all.sort((a, b) => ((a.get('type') ?? '') < (b.get('type') ?? '') ? 1 : -1)),
    );
  }
}
