import { isPattern } from '../core/image-name.ts';
import { quote } from '../core/printable.ts';
import { formatRepositoryName, parseRepositoryName, type RepositoryName } from '../core/reference.ts';
import type { RetentionPolicy } from '../core/retention/policy.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import type { Run } from '../stage.ts';
import type { PastStep } from './journal.ts';
import type { GivenPlan } from './plan-file.ts';
import type { RunPolicies } from './policies.ts';
import type { ImageStore } from './store.ts';
import type { Stores } from './stores.ts';

/** A repository to prune, and what is said of it. */
export interface Target {
  readonly name: RepositoryName;
  readonly store: ImageStore;
  readonly policy: RetentionPolicy;
}

/** Every repository that the run or its plan names, a pattern standing for those that are there. UsageError when that is none. */
export async function findTargets(
  run: Run,
  { stores, policies }: { readonly stores: Stores; readonly policies: RunPolicies },
  given: GivenPlan | undefined,
): Promise<readonly Target[]> {
  const names =
    given === undefined ? await namesOf(run, stores) : given.map(({ repository }) => nameOf(repository, '--plan'));
  const targets: Target[] = [];
  for (const name of names) {
    const policy = policies.of(name);
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
    if (isPattern(image)) {
      const sentence = `${quote(formatRepositoryName(image))} stands for ${found.length} ${found.length === 1 ? 'repository' : 'repositories'}`;
      // Most likely it is misspelt, and nothing would ever be pruned.
      host.log[found.length === 0 ? 'warning' : 'info'](sentence);
    }
    for (const name of found) names.set(formatRepositoryName(name), name);
  }
  return [...names.values()];
}

function nameOf(repository: string, input: string): RepositoryName {
  const name = parseRepositoryName(repository);
  if (name.ok) return name.value;
  throw new UsageError([{ input, message: name.problem }]);
}

/** The repository that a step of a journal is about. */
export async function openStoreOf(stores: Stores, { repository, kind }: PastStep): Promise<ImageStore> {
  const store = await stores.open(nameOf(repository, 'JOURNAL'));
  if (store.kind === kind) return store;
  throw new BuildOnceError('UNDO_ELSEWHERE', `${repository} was pruned as ${kind}, which it is not here`, 1, {
    hint: 'Run it where the journal was written, with the same inputs; local: true for the local engine.',
  });
}
