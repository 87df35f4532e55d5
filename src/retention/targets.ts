import { quote } from '../core/printable.ts';
import { isPattern } from '../core/image-name.ts';
import {
  familiarName,
  formatRepositoryName,
  isDockerHub,
  parseRepositoryName,
  type RepositoryName,
} from '../core/reference.ts';
import { parseRetention, policyFor } from '../core/retention/parse-policies.ts';
import type { RetentionPolicies, RetentionPolicy } from '../core/retention/policy.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import type { Run } from '../stage.ts';
import type { PastStep } from './journal.ts';
import type { GivenPlan } from './plan-file.ts';
import type { ImageStore } from './store.ts';
import type { Stores } from './stores.ts';

/** A repository to prune, and what is said of it. */
export interface Target {
  readonly name: RepositoryName;
  readonly store: ImageStore;
  readonly policy: RetentionPolicy;
}

/** What stays of each repository of the local engine where nobody says more. */
const LOCAL_DEFAULT = '* | untagged: keep 3';

/** Every repository that the run names, a pattern standing for those that are there. UsageError when there is none. */
export async function findTargets(run: Run, stores: Stores, given: GivenPlan | undefined): Promise<readonly Target[]> {
  const { options } = run;
  const names = given === undefined ? await namesOf(run, stores) : given.map(({ repository }) => nameOf(repository));
  const targets: Target[] = [];
  for (const name of names) {
    const planned = given?.find(({ repository }) => repository === familiarName(formatRepositoryName(name)));
    const text = planned?.policy ?? options.retention ?? (options.local ? LOCAL_DEFAULT : '');
    const policy = policyOf(text, name);
    if (policy === undefined) run.host.log.notice(`${formatRepositoryName(name)}: retention has no rule for it`);
    else targets.push({ name, policy, store: await stores.open(name, policy) });
  }
  return targets;
}

async function namesOf({ options, host }: Run, stores: Stores): Promise<readonly RepositoryName[]> {
  const { images, local } = options;
  if (local && images.length === 0) return stores.list(undefined);
  const names = new Map<string, RepositoryName>();
  for (const image of images) {
    const found = isPattern(image) ? await stores.list(image) : [image];
    if (isPattern(image)) host.log.info(`${quote(image.path)} stands for ${found.length} repositories`);
    for (const name of found) names.set(formatRepositoryName(name), name);
  }
  return [...names.values()];
}

function policyOf(text: string, name: RepositoryName): RetentionPolicy | undefined {
  const parsed = parseRetention(text);
  if (!parsed.ok) throw new UsageError(parsed.problems.map((message) => ({ input: 'retention', message })));
  const policies: RetentionPolicies | 'off' = parsed.value;
  return policies === 'off' ? undefined : policyFor(policies, formatRepositoryName(name));
}

function nameOf(repository: string): RepositoryName {
  const name = parseRepositoryName(repository);
  if (name.ok) return name.value;
  throw new UsageError([{ input: '--plan', message: name.problem }]);
}

/** The repository that a step of a journal is about. */
export async function openStoreOf(stores: Stores, { repository, kind }: PastStep): Promise<ImageStore> {
  const store = await stores.open(nameOf(repository), undefined, kind === 'engine');
  if (store.kind === kind) return store;
  throw new BuildOnceError('UNDO_ELSEWHERE', `${repository} was pruned through ${kind}, which is not what it is here`, 1, {
    hint: 'Run it where the journal was written, with the same inputs.',
  });
}

