import { attachArtifact, orProblem, readLayer } from '../artifact.ts';
import { listAttached, MAX_BUNDLE_BYTES, MAX_BUNDLES, mayState, PREDICATE_TYPE } from '../attached-bundles.ts';
import { CREATED_ANNOTATION } from '../core/labels.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { BUNDLE_MEDIA_TYPE, SIGNATURE_PREDICATE } from '../core/signed-statement.ts';
import type { Descriptor } from '../oci/types.ts';
import { fetchImage } from '../registry/image.ts';
import type { Repository } from '../registry/repository.ts';

/** A bundle and what it is attached to. */
export interface Attachment {
  readonly image: Descriptor;
  readonly bundle: string;
  readonly predicateType: string;
  readonly created: Date;
}

const CONTENT = 'dev.sigstore.bundle.content';
/** Of a bundle that holds a signature and nothing else. */
const MAX_SIGNATURE_BYTES = 1 << 20;

/** Attaches a bundle to an image that is in this repository, as cosign 3 does. The errors of `attachArtifact`. */
export function attachBundle(
  repository: Repository,
  { image, bundle, predicateType, created }: Attachment,
): Promise<Descriptor> {
  return attachArtifact(repository, image, {
    type: BUNDLE_MEDIA_TYPE,
    content: Buffer.from(bundle),
    annotations: {
      [CONTENT]: 'dsse-envelope',
      [PREDICATE_TYPE]: predicateType,
      [CREATED_ANNOTATION]: created.toISOString().replace(/\.[0-9]+Z$/, 'Z'),
    },
  });
}

/** The newest of what is attached to an image and may be a bundle that states this. Requests and errors of `listAttached`. */
export async function listBundles(
  repository: Repository,
  image: Descriptor,
  predicateType: string,
): Promise<readonly Descriptor[]> {
  const attached = await listAttached(repository, image);
  return attached.filter((artifact) => mayState(artifact, predicateType)).slice(0, MAX_BUNDLES);
}

/**
 * The text of a bundle, in two requests; `undefined` for what is none, or states something else, and a problem for one that
 * cannot be read. The errors of `Repository` that are not about this content.
 */
export function readBundle(
  repository: Repository,
  { digest }: Descriptor,
  predicateType: string,
): Promise<Parsed<string | undefined>> {
  return orProblem<string | undefined>(async () => {
    const manifest = (await fetchImage(repository, { digest }))?.manifest;
    if (manifest === undefined) return unparsable('it is not there');
    if (manifest.artifactType !== BUNDLE_MEDIA_TYPE || manifest.kind !== 'manifest') return parsed(undefined);
    if (!mayState(manifest, predicateType)) return parsed(undefined);
    const [layer] = manifest.layers;
    if (layer === undefined) return unparsable('it has no content');
    const maxBytes = predicateType === SIGNATURE_PREDICATE ? MAX_SIGNATURE_BYTES : MAX_BUNDLE_BYTES;
    const content = await readLayer(repository, layer, { type: BUNDLE_MEDIA_TYPE, maxBytes });
    return content.ok ? parsed(Buffer.from(content.value).toString()) : content;
  });
}
