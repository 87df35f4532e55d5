import type { OpenContext } from './context.ts';
import { resolveUse } from './core/context-resolver.ts';
import type { ContextUse } from './core/context-use.ts';
import type { Entry, UseInput } from './core/input-manifest.ts';
import { type Located, located } from './core/located.ts';

/** Where something was read, and what of it counts. */
interface ReadLeaf {
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

/** Reads what uses take of contexts, each context and each use at most once, and remembers what it has read. */
export class UseReader {
  readonly #positions = new Map<string, Located<number>>();
  readonly #uses: UseInput[] = [];
  readonly #open: (name: string | undefined) => OpenContext | undefined;
  readonly #contexts = new Map<string | undefined, OpenContext | undefined>();
  readonly #counted = new Map<OpenContext, ReadonlySet<string>>();
  readonly #leaves: ReadLeaf[] = [];
  readonly #paths = new Set<string>();
  readonly #others = new Map<string, OtherFile>();
  readonly #problems: { readonly problem: string; readonly line: number }[] = [];

  /** `open` is asked for the build's own context by `undefined`; it answers `undefined` for one that is no directory. */
  constructor(open: (name: string | undefined) => OpenContext | undefined) {
    this.#open = open;
  }

  /** All that was read, each once. */
  get uses(): readonly UseInput[] {
    return this.#uses;
  }

  get leaves(): readonly ReadLeaf[] {
    return this.#leaves;
  }

  /** Paths in the build's own context. */
  get paths(): ReadonlySet<string> {
    return this.#paths;
  }

  /** What was read and does not count because of the scope `manifests`, each file once. */
  get others(): readonly OtherFile[] {
    return [...this.#others.values()];
  }

  /** What BuildKit would refuse. */
  get problems(): readonly { readonly problem: string; readonly line: number }[] {
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
    this.#problems.push({ problem: position.problem, line });
    return [];
  }

  #readFirst(use: ContextUse, context: OpenContext): Located<number> {
    const taken = resolveUse(context.tree, use);
    if (!taken.ok) return taken;
    const counted = this.#counted.get(context);
    for (const { path } of taken.value) {
      if (context.others?.has(path) !== true) continue;
      const other = otherFile(use.context, context.directory, path);
      this.#others.set(other.place, other);
    }
    const entries = taken.value
      .filter(({ path }) => counted?.has(path) === true)
      .map((entry): Entry => {
        const leaf = context.leaf(entry);
        if (use.context === undefined && entry.path !== '') this.#paths.add(entry.path);
        this.#leaves.push({ directory: context.directory, path: entry.path, leaf });
        return [entry.name, leaf];
      });
    const { op, source } = use;
    this.#uses.push({ op, ...(use.context === undefined ? {} : { context: use.context }), source, entries });
    return located(this.#uses.length - 1);
  }

  #contextOf(name: string | undefined): OpenContext | undefined {
    if (this.#contexts.has(name)) return this.#contexts.get(name);
    const context = this.#open(name);
    this.#contexts.set(name, context);
    if (context !== undefined) this.#counted.set(context, countedPaths(context));
    return context;
  }
}

/** `context`: the name of a named context; `undefined` for the build's own. */
export function otherFile(context: string | undefined, directory: string, path: string): OtherFile {
  return { place: context === undefined ? path : `${context}:${path}`, directory, path };
}

/** The context itself among them, which stands for itself where nothing is taken of it. */
function countedPaths({ counted, others }: OpenContext): ReadonlySet<string> {
  return new Set([...(others === undefined ? [''] : []), ...counted.map(({ path }) => path)]);
}
