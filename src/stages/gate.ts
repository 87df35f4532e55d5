import { BuildOnceError } from '../errors.ts';
import type { RunnableStage } from '../stage.ts';

/**
 * Ends the run when the scan has found what the run's rules forbid, before anything is tagged: BuildOnceError
 * `SCAN_REJECTED`.
 */
export const passGate: RunnableStage = async (run) => {
  const { scan } = run.results;
  if (scan === undefined || scan.passed) return run;
  const before = run.results.choose === undefined ? ', and no tag was set' : '';
  throw new BuildOnceError('SCAN_REJECTED', `the scan found what is not allowed${before}:\n${scan.broken}`, 1, {
    hint: 'Mend what was found, list in .trivyignore what you accept, or change scan-fail-on, scan-severity or scan-budget.',
  });
};
