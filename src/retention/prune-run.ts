import type { InventoryEntry } from '../core/retention/inventory.ts';
import type { RepositoryPlan } from '../core/retention/plan.ts';
import { formatPlan, planHash } from '../core/retention/plan-document.ts';
import { BuildOnceError, isBuildOnceError, PolicyError } from '../errors.ts';
import { orInterruption } from '../interruption.ts';
import { type PruneReport, planText, reportPrune } from '../report/prune.ts';
import type { Run } from '../stage.ts';
import type { PruneTask } from '../stages/prune.ts';
import { type Applied, applyPlan } from './apply.ts';
import { type Draft, draftPlan } from './draft.ts';
import { type FactsCaches, openFactsCaches } from './facts-cache.ts';
import { type Journal, openJournal } from './journal.ts';
import { type GivenPlan, onlyPlanned, readPlanFile } from './plan-file.ts';
import { readPolicies } from './policies.ts';
import { progressOf } from './progress.ts';
import { runFile } from './run-files.ts';
import { preferSmallHeap } from './small-heap.ts';
import { openSources, type Sources } from './sources.ts';
import { openStores, type Stores } from './stores.ts';
import { findTargets, type Target } from './targets.ts';
import { findMissing } from './verify.ts';

const MAX_NAMED = 20;
const LAST_IMAGE_MS = 60_000;
/** How often a repository is planned for that changes all the time. */
const MAX_ROUNDS = 3;

/** What a run planned for one repository, and what it did. */
export interface PrunedRepository {
  readonly name: string;
  /** `undefined` when it could not be planned. */
  readonly plan: RepositoryPlan | undefined;
  /** `undefined` when nothing was carried out. */
  readonly applied: Applied | undefined;
  /** Why it could not be planned, or not be carried out. */
  readonly error: Error | undefined;
}

/** What there is to say of a pruning, before it is put into words. */
export interface Pruning {
  /** Nothing was to be carried out: it was not asked for, or a person said no. */
  readonly isDryRun: boolean;
  /** Of all plans together. */
  readonly hash: string;
  readonly repositories: readonly PrunedRepository[];
  readonly planPath: string | undefined;
  /** `undefined` when nothing was deleted. */
  readonly journalPath: string | undefined;
  /** Why nothing was carried out though it was asked for. */
  readonly refusal: Error | undefined;
}

/** A finished pruning; `error` is how the run is to end. */
export interface PruneOutcome extends PruneReport {
  readonly error: Error | undefined;
}

/**
 * Plans for every repository, then carries the plans out. A repository that cannot be planned keeps no other from being
 * pruned; a plan that must not be carried out, or not without being confirmed, keeps all of them as they are.
 */
export async function pruneRun(run: Run, task: PruneTask): Promise<PruneOutcome> {
  preferSmallHeap();
  const pruning = await prune(run, task);
  return { ...reportPrune(pruning), error: errorOf(pruning) };
}

/** A repository with the plan for it, or why there is none. */
type Drafted = { readonly target: Target } & ({ readonly draft: Draft } | { readonly error: Error });

async function prune(run: Run, task: PruneTask): Promise<Pruning> {
  const { host } = run;
  const given = readPlanFile(run);
  const policies = readPolicies(run, given);
  const stores = openStores(run, policies.all);
  const targets: Target[] = [];
  try {
    targets.push(...(await findTargets(run, { stores, policies }, given)));
    const setting = { stores, caches: await openFactsCaches(host), sources: openSources(run, stores, task.own), given };
    const drafted: Drafted[] = [];
    for (const target of targets) drafted.push(await draftFor(target, run, setting));
    await setting.caches.save();
    const plans = drafted.flatMap((one) => ('draft' in one ? [one.draft.plan] : []));
    const hash = planHash(plans);
    const planPath = writePlan(run, plans);
    const confirmed = given === undefined ? run.options.confirm : hash;
    const refusal = whyUnfit(plans) ?? (task.apply ? whyStopped(plans, hash, confirmed) : undefined);
    const isIdle = plans.every(({ deletions, untags }) => deletions.length + untags.length === 0);
    const mayGoOn = task.apply && refusal === undefined && (isIdle || (await isAllowed(run, plans)));
    const planned = { isDryRun: !mayGoOn && refusal === undefined, hash, planPath, refusal };
    if (isIdle || !mayGoOn) return { ...planned, journalPath: undefined, repositories: drafted.map(untouched) };
    const journal = openJournal(host.files, runFile(host, 'journal', 'jsonl'));
    const repositories = await applyAll(run, drafted, { journal, setting });
    const hasBegun = repositories.some(({ applied }) => (applied?.steps ?? 0) > 0);
    return { ...planned, journalPath: hasBegun ? journal.path : undefined, repositories };
  } finally {
    await Promise.all(targets.map(({ store }) => store.close()));
    stores.close();
  }
}

interface Setting {
  readonly stores: Stores;
  readonly caches: FactsCaches;
  readonly sources: Sources;
  readonly given: GivenPlan | undefined;
}

async function draftFor(target: Target, { host }: Run, { caches, sources, given }: Setting): Promise<Drafted> {
  const { store, policy } = target;
  try {
    const cache = caches.open(store);
    const draft = await draftPlan({ host, store, policy, cache, ...sources.of(target) });
    return { target, draft: given === undefined ? draft : { ...draft, plan: onlyPlanned(given, draft.plan) } };
  } catch (thrown) {
    const error = orInterruption(thrown, host.signal);
    if (host.signal.aborted || !(error instanceof Error) || isFinal(error)) throw error;
    return { target, error };
  }
}

/** What is wrong with the run, not with one repository. */
function isFinal(error: Error): boolean {
  return !isBuildOnceError(error) || error.exitCode === 3;
}

function untouched(one: Drafted): PrunedRepository {
  const { name } = one.target.store;
  return 'draft' in one
    ? { name, plan: one.draft.plan, applied: undefined, error: undefined }
    : { name, plan: undefined, applied: undefined, error: one.error };
}

/** Everywhere it is found out whether this run may delete before anything is deleted anywhere. */
async function applyAll(
  run: Run,
  drafted: readonly Drafted[],
  { journal, setting }: { readonly journal: Journal; readonly setting: Setting },
): Promise<readonly PrunedRepository[]> {
  for (const one of drafted) {
    const isIdle = 'error' in one || one.draft.plan.deletions.length + one.draft.plan.untags.length === 0;
    if (!isIdle) await one.draft.store.checkDeletion();
  }
  const startedAtMs = run.host.now().getTime();
  const repositories: PrunedRepository[] = [];
  for (const one of drafted) repositories.push(await applyOne(run, one, { journal, setting, startedAtMs }));
  return repositories;
}

interface Application {
  readonly journal: Journal;
  readonly setting: Setting;
  readonly startedAtMs: number;
}

/** Carries one plan out; one that is stale before it is begun is made anew, under the same rules for what it may delete. */
async function applyOne(run: Run, first: Drafted, application: Application): Promise<PrunedRepository> {
  let drafted = first;
  for (let round = 1; 'draft' in drafted; round += 1) {
    const { draft } = drafted;
    const applied = await applyDraft(run, draft, application);
    if (!applied.isStale || round === MAX_ROUNDS) return await finished(run, draft, applied);
    run.host.log.info(`${draft.store.name}: it has changed since it was listed, so it is listed again`);
    drafted = await draftFor(first.target, run, application.setting);
    const plans = 'draft' in drafted ? [drafted.draft.plan] : [];
    const refusal = whyUnfit(plans) ?? whyStopped(plans, planHash(plans), run.options.confirm);
    if (refusal !== undefined) return { ...untouched(drafted), error: refusal };
  }
  return untouched(drafted);
}

async function applyDraft({ host }: Run, draft: Draft, application: Application): Promise<Applied> {
  const { journal, setting, startedAtMs } = application;
  const { store, inventory, policy, plan } = draft;
  const { maxTimeMs } = policy.limits;
  const total = plan.deletions.length;
  const deadlineMs = maxTimeMs === undefined ? undefined : startedAtMs + maxTimeMs;
  // An image that was begun may be finished.
  if (deadlineMs !== undefined) setting.stores.endAt(deadlineMs + LAST_IMAGE_MS);
  const applied = await applyPlan({
    store,
    plan,
    inventory,
    journal,
    now: () => host.now(),
    signal: host.signal,
    deadlineMs,
    onProgress: progressOf(host, (count) => `${store.name}: ${count} of ${total} images are deleted`),
  });
  setting.stores.endAt(Number.POSITIVE_INFINITY);
  return applied;
}

async function finished({ host }: Run, { store, plan, inventory }: Draft, applied: Applied): Promise<PrunedRepository> {
  const isLookedAt = applied.steps > 0 && applied.stopped === undefined && !host.signal.aborted;
  const verified = isLookedAt ? await findMissing(store, plan, inventory) : undefined;
  if (verified?.isKnown === false)
    host.log.warning(`${store.name}: it was not looked whether all that stays is there, since ${verified.reason}`);
  const missing = verified?.isKnown === true ? verified.missing : [];
  return { name: store.name, plan, applied, error: whyBroken(store.name, missing) };
}

function whyBroken(name: string, missing: readonly InventoryEntry[]): Error | undefined {
  const [first] = missing;
  if (first === undefined) return undefined;
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  const message = `${name}: ${first.tags[0] ?? first.digest}${more} should be there still, and is not`;
  return new BuildOnceError('RETENTION_MISSING', message, 1, {
    hint: 'Somebody else may have deleted it meanwhile. build-once undo JOURNAL brings back what this run deleted.',
  });
}

/** In one list, so that a plan of several repositories has one hash and one file. */
function writePlan(run: Run, plans: readonly RepositoryPlan[]): string | undefined {
  const { host, prune } = run;
  const path = prune === undefined ? runFile(host, 'plan', 'json') : prune.planOut;
  if (path === undefined || plans.length === 0) return undefined;
  host.files.write(path, formatPlan(plans, { plannedAt: host.now().toISOString() }));
  return host.files.resolve(path);
}

/** What no run would carry out: a dry one says so too. */
function whyUnfit(plans: readonly RepositoryPlan[]): Error | undefined {
  const refusals = plans.flatMap(({ repository, refusals: all }) => all.map((one) => `${repository}: ${one}`));
  if (refusals.length === 0) return undefined;
  return new PolicyError('RETENTION_REFUSED', `nothing was deleted:\n${refusals.join('\n')}`, {
    hint: 'Correct the rule; mark with ? what may match nothing.',
  });
}

function whyStopped(plans: readonly RepositoryPlan[], hash: string, confirmed: string | undefined): Error | undefined {
  const stops = plans.flatMap(({ repository, stops: all }) => all.map((one) => `${repository}: ${one}`));
  if (stops.length === 0 || confirmed === hash) return undefined;
  const other = confirmed === undefined ? '' : '\nthe plan that was confirmed is another one';
  return new PolicyError(
    'RETENTION_STOPPED',
    `nothing was deleted, since the plan goes over a limit:\n${stops.join('\n')}\nits hash is ${hash}${other}`,
    {
      hint: `Look at the plan. If it is right, run again with confirm: ${hash}, on the command line --confirm, which carries out exactly this plan. To allow as much in every run, change max-delete or min-keep in limits.`,
    },
  );
}

async function isAllowed({ prune: call }: Run, plans: readonly RepositoryPlan[]): Promise<boolean> {
  return call?.ask === undefined || call.ask(planText(plans));
}

function errorOf({ refusal, repositories }: Pruning): Error | undefined {
  const errors = repositories.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const failed = repositories.flatMap(({ name, applied }) =>
    (applied?.failed ?? []).map(({ manifest, reason }) => `${name}@${manifest.digest}: ${reason}`),
  );
  const [first] = errors;
  if (refusal !== undefined) return refusal;
  if (first === undefined && failed.length === 0) return undefined;
  if (first !== undefined && failed.length === 0 && errors.length === 1) return first;
  const lines = [...errors.map(({ message }) => message), ...failed];
  const shown = lines.slice(0, MAX_NAMED).join('\n');
  const more = lines.length > MAX_NAMED ? `\nand ${lines.length - MAX_NAMED} more` : '';
  return new BuildOnceError('RETENTION_FAILED', `not everything went as planned:\n${shown}${more}`, 1, {
    hint: 'Run it again: what is left is planned anew, and what was deleted is in the journal.',
  });
}
