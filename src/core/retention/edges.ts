/** From each node of a graph to others; compact, since there may be a million. */
export interface Edges {
  /** Where the edges of a node lead, each once; nowhere for a node without edges. */
  of(node: number): Int32Array;
}

/** Pairs of nodes, one behind the other: from, to, from, to. */
export type NodePairs = readonly number[];

/** The edges of these pairs in a graph of so many nodes, in the direction of the pairs and against it. */
export function bothWays(nodeCount: number, pairs: NodePairs): { readonly forward: Edges; readonly backward: Edges } {
  return { forward: edgesOf(nodeCount, pairs, 0), backward: edgesOf(nodeCount, pairs, 1) };
}

function edgesOf(nodeCount: number, pairs: NodePairs, side: 0 | 1): Edges {
  const starts = new Int32Array(nodeCount + 1);
  for (let at = side; at < pairs.length; at += 2)
    starts[(pairs[at] ?? 0) + 1] = (starts[(pairs[at] ?? 0) + 1] ?? 0) + 1;
  for (let node = 0; node < nodeCount; node += 1) starts[node + 1] = (starts[node + 1] ?? 0) + (starts[node] ?? 0);
  const next = starts.slice(0, nodeCount);
  const targets = new Int32Array(pairs.length / 2);
  for (let at = 0; at < pairs.length; at += 2) {
    const node = pairs[at + side] ?? 0;
    const place = next[node] ?? 0;
    targets[place] = pairs[at + 1 - side] ?? 0;
    next[node] = place + 1;
  }
  const ends = withoutRepeats(targets, starts);
  return { of: (node) => targets.subarray(starts[node] ?? 0, ends[node] ?? 0) };
}

/** Moves what comes first among the targets of each node to its front; answers where that ends. */
function withoutRepeats(targets: Int32Array, starts: Int32Array): Int32Array {
  const nodeCount = starts.length - 1;
  const ends = new Int32Array(nodeCount);
  // By what node each was last seen, counted from 1.
  const seenBy = new Int32Array(nodeCount);
  for (let node = 0; node < nodeCount; node += 1) {
    let end = starts[node] ?? 0;
    for (let at = end; at < (starts[node + 1] ?? 0); at += 1) {
      const target = targets[at] ?? 0;
      if (seenBy[target] === node + 1) continue;
      seenBy[target] = node + 1;
      targets[end] = target;
      end += 1;
    }
    ends[node] = end;
  }
  return ends;
}

/** A set of nodes. */
export interface Marks {
  has(node: number): boolean;
  add(node: number): void;
}

/** For many nodes of a large graph. */
export function marksFor(nodeCount: number): Marks {
  const marks = new Uint8Array(nodeCount);
  return {
    has: (node) => marks[node] === 1,
    add: (node) => {
      marks[node] = 1;
    },
  };
}

/**
 * Marks the seeds and everything that they lead to over any of the edges; what is marked already, or not `within`, is not gone
 * through. Answers what was newly marked, each node behind the one that led to it.
 */
export function spread(
  seeds: Iterable<number>,
  marks: Marks,
  edges: readonly Edges[],
  within: (node: number) => boolean = () => true,
): readonly number[] {
  const reached: number[] = [];
  const visit = (node: number): void => {
    if (marks.has(node) || !within(node)) return;
    marks.add(node);
    reached.push(node);
  };
  for (const seed of seeds) visit(seed);
  for (let at = 0; at < reached.length; at += 1) {
    for (const edge of edges) for (const node of edge.of(reached[at] ?? 0)) visit(node);
  }
  return reached;
}
