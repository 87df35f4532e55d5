import { type BallotSetting, holdBallot, type Unit } from './ballot.ts';
import { graceOf, isInGrace } from './grace.ts';
import { imageTags } from './link-tag.ts';
import type { PlanRequest } from './plan.ts';
import type { RetentionPolicy } from './policy.ts';
import { findProtected } from './protected.ts';
import { floatingTags } from './tag-version.ts';

/** So many are looked at before all of them are, which takes time and memory for each. */
const FEW = 1000;

/**
 * Whether a plan could let anything go, as far as the list alone can tell; `false` is certain, so that no manifest need be read
 * on a night when nothing is old enough. Everything is taken for whatever a rule may speak of: among more, no less expires.
 */
export function mayDelete(request: Omit<PlanRequest, 'manifests'>): boolean {
  const { inventory, policy, protections, git, abilities } = request;
  const nowMs = inventory.listedAtMs;
  const { byEntry } = findProtected(inventory.entries, policy, protections);
  const isProtected = new Set([...byEntry.keys()].map((position) => inventory.entries[position]));
  const floats = floatingTags(inventory.entries);
  const setting: BallotSetting = { policy, floats, nowMs, timeZone: policy.limits.timeZone, git };
  const takesTags = abilities.deletesTags && policy.limits.untag === 'safe';
  const mayExpire = (units: readonly Unit[]): boolean => {
    const { opinions } = holdBallot(units, setting);
    return units.some(({ entry }, at) => {
      const expired = (opinions[at] ?? []).map(({ keptBy }) => keptBy === undefined);
      if (takesTags && expired.includes(true)) return true;
      return (
        expired.every(Boolean) && !isProtected.has(entry) && !isInGrace(entry, graceOf(entry, policy.limits), nowMs)
      );
    });
  };
  // What expires among few expires among all. Lists have the oldest at their end.
  return unitsThatMayBe(request).some(
    (units) => mayExpire(units.slice(-FEW)) || (units.length > FEW && mayExpire(units)),
  );
}

function unitsThatMayBe({
  inventory: { entries },
  policy,
}: Omit<PlanRequest, 'manifests'>): readonly (readonly Unit[])[] {
  const links = entries.filter(({ tags }) => imageTags(tags).length === 0);
  const images = entries.filter(({ tags }) => tags.length === 0 || imageTags(tags).length > 0);
  return [
    images.map((entry) => ({ entry, kind: 'image' })),
    hasRule(policy, 'orphans') ? links.map((entry) => ({ entry, kind: 'orphan' })) : [],
    hasRule(policy, 'broken') ? images.map((entry) => ({ entry, kind: 'broken' })) : [],
  ];
}

function hasRule(policy: RetentionPolicy, kind: 'orphans' | 'broken'): boolean {
  return policy.rules.some(({ subject }) => subject.kind === kind);
}
