import { type InputManifest, MAX_INPUTS_BYTES } from './core/input-manifest.ts';
import { parseInputs } from './core/parse-inputs.ts';
import { type Parsed, unparsable } from './core/parsed.ts';
import { firstUsable, INPUTS_MEDIA_TYPE } from './input-record.ts';
import type { FoundImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/**
 * What an image was built from, as its record says, whose content is what the image's annotation says. A problem when there
 * is none. Errors as of `firstUsable`.
 */
export async function readRecordedInputs(repository: Repository, image: FoundImage): Promise<Parsed<InputManifest>> {
  return firstUsable(repository, image, async ({ layer }) => {
    // As a blob, whatever its type says: a manifest would be another kind of content.
    const content = await repository.fetch({ ...layer, mediaType: INPUTS_MEDIA_TYPE });
    if (content === undefined) return unparsable('its layer is not there');
    return parseInputs(await content.bytes(MAX_INPUTS_BYTES));
  });
}
