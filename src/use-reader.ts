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

/** Reads what uses take of contexts, opening each context at most once, and remembers what it has read. */
export class UseReader {
  readonly #open: (name: string | undefined) => OpenContext | undefined;
  readonly #contexts = new Map<string | undefined, OpenContext | undefined>();
  readonly #counted = new Map<OpenContext, ReadonlySet<string>>();
  readonly #leaves: ReadLeaf[] = [];
  readonly #paths = new Set<string>();
  readonly #problems: { readonly problem: string; readonly line: number }[] = [];

  /** `open` is asked for the build's own context by `undefined`; it answers `undefined` for one that is no directory. */
  constructor(open: (name: string | undefined) => OpenContext | undefined) {
    this.#open = open;
  }

  get leaves(): readonly ReadLeaf[] {
    return this.#leaves;
  }

  /** Paths in the build's own context. */
  get paths(): ReadonlySet<string> {
    return this.#paths;
  }

  /** What BuildKit would refuse. */
  get problems(): readonly { readonly problem: string; readonly line: number }[] {
    return this.#problems;
  }

  /** Nothing for a use of what is no directory. Errors as of `readContext`. */
  read(use: ContextUse): readonly UseInput[] {
    const context = this.#contextOf(use.context);
    if (context === undefined) return [];
    const resolved = resolveUse(context.tree, use);
    if (!resolved.ok) this.#problems.push(resolved);
    const counted = this.#counted.get(context);
    const taken = (resolved.ok ? resolved.value : []).filter(({ path }) => path === '' || counted?.has(path) === true);
    const entries = taken.map((entry): Entry => {
      const leaf = context.leaf(entry);
      if (use.context === undefined && entry.path !== '') this.#paths.add(entry.path);
      this.#leaves.push({ directory: context.directory, path: entry.path, leaf });
      return [entry.name, leaf];
    });
    return [
      { op: use.op, ...(use.context === undefined ? {} : { context: use.context }), source: use.source, entries },
    ];
  }

  #contextOf(name: string | undefined): OpenContext | undefined {
    if (this.#contexts.has(name)) return this.#contexts.get(name);
    const context = this.#open(name);
    this.#contexts.set(name, context);
    if (context !== undefined) this.#counted.set(context, new Set(context.counted.map(({ path }) => path)));
    return context;
  }
}
