import { countDifferences, listDifferences } from './core/difference-text.ts';
import type { InputManifest } from './core/input-manifest.ts';
import { INPUTS_ANNOTATION, revisionOf } from './core/labels.ts';
import { formatReference } from './core/reference.ts';
import { findUnfit, type Wanted } from './core/reuse.ts';
import type { FindDistrust } from './distrust.ts';
import { PolicyError } from './errors.ts';
import { loadExplanation } from './load-explanation.ts';
import type { FoundImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/** What this run would release. */
export interface Release {
  readonly wanted: Wanted;
  readonly manifest: InputManifest;
  /** The commit of this run. */
  readonly revision: string | undefined;
}

/** An image that must not be replaced, with its place. */
export interface Released {
  readonly repository: Repository;
  readonly image: FoundImage;
  readonly tag: string;
}

/** Why an image that must not be replaced stands for this run's release. */
export interface Standing {
  /** The same content; this commit, in a run before; or the same but for base images, which have moved since. */
  readonly by: 'content' | 'commit' | 'bases';
  /** Half a sentence: what it is released from. */
  readonly detail: string;
}

/**
 * An immutable tag that exists stands when it is this release already: from the same content, from the same commit in a run
 * before, or from what differs in nothing but base images. Otherwise nothing may replace it: PolicyError IMMUTABLE_TAG_EXISTS,
 * naming what both are and in what they differ. Only where neither content nor commit are the same, its input manifest is
 * asked for, with the errors of `readRecordedInputs`.
 */
export async function judgeRelease(released: Released, { wanted, manifest, revision }: Release): Promise<Standing> {
  const { annotations } = released.image.manifest;
  const theirs = annotations[INPUTS_ANNOTATION];
  if (isComplete(released, wanted, wanted.hash)) return { by: 'content', detail: 'this content' };
  const isUsable = theirs !== undefined && isComplete(released, wanted, theirs);
  if (isUsable && revision !== undefined && revisionOf(annotations) === revision) {
    return { by: 'commit', detail: 'this commit, with other content than now' };
  }
  if (!isUsable) throw otherRelease(released, wanted, []);
  const { compareRelease } = await loadExplanation();
  const compared = await compareRelease(released.repository, released.image, manifest);
  if (!compared.ok) throw otherRelease(released, wanted, [`in what they differ is not known: ${compared.problem}`]);
  const { differences, movedBases } = compared.value;
  if (movedBases.length > 0) {
    return {
      by: 'bases',
      detail: `this content, but for base images that have moved since (${movedBases.join(', ')})`,
    };
  }
  throw otherRelease(released, wanted, [
    `they differ in ${countDifferences(differences)}:`,
    ...listDifferences(differences),
  ]);
}

/** What stands cannot be replaced, and must not be taken over from just anybody: PolicyError `UNTRUSTED_RELEASE`. */
export async function refuseUntrustedRelease(
  { repository, image: { descriptor }, tag }: Released,
  findDistrust: FindDistrust,
): Promise<void> {
  const distrust = await findDistrust({ repository, image: descriptor });
  if (distrust === undefined) return;
  const reference = formatReference({ repository: repository.name, tag, digest: undefined });
  const message = `${reference} is immutable and holds an image that is not trusted, ${descriptor.digest}: ${distrust}`;
  throw new PolicyError('UNTRUSTED_RELEASE', message, {
    hint: 'If that image is yours, sign it, or set trust: hash. Otherwise delete that tag. No tag was set.',
  });
}

function isComplete({ image }: Released, wanted: Wanted, hash: string): boolean {
  return findUnfit(image.manifest, { ...wanted, hash, maxAgeMs: undefined }) === undefined;
}

function otherRelease({ repository, image, tag }: Released, { hash }: Wanted, lines: readonly string[]): PolicyError {
  const reference = formatReference({ repository: repository.name, tag, digest: undefined });
  const theirs = image.manifest.annotations[INPUTS_ANNOTATION];
  const message =
    `${reference} is immutable and holds another image: it is ${image.descriptor.digest} ` +
    `(${theirs === undefined ? 'no content hash' : `content sha256:${theirs}`}), this run is content sha256:${hash}`;
  return new PolicyError('IMMUTABLE_TAG_EXISTS', [message, ...lines].join('\n'), {
    hint: 'Release a new version, or delete that tag yourself if it was a mistake. No tag of a version or branch was moved.',
  });
}
