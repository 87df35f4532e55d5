import { loadPrune } from '../load-prune.ts';
import type { UndoOutcome } from '../prune.ts';
import type { RunnableStage, Stage } from '../stage.ts';

/** What was brought back. */
export type UndoResult = UndoOutcome;

/** Brings back what the runs of a journal have deleted. */
export const undoStage: Stage<'undo', { readonly journal: string }> = {
  name: 'undo',
  title: 'Bring back what was deleted',
  plan: ({ journalPath = '' }) => ({ journal: journalPath }),
  async apply({ journal }, run) {
    const { undoRun } = await loadPrune();
    return undoRun(run, journal);
  },
};

/** Ends the run as the undoing did. */
export const judgeUndo: RunnableStage = async (run) => {
  run.host.signal.throwIfAborted();
  if (run.results.undo?.error !== undefined) throw run.results.undo.error;
  return run;
};
