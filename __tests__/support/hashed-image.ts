import { type SealedInputs, sealInputs } from '../../src/core/input-manifest.ts';
import { INPUTS_ANNOTATION } from '../../src/core/labels.ts';
import { type FoundImage, fetchImage } from '../../src/registry/image.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';
import { emptyManifest } from './sample-manifest.ts';

/** The inputs of an image with one build arg. */
export function sampleInputs(arg = '1'): SealedInputs {
  const manifest = emptyManifest({
    uses: [{ op: 'copy', source: '/', entries: [['ä', `${'0'.repeat(64)}-`]] }],
    targets: [{ platform: 'linux/amd64', instructions: ['FROM scratch', 'COPY / /'], uses: [0] }],
    buildArgs: { ARG: arg },
    options: { platforms: ['linux/amd64'] },
  });
  return sealInputs(manifest);
}

/** Pushes a fresh image that says that it is of these inputs. */
export async function pushHashed(repository: Repository, { hash }: { readonly hash: string }): Promise<FoundImage> {
  const platform = await pushImage(repository, sampleImage());
  const { descriptor, bytes } = sampleIndex([platform], { annotations: { [INPUTS_ANNOTATION]: hash } });
  await repository.push(descriptor, bytes);
  const image = await fetchImage(repository, { digest: descriptor.digest });
  if (image === undefined) throw new Error('what was pushed is not there');
  return image;
}
