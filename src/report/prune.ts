import { counted } from '../core/counted.ts';
import { toLine } from '../core/printable.ts';
import type { KeptRoot, RepositoryPlan } from '../core/retention/plan.ts';
import { formatSize } from '../core/size-text.ts';
import { someOf } from '../core/some-of.ts';
import { formatDay } from '../core/timestamp.ts';
import type { PrunedRepository, Pruning } from '../retention/prune-run.ts';
import { code, plain, table } from './markdown.ts';

/** What is said of a pruning. */
export interface PruneReport {
  /** One sentence. */
  readonly summary: string;
  /** Everything, for programs. */
  readonly document: object;
  /** The same for people. */
  readonly markdown: string;
  readonly text: string;
  readonly outputs: PruneOutputs;
}

export interface PruneOutputs {
  readonly deleted: string;
  readonly kept: string;
  readonly failed: string;
  readonly skipped: string;
  readonly 'freed-bytes': string;
  readonly complete: string;
  readonly plan: string;
  readonly journal: string;
}

/** Of each list, in a summary: GitHub drops one of more than 1 MiB whole. */
const MAX_ROWS = 100;
const MAX_TAGS = 5;

/** Puts a pruning into words. Pure. */
export function reportPrune(pruning: Pruning): PruneReport {
  const outputs = outputsOf(pruning);
  return {
    summary: summaryOf(pruning, outputs),
    document: documentOf(pruning, outputs),
    markdown: [...pruning.repositories.map((one) => markdownOf(one, pruning)), ...footOf(pruning).map(plain)].join(
      '\n\n',
    ),
    text: [...pruning.repositories.flatMap((one) => textOf(one, pruning)), ...footOf(pruning)].join('\n'),
    outputs,
  };
}

/** What a person is shown who is asked whether it may go on. */
export function planText(plans: readonly RepositoryPlan[]): string {
  return plans.flatMap((plan) => [headOf(plan), ...planLines(plan, Number.POSITIVE_INFINITY)]).join('\n');
}

function outputsOf({ isDryRun, refusal, repositories, planPath, journalPath }: Pruning): PruneOutputs {
  const sum = (count: (one: PrunedRepository) => number): string =>
    String(repositories.reduce((total, one) => total + count(one), 0));
  const isWhole = repositories.every(({ error, applied }) => error === undefined && applied?.stopped === undefined);
  return {
    deleted: sum(({ applied }) => applied?.deletedRoots ?? 0),
    kept: sum(({ plan }) => plan?.kept.length ?? 0),
    failed: sum(({ applied, error }) => (applied?.failed.length ?? 0) + (error === undefined ? 0 : 1)),
    skipped: sum(({ applied }) => applied?.skipped.length ?? 0),
    'freed-bytes': sum(({ applied }) => applied?.freedBytes ?? 0),
    complete: String(!isDryRun && refusal === undefined && isWhole),
    plan: planPath ?? '',
    journal: journalPath ?? '',
  };
}

function summaryOf({ isDryRun, refusal, repositories }: Pruning, outputs: PruneOutputs): string {
  const planned = repositories.reduce((total, { plan }) => total + (plan?.deletions.length ?? 0), 0);
  const kept = `${counted(Number(outputs.kept), 'image')} kept`;
  if (refusal !== undefined)
    return `stopped before anything was deleted: ${counted(planned, 'image')} would go, ${kept}`;
  const stops = repositories.some(({ plan }) => (plan?.stops.length ?? 0) > 0) ? ', but it is over a limit' : '';
  if (isDryRun) return `${counted(planned, 'image')} would be deleted, ${kept}${stops}`;
  const freed = Number(outputs['freed-bytes']);
  const size = freed > 0 ? `, ${formatSize(freed)} known to be freed` : '';
  const rest = outputs.complete === 'true' ? '' : '; the rest is for the next run';
  return `${counted(Number(outputs.deleted), 'image')} deleted, ${kept}${size}${rest}`;
}

function documentOf({ isDryRun, hash, repositories, refusal }: Pruning, outputs: PruneOutputs): object {
  return {
    isDryRun,
    hash,
    refused: refusal?.message,
    ...outputs,
    repositories: repositories.map(({ name, plan, applied, error }) => ({
      name,
      error: error?.message,
      plan,
      applied,
    })),
  };
}

function footOf({ isDryRun, hash, planPath, journalPath, repositories }: Pruning): readonly string[] {
  if (repositories.every(({ plan }) => plan === undefined)) return ['nothing was deleted'];
  return [
    ...(isDryRun ? ['nothing was deleted: this is what would go'] : []),
    `plan ${hash}${planPath === undefined ? '' : ` is in ${planPath}`}`,
    ...(journalPath === undefined ? [] : [`what was deleted is in ${journalPath}: build-once undo brings it back`]),
  ];
}

function headOf({ repository, deletions, kept }: RepositoryPlan): string {
  return `${repository}: ${counted(deletions.length, 'image')} to delete, ${kept.length} to keep`;
}

function textOf({ name, plan, applied, error }: PrunedRepository, pruning: Pruning): readonly string[] {
  if (plan === undefined) return [whyNotPlanned({ name, error })];
  const done = applied === undefined ? [] : appliedLines({ name, plan, applied, error });
  const stops = stopsOf(plan, pruning).map((line) => `  ${line}`);
  return [headOf(plan), ...planLines(plan, MAX_ROWS), ...stops, ...done];
}

/** An error may begin with the name already. */
function whyNotPlanned({ name, error }: Pick<PrunedRepository, 'name' | 'error'>): string {
  const why = error?.message ?? 'not planned';
  return why.startsWith(`${name}: `) ? why : `${name}: ${why}`;
}

/** What keeps the plan from being carried out, or would. */
function stopsOf({ refusals, stops }: RepositoryPlan, { isDryRun, refusal }: Pruning): readonly string[] {
  if (refusal !== undefined) return [...refusals, ...stops].map((line) => `stopped: ${line}`);
  return isDryRun ? stops.map((line) => `would be stopped, unless confirmed: ${line}`) : [];
}

/** What goes and why, rule by rule; what is protected, by what. */
function planLines(plan: RepositoryPlan, maxRows: number): readonly string[] {
  const deletions = plan.deletions.map(
    ({ root, rule, reason, pushedAtMs, members }) =>
      `  delete  ${nameOf(root)}  ${dayOf(pushedAtMs)}  ${counted(members.length + 1, 'manifest')}  ${toLine(rule)}: ${reason}`,
  );
  const untags = plan.untags.map(
    ({ manifest, tags, rule }) => `  untag   ${tags.join(', ')} of ${nameOf(manifest)}  ${rule}`,
  );
  return [
    ...limited([...deletions, ...untags], maxRows),
    ...keptBy(plan.kept).map(([by, count]) => `  keep    ${counted(count, 'image')} by ${toLine(by)}`),
    ...plan.warnings.map((warning) => `  warning: ${warning}`),
  ];
}

function appliedLines({ applied, error }: PrunedRepository): readonly string[] {
  if (applied === undefined) return [];
  const { deletedRoots, deleted, failed, skipped, stopped, untagged, freedBytes } = applied;
  const freed = freedBytes > 0 ? `, ${formatSize(freedBytes)} known to be freed` : '';
  return [
    `  deleted ${counted(deletedRoots, 'image')} (${counted(deleted.length, 'manifest')})${freed}`,
    ...(untagged.length > 0 ? [`  untagged ${counted(untagged.length, 'tag')}`] : []),
    ...(stopped === undefined ? [] : [`  stopped: ${stopped}; the next run goes on`]),
    ...(error === undefined ? [] : [`  error: ${error.message}`]),
    ...limited(
      failed.map(({ manifest, reason }) => `  failed  ${nameOf(manifest)}: ${reason}`),
      MAX_ROWS,
    ),
    ...limited(
      skipped.map(({ manifest, reason }) => `  skipped ${nameOf(manifest)}: ${reason}`),
      MAX_ROWS,
    ),
  ];
}

function markdownOf(one: PrunedRepository, pruning: Pruning): string {
  const { name, plan } = one;
  const title = `#### ${plain(name)}`;
  if (plan === undefined) return [title, plain(one.error?.message ?? 'not planned')].join('\n\n');
  const parts = [title, rulesTable(plan)];
  if (plan.deletions.length > 0) {
    const rows = plan.deletions
      .slice(0, MAX_ROWS)
      .map(({ root, rule, reason, pushedAtMs }) => [
        code(nameOf(root)),
        plain(dayOf(pushedAtMs)),
        code(rule),
        plain(reason),
      ]);
    const rest = plan.deletions.length - MAX_ROWS;
    parts.push(
      table(['Image', 'Pushed', 'Rule', 'Why'], rest > 0 ? [...rows, [`and ${rest} more`, '', '', '']] : rows),
    );
  }
  const lines = [...stopsOf(plan, pruning), ...plan.warnings, ...appliedLines(one).map((line) => line.trim())];
  if (lines.length > 0)
    parts.push(
      lines
        .slice(0, MAX_ROWS)
        .map((line) => `- ${plain(line)}`)
        .join('\n'),
    );
  return parts.join('\n\n');
}

/** By rule, and by what protects. */
function rulesTable({ deletions, kept }: RepositoryPlan): string {
  const going = countBy(deletions.map(({ rule }) => rule));
  const staying = countBy(kept.map(({ by }) => by));
  const names = new Set([...going.keys(), ...staying.keys()]);
  const rows = [...names].map((name) => [code(name), `${going.get(name) ?? 0}`, `${staying.get(name) ?? 0}`]);
  return table(['By', 'To delete', 'To keep'], rows);
}

function keptBy(kept: readonly KeptRoot[]): readonly (readonly [string, number])[] {
  return [...countBy(kept.map(({ by }) => by))];
}

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function nameOf({ tags, digest }: { readonly tags: readonly string[]; readonly digest: string }): string {
  return tags.length === 0 ? digest : someOf(tags, MAX_TAGS);
}

function dayOf(timeMs: number | undefined): string {
  return timeMs === undefined ? 'unknown' : formatDay(timeMs);
}

function limited(lines: readonly string[], max: number): readonly string[] {
  return lines.length > max ? [...lines.slice(0, max), `  and ${lines.length - max} more`] : lines;
}
