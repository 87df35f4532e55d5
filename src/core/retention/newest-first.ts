import { compareCodePoints } from '../code-point-order.ts';
import type { InventoryEntry } from './inventory.ts';

/** What was pushed last comes first; what has no date comes before all. Equals by id, then by digest. */
export function newestFirst(entries: readonly InventoryEntry[]): readonly InventoryEntry[] {
  return entries.toSorted(compareNewest);
}

/** Negative when `a` is the newer one. */
export function compareNewest(a: InventoryEntry, b: InventoryEntry): number {
  return descending(timeOf(a.pushedAtMs), timeOf(b.pushedAtMs)) || compareIds(a, b);
}

/** By id, then digest: numbers from the highest, which was given last. */
export function compareIds(a: InventoryEntry, b: InventoryEntry): number {
  if (a.id === b.id) return compareCodePoints(a.digest, b.digest);
  if (!isNumber(a.id) || !isNumber(b.id)) return compareCodePoints(a.id, b.id);
  return b.id.length - a.id.length || compareCodePoints(b.id, a.id);
}

/** The higher number comes first. */
export function descending(a: number, b: number): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}

function timeOf(timeMs: number | undefined): number {
  return timeMs === undefined || Number.isNaN(timeMs) ? Number.POSITIVE_INFINITY : timeMs;
}

function isNumber(id: string): boolean {
  return /^[1-9][0-9]*$/.test(id);
}
