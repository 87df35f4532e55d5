import { orProblem, readLayer } from './artifact.ts';
import { MAX_PREDICATE_BYTES } from './core/attestations.ts';
import type { Digest } from './core/digest.ts';
import { valueAt } from './core/json.ts';
import { type Parsed, parsed, unparsable } from './core/parsed.ts';
import { readStatement, STATEMENT_MEDIA_TYPE, type Statement } from './core/signed-statement.ts';
import { type JsonLimits, parseStrictly } from './core/strict-json.ts';
import type { Descriptor } from './oci/types.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/** What an SBOM in SPDX is called, by BuildKit and by cosign's `--type spdxjson`. */
export const SBOM_PREDICATE = 'https://spdx.dev/Document';

/** https://github.com/moby/buildkit/blob/v0.29.0/docs/attestations/attestation-storage.md */
const REFERENCE_TYPE = 'vnd.docker.reference.type';
const REFERENCE_DIGEST = 'vnd.docker.reference.digest';
const PREDICATE_TYPE = 'in-toto.io/predicate-type';

/** One of the image, and one of each stage and context that the Dockerfile asks for. */
const MAX_SBOMS = 20;
const LIMITS: JsonLimits = { maxBytes: MAX_PREDICATE_BYTES, maxContainers: 2_000_000, maxDepth: 64 };

/** What is in one platform of an image, as the builder says. */
export interface BuiltSbom {
  /** The platform's manifest. */
  readonly subject: Descriptor;
  /** SPDX in JSON. */
  readonly predicate: unknown;
}

/**
 * The SBOMs that the builder left in an image's index; a problem in place of one that cannot be used. One request for each
 * platform, and one for each SBOM. The errors of `Repository`, other than those about content that cannot be used.
 */
export async function readBuiltSboms(
  repository: Repository,
  { manifest }: FoundImage,
): Promise<readonly Parsed<BuiltSbom>[]> {
  const members = manifest.kind === 'index' ? manifest.manifests : [];
  const found: Parsed<BuiltSbom>[] = [];
  for (const { digest, annotations = {} } of members) {
    if (annotations[REFERENCE_TYPE] !== 'attestation-manifest') continue;
    const subject = members.find((member) => member.digest === annotations[REFERENCE_DIGEST]);
    if (subject === undefined || subject.digest === digest) {
      found.push(unparsable(`the attestation ${digest} is about nothing in this image`));
      continue;
    }
    const layers = await orProblem(() => findSboms(repository, digest));
    if (!layers.ok) found.push(unparsable(`the attestation ${digest}: ${layers.problem}`));
    for (const layer of layers.ok ? layers.value : []) {
      const read = await orProblem(() => readSbom(repository, layer, subject.digest));
      found.push(
        read.ok
          ? parsed({ subject, predicate: read.value.predicate })
          : unparsable(`the SBOM ${layer.digest}: ${read.problem}`),
      );
    }
  }
  return found;
}

async function findSboms(repository: Repository, digest: Digest): Promise<Parsed<readonly Descriptor[]>> {
  const { manifest } = (await fetchImage(repository, { digest })) ?? {};
  if (manifest?.kind !== 'manifest') return unparsable('it is not there');
  const sboms = manifest.layers.filter(
    ({ mediaType, annotations = {} }) =>
      mediaType === STATEMENT_MEDIA_TYPE && annotations[PREDICATE_TYPE] === SBOM_PREDICATE,
  );
  return sboms.length > MAX_SBOMS ? unparsable(`it has more than ${MAX_SBOMS} SBOMs`) : parsed(sboms);
}

async function readSbom(repository: Repository, layer: Descriptor, subject: Digest): Promise<Parsed<Statement>> {
  const content = await readLayer(repository, layer, { type: STATEMENT_MEDIA_TYPE, maxBytes: MAX_PREDICATE_BYTES });
  if (!content.ok) return content;
  const read = parseStrictly(content.value, LIMITS, (json) => {
    const statement = readStatement(json);
    if (!statement.ok) return statement;
    const { predicateType, subjects } = statement.value;
    if (predicateType !== SBOM_PREDICATE) return unparsable('it is none, but for its annotation');
    // Of an image without a tag, BuildKit leaves it to the index what the SBOM is about.
    const isLeftOpen = valueAt(json, 'subject', '0') === undefined;
    return isLeftOpen || subjects.includes(subject) ? statement : unparsable('it is about something else');
  });
  return read.ok ? read.value : read;
}
