import { loadImageScanner } from '../load-image-scanner.ts';
import type { RunnableStage } from '../stage.ts';

/** On a miss, makes Trivy and its database ready while the image is built: both may have to be downloaded. */
export const readyScanner: RunnableStage = async (run) => {
  if (!run.options.scan || run.results.lookup?.image !== undefined) return run;
  const { openScanner } = await loadImageScanner();
  const stopping = new AbortController();
  const signal = AbortSignal.any([run.host.signal, stopping.signal]);
  const ready = openScanner({ ...run, host: { ...run.host, signal }, access: { ...run.access, signal } });
  // The stage that needs it says what went wrong.
  ready.catch(() => {});
  return { ...run, scanner: { ready, stop: () => stopping.abort() } };
};
