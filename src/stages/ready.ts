import { hostUntil } from '../joint-work.ts';
import { loadImageScanner } from '../load-image-scanner.ts';
import type { ReadyScanner, Run, RunnableStage } from '../stage.ts';

/** On a miss, makes Trivy and its database ready while the image is built: both may have to be downloaded. */
export const readyScanner: RunnableStage = async (run) => {
  if (!run.options.scan || run.results.lookup?.image !== undefined) return run;
  return { ...run, scanner: await openReadyScanner(run) };
};

/** Begins to make them ready. */
export async function openReadyScanner(run: Run): Promise<ReadyScanner> {
  const { openScanner } = await loadImageScanner();
  const stopping = new AbortController();
  const ready = openScanner({ ...run, host: hostUntil(run.host, stopping.signal) });
  // The stage that needs it says what went wrong.
  const ended = ready.then(
    () => {},
    () => {},
  );
  const stop = (): Promise<void> => {
    stopping.abort();
    return ended;
  };
  return { ready, stop };
}
