import { ageText } from './clause-text.ts';
import { isInGrace } from './grace.ts';
import type { InventoryEntry } from './inventory.ts';
import type { LinkGraph } from './link-graph.ts';
import { imageTags } from './link-tag.ts';
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
  const roots = new Set(selection.roots());
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
  if (!graph.isReadable)
    selection.spare(selection.nodes(), { by: 'unreadable', reason: 'a manifest of this repository could not be read' });
  // What holds a manifest may be missing from the list, though the manifest has a tag.
  if (!inventory.isComplete)
    selection.spare(selection.nodes(), { by: 'incomplete list', reason: 'what needs it may not be listed' });
  if (abilities.keepsLastTagged) spareLastTagged(selection, entries);
}

/** Entries are newest first. */
function spareLastTagged(selection: Selection, entries: readonly InventoryEntry[]): void {
  const isTagged = (node: number): boolean => (entries[node]?.tags.length ?? 0) > 0;
  if (entries.some((_, node) => isTagged(node) && !selection.goes(node))) return;
  const hasImageTag = (node: number): boolean => imageTags(entries[node]?.tags ?? []).length > 0;
  const newest = selection.roots().find(hasImageTag) ?? selection.nodes().find(isTagged);
  const last = newest ?? (entries.every((_, node) => selection.goes(node)) ? selection.roots()[0] : undefined);
  if (last === undefined) return;
  const what = newest === undefined ? 'image' : 'tagged image';
  selection.spare([last], { by: 'last tagged', reason: `the registry refuses to delete the last ${what}` });
}
