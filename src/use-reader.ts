import type { OpenContext } from './context.ts';
import { resolveUse } from './core/context-resolver.ts';
import type { ContextUse } from './core/context-use.ts';
import type { Entry, UseInput } from './core/input-manifest.ts';
import { type Located, located } from './core/located.ts';

/** Where something was read, and what of it counts. */
export interface ReadLeaf {
  readonly directory: string;
  readonly path: string;
  readonly leaf: string;
}

/** A file that does not count because of the scope `manifests`. */
export interface OtherFile {
  /** As people are told it: in a named context `NAME:PATH`. */
  readonly place: string;
  readonly directory: string;
  readonly path: string;
}

/** A use that BuildKit would refuse. */
export interface RefusedUse {
  readonly problem: string;
  readonly line: number;
  readonly use: ContextUse;
}

/** A context, and what was read of it. */
export interface ReadContext {
  /** By which it was given; `undefined` for the build's own. */
  readonly name: string | undefined;
  readonly open: OpenContext;
  /** By the path of what counted: the first line of the Dockerfile that reads it, where that is known. */
  readonly lines: ReadonlyMap<string, number>;
  /** Directories that are copied and hold nothing, with the line. */
  readonly empty: ReadonlyMap<string, number>;
}

interface OpenedContext extends ReadContext {
  readonly lines: Map<string, number>;
  readonly empty: Map<string, number>;
}

/** Reads what uses take of contexts, each context and each use at most once, and remembers what it has read. */
export class UseReader {
  readonly #positions = new Map<string, Located<number>>();
  readonly #uses: UseInput[] = [];
  readonly #open: (name: string | undefined) => OpenContext | undefined;
  readonly #contexts = new Map<string | undefined, OpenedContext | undefined>();
  readonly #others = new Map<string, OtherFile>();
  readonly #problems: RefusedUse[] = [];

  /** `open` is asked for the build's own context by `undefined`; it answers `undefined` for one that is no directory. */
  constructor(open: (name: string | undefined) => OpenContext | undefined) {
    this.#open = open;
  }

  /** All that was read, each once. */
  get uses(): readonly UseInput[] {
    return this.#uses;
  }

  /** All that was read and counts, each path of a context once. */
  *leaves(): Generator<ReadLeaf> {
    for (const { open, lines } of this.contexts) {
      const { directory, read } = open;
      for (const path of read.has('') ? ['', ...lines.keys()] : lines.keys()) {
        const entry = read.get(path);
        if (entry !== undefined) yield { directory, path, leaf: entry.leaf };
      }
    }
  }

  /** Those that something was read of. */
  get contexts(): readonly ReadContext[] {
    return [...this.#contexts.values()].flatMap((context) => context ?? []);
  }

  /** Paths in the build's own context. */
  get paths(): Iterable<string> {
    return this.#contexts.get(undefined)?.lines.keys() ?? [];
  }

  /** What was read and does not count because of the scope `manifests`, each file once. */
  get others(): readonly OtherFile[] {
    return [...this.#others.values()];
  }

  /** What BuildKit would refuse. */
  get problems(): readonly RefusedUse[] {
    return this.#problems;
  }

  /** The use's position among `uses`; none for a use of what is no directory. Errors as of `readContext`. */
  read(use: ContextUse): readonly number[] {
    const context = this.#contextOf(use.context);
    if (context === undefined) return [];
    const { line, ...what } = use;
    const key = JSON.stringify(what);
    const position = this.#positions.get(key) ?? this.#readFirst(use, context);
    this.#positions.set(key, position);
    if (position.ok) return [position.value];
    this.#problems.push({ problem: position.problem, line, use });
    return [];
  }

  #readFirst(use: ContextUse, { open, lines, empty }: OpenedContext): Located<number> {
    const taken = resolveUse(open.tree, use);
    if (!taken.ok) return taken;
    for (const { path } of taken.value) {
      if (open.others?.has(path) !== true) continue;
      const other = otherFile(use.context, open.directory, path);
      this.#others.set(other.place, other);
    }
    const [first] = taken.value;
    if (first?.name === '.' && open.tree.below(first.path).length === 0) empty.set(first.path, use.line);
    const entries: Entry[] = [];
    open.leavesOf(
      taken.value.filter(({ path }) => open.counts(path)),
      (entry, leaf) => {
        if (entry.path !== '' && !lines.has(entry.path)) lines.set(entry.path, use.line);
        entries.push([entry.isNamed ? `/${entry.name}` : entry.name, leaf]);
      },
    );
    const { op, source } = use;
    this.#uses.push({ op, ...(use.context === undefined ? {} : { context: use.context }), source, entries });
    return located(this.#uses.length - 1);
  }

  #contextOf(name: string | undefined): OpenedContext | undefined {
    if (this.#contexts.has(name)) return this.#contexts.get(name);
    const open = this.#open(name);
    const context = open && {
      name,
      open,
      lines: new Map<string, number>(),
      empty: new Map<string, number>(),
    };
    this.#contexts.set(name, context);
    return context;
  }
}

/** `context`: the name of a named context; `undefined` for the build's own. */
export function otherFile(context: string | undefined, directory: string, path: string): OtherFile {
  return { place: context === undefined ? path : `${context}:${path}`, directory, path };
}
