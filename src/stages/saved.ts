import { formatDuration } from '../core/timestamp.ts';
import type { RunnableStage } from '../stage.ts';
import { withinTime } from '../within-time.ts';

/** How long a run that has done everything else waits for what is only good to know. */
const MAX_WAIT_MS = 1500;

/** On a hit, takes the answer to how long the image's build took, which the lookup asked for; without it when it is late. */
export const tellSaved: RunnableStage = async (run) => {
  const asked = run.results.lookup?.buildSeconds;
  if (asked === undefined) return run;
  const savedSeconds = await withinTime(asked, MAX_WAIT_MS);
  if (savedSeconds === undefined) return run;
  run.host.log.info(`saved ${formatDuration(savedSeconds * 1000)}, which the build of this image took`);
  return { ...run, savedSeconds };
};
