import { counted } from '../core/counted.ts';
import { quote } from '../core/printable.ts';
import { formatReference } from '../core/reference.ts';
import { BuildOnceError } from '../errors.ts';
import type { BaseBuild, ImageBuild, Workbench } from '../image-build.ts';
import { inParallel } from '../in-parallel.ts';
import { errorThrown } from '../interruption.ts';
import { createSharedWork, type SharedWork } from '../shared-work.ts';
import { type JournalEntry, type Results, type Run, resultOf } from '../stage.ts';
import type { BakeRequest } from '../tools/bake.ts';
import type { BuildOutcome } from '../tools/build-run.ts';
import { namedLog } from './image-log.ts';
import type { ImagePipeline } from './image-pipeline.ts';
import { type ImageRun, imageOfContent } from './image-run.ts';

/** How many images are looked at once, beside the build and after it. */
const AT_ONCE = 4;
/** How many registries are asked at once whether they take an image. */
const ASKED_AT_ONCE = 16;

/** What was built of an image, or why not. */
type Result = Results['build'] | Error;

/**
 * Builds all that is missing by one call of bake, so that what the images share is built once. As that call ends as a whole,
 * one that fails leaves none; images that are there already are not touched. One that may not be pushed fails before the call,
 * which goes on without it.
 */
export async function buildTogether(
  images: readonly ImageRun[],
  pipeline: ImagePipeline,
  host: Run['host'],
): Promise<readonly ImageRun[]> {
  const missing = new Map(images.filter(isMissing).flatMap((image) => planned(image, pipeline)));
  if (missing.size === 0) return images.map(skipped);
  const startedAt = host.now().getTime();
  let imageCount = missing.size;
  const built = await host.log.group(`Build ${counted(missing.size, 'image')}`, async () => {
    try {
      const refused = await findRefused(missing, pipeline, host);
      const pushable = new Map([...missing].filter(([name]) => !refused.has(name)));
      if (pushable.size === 0) return refused;
      imageCount = pushable.size;
      return new Map([...refused, ...(await bake(pushable, { images: byName(images), pipeline, host }))]);
    } catch (thrown) {
      const error = errorThrown(thrown, host.signal);
      return new Map([...missing.keys()].map((name) => [name, failureFor(name, error, missing)]));
    }
  });
  const durationMs = host.now().getTime() - startedAt;
  return images.map((image) => {
    const result = built.get(image.target.name);
    return result === undefined ? skipped(image) : withBuild(image, result, { durationMs, imageCount });
  });
}

/** Whether an image is to be built for its own sake. */
export function isMissing({ target, run, error }: ImageRun): boolean {
  return target.isRequested && error === undefined && resultOf(run, 'lookup').image === undefined;
}

function planned(image: ImageRun, { build }: ImagePipeline): readonly (readonly [string, ImageBuild])[] {
  const plan = build.plan(image.run);
  return plan === undefined ? [] : [[image.target.name, plan]];
}

/** The images that their registries would not take, with the reason. */
async function findRefused(
  missing: ReadonlyMap<string, ImageBuild>,
  { build }: ImagePipeline,
  { signal }: Run['host'],
): Promise<ReadonlyMap<string, Error>> {
  const asked = await inParallel([...missing], ASKED_AT_ONCE, async ([name, one]): Promise<[string, Error][]> => {
    try {
      await build.checkMayPush(one);
      return [];
    } catch (thrown) {
      return [[name, errorThrown(thrown, signal)]];
    }
  });
  return new Map(asked.flat());
}

/** The call that made the image, and others with it. */
type Call = Pick<JournalEntry, 'durationMs' | 'imageCount'>;

function withBuild(image: ImageRun, result: Result, call: Call): ImageRun {
  const durationMs = image.durationMs + call.durationMs;
  if (result instanceof Error) return { ...image, error: result, durationMs };
  const { run } = image;
  const journal = [...run.journal, { stage: 'build' as const, skipped: undefined, ...call }];
  return { ...image, run: { ...run, results: { ...run.results, build: result }, journal }, durationMs };
}

function skipped(image: ImageRun): ImageRun {
  const { run, error } = image;
  if (error !== undefined || run.results.lookup?.image === undefined) return image;
  const entry = { stage: 'build' as const, skipped: 'the image is in the registry', durationMs: 0 };
  return { ...image, run: { ...run, journal: [...run.journal, entry] } };
}

interface Kitchen {
  readonly images: ReadonlyMap<string, ImageRun>;
  readonly pipeline: ImagePipeline;
  readonly host: Run['host'];
}

async function bake(missing: ReadonlyMap<string, ImageBuild>, kitchen: Kitchen): Promise<ReadonlyMap<string, Result>> {
  const { pipeline, host } = kitchen;
  const { build } = pipeline;
  const all = basesOf(missing, kitchen, () => false);
  const bench = await build.open([...missing.values()], [...all.values()]);
  const { builder } = bench;
  // Where the builder pushes, it can read the registry as well; elsewhere a base is built again, from the builder's cache.
  const bases = basesOf(
    missing,
    kitchen,
    (image) => builder.delivery === 'push' && imageOfContent(image) !== undefined,
  );
  const destinations = new Map([...missing].map(([name, one]) => [name, build.destinationOf(one, builder)]));
  const inside = new Map<string, BaseBuild>([...bases, ...missing]);
  const images = [...inside].map(([name, { run, settings }]): BakeRequest['images'][number] => {
    const contexts = settings.buildContexts.map((named) => ({ ...named, value: linked(named, run, inside, kitchen) }));
    return {
      name,
      settings: { ...settings, buildContexts: contexts },
      destination: destinations.get(name),
      pins: resultOf(run, 'hash').pins,
      origin: build.originOf(run),
    };
  });
  const baking = callBuildx(bench, images);
  const [checks] = await Promise.allSettled([
    inParallel([...missing], AT_ONCE, async ([name, one]) => [name, await build.findProblems(one, bench)] as const),
    baking,
  ]);
  const outcomes = await baking;
  if (checks.status === 'rejected') throw checks.reason;
  const problems = new Map(checks.value);
  // What was read before the build says nothing of what the builder has read.
  const again = createSharedWork(host.files);
  const refusalBelow = baseRefusals(inside, kitchen, again);
  const taken = await inParallel([...missing], AT_ONCE, async ([name, one]): Promise<[string, Result]> => {
    const outcome = outcomes.get(name);
    const destination = destinations.get(name);
    try {
      if (outcome === undefined || destination === undefined) throw notBuilt(name);
      const refusal = refusalBelow(name);
      if (refusal !== undefined) throw refusal;
      const run = { ...one.run, host: { ...one.run.host, log: namedLog(host.log, name) } };
      const { descriptor, metadata } = outcome;
      const found = { destination, digest: descriptor.digest, metadata, problems: problems.get(name) ?? [] };
      return [name, await build.take({ ...one, run }, found, again)];
    } catch (thrown) {
      return [name, errorThrown(thrown, host.signal)];
    }
  });
  return new Map(taken);
}

/** Of the bases that were built in the call: why what is built on them is not what was hashed, if it is not. */
function baseRefusals(
  inside: ReadonlyMap<string, BaseBuild>,
  { images, pipeline, host }: Kitchen,
  again: SharedWork,
): (name: string) => Error | undefined {
  const known = new Map<string, Error | undefined>();
  const refusalOf = (name: string): Error | undefined => {
    const base = inside.get(name);
    if (base === undefined) return undefined;
    try {
      pipeline.build.refuseChangedContext(base.run, again);
      return refusalBelow(name);
    } catch (thrown) {
      return errorThrown(thrown, host.signal);
    }
  };
  const refusalBelow = (name: string): Error | undefined => {
    for (const base of images.get(name)?.target.links.values() ?? []) {
      if (!known.has(base)) known.set(base, refusalOf(base));
      const refusal = known.get(base);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  };
  return refusalBelow;
}

/** An image alone is built as a run about one image builds it. */
async function callBuildx(
  { docker, builder, buildx }: Workbench,
  images: BakeRequest['images'],
): Promise<ReadonlyMap<string, BuildOutcome>> {
  const [first, ...more] = images;
  if (first?.destination === undefined || more.length > 0) return buildx.bakeImages(docker, { images, builder });
  const { name, destination, ...image } = first;
  return new Map([[name, await buildx.buildImage(docker, { ...image, destination, builder })]]);
}

/** What the call has to make besides: all that these are built on, directly or not, and that cannot be taken from a registry. */
function basesOf(
  missing: ReadonlyMap<string, ImageBuild>,
  { images, pipeline }: Kitchen,
  isTaken: (image: ImageRun) => boolean,
): ReadonlyMap<string, BaseBuild> {
  const bases = new Map<string, BaseBuild>();
  const waiting = [...missing.keys()];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const target of images.get(name)?.target.links.values() ?? []) {
      const base = images.get(target);
      if (base === undefined || missing.has(target) || bases.has(target) || isTaken(base)) continue;
      bases.set(target, pipeline.build.planBase(base.run));
      waiting.push(target);
    }
  }
  return bases;
}

/** What a named context is for bake: another image of the call, or one of a registry by its digest. */
function linked(
  { name, value }: { readonly name: string; readonly value: string },
  { links }: Run,
  inside: ReadonlyMap<string, BaseBuild>,
  { images }: Kitchen,
): string {
  const target = links?.get(name)?.target;
  if (target === undefined) return value;
  const base = images.get(target);
  const image = base && imageOfContent(base);
  if (inside.has(target) || image === undefined) return `target:${target}`;
  const { repository, descriptor } = image;
  return `docker-image://${formatReference({ repository, tag: undefined, digest: descriptor.digest })}`;
}

function byName(images: readonly ImageRun[]): ReadonlyMap<string, ImageRun> {
  return new Map(images.map((image) => [image.target.name, image]));
}

/** The one that failed has the error; the others were not built because of it. A base that nobody asked for speaks by all. */
function failureFor(name: string, error: Error, missing: ReadonlyMap<string, ImageBuild>): Error {
  const failed = 'target' in error && typeof error.target === 'string' ? error.target : undefined;
  if (failed === undefined || failed === name || !missing.has(failed)) return error;
  return new BuildOnceError('BUILD_STOPPED', `${quote(name)} was not built: the build of ${quote(failed)} failed`, 1, {
    hint: `See what is said of ${quote(failed)}; what was built of this one is in the builder's cache.`,
  });
}

function notBuilt(name: string): BuildOnceError {
  return new BuildOnceError('BUILD_FAILED', `buildx ended well but did not say what it built of ${quote(name)}`, 1, {
    hint: 'The builder may be too old: take a current buildx and BuildKit.',
  });
}
