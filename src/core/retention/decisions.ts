import { type Ballot, holdBallot, type Opinion, ruleOfTag, type Unit } from './ballot.ts';
import { spread } from './edges.ts';
import type { InventoryEntry } from './inventory.ts';
import { type LinkGraph, linkGraph } from './link-graph.ts';
import { imageTags } from './link-tag.ts';
import { newestFirst } from './newest-first.ts';
import type { PlanRequest } from './plan.ts';
import { findProtected, type Protected } from './protected.ts';
import { spareUnsafe } from './safety.ts';
import { Selection } from './selection.ts';
import { floatingTags } from './tag-version.ts';

/** All that was found out about a repository before it is said. */
export interface Decisions {
  readonly request: PlanRequest;
  readonly graph: LinkGraph;
  /** The nodes of the units. */
  readonly nodes: readonly number[];
  readonly units: readonly Unit[];
  readonly ballot: Ballot;
  readonly shield: Protected;
  /** Who protects a node, or what belongs to it. */
  readonly protectedBy: ReadonlyMap<number, string>;
  readonly selection: Selection;
}

/** Decides which roots go, and what with them. */
export function decide(request: PlanRequest): Decisions {
  const { inventory, manifests, policy, protections, git } = request;
  const nowMs = inventory.listedAtMs;
  // In one order, so that the plan does not hang on that of the list.
  const entries = newestFirst(inventory.entries);
  const graph = linkGraph(entries, manifests);
  const nodes = unitNodes(graph);
  const units = nodes.flatMap((node) => unitOf(node, graph));
  const floats = floatingTags(entries);
  const ballot = holdBallot(units, { policy, floats, nowMs, timeZone: policy.limits.timeZone, git });
  const shield = findProtected(entries, policy, protections);
  const protectedBy = withOwners(shield, graph);
  const isUnit = new Set(nodes);
  const expired = nodes.filter((node, at) => isExpired(ballot.opinions[at] ?? []) && !protectedBy.has(node));
  const selection = new Selection(
    graph,
    expired,
    (node) => isUnit.has(node) || protectedBy.has(node) || hasTagOfItsOwn(graph.entries[node], request),
  );
  spareUnsafe(selection, graph, request);
  return { request, graph, nodes, units, ballot, shield, protectedBy, selection };
}

/** What was not read, and has no tag of an image, may be anything. */
function unitNodes(graph: LinkGraph): readonly number[] {
  const nodes: number[] = [];
  for (const [node, { tags }] of graph.entries.entries()) {
    const isUnit = graph.isRoot(node) || graph.isOrphan(node);
    if (isUnit && (graph.isKnown(node) || imageTags(tags).length > 0)) nodes.push(node);
  }
  return nodes;
}

function unitOf(node: number, graph: LinkGraph): readonly Unit[] {
  const entry = graph.entries[node];
  if (entry === undefined) return [];
  if (graph.isOrphan(node)) return [{ entry, kind: 'orphan' }];
  return [{ entry, kind: graph.isBroken(node) ? 'broken' : 'image' }];
}

/** No rule keeps any of it. */
export function isExpired(opinions: readonly Opinion[]): boolean {
  return opinions.length > 0 && opinions.every(({ keptBy }) => keptBy === undefined);
}

/** Who needs a manifest needs what it is part of and what it belongs to. */
function withOwners({ byEntry }: Protected, graph: LinkGraph): ReadonlyMap<number, string> {
  const protectedBy = new Map<number, string>();
  for (const [node, by] of byEntry) {
    const marks = { has: (one: number) => protectedBy.has(one), add: (one: number) => protectedBy.set(one, by) };
    spread([node], marks, [graph.parents, graph.subjects]);
  }
  return protectedBy;
}

/** A part of an image that has a tag which no rule speaks of, or which a rule keeps. The short forms speak of all. */
function hasTagOfItsOwn(entry: InventoryEntry | undefined, { policy }: PlanRequest): boolean {
  if (entry === undefined || entry.tags.length === 0) return false;
  if (policy.rules.some(({ subject }) => subject.kind === 'versions' || subject.kind === 'others')) return false;
  return imageTags(entry.tags).some((tag) => {
    const action = ruleOfTag(policy, tag)?.action;
    return action !== 'vote' && action !== 'delete';
  });
}
