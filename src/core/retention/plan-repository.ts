import { expiryReason, type Opinion } from './ballot.ts';
import { stopsOf } from './breaker.ts';
import { type Decisions, decide, isExpired } from './decisions.ts';
import { deletionGroups } from './deletion-order.ts';
import { freedBytes } from './freed-bytes.ts';
import { graceOf, isInGrace } from './grace.ts';
import type { InventoryEntry } from './inventory.ts';
import { imageTags } from './link-tag.ts';
import type { KeptRoot, PlannedManifest, PlanRequest, RepositoryPlan, RootDeletion, Untag } from './plan.ts';
import { warningsOf } from './plan-warnings.ts';
import type { RetentionRule } from './policy.ts';
import { unfit } from './unfit.ts';

/**
 * What is to become of a repository. An image goes when all of its tags expire by the rules that they take, and nothing that stays
 * needs it; with it goes what belongs to it alone. What is not known, and what is too young, stays. The same request makes the
 * same plan, and so does one in which only {@link manifestsToRead} were read.
 */
export function planRepository(request: PlanRequest): RepositoryPlan {
  const decisions = decide(request);
  const { graph, nodes, units, ballot, shield, selection } = decisions;
  const deletions = deletionsOf(decisions);
  const untags = untagsOf(decisions);
  const isTagged = (node: number): boolean => imageTags(graph.entries[node]?.tags ?? []).length > 0;
  const going = nodes.filter((node) => selection.goes(node));
  const stops = stopsOf(request.policy.limits, {
    deleted: going.length,
    deletedTagged: going.filter(isTagged).length,
    tagged: nodes.filter(isTagged).length,
    left: nodes.filter((node) => graph.isRoot(node) && !selection.goes(node)).length,
  });
  const { refusals, warnings } = unfit(request);
  return {
    repository: request.inventory.repository,
    policy: request.policy.text,
    deletions,
    untags,
    kept: nodes.flatMap((node, at) =>
      selection.goes(node) ? [] : keptRoot(node, ballot.opinions[at] ?? [], decisions),
    ),
    warnings: [...warnings, ...ballot.warnings, ...warningsOf(request, { units, ballot })],
    stops,
    refusals: [...shield.refusals, ...refusals],
  };
}

function deletionsOf({ request, graph, nodes, ballot, selection }: Decisions): readonly RootDeletion[] {
  const { entries } = graph;
  const opinionsOf = new Map(nodes.map((node, at) => [node, ballot.opinions[at] ?? []]));
  const freed = freedBytes(entries, request.manifests, (node) => selection.goes(node));
  const entriesOf = (all: readonly number[]): readonly InventoryEntry[] => all.flatMap((node) => entries[node] ?? []);
  const deletions: RootDeletion[] = [];
  for (const { root, members } of deletionGroups(graph, selection)) {
    const entry = entries[root];
    if (entry === undefined) continue;
    const rules = rulesOf(opinionsOf.get(root) ?? []);
    deletions.push({
      root: plannedOf(entry),
      rule: rules.map(({ text }) => text).join('; '),
      reason: expiryReason(rules),
      pushedAtMs: entry.pushedAtMs,
      members: members.flatMap(({ node, role, after }) =>
        entriesOf([node]).map(({ id, digest, tags }) => {
          return { id, digest, tags, role, after: entriesOf(after).map((one) => one.digest) };
        }),
      ),
      freedBytes: freed(entry, entriesOf(members.map(({ node }) => node))),
    });
  }
  return deletions;
}

function plannedOf({ id, digest, tags }: InventoryEntry): PlannedManifest {
  return { id, digest, tags };
}

function rulesOf(opinions: readonly Opinion[]): readonly RetentionRule[] {
  return [...new Set(opinions.flatMap(({ rule }) => rule ?? []))];
}

/** Of roots that stay for the sake of another tag: those that stay for any other reason keep all of theirs. */
function untagsOf({ request, graph, nodes, ballot, shield }: Decisions): readonly Untag[] {
  const { policy, abilities, inventory } = request;
  if (policy.limits.untag === 'off' || !abilities.deletesTags || !graph.isReadable) return [];
  return nodes.flatMap((node, at) => {
    const entry = graph.entries[node];
    const opinions = ballot.opinions[at] ?? [];
    if (entry === undefined || isInGrace(entry, graceOf(entry, policy.limits), inventory.listedAtMs)) return [];
    const isGone = ({ tag, keptBy }: Opinion): boolean =>
      keptBy === undefined && tag !== undefined && !shield.isProtectedTag(tag);
    if (opinions.every(isGone)) return [];
    const expired = opinions.filter(isGone);
    return rulesOf(expired).map((rule) => ({
      manifest: plannedOf(entry),
      tags: expired.flatMap((one) => (one.rule === rule && one.tag !== undefined ? [one.tag] : [])),
      rule: rule.text,
    }));
  });
}

function keptRoot(
  node: number,
  opinions: readonly Opinion[],
  { graph, protectedBy, selection }: Decisions,
): readonly KeptRoot[] {
  const entry = graph.entries[node];
  if (entry === undefined) return [];
  return [{ ...plannedOf(entry), ...whyKept(), pushedAtMs: entry.pushedAtMs }];

  function whyKept(): Pick<KeptRoot, 'by' | 'reason'> {
    const protector = protectedBy.get(node);
    if (protector !== undefined) return { by: protector, reason: 'it is protected' };
    if (isExpired(opinions)) return selection.sparedBy(node);
    const keeping = opinions.find(({ rule, keptBy }) => rule !== undefined && keptBy !== undefined);
    if (keeping?.rule !== undefined) return { by: keeping.rule.text, reason: keeping.keptBy ?? '' };
    if (graph.isBroken(node))
      return { by: 'no rule', reason: 'parts of it are missing, and no rule speaks of broken images' };
    return { by: 'no rule', reason: 'no rule speaks of it' };
  }
}
