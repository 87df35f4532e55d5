import { type MissingImage, matrixOf } from '../core/bake/matrix.ts';
import { ENTRY_INPUTS } from '../core/bake/matrix-entry.ts';
import { counted } from '../core/counted.ts';
import type { Host } from '../host.ts';
import { inParallel } from '../in-parallel.ts';
import type { Finished } from '../pipeline.ts';
import { Turns } from '../registry/turns.ts';
import { reportMany } from '../report/many.ts';
import { saidOnce } from '../said-once.ts';
import { type ReadyScanner, type RunnableStage, resultOf } from '../stage.ts';
import { buildTogether, isMissing } from './build-together.ts';
import { failureOfAll } from './failures.ts';
import type { ImagePipeline, ManyCall } from './image-pipeline.ts';
import { goThroughBeside, type ImageRun } from './image-run.ts';
import { lookAtImages } from './look-at-images.ts';
import { prepareImages, readStep, type Step } from './prepare-images.ts';

/** How many images are finished at once. */
const AT_ONCE = 16;

/**
 * `plan` and `build` over several images: each is hashed and looked up; a plan ends there, a build makes what is missing in one
 * call and takes each image through what a build does after that. Bad input is a UsageError with the problems of all images; a
 * failure after that comes back as `error`, and ends only the images that it is about.
 */
export async function runMany(asked: ManyCall, pipeline: ImagePipeline): Promise<Finished> {
  try {
    return await runAll(asked, pipeline);
  } finally {
    pipeline.close();
  }
}

async function runAll({ command, raw, host: own, call }: ManyCall, pipeline: ImagePipeline): Promise<Finished> {
  const host = { ...own, log: saidOnce(own.log) };
  const startedAt = host.now().getTime();
  const step = readStep(raw, { host, pipeline, found: call.found ?? [] });
  const prepared = await prepareImages(step, { host, pipeline });
  const isIdle = prepared.some(({ run }) => pipeline.isIdle(run));
  let images = isIdle ? prepared : await lookAtImages(prepared, pipeline, host);
  warnOfOthers(images, step.hashes, host);
  if (command === 'build' && !isIdle) images = await buildImages(images, pipeline, host);
  const error = failureOfAll(images, command, host.signal);
  const requested = images.filter(({ target }) => target.isRequested);
  const matrix = matrixOf(missingOf(requested), inputsToHandOn(step), step.options.maxJobs);
  const durationMs = host.now().getTime() - startedAt;
  const report = reportMany({ command, images: requested, matrix, durationMs, error }, pipeline.report);
  return { report, manifest: undefined, options: step.options, error };
}

async function buildImages(
  images: readonly ImageRun[],
  pipeline: ImagePipeline,
  host: Host,
): Promise<readonly ImageRun[]> {
  const scanner = sharedScanner(pipeline, images);
  if (images.some((image) => isMissing(image) && image.run.options.scan)) scanner.begin();
  const withScanner = (image: ImageRun): ImageRun => ({ ...image, run: { ...image.run, scanner } });
  try {
    const built = await buildTogether(images.map(withScanner), pipeline, host);
    return await finishImages(built, pipeline, host);
  } finally {
    await scanner.stop();
  }
}

/** One scanner for all images, opened when the first of them needs it, or before. */
function sharedScanner(pipeline: ImagePipeline, images: readonly ImageRun[]): ReadyScanner & { begin(): void } {
  let opened: Promise<ReadyScanner> | undefined;
  const open = (): Promise<ReadyScanner> => {
    const [first] = images;
    if (first === undefined) throw new TypeError('there is no image');
    opened ??= pipeline.openScanner(first.run);
    return opened;
  };
  return {
    turns: new Turns(),
    get ready() {
      return open().then(({ ready }) => ready);
    },
    begin: () => void open().catch(() => {}),
    stop: async () => (await opened?.catch(() => undefined))?.stop(),
  };
}

/** Images that were there are many, and quick; one after the other, those that were built say what they do. */
async function finishImages(
  images: readonly ImageRun[],
  { finish, inTurn }: ImagePipeline,
  { log }: Host,
): Promise<readonly ImageRun[]> {
  const turns = new Turns();
  const stages = finish.map(
    (stage): RunnableStage => (inTurn.has(stage) ? (run) => turns.take(() => stage(run)) : stage),
  );
  const isLeft = ({ target, error }: ImageRun): boolean => target.isRequested && error === undefined;
  const count = images.filter(isLeft).length;
  if (count === 0) return images;
  return log.group(`Tag ${counted(count, 'image')}`, () =>
    inParallel(images, AT_ONCE, async (image) => (isLeft(image) ? goThroughBeside(image, stages, log) : image)),
  );
}

/** The plan looked at other content: its job had other inputs, or something has moved since. */
function warnOfOthers(images: readonly ImageRun[], hashes: readonly string[], { log }: Host): void {
  if (hashes.length === 0) return;
  // Those that no hash covers, and what is built on them: they are others in every run.
  const uncovered = new Set<string>();
  for (const { target, run, error } of images) {
    const { hash, manifest } = run.results.hash ?? {};
    const isUncovered = manifest?.unique !== '' || [...target.links.values()].some((name) => uncovered.has(name));
    if (isUncovered) uncovered.add(target.name);
    if (!target.isRequested || error !== undefined || hash === undefined) continue;
    if (isUncovered || hashes.includes(hash)) continue;
    log.notice(
      `${target.name}: the plan has seen other content; were its inputs the same (build-args, secrets, labels), and has no base image moved since?`,
    );
  }
}

function missingOf(images: readonly ImageRun[]): readonly MissingImage[] {
  const missing = images.filter((image) => image.run.results.lookup !== undefined && isMissing(image));
  const names = new Set(missing.map(({ target }) => target.name));
  return missing.map(({ target, run }) => ({
    name: target.name,
    hash: resultOf(run, 'hash').hash,
    reason: resultOf(run, 'lookup').reason,
    needs: [...new Set(target.links.values())].filter((name) => names.has(name)),
  }));
}

/** What says what the images are; a plan that was given no files has found those that bake would, and so will the job. */
function inputsToHandOn({ given }: Step): Readonly<Record<string, string>> {
  const inputs = ENTRY_INPUTS.flatMap((name): [string, string][] => {
    const text = given[name];
    return text === undefined ? [] : [[name, text.trim()]];
  });
  return { files: '', ...Object.fromEntries(inputs) };
}
