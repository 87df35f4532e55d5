import type { OpenContext } from './context.ts';
import { resolveUse } from './core/context-resolver.ts';
import type { ContextUse } from './core/context-use.ts';
import type { Entry, UseInput } from './core/input-manifest.ts';

/** Where something was read, and what of it counts. */
interface ReadLeaf {
  readonly directory: string;
  readonly path: string;
  readonly leaf: string;
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
  readonly counted: ReadonlySet<string>;
  readonly lines: Map<string, number>;
  readonly empty: Map<string, number>;
}

/** Reads what uses take of contexts, opening each context at most once, and remembers what it has read. */
export class UseReader {
  readonly #open: (name: string | undefined) => OpenContext | undefined;
  readonly #contexts = new Map<string | undefined, OpenedContext | undefined>();
  readonly #leaves: ReadLeaf[] = [];
  readonly #problems: RefusedUse[] = [];

  /** `open` is asked for the build's own context by `undefined`; it answers `undefined` for one that is no directory. */
  constructor(open: (name: string | undefined) => OpenContext | undefined) {
    this.#open = open;
  }

  get leaves(): readonly ReadLeaf[] {
    return this.#leaves;
  }

  /** Those that something was read of. */
  get contexts(): readonly ReadContext[] {
    return [...this.#contexts.values()].flatMap((context) => context ?? []);
  }

  /** Paths in the build's own context. */
  get paths(): Iterable<string> {
    return this.#contexts.get(undefined)?.lines.keys() ?? [];
  }

  /** What BuildKit would refuse. */
  get problems(): readonly RefusedUse[] {
    return this.#problems;
  }

  /** Nothing for a use of what is no directory. Errors as of `readContext`. */
  read(use: ContextUse): readonly UseInput[] {
    const context = this.#contextOf(use.context);
    if (context === undefined) return [];
    const { open, counted, lines, empty } = context;
    const resolved = resolveUse(open.tree, use);
    if (!resolved.ok) this.#problems.push({ ...resolved, use });
    const taken = (resolved.ok ? resolved.value : []).filter(({ path }) => path === '' || counted.has(path));
    const [first] = taken;
    if (first?.name === '.' && open.tree.below(first.path).length === 0) empty.set(first.path, use.line);
    const entries = taken.map((entry): Entry => {
      const leaf = open.leaf(entry);
      if (entry.path !== '' && !lines.has(entry.path)) lines.set(entry.path, use.line);
      this.#leaves.push({ directory: open.directory, path: entry.path, leaf });
      return [entry.name, leaf];
    });
    return [
      { op: use.op, ...(use.context === undefined ? {} : { context: use.context }), source: use.source, entries },
    ];
  }

  #contextOf(name: string | undefined): OpenedContext | undefined {
    if (this.#contexts.has(name)) return this.#contexts.get(name);
    const open = this.#open(name);
    const context = open && {
      name,
      open,
      counted: new Set(open.counted.map(({ path }) => path)),
      lines: new Map<string, number>(),
      empty: new Map<string, number>(),
    };
    this.#contexts.set(name, context);
    return context;
  }
}
