import type { Log } from '../host.ts';
import { errorThrown } from '../interruption.ts';
import type { FoundImage } from '../registry/image.ts';
import type { Run, RunnableStage } from '../stage.ts';
import { keptLog, namedLog } from './image-log.ts';
import type { ImageTarget } from './image-target.ts';

/** One image of several, and how far its run has come. */
export interface ImageRun {
  readonly target: ImageTarget;
  readonly run: Run;
  /** What ended it; nothing more is done for this image. */
  readonly error: Error | undefined;
  readonly durationMs: number;
}

/**
 * The image in the registry that has just this content. A release that stands for the same commit, or for other base images,
 * is this image for all who want it, but nothing to build others on: they are known by the content of what they are built on.
 */
export function imageOfContent({ run }: Pick<ImageRun, 'run'>): FoundImage | undefined {
  const { lookup, engine } = run.results;
  // What only the local engine has is in no registry.
  if (engine?.image !== undefined) return undefined;
  const { image, standing = 'content' } = lookup ?? {};
  return standing === 'content' ? image : undefined;
}

/** Takes an image through stages, unless it has failed. An error ends it and no other: it is kept, with how far it came. */
async function goThrough(image: ImageRun, stages: readonly RunnableStage[]): Promise<ImageRun> {
  if (image.error !== undefined) return image;
  let { run } = image;
  const { host } = run;
  const startedAt = host.now().getTime();
  const took = (): number => image.durationMs + host.now().getTime() - startedAt;
  try {
    for (const stage of stages) run = await stage(run);
    return { ...image, run, durationMs: took() };
  } catch (thrown) {
    return { ...image, run, error: errorThrown(thrown, host.signal), durationMs: took() };
  }
}

/** Takes an image through stages beside other images: what it says comes at its end, in one piece and with its name. */
export async function goThroughBeside(image: ImageRun, stages: readonly RunnableStage[], log: Log): Promise<ImageRun> {
  const { host } = image.run;
  const kept = keptLog(namedLog(log, image.target.name));
  const done = await goThrough({ ...image, run: { ...image.run, host: { ...host, log: kept.log } } }, stages);
  kept.release();
  return { ...done, run: { ...done.run, host } };
}
