import { compareCodePoints } from '../code-point-order.ts';
import { compileGlob } from '../go-match.ts';
import { quote } from '../printable.ts';
import { type Attributes, mergeAttributes, NO_ATTRIBUTES, normalize } from './attributes.ts';
import type { Configuration, TargetDefinition } from './configuration.ts';
import type { Finding } from './findings.ts';
import { meant } from './variables.ts';

/** A target with all that it inherits. */
export interface ResolvedTarget extends TargetDefinition {
  /** `NAME` of a context → the target that it is. */
  readonly links: ReadonlyMap<string, string>;
  /** `false` for one that only others are built on. */
  readonly isRequested: boolean;
}

export interface Resolution {
  /** Each behind all that it is built on, else by name. */
  readonly targets: readonly ResolvedTarget[];
  /** What is wrong in the files. */
  readonly findings: readonly Finding[];
  /** What is wrong with the names that were asked for. */
  readonly unknown: readonly string[];
}

/** Longer chains are a trap for whoever follows them. */
const MAX_CHAIN = 500;
/** More is a trap as well: each target carries what it inherits. */
const MAX_TARGETS = 2000;
const MAX_ITEMS = 500;
/** As of a file: longer ones fill outputs and logs. */
const MAX_NAME_LENGTH = 255;
const PATTERN = /[*?[\]]/;

/**
 * The targets behind these names of targets and groups, or patterns of names (`*`, `?`, `[a-z]`), with what they inherit
 * and those that they are built on, as buildx 0.29 puts them together. Circles are problems, also where bake cuts them.
 */
export function resolveTargets(configuration: Configuration, wanted: readonly string[]): Resolution {
  const resolver = new Resolver(configuration);
  resolver.choose(wanted);
  return resolver.resolve();
}

class Resolver {
  readonly #configuration: Configuration;
  readonly #names: readonly string[];
  readonly #findings: Finding[] = [];
  readonly #unknown: string[] = [];
  readonly #wanted = new Set<string>();
  readonly #groups = new Map<string, readonly string[]>();
  readonly #inherited = new Map<string, Attributes | undefined>();
  readonly #resolved = new Map<string, ResolvedTarget | undefined>();

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
    this.#names = [...configuration.groups.keys(), ...configuration.targets.keys()];
    const [first] = configuration.targets.values();
    if (first !== undefined && configuration.targets.size > MAX_TARGETS)
      this.#find(first, `there are more than ${MAX_TARGETS} targets`);
    for (const target of configuration.targets.values()) {
      if (target.name.length > MAX_NAME_LENGTH)
        this.#find(target, `the name ${quote(target.name)} has more than ${MAX_NAME_LENGTH} characters`);
    }
  }

  choose(wanted: readonly string[]): void {
    for (const given of this.#findings.length > 0 ? [] : wanted) {
      // Bake renames services with a dot; directories of Dockerfiles keep theirs.
      const spellings = [given, given.replaceAll('.', '_')];
      // A directory may be called as a pattern is written; then it alone is meant.
      const isPattern = PATTERN.test(given) && !this.#names.includes(given);
      const tests = spellings.map((spelling) =>
        isPattern ? compileGlob(spelling) : (known: string) => known === spelling,
      );
      const found = this.#names.filter((known) => tests.some((matches) => matches(known)));
      if (found.length === 0) {
        const hint = isPattern ? '' : this.#known(given);
        this.#unknown.push(
          isPattern ? `no target matches ${quote(given)}` : `there is no target ${quote(given)}${hint}`,
        );
      }
      for (const name of found) {
        const isGroup = this.#configuration.groups.has(name);
        for (const target of isGroup ? this.#flatten(name, []) : [name]) this.#wanted.add(target);
      }
    }
  }

  resolve(): Resolution {
    const names = [...this.#wanted].sort(compareCodePoints);
    for (const name of names) this.#link(name, []);
    const targets = [...this.#resolved.values()].flatMap((target) => target ?? []);
    return { targets, findings: this.#findings, unknown: this.#unknown };
  }

  /** The targets of a group and of the groups in it. A group may hold the target of its own name. */
  #flatten(name: string, chain: readonly string[]): readonly string[] {
    const known = this.#groups.get(name);
    const group = this.#configuration.groups.get(name);
    if (known !== undefined || group === undefined) return known ?? [];
    const flat = new Set<string>();
    for (const member of group.targets) {
      const isGroup =
        this.#configuration.groups.has(member) && !(member === name && this.#configuration.targets.has(name));
      if (isGroup && this.#isCircle('groups', [...chain, name], member, group)) continue;
      if (isGroup) for (const target of this.#flatten(member, [...chain, name])) flat.add(target);
      else if (this.#configuration.targets.has(member)) flat.add(member);
      else this.#find(group, `group ${quote(name)} names ${quote(member)}, which is no target${this.#known(member)}`);
    }
    const targets = [...flat];
    this.#groups.set(name, targets);
    return targets;
  }

  /** What a target says with all that it inherits. */
  #inherit(name: string, chain: readonly string[]): Attributes | undefined {
    if (this.#inherited.has(name)) return this.#inherited.get(name);
    const target = this.#configuration.targets.get(name);
    if (target === undefined) return undefined;
    let attributes = NO_ATTRIBUTES;
    for (const parent of target.attributes.lists.get('inherits') ?? []) {
      if (this.#isCircle('inherits', [...chain, name], parent, target)) continue;
      const inherited = this.#inherit(parent, [...chain, name]);
      if (inherited !== undefined) attributes = mergeAttributes(attributes, inherited);
      else
        this.#find(target, `target ${quote(name)} inherits ${quote(parent)}, which is no target${this.#known(parent)}`);
    }
    const merged = mergeAttributes(attributes, target.attributes);
    const lengths = [...merged.lists.values(), ...merged.entries.values()].map(({ length }) => length);
    const isTooLong = Math.max(0, ...lengths, ...[...merged.maps.values()].map(({ size }) => size)) > MAX_ITEMS;
    if (isTooLong) this.#find(target, `target ${quote(name)} has a list or a map of more than ${MAX_ITEMS} items`);
    const own = isTooLong ? NO_ATTRIBUTES : normalize(merged);
    this.#inherited.set(name, own);
    return own;
  }

  #link(name: string, chain: readonly string[]): ResolvedTarget | undefined {
    if (this.#resolved.has(name)) return this.#resolved.get(name);
    const target = this.#configuration.targets.get(name);
    const attributes = this.#inherit(name, []);
    if (target === undefined || attributes === undefined) return undefined;
    const links = linksOf(attributes);
    const entitlements = new Set(attributes.lists.get('entitlements'));
    for (const linked of links.values()) {
      if (this.#isCircle('contexts', [...chain, name], linked, target)) continue;
      const base = this.#link(linked, [...chain, name]);
      for (const one of base?.attributes.lists.get('entitlements') ?? []) entitlements.add(one);
      if (base === undefined) {
        this.#find(
          target,
          `target ${quote(name)} is built on ${quote(linked)}, which is no target${this.#known(linked)}`,
        );
      } else this.#comparePlatforms(target, attributes, base);
    }
    const lists = new Map([...attributes.lists, ['entitlements', [...entitlements]] as const]);
    const resolved: ResolvedTarget = {
      ...target,
      attributes: { ...attributes, lists },
      links,
      isRequested: this.#wanted.has(name),
    };
    this.#resolved.set(name, resolved);
    return resolved;
  }

  #comparePlatforms(target: TargetDefinition, attributes: Attributes, base: ResolvedTarget): void {
    const own = attributes.lists.get('platforms') ?? [];
    const others = base.attributes.lists.get('platforms') ?? [];
    const missing = own.filter((platform) => !others.includes(platform));
    if (own.length < 2 || others.length < 2 || missing.length === 0) return;
    const platforms = missing.map((platform) => quote(platform)).join(', ');
    this.#find(
      target,
      `target ${quote(target.name)} is built on ${quote(base.name)}, which is not built for ${platforms}`,
    );
  }

  #isCircle(
    what: string,
    chain: readonly string[],
    next: string,
    at: { file: string; line: number | undefined },
  ): boolean {
    const start = chain.indexOf(next);
    if (start >= 0)
      this.#find(
        at,
        `${what} lead in a circle: ${[...chain.slice(start), next].map((name) => quote(name)).join(' → ')}`,
      );
    else if (chain.length > MAX_CHAIN) this.#find(at, `${what} follow each other more than ${MAX_CHAIN} times`);
    return start >= 0 || chain.length > MAX_CHAIN;
  }

  #find({ file, line }: { file: string; line: number | undefined }, message: string): void {
    if (!this.#findings.some((one) => one.message === message)) this.#findings.push({ file, line, message });
  }

  /** `; did you mean X?`, or what there is. */
  #known(name: string): string {
    const hint = meant(name, this.#names);
    if (hint !== '' || this.#names.length === 0) return hint;
    const shown = this.#names.slice(0, 10).map((known) => quote(known));
    return `; there ${shown.length === 1 ? 'is' : 'are'} ${shown.join(', ')}${this.#names.length > shown.length ? ' …' : ''}`;
  }
}

function linksOf({ maps }: Attributes): ReadonlyMap<string, string> {
  const contexts = [...(maps.get('contexts') ?? [])].filter(([, value]) => value.startsWith('target:'));
  const links = contexts.map(([name, value]) => [name, value.slice('target:'.length)] as const);
  return new Map(links.sort(([a], [b]) => compareCodePoints(a, b)));
}
