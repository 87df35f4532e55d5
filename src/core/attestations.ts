import type { Digest } from './digest.ts';
import type { SealedInputs } from './input-manifest.ts';
import type { WorkflowRun } from './workflow-run.ts';

/** What an image was built from. */
export const INPUTS_PREDICATE = 'https://build-once.dev/attestation/inputs/v1';
/** That a release is an image which was there before. */
export const REUSE_PREDICATE = 'https://build-once.dev/attestation/reuse/v1';

/** The largest predicate, as JSON, that is attested: what GitHub's own attestations take. */
export const MAX_PREDICATE_BYTES = 16 * 1024 * 1024;

/** Names the input manifest by its digest, which is the content hash; the manifest itself is attached to the image. */
export function inputsPredicate({ text, manifest }: SealedInputs, inputs: Content): object {
  return { ...inputs, sizeBytes: Buffer.byteLength(text()), scheme: manifest.scheme };
}

export interface Content {
  readonly mediaType: string;
  readonly digest: Digest;
}

/** What a run makes of an image that it reuses. */
export interface Release {
  readonly run: WorkflowRun | undefined;
  readonly version: string | undefined;
  /** That it sets on the image. */
  readonly tags: readonly string[];
}

/** The commit and the version of a release whose image keeps the labels of the run that built it. */
export function reusePredicate({ run, version, tags }: Release): object {
  return { repository: run?.repository, commit: run?.commit, ref: run?.ref, run: run?.url, version, tags };
}
