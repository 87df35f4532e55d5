import { ageText } from './clause-text.ts';
import { isInGrace } from './grace.ts';
import type { InventoryEntry } from './inventory.ts';
import type { LinkGraph } from './link-graph.ts';
import { imageTags } from './link-tag.ts';
import { compareNewest } from './newest-first.ts';
import type { PlanRequest } from './plan.ts';
import type { Selection } from './selection.ts';

/** Keeps what the rules let go, but may be needed for all that anybody knows, or cannot be deleted. */
export function spareUnsafe(
  selection: Selection,
  graph: LinkGraph,
  { inventory, policy, abilities }: PlanRequest,
): void {
  const { entries } = graph;
  const isTagged = (node: number): boolean => imageTags(entries[node]?.tags ?? []).length > 0;
  if (!graph.isReadable)
    selection.spare(selection.nodes(), { by: 'unreadable', reason: 'a manifest of this repository could not be read' });
  const roots = new Set(selection.roots());
  if (!inventory.isComplete) {
    const unsure = selection.nodes().filter((node) => !roots.has(node) || !isTagged(node));
    selection.spare(unsure, { by: 'incomplete list', reason: 'what needs it may not be listed' });
  }
  for (const isOfTagged of [true, false]) {
    const graceMs = isOfTagged ? policy.limits.grace.taggedMs : policy.limits.grace.untaggedMs;
    const young = selection.nodes().filter((node) => {
      const entry = entries[node];
      // A part without a date is as old as its image.
      const isDated = entry?.pushedAtMs !== undefined || roots.has(node);
      return entry !== undefined && isDated && isInGrace(entry, graceMs, inventory.listedAtMs);
    });
    const reason = `it, or what would go with it, is not older than ${ageText(graceMs)}`;
    selection.spare(young, { by: 'grace', reason }, (root) => isTagged(root) === isOfTagged);
  }
  if (abilities.keepsLastTagged) spareLastTagged(selection, entries);
}

function spareLastTagged(selection: Selection, entries: readonly InventoryEntry[]): void {
  const isLeft = entries.some(({ tags }, node) => tags.length > 0 && !selection.goes(node));
  const tagged = selection.roots().filter((root) => (entries[root]?.tags.length ?? 0) > 0);
  if (isLeft || tagged.length === 0) return;
  const newest = tagged.reduce((most, root) => {
    const [a, b] = [entries[most], entries[root]];
    return a !== undefined && b !== undefined && compareNewest(b, a) < 0 ? root : most;
  });
  selection.spare(
    [newest],
    { by: 'last tagged', reason: 'the registry refuses to delete the last tagged image' },
    (root) => root === newest,
  );
}
