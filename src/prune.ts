/** Retention as the stages load it. */
export { findPruneProblems } from './retention/problems.ts';
export { type PruneOutcome, pruneRun } from './retention/prune-run.ts';
export { type UndoOutcome, undoRun } from './retention/undo-run.ts';
