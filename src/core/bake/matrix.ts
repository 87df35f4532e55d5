import { formatList } from '../lists.ts';

/** An image that is missing, as the plan of several images has it. */
export interface MissingImage {
  readonly name: string;
  /** The content hash. */
  readonly hash: string;
  /** `not-found`, `forced`, …. */
  readonly reason: string;
  /** The missing images that it is built on. */
  readonly needs: readonly string[];
}

/** One job of a matrix; the step that builds takes it as the input `entry`. Keys are inputs but for `name`, `hash` and `reason`. */
export interface MatrixEntry extends Readonly<Record<string, string>> {
  /** What the job is called: the names of its images. */
  readonly name: string;
  /** The images to build, one a line. */
  readonly targets: string;
  /** Of each, its content hash, in that order. */
  readonly hash: string;
  /** Why they are missing. */
  readonly reason: string;
}

/** What a plan gives a workflow. */
export interface Matrix {
  /** Of all missing images, each behind those that it is built on: `strategy.matrix.include`. */
  readonly entries: readonly MatrixEntry[];
  /** The same in waves, each of which needs nothing but the waves before it. */
  readonly waves: readonly (readonly MatrixEntry[])[];
}

/** Names of a job, before the rest is counted: GitHub shows about a hundred characters of it. */
const MAX_NAMES = 4;

/**
 * GitHub takes 1 MB of outputs of a job, two bytes for each character
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs); both lists have to fit.
 */
const MAX_LENGTH = 250_000;

/**
 * The jobs that build what is missing, at most `maxJobs` in each list; where there are more images, several share a job. So
 * they do where a list would be longer than GitHub takes. Each job gets the `inputs` too. Pure; `missing` is in an order in which each image stands behind those that it needs.
 */
export function matrixOf(
  missing: readonly MissingImage[],
  inputs: Readonly<Record<string, string>>,
  maxJobs: number,
): Matrix {
  for (let jobs = maxJobs; ; jobs = Math.floor(jobs / 2)) {
    const matrix = matrixWith(missing, inputs, jobs);
    const isFit = [matrix.entries, matrix.waves].every((list) => JSON.stringify(list).length <= MAX_LENGTH);
    if (isFit || jobs <= 1) return matrix;
  }
}

function matrixWith(
  missing: readonly MissingImage[],
  inputs: Readonly<Record<string, string>>,
  maxJobs: number,
): Matrix {
  const toEntry = (images: readonly MissingImage[]): MatrixEntry => ({ ...inputs, ...entryOf(images) });
  return {
    entries: inChunks(missing, maxJobs).map(toEntry),
    waves: inWaves(missing).map((wave) => inChunks(wave, maxJobs).map(toEntry)),
  };
}

function entryOf(images: readonly MissingImage[]): MatrixEntry {
  const names = images.map(({ name }) => name);
  const more = names.length > MAX_NAMES ? [`${names.length - MAX_NAMES} more`] : [];
  return {
    name: [...names.slice(0, MAX_NAMES), ...more].join(', '),
    targets: formatList(names),
    hash: images.map(({ hash }) => hash).join('\n'),
    reason: [...new Set(images.map(({ reason }) => reason))].join(', '),
  };
}

/** Lists of equal length, give or take one. */
function inChunks<T>(items: readonly T[], maxChunks: number): readonly (readonly T[])[] {
  const count = Math.min(items.length, maxChunks);
  return Array.from({ length: count }, (_, position) => {
    const start = Math.floor((position * items.length) / count);
    return items.slice(start, Math.floor(((position + 1) * items.length) / count));
  });
}

function inWaves(missing: readonly MissingImage[]): readonly (readonly MissingImage[])[] {
  const waveOf = new Map<string, number>();
  const waves: MissingImage[][] = [];
  for (const image of missing) {
    const wave = Math.max(-1, ...image.needs.map((name) => waveOf.get(name) ?? -1)) + 1;
    waveOf.set(image.name, wave);
    waves[wave] = [...(waves[wave] ?? []), image];
  }
  return waves;
}
