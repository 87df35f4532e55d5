import { readLayer } from './artifact.ts';
import { type InputManifest, MAX_INPUTS_BYTES } from './core/input-manifest.ts';
import { parseInputs } from './core/parse-inputs.ts';
import type { Parsed } from './core/parsed.ts';
import { firstUsable, INPUTS_MEDIA_TYPE } from './input-record.ts';
import type { FoundImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/**
 * What an image was built from, as its record says, whose content is what the image's annotation says. A problem when there
 * is none. Errors as of `firstUsable`.
 */
export async function readRecordedInputs(repository: Repository, image: FoundImage): Promise<Parsed<InputManifest>> {
  return firstUsable(repository, image, async ({ layer }) => {
    const content = await readLayer(repository, layer, { type: INPUTS_MEDIA_TYPE, maxBytes: MAX_INPUTS_BYTES });
    return content.ok ? parseInputs(content.value) : content;
  });
}
