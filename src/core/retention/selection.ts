import { type Edges, type Marks, marksFor, spread } from './edges.ts';
import type { LinkGraph } from './link-graph.ts';

/** Why something stays that the rules let go. */
export interface Safety {
  readonly by: string;
  /** Half a sentence. */
  readonly reason: string;
}

const NEEDED: Safety = { by: 'needed', reason: 'something that stays belongs to it' };

/**
 * What may go with the roots that the rules let go: what belongs to them, and to nothing that stays. It only ever shrinks:
 * a root that is spared stays with all that belongs to it, or that it belongs to.
 */
export class Selection {
  readonly #graph: LinkGraph;
  readonly #roots: ReadonlySet<number>;
  /** Reached from a root that is to go. */
  readonly #candidates: Marks;
  readonly #stays: Marks;
  readonly #spared = new Map<number, Safety>();
  readonly #down: readonly Edges[];
  readonly #up: readonly Edges[];

  /** `firm`: nodes that stay though something that goes names them. */
  constructor(graph: LinkGraph, roots: Iterable<number>, firm: (node: number) => boolean) {
    this.#graph = graph;
    this.#roots = new Set(roots);
    this.#down = [graph.children, graph.referrers];
    this.#up = [graph.parents, graph.subjects];
    this.#candidates = marksFor(graph.entries.length);
    this.#stays = marksFor(graph.entries.length);
    spread(this.#roots, this.#candidates, this.#down);
    this.#keep(graph.entries.keys(), (node) => !this.#candidates.has(node) || (firm(node) && !this.#roots.has(node)));
  }

  goes(node: number): boolean {
    return this.#candidates.has(node) && !this.#stays.has(node);
  }

  /** The roots that go, in the order of the entries. */
  roots(): readonly number[] {
    return [...this.#roots].filter((root) => this.goes(root)).sort((a, b) => a - b);
  }

  /** Everything that goes, in the order of the entries. */
  nodes(): readonly number[] {
    return [...this.#graph.entries.keys()].filter((node) => this.goes(node));
  }

  /** Why a root stays that was to go. */
  sparedBy(root: number): Safety {
    return this.#spared.get(root) ?? NEEDED;
  }

  /** Keeps the roots that one of these nodes would go with, if they go at all; `which` of them. */
  spare(nodes: Iterable<number>, safety: Safety, which: (root: number) => boolean = () => true): void {
    const above = spread(nodes, new Set<number>(), this.#up, (node) => this.goes(node));
    const spared = above.filter((node) => this.#roots.has(node) && which(node));
    for (const root of spared) this.#spared.set(root, safety);
    this.#keep(spared, () => true);
  }

  #keep(nodes: Iterable<number>, which: (node: number) => boolean): void {
    const seeds = [...nodes].filter(which);
    spread(seeds, this.#stays, [...this.#down, this.#graph.subjects]);
  }
}
