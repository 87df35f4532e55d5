import { counted } from '../counted.ts';
import type { RetentionLimits } from './policy.ts';

/** What a plan takes, in roots. */
export interface Toll {
  readonly deleted: number;
  readonly deletedTagged: number;
  readonly tagged: number;
  readonly left: number;
}

/** Why a plan that takes so much must be confirmed: sentences. One that takes nothing never must. */
export function stopsOf({ maxDelete, minKeep }: RetentionLimits, toll: Toll): readonly string[] {
  const { deleted, deletedTagged, tagged, left } = toll;
  if (deleted === 0) return [];
  const stops: string[] = [];
  if (maxDelete.kind === 'count' && deleted > maxDelete.count)
    stops.push(`${counted(deleted, 'image')} would go, and max-delete is ${maxDelete.count}`);
  if (maxDelete.kind === 'percent') {
    const { percent, atLeast } = maxDelete;
    if (deletedTagged >= atLeast && deletedTagged * 100 > tagged * percent)
      stops.push(`${deletedTagged} of ${counted(tagged, 'tagged image')} would go, and max-delete is ${percent}%`);
  }
  if (left < minKeep) stops.push(`${counted(left, 'image')} would be left, and min-keep is ${minKeep}`);
  return stops;
}
