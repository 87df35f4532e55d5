import type { Digest } from '../core/digest.ts';
import { loadPrune } from '../load-prune.ts';
import type { PruneOutcome } from '../prune.ts';
import { imageOf, type RunnableStage, type Stage } from '../stage.ts';

/** What was planned, and what became of it. */
export type PruneResult = PruneOutcome;

/** What a run has to say before it prunes. */
export interface PruneTask {
  readonly apply: boolean;
  /** What this run has made or used: never to be deleted by it. */
  readonly own: { readonly tags: readonly string[]; readonly digests: readonly Digest[] };
}

/** Deletes what the rules of `retention` do not keep, after everything else. */
export const pruneStage: Stage<'prune', PruneTask> = {
  name: 'prune',
  title: 'Prune',
  plan(run) {
    const { options, event, command, prune, results } = run;
    const isPullRequest = event.git.eventName?.startsWith('pull_request') === true || event.untrusted !== undefined;
    if (command !== 'prune') {
      if (options.retention === undefined || options.retention.trim() === 'off')
        return { skip: 'there is no retention' };
      if (isPullRequest) return { skip: 'a pull request deletes nothing' };
      if (!event.push) return { skip: 'push is off' };
    }
    const image = imageOf(run);
    return {
      apply: (prune?.apply ?? true) && !options.dryRun && !isPullRequest,
      own: {
        tags: run.tags.candidates.map(({ tag }) => tag).concat(results.hash?.tag ?? []),
        digests: image === undefined ? [] : [image.descriptor.digest],
      },
    };
  },
  async apply(task, run) {
    const { pruneRun } = await loadPrune();
    const outcome = await pruneRun(run, task);
    // Where a person called it, it is the result that is printed.
    if (run.prune === undefined) run.host.log.info(outcome.text);
    return outcome;
  },
};

/** Ends the run as the pruning did: refused for safety, or with deletions that failed. */
export const judgePrune: RunnableStage = async (run) => {
  run.host.signal.throwIfAborted();
  if (run.results.prune?.error !== undefined) throw run.results.prune.error;
  return run;
};
