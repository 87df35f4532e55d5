import { MANY_FILES, MANY_IMAGES, SOME_IMAGES } from './many.ts';
import { DELETED_VERSIONS, LATENCY_MS, LISTED_VERSIONS } from './prune.ts';
import { LAYER_BYTES, LAYERS } from './push.ts';
import { FILES, LARGE_LAYER_BYTES, LARGE_LAYERS } from './sample.ts';
import { formatNumber } from './table.ts';

/** Numbers that the bench is set up with, for the page: by name, in words. */
export const SETTINGS: Readonly<Record<string, string>> = {
  files: formatNumber(FILES, 0),
  'large-layers': formatNumber(LARGE_LAYERS.length, 0),
  'large-layer': megabytes(LARGE_LAYER_BYTES),
  'large-app': megabytes(LARGE_LAYER_BYTES * LARGE_LAYERS.length),
  'push-layers': formatNumber(LAYERS, 0),
  'push-layer': megabytes(LAYER_BYTES),
  'push-image': megabytes(LAYER_BYTES * LAYERS),
  'many-images': formatNumber(MANY_IMAGES, 0),
  'many-files': formatNumber(MANY_FILES, 0),
  'some-images': formatNumber(SOME_IMAGES, 0),
  'prune-latency': `${LATENCY_MS} ms`,
  'prune-deleted-from': formatNumber(DELETED_VERSIONS, 0),
  'prune-listed': formatNumber(LISTED_VERSIONS, 0),
};

function megabytes(bytes: number): string {
  return `${formatNumber(bytes / 1e6, 0)} MB`;
}
