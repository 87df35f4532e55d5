import { onTestFinished } from 'vitest';
import { parseReference } from '../../src/core/reference.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { signImage } from '../../src/tools/sigstore.ts';
import { openSigning, type Place } from './signing.ts';
import type { Job, SigstoreServices } from './sigstore.ts';

/** What stands behind a tag of `host/path`, for one test. */
export async function findPlace(image: string, tag: string): Promise<Place> {
  const name = parseReference(image);
  if (!name.ok) throw new Error(name.problem);
  const registries = openRegistries({ env: {} });
  onTestFinished(() => registries.close());
  const repository = registries.open(name.value.repository, 'push');
  const found = await repository.resolve({ tag });
  if (found === undefined) throw new Error(`${image}:${tag} is not there`);
  return { repository, image: found, reference: `${image}@${found.digest}` };
}

/** Signs the image as this job; answers what was attached. */
export async function signAs(services: SigstoreServices, place: Place, job: Job): Promise<Descriptor> {
  const { signature } = await signImage(await openSigning(services, { job }), place);
  return signature.artifact;
}
