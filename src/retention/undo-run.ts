import { counted } from '../core/counted.ts';
import { quote } from '../core/printable.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import type { PruneSection } from '../report/report.ts';
import { reportUndo } from '../report/undo.ts';
import type { Run } from '../stage.ts';
import { MAX_JOURNAL_BYTES, type PastStep, parseJournal } from './journal.ts';
import { progressOf } from './progress.ts';
import type { ImageStore } from './store.ts';
import { openStores } from './stores.ts';
import { openStoreOf } from './targets.ts';
import { undoSteps } from './undo.ts';

/** What was brought back; `error` is how the run is to end. */
export interface UndoOutcome extends PruneSection {
  readonly error: Error | undefined;
}

/** Brings back what a journal says was deleted. UsageError when it is none. */
export async function undoRun(run: Run, path: string): Promise<UndoOutcome> {
  const { host } = run;
  const steps = readJournal(run, path);
  const stores = openStores(run, []);
  const opened = new Map<string, ImageStore>();
  const open = async (step: PastStep): Promise<ImageStore> => {
    const store = opened.get(step.repository) ?? (await openStoreOf(stores, step));
    opened.set(step.repository, store);
    return store;
  };
  const progress = progressOf(host, (count) => `${count} of ${steps.length} steps are undone`);
  let count = 0;
  try {
    const undone = await undoSteps(steps, open, { signal: host.signal, onStep: () => progress((count += 1)) });
    const lost = undone.filter(({ restoration }) => restoration.outcome === 'lost');
    const error =
      lost.length === 0
        ? undefined
        : new BuildOnceError('UNDO_INCOMPLETE', `${counted(lost.length, 'manifest')} could not be brought back`, 1, {
            hint: 'The list above says which and why. What can be brought back is there again.',
          });
    return { ...reportUndo(undone), error };
  } finally {
    await Promise.all([...opened.values()].map((store) => store.close()));
    stores.close();
  }
}

function readJournal({ host }: Run, path: string): readonly PastStep[] {
  const text = host.files.readRegular(path, MAX_JOURNAL_BYTES);
  const steps = text === undefined ? undefined : parseJournal(text);
  if (steps?.ok === true) return steps.value;
  const problem = steps === undefined ? 'is not there' : `is no journal of build-once: ${steps.problem}`;
  throw new UsageError([{ input: 'JOURNAL', message: `${quote(path)} ${problem}` }]);
}
