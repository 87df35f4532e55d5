import { attachArtifact, checkAttachable, findArtifact, listArtifacts, orProblem } from './artifact.ts';
import { compareCodePoints } from './core/code-point-order.ts';
import { type Digest, parseDigest } from './core/digest.ts';
import { MAX_INPUTS_BYTES, type SealedInputs } from './core/input-manifest.ts';
import { CREATED_ANNOTATION, INPUTS_ANNOTATION } from './core/labels.ts';
import { type Parsed, parsed, unparsable } from './core/parsed.ts';
import { formatRepositoryName } from './core/reference.ts';
import type { Descriptor } from './oci/types.ts';
import { copyImage } from './registry/copy.ts';
import type { FoundImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/** Type of the artifact and of its layer. Its version changes when a reader of this one could not read it any more. */
export const INPUTS_MEDIA_TYPE = 'application/vnd.build-once.inputs.v1+json';

const SECONDS = 'dev.build-once.build-seconds';
/** Anybody who may push may attach what is none; more than this are not looked at. */
const MAX_CANDIDATES = 20;

/** What is attached to an image. */
export interface Attachment {
  readonly inputs: SealedInputs;
  readonly buildSeconds: number | undefined;
  readonly created: Date;
}

/**
 * Attaches its inputs to an image that is in this repository, and returns the artifact. The errors of `Repository.push`;
 * RegistryError TOO_LARGE for inputs that nobody would read again.
 */
export async function attachInputs(
  repository: Repository,
  image: Descriptor,
  { inputs, buildSeconds, created }: Attachment,
): Promise<Descriptor> {
  const content = Buffer.from(inputs.text());
  checkAttachable(content, MAX_INPUTS_BYTES, 'the input manifest');
  const annotations = {
    [CREATED_ANNOTATION]: created.toISOString(),
    ...(buildSeconds === undefined ? {} : { [SECONDS]: buildSeconds.toFixed(1) }),
  };
  return attachArtifact(repository, image, { type: INPUTS_MEDIA_TYPE, content, annotations });
}

/**
 * How long the build of this image took, as the first attached record says that says it; `undefined` when none does. One
 * request, two where the first list has none; what is said is not verified. The errors of `Repository`.
 */
export async function readBuildSeconds(repository: Repository, image: Descriptor): Promise<number | undefined> {
  for await (const { annotations = {} } of repository.referrers(image, INPUTS_MEDIA_TYPE)) {
    const seconds = secondsIn(annotations);
    if (seconds !== undefined) return seconds;
  }
  return undefined;
}

/**
 * Brings the record of an image to another repository that has the image already, as it is: the first one that
 * {@link firstUsable} takes for it. A problem when there is none. Errors as of `firstUsable` and of `copyImage`.
 */
export async function copyInputs(from: Repository, to: Repository, image: FoundImage): Promise<Parsed<Descriptor>> {
  return firstUsable(from, image, async ({ artifact }) => {
    await copyImage(from, to, artifact);
    return parsed(artifact);
  });
}

/** An artifact whose manifest says that it is the record. */
export interface RecordCandidate {
  readonly artifact: Descriptor;
  /** Of this digest, the content is what the image's annotation says. */
  readonly layer: Descriptor;
}

/**
 * What `use` makes of the first of an image's records that it can use, in the order of their digests. A problem when there is
 * none, with what was wrong with the last one. The errors of `Repository`, other than those about content that cannot be used.
 */
export async function firstUsable<T>(
  repository: Repository,
  image: FoundImage,
  use: (candidate: RecordCandidate) => Promise<Parsed<T>>,
): Promise<Parsed<T>> {
  const where = `${formatRepositoryName(repository.name)}@${image.descriptor.digest}`;
  const content = parseDigest(`sha256:${image.manifest.annotations[INPUTS_ANNOTATION] ?? ''}`);
  if (content === undefined) return unparsable(`${where} carries no content hash`);
  const artifacts = await listArtifacts(repository, image.descriptor, {
    type: INPUTS_MEDIA_TYPE,
    limit: MAX_CANDIDATES,
  });
  if (!artifacts.ok) return unparsable(`${where}: ${artifacts.problem}`);
  let problem = 'no input manifest is attached to it';
  for (const artifact of artifacts.value.sort((a, b) => compareCodePoints(a.digest, b.digest))) {
    const used = await orProblem(async () => {
      const candidate = await readCandidate(repository, { artifact, subject: image.descriptor.digest, content });
      return candidate.ok ? use(candidate.value) : candidate;
    });
    if (used.ok) return used;
    problem = `the input manifest ${artifact.digest}: ${used.problem}`;
  }
  return unparsable(`${where}: ${problem}`);
}

async function readCandidate(
  repository: Repository,
  { artifact, subject, content }: { readonly artifact: Descriptor; readonly subject: Digest; readonly content: Digest },
): Promise<Parsed<RecordCandidate>> {
  const found = await findArtifact(repository, artifact, subject);
  if (!found.ok) return found;
  const { layer } = found.value;
  if (layer.digest !== content) return unparsable(`it has the content ${layer.digest}, the image ${content}`);
  if (layer.sizeBytes > MAX_INPUTS_BYTES) return unparsable(`larger than ${MAX_INPUTS_BYTES} bytes`);
  return found;
}

/** At most 115 days: nobody's build, but no figure that breaks a page. */
function secondsIn(annotations: Readonly<Record<string, string>>): number | undefined {
  const text = annotations[SECONDS] ?? '';
  return /^\d{1,7}(?:\.\d{1,3})?$/.test(text) ? Number(text) : undefined;
}
