import { orProblem } from './artifact.ts';
import { listAttached, MAX_BUNDLE_BYTES, MAX_BUNDLES, mayState } from './attached-bundles.ts';
import { parsed } from './core/parsed.ts';
import { BUNDLE_MEDIA_TYPE, SIGNATURE_PREDICATE } from './core/signed-statement.ts';
import { imagesIn } from './oci/links.ts';
import type { Descriptor } from './oci/types.ts';
import { copyImage } from './registry/copy.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/** What of an image is signed, each by itself: its index first, then the manifest of every platform. */
export function signedManifests({ descriptor, manifest }: FoundImage): readonly Descriptor[] {
  return manifest.kind === 'index' ? [descriptor, ...imagesIn(manifest)] : [descriptor];
}

/**
 * Brings the bundles of an image, signatures and what else is signed, to another repository that has the image already. One
 * that is listed there costs no request; one that nobody could read is left behind. The errors of `copyImage`.
 */
export async function copySignatures(from: Repository, to: Repository, image: FoundImage): Promise<void> {
  for (const subject of signedManifests(image)) {
    const there = new Set<string>();
    for await (const { digest } of to.referrers(subject)) there.add(digest);
    for (const artifact of await listNewest(from, subject)) {
      if (!there.has(artifact.digest)) await orProblem(async () => parsed(await copyBundle({ from, to }, artifact)));
    }
  }
}

/** Signatures first, and counted apart: what is said of an image over the years must not hide them. */
async function listNewest(repository: Repository, subject: Descriptor): Promise<readonly Descriptor[]> {
  const attached = await listAttached(repository, subject);
  const isSignature = (artifact: Descriptor): boolean => mayState(artifact, SIGNATURE_PREDICATE);
  const attestations = attached.filter((artifact) => !isSignature(artifact));
  return [attached.filter(isSignature), attestations].flatMap((found) => found.slice(0, MAX_BUNDLES));
}

interface Places {
  readonly from: Repository;
  readonly to: Repository;
}

async function copyBundle({ from, to }: Places, artifact: Descriptor): Promise<void> {
  const found = await fetchImage(from, { digest: artifact.digest });
  if (found === undefined || !isBundle(found)) return;
  const { manifests } = await copyImage(from, to, found.descriptor);
  // A run that was ended between the two left it there, and on no list.
  const content = manifests.copied > 0 ? undefined : await from.fetch(found.descriptor);
  if (content !== undefined) await to.push(found.descriptor, await content.bytes());
}

function isBundle({ manifest }: FoundImage): boolean {
  if (manifest.kind !== 'manifest' || manifest.artifactType !== BUNDLE_MEDIA_TYPE) return false;
  return [manifest.config, ...manifest.layers].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= MAX_BUNDLE_BYTES;
}
