import { type MissingImage, matrixOf } from '../core/bake/matrix.ts';
import { ENTRY_INPUTS } from '../core/bake/matrix-entry.ts';
import { counted } from '../core/counted.ts';
import { quote } from '../core/printable.ts';
import { formatReference } from '../core/reference.ts';
import { BuildOnceError, isBuildOnceError, isUsageError, type Problem, UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import { inParallel } from '../in-parallel.ts';
import type { Options, RawOptions } from '../options.ts';
import type { Finished } from '../pipeline.ts';
import { Turns } from '../registry/turns.ts';
import { reportMany } from '../report/many.ts';
import { saidOnce } from '../said-once.ts';
import { createSharedWork } from '../shared-work.ts';
import { candidatesFor, type ReadyScanner, type Run, type RunnableStage, resultOf } from '../stage.ts';
import { buildTogether, isMissing } from './build-together.ts';
import { keptLog, namedLog } from './image-log.ts';
import type { ImagePipeline, ManyCall } from './image-pipeline.ts';
import { errorOf, goThrough, type ImageRun } from './image-run.ts';
import type { ImageTarget } from './image-target.ts';
import { lookAtImages } from './look-at-images.ts';
import { readTargets } from './read-targets.ts';
import { findStrayInputs, type GivenInputs, givenInputs, inputsOf, someNames } from './target-inputs.ts';

/** How many images are finished at once. */
const AT_ONCE = 16;
/** What is wrong is with another image. */
const FOLLOWS: ReadonlySet<string> = new Set(['BASE_FAILED', 'BUILD_STOPPED']);
/** Of images that have the same to tell. */
const MAX_NAMES = 10;

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
  const { options } = step;
  const targets = await targetsOf(step, host);
  const prepared = await prepareAll(targets, step, { host, pipeline });
  const isIdle = prepared.some(({ run }) => pipeline.isIdle(run));
  let images = isIdle ? prepared : await lookAtImages(prepared, pipeline, host);
  warnOfOthers(images, step.hashes, host);
  if (command === 'build' && !isIdle) images = await buildImages(images, pipeline, host);
  const error = failureOf(images, command, host.signal);
  const requested = images.filter(({ target }) => target.isRequested);
  const matrix = matrixOf(missingOf(requested), inputsToHandOn(step), options.maxJobs);
  const durationMs = host.now().getTime() - startedAt;
  const report = reportMany({ command, images: requested, matrix, durationMs, error }, pipeline.report);
  return { report, manifest: undefined, options, error };
}

interface Setting {
  readonly host: Host;
  readonly pipeline: ImagePipeline;
}

/** What holds for all images. */
interface Step {
  readonly raw: RawOptions;
  /** Of that, what a person wrote. */
  readonly given: GivenInputs;
  readonly options: Options;
  /** What the plan has seen, in the order of `targets`; empty without an entry. */
  readonly hashes: readonly string[];
}

/** The step's inputs, with those of its entry. UsageError with what is wrong for all images alike. */
function readStep(raw: RawOptions, { host, pipeline, found }: Setting & { readonly found: readonly Problem[] }): Step {
  // What images are called is told of for each, with its own name in it.
  const read = (inputs: RawOptions) => pipeline.parseOptions({ ...inputs, images: undefined }, host.env);
  const { entry } = read({ entry: raw['entry'] }).options;
  const own = givenInputs(raw, pipeline.isGiven);
  const clashes = Object.entries(entry?.inputs ?? {}).flatMap(([input, text]) => {
    const given = own[input];
    if (given === undefined || given.trim() === text.trim()) return [];
    return [{ input, message: `${quote(given)} is not what the entry says: leave it out` }];
  });
  const all = { ...raw, ...entry?.inputs };
  const { options, problems } = read(all);
  const wrong = [...found, ...problems, ...clashes];
  if (wrong.length > 0) throw new UsageError(wrong);
  return { raw: all, given: givenInputs(all, pipeline.isGiven), options, hashes: entry?.hashes ?? [] };
}

async function targetsOf({ given, options }: Step, host: Host): Promise<readonly ImageTarget[]> {
  const { files, targets: names, allow } = options;
  const { targets, problems, notices } = await readTargets({ files, targets: names, allow }, host);
  const all = problems.length > 0 ? problems : findStrayInputs(given, targets);
  if (all.length > 0) throw new UsageError(all);
  for (const notice of notices) host.log.notice(notice);
  return targets;
}

/** UsageError with the problems of all images. */
async function prepareAll(
  targets: readonly ImageTarget[],
  { raw, given }: Step,
  { host, pipeline }: Setting,
): Promise<readonly ImageRun[]> {
  const shared = createSharedWork(host.files);
  const problems = new Map<string, { readonly problem: Problem; readonly names: string[] }>();
  const images: ImageRun[] = [];
  for (const target of targets) {
    try {
      const reading = { ...host, files: shared.files };
      const run = await pipeline.prepare(inputsOf(raw, given, target), reading, target.isRequested);
      images.push({ target: ownLinks(target, run), run: { ...run, shared }, error: undefined, durationMs: 0 });
    } catch (error) {
      if (!isUsageError(error)) throw error;
      for (const problem of error.problems) {
        const key = JSON.stringify(problem);
        const { names } = problems.get(key) ?? { names: [] };
        problems.set(key, { problem, names: [...names, target.name] });
      }
    }
  }
  const found = [...problems.values()].map(({ problem, names }) => named(problem, names, targets.length));
  const all = [...found, ...(found.length > 0 ? [] : findSharedTags(images))];
  if (all.length > 0) throw new UsageError(all);
  return neededOf(images);
}

/** Without those that the step has put another context in the place of: a target's own contexts leave its links out. */
function ownLinks(target: ImageTarget, { options: { buildContexts } }: Run): ImageTarget {
  const links = [...target.links].filter(([context]) => buildContexts.every(({ name }) => name !== context));
  return { ...target, links: new Map(links) };
}

/** Without those that nobody asks for, and on which nothing is built any more. Bases stand before what is built on them. */
function neededOf(images: readonly ImageRun[]): readonly ImageRun[] {
  const needed = new Set<string>();
  for (const { target } of images.toReversed()) {
    if (target.isRequested || needed.has(target.name)) for (const name of target.links.values()) needed.add(name);
  }
  return images.filter(({ target }) => target.isRequested || needed.has(target.name));
}

/** Which images have a problem, unless all have it. */
function named({ input, message }: Problem, names: readonly string[], count: number): Problem {
  if (names.length === count && count > 1) return { input, message };
  return { input, message: `${someNames(names)}: ${message}` };
}

/** Of two images under one tag, nobody could say which one it is on. */
function findSharedTags(images: readonly ImageRun[]): readonly Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { target, run } of images) {
    if (!target.isRequested) continue;
    const references = run.options.images.flatMap((repository) =>
      candidatesFor(run, repository).map(({ tag }) => formatReference({ repository, tag, digest: undefined })),
    );
    for (const reference of new Set(references)) {
      const owner = owners.get(reference);
      if (owner === undefined) owners.set(reference, target.name);
      else
        problems.push({
          input: 'tags',
          message: `${quote(owner)} and ${quote(target.name)} would both be ${reference}: give each a tag of its own`,
        });
    }
  }
  return problems;
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
    inParallel(images, AT_ONCE, async (image) => {
      if (!isLeft(image)) return image;
      const { host } = image.run;
      const kept = keptLog(namedLog(log, image.target.name));
      const done = await goThrough({ ...image, run: { ...image.run, host: { ...host, log: kept.log } } }, stages);
      kept.release();
      return { ...done, run: { ...done.run, host } };
    }),
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

/** Of several images, each failure is named, with all that it is about. */
function failureOf(images: readonly ImageRun[], command: ManyCall['command'], signal: AbortSignal): Error | undefined {
  const failed = images.flatMap(({ target, error }) => (error === undefined ? [] : [{ name: target.name, error }]));
  const [first] = failed;
  if (first === undefined) return undefined;
  if (signal.aborted) return errorOf(first.error, signal);
  if (images.length === 1) return first.error;
  const stopped = failed.filter(({ error }) => isStopped(error));
  const causes = failed.filter(({ error }) => !isStopped(error));
  const told = new Map<string, string[]>();
  for (const { name, error } of causes) told.set(messageOf(error), [...(told.get(messageOf(error)) ?? []), name]);
  const lines = [...told].map(([message, names]) => `${briefly(names)}: ${message}`);
  if (stopped.length > 0) lines.push(`not built because of that: ${briefly(stopped.map(({ name }) => name))}`);
  const codes = new Set(causes.map(({ error }) => (isBuildOnceError(error) ? error.exitCode : 1)));
  const [exitCode = 1] = codes.size === 1 ? codes : [];
  const count = images.filter(({ target, error }) => target.isRequested || error !== undefined).length;
  const message = `${causes.length} of ${counted(count, 'image')} failed\n${lines.join('\n')}`;
  const hint = stopped.length > 0 ? HINTS.stopped : failed.length === count ? HINTS.all : HINTS[command];
  return new BuildOnceError('IMAGES_FAILED', message, exitCode, { hint });
}

const HINTS = {
  stopped: "Mend what is named and run it again: what was built of the others is in the builder's cache.",
  all: 'Mend what is named and run it again.',
  plan: 'Mend what is named and run it again: the matrix has those of the others that are missing.',
  build: 'Mend what is named and run it again: the others are there, and are not built again.',
} as const;

/** Nothing is wrong with the image itself. */
function isStopped(error: Error): boolean {
  return isBuildOnceError(error) && FOLLOWS.has(error.code);
}

function briefly(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `${names.slice(0, MAX_NAMES).join(', ')}${more}`;
}

function messageOf(error: Error): string {
  if (!isBuildOnceError(error)) return `UNEXPECTED: ${error.message}`;
  return `${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`;
}
