import { expect, it } from 'vitest';
import { imageOfContent } from '../../src/bake/image-run.ts';
import { digestOf } from '../../src/core/digest.ts';
import { sampleRun } from '../support/sample-run.ts';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const image = {
  repository: { registry: 'ghcr.io', path: 'acme/app' },
  descriptor: { mediaType, digest: digestOf('{}'), sizeBytes: 2 },
  manifest: { kind: 'index' as const, mediaType, annotations: {}, manifests: [] },
};

it.each([
  ['found by its content', {}, true],
  ['a release of this content', { standing: 'content' as const }, true],
  ['a release of this commit, with other content', { standing: 'commit' as const }, false],
  ['a release on base images that have moved since', { standing: 'bases' as const }, false],
])('others are built on an image that was %s: %j', (_, more, isTaken) => {
  const found = { reason: 'hit' as const, detail: '', image, existing: new Map(), hashTags: new Map(), ...more };
  expect(imageOfContent({ run: sampleRun({ results: { lookup: found } }) })).toBe(isTaken ? image : undefined);
});
