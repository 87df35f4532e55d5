import { orInterruption } from '../interruption.ts';
import type { PastStep } from './journal.ts';
import type { ImageStore, Restoration } from './store.ts';

/** What became of one step of a journal. */
export interface UndoneStep {
  readonly step: PastStep;
  readonly restoration: Restoration;
}

/**
 * Brings back what a journal says was deleted, in reverse: what an image needs is there before the image is. What was refused
 * then needs nothing; what ended in the dark is looked at. Each is verified by the store. A second undo finds all present.
 */
export async function undoSteps(
  steps: readonly PastStep[],
  open: (step: PastStep) => Promise<ImageStore>,
  { signal, onStep }: { readonly signal: AbortSignal; readonly onStep: (undone: UndoneStep) => void },
): Promise<readonly UndoneStep[]> {
  const undone: UndoneStep[] = [];
  for (const step of steps.filter(({ outcome }) => outcome !== 'refused').reverse()) {
    signal.throwIfAborted();
    const restoration = await restoreOne(step, await open(step), signal);
    undone.push({ step, restoration });
    onStep({ step, restoration });
  }
  return undone;
}

/** One that cannot be brought back does not keep the others away. */
async function restoreOne(step: PastStep, store: ImageStore, signal: AbortSignal): Promise<Restoration> {
  try {
    return await store.restore(step.manifest, step.saved);
  } catch (error) {
    const cause = orInterruption(error, signal);
    if (signal.aborted) throw cause;
    return { outcome: 'lost', reason: cause instanceof Error ? cause.message : String(cause) };
  }
}
