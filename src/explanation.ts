import { findBaseline } from './baseline.ts';
import { counted } from './core/counted.ts';
import type { Difference } from './core/difference.ts';
import { describeDifference } from './core/difference-text.ts';
import { type Digest, parseDigest } from './core/digest.ts';
import type { ImageChoice } from './core/image-choice.ts';
import type { InputManifest } from './core/input-manifest.ts';
import { createdOf, INPUTS_ANNOTATION } from './core/labels.ts';
import { compareManifests } from './core/manifest-differences.ts';
import type { Parsed } from './core/parsed.ts';
import { formatPlatform } from './core/platform.ts';
import { toLine } from './core/printable.ts';
import { isLocalName } from './core/reference.ts';
import { findUnfit } from './core/reuse.ts';
import { formatDuration, parseTimestamp } from './core/timestamp.ts';
import { BuildOnceError } from './errors.ts';
import { findNamed, type NamedImage, referenceTo } from './named-image.ts';
import { readRecordedInputs } from './recorded-inputs.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';
import { type Run, resultOf, wantedOf } from './stage.ts';
import { withinTime } from './within-time.ts';

/** In what a run differs from an image that is there. */
export interface Explanation {
  /** One sentence. */
  readonly summary: string;
  /** What the run was compared with: `ghcr.io/acme/app:latest`; `undefined` when there was nothing. */
  readonly reference: string | undefined;
  readonly digest: Digest | undefined;
  /** Whether a build would give what that image has; `undefined` when there is none. */
  readonly isSame: boolean | undefined;
  readonly differences: readonly Difference[];
  /** Why the differences are not known. */
  readonly unknown: string | undefined;
  /** What was looked at besides: each a line. */
  readonly checked: readonly string[];
}

const NOTHING = { reference: undefined, digest: undefined, isSame: undefined, differences: [], checked: [] } as const;

/** How long a build waits to hear why it runs. */
const MAX_WAIT_MS = 5000;

/**
 * Why a build runs: in what it differs from the baseline. Never an error: what hinders is the reason that nothing is known.
 * Nothing is asked for twice, nor waited for long: the build waits for it.
 */
export async function explainMiss(run: Run): Promise<Explanation> {
  const explanation = await withinTime(compareWithBaseline(run), MAX_WAIT_MS);
  return explanation ?? notKnown(`the registry gave no answer within ${MAX_WAIT_MS / 1000} s`);
}

async function compareWithBaseline(run: Run): Promise<Explanation> {
  const [name] = run.options.images;
  if (name === undefined) return notKnown('there is no image to compare with');
  try {
    const repository = run.registries.open(name, run.event.push ? 'push' : 'pull', 'once');
    const baseline = await findBaseline(repository, run);
    if (baseline === undefined)
      return notKnown(
        'neither latest, nor a version, nor a tag of the default branch is there',
        'there is nothing to compare with',
      );
    const reference = referenceTo(repository, { tag: baseline.tag });
    return await compare({ reference, image: baseline.image, repository }, run);
  } catch (error) {
    return notKnown(toLine(error instanceof Error ? error.message : String(error), 500));
  }
}

function notKnown(unknown: string, summary = 'what has changed is not known'): Explanation {
  return { ...NOTHING, summary, unknown };
}

/**
 * In what a build would differ from the image that was chosen, or from the baseline, and what it would find in the registry.
 * BuildOnceError NOTHING_TO_COMPARE when that image is not there.
 */
export async function explainChoice(run: Run, choice: ImageChoice | undefined): Promise<Explanation> {
  const compared = await findCompared(run, choice);
  const explanation = await compare(compared, run);
  const checked = explanation.isSame === true ? checkedOf(compared.image, run) : [];
  return { ...explanation, checked: [...checked, ...(await wouldBuild(run))] };
}

async function findCompared(run: Run, choice: ImageChoice | undefined): Promise<NamedImage> {
  const found = await findNamed(run, choice);
  if (found.ok) return found.value;
  throw nothingToCompare(found.problem);
}

function nothingToCompare(message: string): BuildOnceError {
  return new BuildOnceError('NOTHING_TO_COMPARE', message, 1, {
    hint: 'Name an image to compare with: build-once explain TAG, or REPOSITORY:TAG. A first build has none.',
  });
}

async function compare({ reference, image, repository }: NamedImage, run: Run): Promise<Explanation> {
  const { hash, manifest } = resultOf(run, 'hash');
  const { digest } = image.descriptor;
  const theirs = image.manifest.annotations[INPUTS_ANNOTATION];
  const found = { reference, digest, differences: [], unknown: undefined, checked: [] };
  if (theirs === hash) return { ...found, isSame: true, summary: `nothing has changed since ${reference}` };
  const record = await readRecordedInputs(repository, image);
  if (record.ok) {
    const differences = compareManifests(record.value, manifest);
    const summary = `${counted(differences.length, 'difference')} from ${reference}`;
    return { ...found, isSame: false, differences, summary };
  }
  const what = theirs === undefined ? 'it carries no content hash' : 'its content hash is another one';
  return {
    ...found,
    isSame: false,
    unknown: record.problem,
    summary: `${reference} differs, not known in what: ${what}`,
  };
}

/** What was looked at of an image whose content hash is this run's. */
function checkedOf(image: FoundImage, run: Run): readonly string[] {
  const wanted = wantedOf(run);
  const unfit = findUnfit(image.manifest, wanted);
  const platforms = wanted.platforms.map(formatPlatform).join(', ');
  const createdMs = parseTimestamp(createdOf(image.manifest.annotations) ?? '');
  const age =
    createdMs === undefined
      ? 'it does not say when it was made'
      : `it is ${formatDuration(Math.max(0, wanted.nowMs - createdMs))} old`;
  const limit = wanted.maxAgeMs === undefined ? 'no max-age is set' : `max-age is ${formatDuration(wanted.maxAgeMs)}`;
  return [
    `the full content hash is the same: sha256:${wanted.hash}`,
    unfit?.reason === 'incomplete' ? unfit.detail : `it has every platform: ${platforms}`,
    `${age}, ${limit}`,
  ];
}

/** What a build would find behind the hash tag of the first image. */
async function wouldBuild(run: Run): Promise<readonly string[]> {
  const [name] = run.options.images;
  if (name === undefined || isLocalName(name)) return [];
  if (run.options.force) return ['a build would run: force asks for it'];
  const { tag } = resultOf(run, 'hash');
  const repository = run.registries.open(name);
  const reference = referenceTo(repository, { tag });
  const image = await fetchImage(repository, { tag });
  if (image === undefined) return [`a build would run: ${reference} is not there`];
  const unfit = findUnfit(image.manifest, wantedOf(run));
  if (unfit !== undefined) return [`a build would run (${unfit.reason}): of ${reference}, ${unfit.detail}`];
  const distrust = await run.findDistrust({ repository, image: image.descriptor });
  if (distrust === undefined) return [`a build would reuse ${reference}, which is ${image.descriptor.digest}`];
  const what = run.options.trustStrict ? 'end with UNTRUSTED' : 'run (untrusted)';
  return [`a build would ${what}: of ${reference}, ${distrust}`];
}

/** How an image that must not be replaced stands to this run's content. */
export interface ReleaseComparison {
  readonly differences: readonly Difference[];
  /** It differs in nothing but the digests of base images: which, in words. */
  readonly movedBases: readonly string[];
}

/** Compares an image with what this run would build. A problem when there is no input manifest to compare with. */
export async function compareRelease(
  repository: Repository,
  image: FoundImage,
  manifest: InputManifest,
): Promise<Parsed<ReleaseComparison>> {
  const record = await readRecordedInputs(repository, image);
  if (!record.ok) return record;
  const differences = compareManifests(record.value, manifest);
  const isMove = ({ subject, before = '', after = '' }: Difference): boolean =>
    subject === 'image' && parseDigest(before) !== undefined && parseDigest(after) !== undefined;
  const movedBases = differences.every(isMove) ? differences.map((one) => describeDifference(one).slice(2)) : [];
  return { ok: true, value: { differences, movedBases } };
}
