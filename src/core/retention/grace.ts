import type { InventoryEntry } from './inventory.ts';
import { imageTags } from './link-tag.ts';
import type { RetentionLimits } from './policy.ts';
import { ageOf, isWithin, laterOf } from './votes.ts';

/**
 * Whether a manifest is too young to go, by its push or the last move of its tags, whichever is later. One without a date is, so
 * long as there is a grace period at all.
 */
export function isInGrace({ pushedAtMs, updatedAtMs }: InventoryEntry, graceMs: number, nowMs: number): boolean {
  return graceMs > 0 && isWithin(ageOf(laterOf(pushedAtMs, updatedAtMs ?? pushedAtMs), nowMs), graceMs);
}

/** How long a root stays in any case. */
export function graceOf({ tags }: InventoryEntry, { grace }: RetentionLimits): number {
  return imageTags(tags).length > 0 ? grace.taggedMs : grace.untaggedMs;
}
