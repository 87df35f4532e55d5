import { INPUTS_ANNOTATION, revisionOf } from './core/labels.ts';
import { formatReference } from './core/reference.ts';
import { findUnfit, type Wanted } from './core/reuse.ts';
import { PolicyError } from './errors.ts';
import type { FoundImage } from './registry/image.ts';

/** What this run would release. */
export interface Release {
  readonly wanted: Wanted;
  /** The commit of this run. */
  readonly revision: string | undefined;
}

/**
 * An immutable tag that exists stands when it is this release already: from the same content, or from the same commit in a
 * run before. Otherwise nothing may replace it: PolicyError IMMUTABLE_TAG_EXISTS, naming what both are.
 */
export function refuseOtherRelease(image: FoundImage, tag: string, { wanted, revision }: Release): void {
  const { annotations } = image.manifest;
  const theirs = annotations[INPUTS_ANNOTATION];
  const sameCommit = revision !== undefined && revisionOf(annotations) === revision;
  const standsFor = sameCommit && theirs !== undefined ? theirs : wanted.hash;
  if (findUnfit(image.manifest, { ...wanted, hash: standsFor, maxAgeMs: undefined }) === undefined) return;
  const reference = formatReference({ repository: image.repository, tag, digest: undefined });
  throw new PolicyError(
    'IMMUTABLE_TAG_EXISTS',
    `${reference} is immutable and holds another image: it is ${image.descriptor.digest} ` +
      `(${theirs === undefined ? 'no content hash' : `content sha256:${theirs}`}), this run is content sha256:${wanted.hash}`,
    {
      hint: 'Release a new version, or delete that tag yourself if it was a mistake. No tag of a version or branch was moved.',
    },
  );
}
