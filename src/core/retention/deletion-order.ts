import { type Edges, marksFor, spread } from './edges.ts';
import type { LinkGraph } from './link-graph.ts';
import { imageTags } from './link-tag.ts';
import type { PlannedMember } from './plan.ts';
import type { Selection } from './selection.ts';

/** One root with what goes with it, by their nodes. */
export interface DeletionGroup {
  readonly root: number;
  /** In the order in which they go. */
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly node: number;
  readonly role: PlannedMember['role'];
  /** Nodes that must be gone before it. */
  readonly after: readonly number[];
}

const ROLES = ['fallback-index', 'referrer', 'child'] as const;

/**
 * Everything that goes, as images from the oldest: the root, and what is in no later group. So an image is cut by nothing
 * but its own deletion, what two images share goes with the second, and who stops anywhere leaves whole images and rubbish.
 */
export function* deletionGroups(graph: LinkGraph, selection: Selection): Generator<DeletionGroup> {
  const newest = selection.roots();
  const taken = marksFor(graph.entries.length);
  const groups: { readonly root: number; readonly nodes: readonly number[] }[] = [];
  const ownersOf = ownerFinder(graph);
  // A root that belongs to another one that goes is a member of that one; of a circle the newest is the first.
  const tops = newest.filter((root) => graph.subjects.of(root).every((subject) => !selection.goes(subject)));
  for (const root of [...tops, ...newest]) {
    if (taken.has(root)) continue;
    const [, ...nodes] = spread([root], taken, [graph.children, graph.referrers], (node) => selection.goes(node));
    groups.push({ root, nodes });
  }
  groups.sort((a, b) => b.root - a.root);
  // One at a time, since there may be 20,000 of them.
  for (const { root, nodes } of groups)
    yield { root, members: inOrder(nodes.map((node) => memberOf(node, graph, ownersOf))) };
}

function memberOf(node: number, graph: LinkGraph, ownersOf: (node: number) => readonly number[]): GroupMember {
  const naming = graph.parents.of(node);
  const owners = ownersOf(node);
  if (!graph.isReferrer(node)) return { node, role: 'child', after: [...naming] };
  const role = graph.isFallbackIndex(node) ? 'fallback-index' : 'referrer';
  return { node, role, after: [...new Set([...naming, ...owners])] };
}

/**
 * Finds the images that lead to a node that goes, up to the first on each way: what they wait for, it waits for too. It is to be
 * asked for what is above first, since chains may be long.
 */
function ownerFinder(graph: LinkGraph): (node: number) => readonly number[] {
  const known = new Map<number, readonly number[]>();
  const above = (node: number): readonly number[] => [...graph.parents.of(node), ...graph.subjects.of(node)];
  const ownersBy = (one: number): readonly number[] | undefined => (isImage(one, graph) ? [one] : known.get(one));
  return (node) => {
    const next = above(node).map(ownersBy);
    const owners = next.every((some) => some !== undefined) ? next.flat() : walk(node);
    const others = [...new Set(owners)].filter((one) => one !== node);
    known.set(node, others);
    return others;
  };

  function walk(node: number): readonly number[] {
    const onward: Edges = { of: (one) => Int32Array.from(one !== node && isImage(one, graph) ? [] : above(one)) };
    return spread([node], new Set<number>(), [onward]).filter((one) => isImage(one, graph));
  }
}

/** Somebody may pull it as long as it is there. */
function isImage(node: number, graph: LinkGraph): boolean {
  return graph.isRoot(node) || graph.isOrphan(node) || imageTags(graph.entries[node]?.tags ?? []).length > 0;
}

/** By their roles, but each behind those that must be gone before it; what is in a circle comes last. */
function inOrder(members: readonly GroupMember[]): readonly GroupMember[] {
  const byNode = new Map(members.map((member) => [member.node, member]));
  const waitsFor = new Map<number, number>();
  const followers = new Map<number, GroupMember[]>();
  for (const member of members) {
    const before = member.after.filter((node) => byNode.has(node));
    waitsFor.set(member.node, before.length);
    for (const node of before) {
      const others = followers.get(node);
      if (others === undefined) followers.set(node, [member]);
      else others.push(member);
    }
  }
  const ready = ROLES.map((role) => members.filter((one) => one.role === role && waitsFor.get(one.node) === 0));
  const ordered = new Set<GroupMember>();
  const heads = ROLES.map(() => 0);
  for (let rank = nextRank(ready, heads); rank >= 0; rank = nextRank(ready, heads)) {
    const head = heads[rank] ?? 0;
    heads[rank] = head + 1;
    const member = ready[rank]?.[head];
    if (member === undefined) break;
    ordered.add(member);
    for (const follower of followers.get(member.node) ?? []) {
      const left = (waitsFor.get(follower.node) ?? 0) - 1;
      waitsFor.set(follower.node, left);
      if (left === 0) ready[ROLES.indexOf(follower.role)]?.push(follower);
    }
  }
  return [...ordered, ...members.filter((member) => !ordered.has(member))];
}

function nextRank(ready: readonly (readonly GroupMember[])[], heads: readonly number[]): number {
  return ready.findIndex((queue, rank) => queue.length > (heads[rank] ?? 0));
}
