import { expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { attachStage } from '../../src/stages/attach.ts';
import { sampleRun } from '../support/sample-run.ts';

const descriptor = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf('index'), sizeBytes: 5 };
const image = {
  repository: { registry: 'ghcr.io', path: 'acme/app' },
  descriptor,
  manifest: {
    kind: 'index' as const,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    annotations: {},
    manifests: [],
  },
};
const build = {
  image,
  labels: {},
  sizesBytes: new Map(),
  metadata: {},
  problems: [],
  layoutPath: undefined,
};

it.each([
  ['the time of the build of one image', { durationMs: 12_300 }, 12.3],
  [
    'its share of a call that made several, so that the sum is what the call took',
    { durationMs: 12_300, imageCount: 4 },
    3.075,
  ],
])('what is attached to an image has %s', (_, entry, buildSeconds) => {
  const journal = [{ stage: 'build' as const, skipped: undefined, ...entry }];
  expect(attachStage.plan(sampleRun({ results: { build }, journal }))).toMatchObject({ buildSeconds });
});
