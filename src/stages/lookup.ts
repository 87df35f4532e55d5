import type { Digest } from '../core/digest.ts';
import { INPUTS_ANNOTATION, revisionOf } from '../core/labels.ts';
import { formatReference, isLocalName, type RepositoryName } from '../core/reference.ts';
import { findUnfit, type MissReason, type Unfit, type Wanted } from '../core/reuse.ts';
import { isRegistryError, PolicyError } from '../errors.ts';
import { readBuildSeconds } from '../input-record.ts';
import { type FoundImage, fetchImage } from '../registry/image.ts';
import { judgeRelease, type Release, refuseUntrustedRelease, type Standing } from '../release.ts';
import { candidatesFor, openImage, type Results, type Run, resultOf, type Stage, wantedOf } from '../stage.ts';

/** Whether the registry has an image to reuse, and if not, why. */
export interface LookupResult {
  readonly reason: 'hit' | MissReason;
  /** One sentence for the summary. */
  readonly detail: string;
  /** The image to reuse; `undefined` on a miss. */
  readonly image: FoundImage | undefined;
  /** Why the image stands for this run's release; left out where no immutable tag has it. */
  readonly standing?: Standing['by'];
  /** What stands behind immutable tags already, by full reference. */
  readonly existing: ReadonlyMap<string, Digest>;
  /** What stood behind the hash tag of each repository, fit or not, by full reference. */
  readonly hashTags: ReadonlyMap<string, Digest>;
  /** On a hit in a registry: how long the image's build took, asked for while other things are done. Never rejects. */
  readonly buildSeconds?: Promise<number | undefined>;
}

interface LookupPlan {
  readonly hashTag: string;
  readonly images: readonly { readonly name: RepositoryName; readonly immutableTags: readonly string[] }[];
  readonly wanted: Wanted;
  readonly force: boolean;
  /** What is not trusted ends the run. */
  readonly isStrict: boolean;
  /** As in `HashResult`. */
  readonly isFinal: boolean;
  readonly push: boolean;
  readonly release: Release;
  /** What the local engine has, where it was asked. */
  readonly engine: Results['engine'] | undefined;
}

/** What was seen at one reference. */
type Seen = { readonly reference: string; readonly tag: string } & (
  | { readonly image: FoundImage; readonly unfit: Unfit | undefined }
  | { readonly image: undefined; readonly unfit: Unfit }
);

/** Looks for the image that a build would give: behind the hash tag, and behind tags that must never move. */
export const lookupStage: Stage<'lookup', LookupPlan> = {
  name: 'lookup',
  title: 'Look for the image',
  plan(run) {
    const { git, push } = run.event;
    const hash = resultOf(run, 'hash');
    const wanted = wantedOf(run);
    return {
      hashTag: hash.tag,
      images: run.options.images
        .filter((name) => !isLocalName(name))
        .map((name) => ({ name, immutableTags: push ? immutableTags(run, name) : [] })),
      wanted,
      force: run.options.force,
      isStrict: run.options.trustStrict,
      isFinal: hash.isFinal,
      push,
      release: { wanted, manifest: hash.manifest, revision: git.sha },
      engine: run.results.engine,
    };
  },
  async apply(plan, run) {
    if (plan.engine?.image !== undefined) {
      const { image, detail } = plan.engine;
      run.host.log.info(`hit: ${detail}`);
      return { reason: 'hit', detail, image, existing: new Map(), hashTags: new Map() };
    }
    const at = (name: RepositoryName, tag: string): Promise<Seen> => look(name, tag, plan, run);
    const [behindHash, released] = await Promise.all([
      Promise.all(plan.images.map(async ({ name }) => orUntrusted(await at(name, plan.hashTag), plan, run))),
      Promise.all(plan.images.flatMap((image) => image.immutableTags.map((tag) => at(image.name, tag)))),
    ]);
    const untrusted = untrustedOf(behindHash);
    if (plan.isStrict && untrusted.length > 0) {
      const hint =
        'Find out who put it there. Then delete that tag, or leave out trust-strict: it is built again, and the tag moves.';
      throw new PolicyError('UNTRUSTED', untrusted.join('\n'), { hint });
    }
    // Of another one, the triggers of a base image may yet tell that it is this very content; not where nobody will ask.
    const isHit = !plan.force && behindHash.some(({ unfit }) => unfit === undefined);
    const isFinal = plan.isFinal || isHit;
    const settled = released.filter(({ image }) => image !== undefined && (isFinal || isOwn(image, plan)));
    const result = decide(behindHash, await standingOf(settled, plan, run), plan);
    const said = result.image === undefined ? `miss (${result.reason}): ${result.detail}` : `hit: ${result.detail}`;
    // Somebody asked for a build or changed the content, and gets an image that was there before.
    const isSurprise = result.image !== undefined && (plan.force || hashOf(result.image) !== plan.wanted.hash);
    run.host.log[isSurprise || untrusted.includes(result.detail) ? 'notice' : 'info'](said);
    for (const detail of untrusted) if (detail !== result.detail) run.host.log.notice(detail);
    const seen = { ...result, existing: digestsOf(released), hashTags: digestsOf(behindHash) };
    return result.image === undefined ? seen : { ...seen, buildSeconds: askBuildSeconds(result.image, run) };
  },
};

/** A release that is there already. */
interface StandingImage extends Standing {
  readonly reference: string;
  readonly image: FoundImage;
}

/** The first of the releases that are there already. PolicyError where one of them is another release. */
async function standingOf(
  released: readonly Seen[],
  { release }: LookupPlan,
  run: Run,
): Promise<StandingImage | undefined> {
  const standing: StandingImage[] = [];
  for (const { reference, image, tag } of released) {
    if (image === undefined) continue;
    const released = { repository: openImage(run, image.repository), image, tag };
    const judged = await judgeRelease(released, release);
    await refuseUntrustedRelease(released, run.findDistrust);
    standing.push({ ...judged, reference, image });
  }
  return standing[0];
}

/** The tags of this image that must never move. */
function immutableTags(run: Run, name: RepositoryName): readonly string[] {
  return candidatesFor(run, name).flatMap(({ kind, tag }) => (kind === 'immutable' ? [tag] : []));
}

async function look(name: RepositoryName, tag: string, plan: LookupPlan, run: Run): Promise<Seen> {
  const reference = formatReference({ repository: name, tag, digest: undefined });
  try {
    const image = await fetchImage(openImage(run, name), { tag });
    if (image === undefined)
      return { reference, tag, image, unfit: { reason: 'not-found', detail: `${reference} is not there` } };
    const unfit = findUnfit(image.manifest, plan.wanted);
    const detail = unfit === undefined ? '' : `${reference} is ${image.descriptor.digest}: ${unfit.detail}`;
    return { reference, tag, image, unfit: unfit === undefined ? undefined : { ...unfit, detail } };
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    if (error.code === 'MANIFEST_INVALID')
      return { reference, tag, image: undefined, unfit: { reason: 'mismatch', detail: error.message } };
    if (plan.push || (error.code !== 'DENIED' && error.code !== 'UNAUTHORIZED')) throw error;
    const detail = `${reference} may not be read by this run`;
    run.host.log.notice(`${detail}; building without it`);
    return { reference, tag, image: undefined, unfit: { reason: 'not-found', detail } };
  }
}

/** Trust is asked only of what would be reused otherwise. */
async function orUntrusted(seen: Seen, { force }: LookupPlan, run: Run): Promise<Seen> {
  const { reference, tag, image, unfit } = seen;
  if (image === undefined || unfit !== undefined || force) return seen;
  const repository = openImage(run, image.repository);
  const distrust = await run.findDistrust({ repository, image: image.descriptor });
  if (distrust === undefined) return seen;
  const detail = `${reference} is ${image.descriptor.digest}, which is not trusted: ${distrust}`;
  return { reference, tag, image, unfit: { reason: 'untrusted', detail } };
}

/** What was seen of images that are not trusted. Where the same bytes are trusted in another repository, they are here too. */
function untrustedOf(behindHash: readonly Seen[]): readonly string[] {
  const trusted = behindHash.flatMap(({ image, unfit }) => (image && !unfit ? [image.descriptor.digest] : []));
  return behindHash.flatMap(({ image, unfit }) =>
    unfit?.reason !== 'untrusted' || (image !== undefined && trusted.includes(image.descriptor.digest))
      ? []
      : [unfit.detail],
  );
}

function isOwn(image: FoundImage, { wanted, release: { revision } }: LookupPlan): boolean {
  const isSameCommit = revision !== undefined && revisionOf(image.manifest.annotations) === revision;
  return isSameCommit || hashOf(image) === wanted.hash;
}

/** It is only good to know: asked once, and nothing that goes wrong counts. */
async function askBuildSeconds(
  { repository, descriptor }: FoundImage,
  { registries, event, host }: Run,
): Promise<number | undefined> {
  try {
    return await readBuildSeconds(registries.open(repository, event.push ? 'push' : 'pull', 'once'), descriptor);
  } catch (error) {
    host.log.debug(`how long the build took is not known: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function hashOf({ manifest }: FoundImage): string | undefined {
  return manifest.annotations[INPUTS_ANNOTATION];
}

function digestsOf(seen: readonly Seen[]): ReadonlyMap<string, Digest> {
  return new Map(
    seen.flatMap(({ reference, image }) => (image === undefined ? [] : [[reference, image.descriptor.digest]])),
  );
}

function decide(
  behindHash: readonly Seen[],
  release: StandingImage | undefined,
  plan: LookupPlan,
): Omit<LookupResult, 'existing' | 'hashTags'> {
  if (release !== undefined) {
    const detail = `${release.reference} is released from ${release.detail}, and never moves`;
    return {
      reason: 'hit',
      detail: plan.force ? `${detail}; force does not replace it` : detail,
      image: release.image,
      standing: release.by,
    };
  }
  if (plan.force) return { reason: 'forced', detail: 'a build was asked for', image: undefined };
  const fit = behindHash.find((seen) => seen.unfit === undefined);
  if (fit?.image !== undefined) {
    return { reason: 'hit', detail: `${fit.reference} has this content`, image: fit.image };
  }
  const worst = behindHash.find(({ unfit }) => unfit?.reason !== 'not-found') ?? behindHash[0];
  const unfit = worst?.unfit ?? plan.engine?.unfit ?? { reason: 'not-found', detail: 'no image was asked for' };
  return { reason: unfit.reason, detail: unfit.detail, image: undefined };
}
