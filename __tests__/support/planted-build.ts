import { parseDigest } from '../../src/core/digest.ts';
import { type InputManifest, sealInputs } from '../../src/core/input-manifest.ts';
import { parseInputs } from '../../src/core/parse-inputs.ts';
import { parseReference } from '../../src/core/reference.ts';
import { attachInputs } from '../../src/input-record.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { type PlantedImage, plantImage } from './planted-image.ts';

/** An image of nothing that says, as a build would, that it was made from this manifest. Answers its digest. */
export async function plantBuild(manifest: InputManifest, planted: PlantedImage): Promise<string> {
  const inputs = sealInputs(manifest);
  const annotations = { 'dev.build-once.inputs': inputs.hash, ...planted.annotations };
  const image = await plantImage({ ...planted, annotations });
  const name = parseReference(planted.image);
  const digest = parseDigest(image);
  if (!name.ok || digest === undefined) throw new Error(`${planted.image} is no name`);
  const registries = openRegistries({ env: {} });
  try {
    const repository = registries.open(name.value.repository);
    const descriptor = await repository.resolve({ digest });
    if (descriptor === undefined) throw new Error(`${image} is not there`);
    await attachInputs(repository, descriptor, { inputs, buildSeconds: 42, created: new Date(0) });
  } finally {
    registries.close();
  }
  return image;
}

/** The manifest that `hash --manifest` prints. */
export function readManifest(text = ''): InputManifest {
  const manifest = parseInputs(Buffer.from(text));
  if (!manifest.ok) throw new Error(manifest.problem);
  return manifest.value;
}
