import { signAdopted } from '../adopted-signature.ts';
import { whyBranchStays } from '../branch-head.ts';
import type { Digest } from '../core/digest.ts';
import { INPUTS_ANNOTATION } from '../core/labels.ts';
import { formatReference, formatRepositoryName, sameRepository } from '../core/reference.ts';
import { findUnfit } from '../core/reuse.ts';
import { decideMoves, type Move } from '../core/semver-tags.ts';
import type { TagCandidate } from '../core/tag-candidates.ts';
import { isBuildOnceError, RegistryError } from '../errors.ts';
import type { Host } from '../host.ts';
import { attachInputs, copyInputs } from '../input-record.ts';
import { loadImageSigner } from '../load-image-signer.ts';
import { copyImage } from '../registry/copy.ts';
import { type FoundImage, fetchImage } from '../registry/image.ts';
import type { Repository } from '../registry/repository.ts';
import { judgeRelease, type Release, refuseUntrustedRelease } from '../release.ts';
import { candidatesFor, openImage, type Run, resultOf, type Stage, wantedOf } from '../stage.ts';
import { INPUTS_RECORD, orWithoutRecord } from '../without-record.ts';

/** What became of one tag. */
export interface TagOutcome {
  readonly reference: string;
  readonly tag: string;
  /** What it points at now; `undefined` when there is no such tag. */
  readonly digest: Digest | undefined;
  readonly outcome: 'created' | 'moved' | 'unchanged' | 'kept';
  readonly detail: string | undefined;
}

export interface TagResult {
  /** The image that the tags are on: ours, or one that another run published meanwhile. */
  readonly image: FoundImage;
  readonly tags: readonly TagOutcome[];
}

interface TagTask {
  readonly image: FoundImage;
  readonly built: boolean;
  readonly hashTag: string;
  readonly release: Release;
  /** Full references whose digest the lookup has seen, and nothing has changed since. */
  readonly known: ReadonlyMap<string, Digest>;
  /** What the hash tag pointed at before the build, and is to be replaced. */
  readonly outdated: ReadonlySet<Digest>;
}

/** Each round ends with a look at what others did meanwhile; only runs that never end would need more. */
const MAX_ROUNDS = 5;
const NEVER_MOVES = 'it never moves';
const READ_BACK_TRIES = 4;
const READ_BACK_DELAY_MS = 500;

/**
 * Points every tag at the image: the hash tag first, then immutable tags, then moving tags under the guard, `latest` last.
 * Several runs at once end on one image: a run that finds a valid image of the same content published meanwhile takes that
 * one, and after its last write it looks again.
 */
export const tagStage: Stage<'tag', TagTask> = {
  name: 'tag',
  title: 'Set the tags',
  plan(run) {
    const { tag: hashTag, manifest } = resultOf(run, 'hash');
    const lookup = resultOf(run, 'lookup');
    const { build } = run.results;
    const image = build?.image ?? lookup.image;
    if (!run.event.push) return { skip: run.event.untrusted ?? 'push is off' };
    if (image === undefined) return { skip: 'there is no image' };
    const wanted = { ...wantedOf(run), maxAgeMs: undefined };
    return {
      image,
      built: build !== undefined,
      hashTag,
      release: { wanted, manifest, revision: run.event.git.sha },
      known: build === undefined ? new Map([...lookup.hashTags, ...lookup.existing]) : new Map(),
      outdated: new Set(lookup.hashTags.values()),
    };
  },
  async apply(task, run) {
    let image = task.built ? await adopt(task, run, task.image) : task.image;
    if (!isSame(image, task.image)) await signAdopted(run, image);
    let { known } = task;
    const mayPush = askOnce(task, run);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const setting = { ...task, image, known, mayPush };
      const deciding = await tagDeciding(setting, run);
      let settled = deciding.some(isWritten) ? await adopt({ ...task, outdated: new Set() }, run, image) : image;
      if (isSame(settled, image)) {
        const tags = [...deciding, ...(await tagMoving(setting, run))];
        if (tags.some(isWritten)) settled = await adopt({ ...task, outdated: new Set() }, run, image);
        if (isSame(settled, image)) return { image, tags };
      }
      await signAdopted(run, settled);
      image = settled;
      known = new Map();
    }
    throw new RegistryError('CONTENTION', `other runs kept moving ${task.hashTag} while this one set its tags`, {
      hint: 'Run this job again, or give the jobs that publish this image a concurrency group.',
    });
  },
};

/**
 * The image to publish: one that holds an immutable tag of this release wins, since it cannot move; then one of the same
 * content that another run has put behind the hash tag; else ours.
 */
async function adopt(task: TagTask, run: Run, ours: FoundImage): Promise<FoundImage> {
  for (const name of run.options.images) {
    for (const { kind, tag } of candidatesFor(run, name)) {
      const repository = openImage(run, name);
      const image = kind === 'immutable' ? await fetchImage(repository, { tag }) : undefined;
      if (image === undefined) continue;
      if (isSame(image, ours)) return ours;
      const { detail } = await judgeRelease({ repository, image, tag }, task.release);
      await refuseUntrustedRelease({ repository, image, tag }, run.findDistrust);
      return announce(image, `released from ${detail}`, run);
    }
  }
  const [name] = run.options.images;
  if (name === undefined) return ours;
  const repository = openImage(run, name);
  const found = await fetchImage(repository, { tag: task.hashTag });
  if (found === undefined || task.outdated.has(found.descriptor.digest)) return ours;
  if (findUnfit(found.manifest, task.release.wanted) !== undefined || isSame(found, ours)) return ours;
  const distrust = await run.findDistrust({ repository, image: found.descriptor });
  if (distrust === undefined) return announce(found, 'of this content', run);
  run.host.log.notice(`${nameOf(found)} was published meanwhile, and is not trusted: ${distrust}`);
  return ours;
}

/** Says which image is used from here on. */
function announce(image: FoundImage, what: string, run: Run): FoundImage {
  run.host.log.notice(`another run has published ${nameOf(image)} meanwhile, ${what}; using that one`);
  return image;
}

function nameOf({ repository, descriptor }: FoundImage): string {
  return `${formatRepositoryName(repository)}@${descriptor.digest}`;
}

type Setting = Pick<TagTask, 'image' | 'hashTag' | 'known' | 'release'> & {
  /** Rejects where one of the repositories refuses writes; to be called before each. */
  readonly mayPush: () => Promise<unknown>;
};
type Candidate = Pick<TagCandidate, 'tag' | 'kind' | 'line'>;

/** The refusal of one repository must come before a write to another. The build has asked already, where there was one. */
function askOnce({ built }: TagTask, run: Run): () => Promise<unknown> {
  const { images } = run.options;
  let asked: Promise<unknown> | undefined;
  return () => {
    asked ??= Promise.all(
      built || images.length < 2 ? [] : images.map((name) => openImage(run, name).checkPushAccess()),
    );
    return asked;
  };
}

function isSame(a: FoundImage, b: FoundImage): boolean {
  return a.descriptor.digest === b.descriptor.digest;
}

/** Sets the tags that decide which image it is, in every repository: the hash tag and the immutable ones. */
async function tagDeciding(setting: Setting, run: Run): Promise<readonly TagOutcome[]> {
  const hashTag = isOfThisContent(setting) ? [{ tag: setting.hashTag, kind: 'other-moving' } as const] : [];
  return tagAll(setting, run, (candidates) => [...hashTag, ...candidates.filter(({ kind }) => kind === 'immutable')]);
}

/** Sets the rest; to be called only when no deciding tag has turned out to hold another image that is to be used. */
async function tagMoving(setting: Setting, run: Run): Promise<readonly TagOutcome[]> {
  return tagAll(setting, run, (candidates) => candidates.filter(({ kind }) => kind !== 'immutable'));
}

async function tagAll(
  setting: Setting,
  run: Run,
  choose: (candidates: readonly Candidate[]) => readonly Candidate[],
): Promise<readonly TagOutcome[]> {
  const outcomes: TagOutcome[] = [];
  for (const name of run.options.images) {
    const tagger = new Tagger(openImage(run, name), setting, run);
    for (const candidate of choose(candidatesFor(run, name))) {
      const outcome = await tagger.set(candidate);
      outcomes.push(isOnOurs(outcome, setting) ? await tagger.yieldLine(candidate, outcome) : outcome);
    }
  }
  return outcomes;
}

/** A release of this commit may stand for other content than this run's; the hash tag must never lie. */
function isOfThisContent({ image, release }: Setting): boolean {
  return image.manifest.annotations[INPUTS_ANNOTATION] === release.wanted.hash;
}

/** Something was written, or was about to be when another run was quicker. */
function isWritten({ outcome, detail }: TagOutcome): boolean {
  return outcome === 'created' || outcome === 'moved' || detail === NEVER_MOVES;
}

/** This run has set it. */
function isOnOurs({ outcome, digest }: TagOutcome, { image }: Setting): boolean {
  return (outcome === 'created' || outcome === 'moved') && digest === image.descriptor.digest;
}

/** Sets the tags of one repository, asking for its list of tags and for the head of the branch once, and only if needed. */
class Tagger {
  readonly #repository: Repository;
  readonly #setting: Setting;
  readonly #run: Run;
  #copied = false;
  #signed = false;
  #tags: Promise<readonly string[]> | undefined;
  #branch: Promise<string | undefined> | undefined;

  constructor(repository: Repository, setting: Setting, run: Run) {
    this.#repository = repository;
    this.#setting = setting;
    this.#run = run;
  }

  async set(candidate: Candidate): Promise<TagOutcome> {
    const { tag } = candidate;
    const { digest } = this.#setting.image.descriptor;
    const reference = formatReference({ repository: this.#repository.name, tag, digest: undefined });
    const current = this.#setting.known.get(reference) ?? (await this.#digestOf(tag));
    if (current === digest) await this.#bringSignatures();
    if (current === digest) return { reference, tag, digest, outcome: 'unchanged', detail: undefined };
    const why =
      current !== undefined && candidate.kind === 'immutable' ? NEVER_MOVES : await this.#whyNotMove(candidate);
    if (why !== undefined) return { reference, tag, digest: current, outcome: 'kept', detail: why };
    await this.#bringImage();
    try {
      await this.#repository.tag(this.#setting.image.descriptor, tag);
    } catch (error) {
      // A registry with immutable tags refuses the second of two runs: the first one's image is looked at like any other.
      if (current !== undefined || !isBuildOnceError(error) || error.code !== 'IMMUTABLE_TAG') throw error;
      return { reference, tag, digest: await this.#digestOf(tag), outcome: 'kept', detail: NEVER_MOVES };
    }
    const now = await readBack(this.#repository, { tag, before: current }, this.#run.host);
    const detail = now === digest ? undefined : 'another run has moved it meanwhile';
    return { reference, tag, digest: now, outcome: current === undefined ? 'created' : 'moved', detail };
  }

  /**
   * A higher version may have been released after the list of tags was read and before this run set the tag of its line:
   * then that one gets it back. Every run looks after its last write, so that the highest has it in the end.
   */
  async yieldLine({ tag, kind, line }: Candidate, outcome: TagOutcome): Promise<TagOutcome> {
    if (line === undefined) return outcome;
    let yielded = outcome;
    for (let given: string | undefined; ; ) {
      this.#tags = undefined;
      const move = await this.#decide({ tag, kind, line });
      if (move.higher === undefined || move.higher === given) return yielded;
      given = move.higher;
      const theirs = await this.#repository.resolve({ tag: given });
      if (theirs === undefined) return yielded;
      await this.#repository.tag(theirs, tag);
      yielded = { ...outcome, digest: theirs.digest, outcome: 'kept', detail: move.reason };
    }
  }

  async #digestOf(tag: string): Promise<Digest | undefined> {
    return (await this.#repository.resolve({ tag }))?.digest;
  }

  async #whyNotMove(candidate: Candidate): Promise<string | undefined> {
    if (candidate.kind === 'branch') {
      this.#branch ??= whyBranchStays(this.#run);
      return this.#branch;
    }
    if (candidate.line === undefined) return undefined;
    const { move, reason } = await this.#decide(candidate);
    return move ? undefined : reason;
  }

  async #decide(candidate: Candidate): Promise<Pick<Move, 'move' | 'reason' | 'higher'>> {
    this.#tags ??= collect(this.#repository.tags());
    const [move = { move: true, reason: '' }] = decideMoves([candidate], await this.#tags);
    return move;
  }

  /** The image may be in another of the repositories only: then its bytes are copied, never built again. */
  async #bringImage(): Promise<void> {
    const { image, mayPush } = this.#setting;
    await mayPush();
    if (this.#copied || sameRepository(image.repository, this.#repository.name)) return;
    const source = openImage(this.#run, image.repository);
    await copyImage(source, this.#repository, image.descriptor);
    await this.#bringSignatures();
    const record = { ...INPUTS_RECORD, repository: this.#repository.name };
    await orWithoutRecord(this.#run.host, record, () => this.#bringInputs(source));
    this.#copied = true;
  }

  /** No tag may lead to an image that is signed elsewhere only. */
  async #bringSignatures(): Promise<void> {
    const { image } = this.#setting;
    if (this.#signed || this.#run.signing === 'none') return;
    if (sameRepository(image.repository, this.#repository.name)) return;
    const { copySignatures } = await loadImageSigner();
    await copySignatures(openImage(this.#run, image.repository), this.#repository, image);
    this.#signed = true;
  }

  async #bringInputs(source: Repository): Promise<void> {
    const { image } = this.#setting;
    const copied = await copyInputs(source, this.#repository, image);
    if (copied.ok || !isOfThisContent(this.#setting)) return;
    const inputs = resultOf(this.#run, 'hash');
    const attachment = { inputs, buildSeconds: undefined, created: this.#run.startedAt };
    await attachInputs(this.#repository, image.descriptor, attachment);
  }
}

/** What the tag points at now that it was set; registries may show nothing, or what it was `before`, for a moment. */
async function readBack(
  repository: Repository,
  { tag, before }: { readonly tag: string; readonly before: Digest | undefined },
  host: Host,
): Promise<Digest> {
  let found: Digest | undefined;
  for (let attempt = 0; attempt < READ_BACK_TRIES; attempt++) {
    if (attempt > 0) await host.sleep(READ_BACK_DELAY_MS);
    found = (await repository.resolve({ tag }))?.digest;
    if (found !== undefined && found !== before) return found;
  }
  if (found !== undefined) return found;
  const reference = formatReference({ repository: repository.name, tag, digest: undefined });
  throw new RegistryError('TAG_NOT_READABLE', `${reference} was set, but the registry does not show it`, {
    hint: 'Run this job again; if it happens again, the registry loses writes.',
  });
}

async function collect(tags: AsyncIterable<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const tag of tags) all.push(tag);
  return all;
}
