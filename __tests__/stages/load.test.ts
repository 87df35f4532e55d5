import { expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { parseOptions } from '../../src/options.ts';
import type { Results } from '../../src/stage.ts';
import { loadStage } from '../../src/stages/load.ts';
import { sampleHash } from '../support/sample-hash.ts';
import { sampleRun } from '../support/sample-run.ts';

const OURS = digestOf('ours');
const OTHER = digestOf('other');
const image: Results['tag']['image'] = {
  repository: { registry: 'ghcr.io', path: 'acme/app' },
  descriptor: { mediaType: MEDIA_TYPES.ociIndex, digest: OURS, sizeBytes: 1 },
  manifest: { kind: 'index', mediaType: MEDIA_TYPES.ociIndex, manifests: [], annotations: {} },
};
const platform = { os: 'linux', architecture: 'amd64' };

/** The names that the engine gets after the tags ended on these images. */
function namesAfter(digests: Readonly<Record<string, typeof OURS>>): readonly string[] {
  const tags = Object.entries(digests).map(([tag, digest]) => ({
    reference: `ghcr.io/acme/app:${tag}`,
    tag,
    digest,
    outcome: 'moved' as const,
    detail: undefined,
  }));
  const run = sampleRun({
    options: parseOptions({ images: 'ghcr.io/acme/app', load: 'true' }).options,
    tags: {
      candidates: [{ tag: 'main', kind: 'branch', repository: undefined, priority: 0, latest: false, implicit: false }],
      version: undefined,
      notices: [],
    },
    results: {
      hash: sampleHash('ab'),
      engine: { platform, isOwn: true, image: undefined, unfit: undefined, detail: '' },
      tag: { image, tags },
    },
  });
  const plan = loadStage.plan(run);
  return 'skip' in plan ? [plan.skip] : plan.names.map(({ reference }) => reference);
}

it('loads the image under the tags that are on it', () => {
  expect(namesAfter({ main: OTHER, 'hash-ab': OURS })).toEqual(['ghcr.io/acme/app:hash-ab']);
  expect(namesAfter({ main: OURS, 'hash-ab': OTHER })).toEqual(['ghcr.io/acme/app:main']);
});

it('loads it under its hash tag when others have moved every tag meanwhile', () => {
  expect(namesAfter({ main: OTHER, 'hash-ab': OTHER })).toEqual(['ghcr.io/acme/app:hash-ab']);
});
