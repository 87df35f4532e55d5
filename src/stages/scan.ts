import path from 'node:path';
import { formatPlatform } from '../core/platform.ts';
import type { ScanOutcome, ScanTask } from '../image-scanner.ts';
import { loadImageScanner } from '../load-image-scanner.ts';
import { imageOf, type Run, type Stage } from '../stage.ts';

/** What is in the image, and whether the rules of the run let it pass. */
export type ScanResult = ScanOutcome;

/** Scans every platform of the image that was built, found or named, before any tag. */
export const scanStage: Stage<'scan', ScanTask> = {
  name: 'scan',
  title: 'Scan the image',
  plan(run) {
    const { build, choose, engine, hash } = run.results;
    const image = imageOf(run);
    if (choose === undefined && !run.options.scan) return { skip: 'scan is off' };
    if (image === undefined) return { skip: 'there is no image' };
    // No rule can stop this run: with one, the engine would not have been asked.
    if (image === engine?.image) return { skip: 'only the local engine has the image' };
    return {
      image,
      layoutPath: build?.layoutPath,
      only: choose === undefined ? [] : run.options.platforms.map(formatPlatform),
      mayKeep: build === undefined && choose === undefined,
      dockerfile: dockerfileOf(run),
      problems: build?.problems ?? [],
      warnings: hash?.warnings ?? [],
    };
  },
  async apply(task, run) {
    const { scanRun } = await loadImageScanner();
    const outcome = await scanRun(run, task);
    // A command that only scans prints it.
    const isShown = run.results.choose === undefined && run.options.scanFormat.includes('table');
    run.host.log.info(isShown ? outcome.text : `found: ${outcome.summary}`);
    run.host.log.info(`the report is in ${outcome.files.directory}`);
    return outcome;
  },
};

/** As code scanning knows it: relative to the workspace, which is the repository. */
function dockerfileOf({ results: { hash }, host, git }: Run): string | undefined {
  if (hash === undefined || git?.main !== undefined) return undefined;
  const relative = path.relative(host.cwd, path.resolve(host.cwd, hash.dockerfile));
  return relative.startsWith('..') || path.isAbsolute(relative) ? undefined : relative.split(path.sep).join('/');
}
