import { counted } from '../core/counted.ts';
import { quote } from '../core/printable.ts';
import type { RepositoryPlan } from '../core/retention/plan.ts';
import { parsePlanDocument } from '../core/retention/plan-document.ts';
import { UsageError } from '../errors.ts';
import type { Run } from '../stage.ts';

/** A plan that was written by an earlier run, and that a person has looked at since. */
export type GivenPlan = readonly RepositoryPlan[];

const MAX_PLAN_BYTES = 512 * 1024 * 1024;

/** The plan of `--plan`; `undefined` without one. UsageError when it is none, or is not what was written. */
export function readPlanFile({ host, prune }: Run): GivenPlan | undefined {
  const path = prune?.planFile;
  if (path === undefined) return undefined;
  const text = host.files.readRegular(path, MAX_PLAN_BYTES);
  if (text === undefined) throw wrong(path, 'is not there');
  const plan = parsePlanDocument(Buffer.from(text));
  if (!plan.ok) throw wrong(path, `is no plan that can be carried out: ${plan.problem}`);
  return plan.value.plans;
}

function wrong(path: string, problem: string): UsageError {
  const hint = 'Write one with build-once prune --plan-out FILE, and do not change it.';
  return new UsageError([{ input: '--plan', message: `${quote(path)} ${problem}` }], { hint });
}

/**
 * Of a plan made now, what the given one holds to the letter: what has changed since, and what somebody needs by now, stays.
 * It was confirmed by being given, so nothing stops it.
 */
export function onlyPlanned(given: GivenPlan, now: RepositoryPlan): RepositoryPlan {
  const then = given.find(({ repository }) => repository === now.repository);
  const known = new Map(then?.deletions.map(({ root, members }) => [root.digest, keyOf([root, ...members])]));
  const untags = new Map(then?.untags.map((untag) => [untag.manifest.digest, keyOf([untag.manifest, untag])]));
  const deletions = now.deletions.filter(({ root, members }) => known.get(root.digest) === keyOf([root, ...members]));
  const left = known.size - deletions.length;
  return {
    ...now,
    deletions,
    warnings: [
      ...now.warnings,
      ...(left > 0 ? [`${counted(left, 'image')} of the plan changed since, or are needed by now: they stay`] : []),
    ],
    untags: now.untags.filter((untag) => untags.get(untag.manifest.digest) === keyOf([untag.manifest, untag])),
    stops: [],
  };
}

function keyOf(parts: readonly { readonly digest?: string; readonly tags: readonly string[] }[]): string {
  return JSON.stringify(parts.map(({ digest = '', tags }) => JSON.stringify([digest, [...tags].sort()])).sort());
}
