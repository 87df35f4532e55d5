import { quote } from '../core/printable.ts';
import { formatReference } from '../core/reference.ts';
import { isUsageError, type Problem, UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Options, RawOptions } from '../options.ts';
import { createSharedWork } from '../shared-work.ts';
import { candidatesFor, type Run } from '../stage.ts';
import type { ImagePipeline } from './image-pipeline.ts';
import type { ImageRun } from './image-run.ts';
import type { ImageTarget } from './image-target.ts';
import { readTargets } from './read-targets.ts';
import { findStrayInputs, type GivenInputs, givenInputs, inputsOf, someNames } from './target-inputs.ts';

interface Setting {
  readonly host: Host;
  readonly pipeline: ImagePipeline;
}

/** What holds for all images. */
export interface Step {
  readonly raw: RawOptions;
  /** Of that, what a person wrote. */
  readonly given: GivenInputs;
  readonly options: Options;
  /** What the plan has seen, in the order of `targets`; empty without an entry. */
  readonly hashes: readonly string[];
}

/** The step's inputs, with those of its entry. UsageError with what is wrong for all images alike. */
export function readStep(
  raw: RawOptions,
  { host, pipeline, found }: Setting & { readonly found: readonly Problem[] },
): Step {
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

/** The images that the step is about. UsageError with what is wrong with their files. */
async function targetsOf({ given, options }: Step, host: Host): Promise<readonly ImageTarget[]> {
  const { files, targets: names, allow } = options;
  const { targets, problems, notices } = await readTargets({ files, targets: names, allow }, host);
  const all = problems.length > 0 ? problems : findStrayInputs(given, targets);
  if (all.length > 0) throw new UsageError(all);
  for (const notice of notices) host.log.notice(notice);
  return targets;
}

/** All that can be decided of the images before the first request. UsageError with the problems of all of them. */
export async function prepareImages(step: Step, { host, pipeline }: Setting): Promise<readonly ImageRun[]> {
  const { raw, given } = step;
  const targets = await targetsOf(step, host);
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
