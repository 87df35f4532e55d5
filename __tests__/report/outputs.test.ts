import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { INPUTS_ANNOTATION } from '../../src/core/labels.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { parseOptions } from '../../src/options.ts';
import type { FoundImage } from '../../src/registry/image.ts';
import { type Outputs, outputsOf } from '../../src/report/outputs.ts';
import type { Results } from '../../src/stage.ts';
import { sampleRun } from '../support/sample-run.ts';

const HASH = 'ab'.repeat(32);
const DIGEST = digestOf('index');
const image: FoundImage = {
  repository: { registry: 'ghcr.io', path: 'acme/app' },
  descriptor: { mediaType: MEDIA_TYPES.ociIndex, digest: DIGEST, sizeBytes: 1 },
  manifest: {
    kind: 'index',
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [],
    annotations: { team: 'old', [INPUTS_ANNOTATION]: HASH },
  },
};
const nothing = { existing: new Map(), hashTags: new Map() };
const hit: Results['lookup'] = { reason: 'hit', detail: 'it is there', image, ...nothing };
const miss: Results['lookup'] = { reason: 'not-found', detail: 'it is not there', image: undefined, ...nothing };
const metadata = { 'containerimage.digest': DIGEST };

function outputs(labels: string, results: Partial<Results>): Outputs {
  return outputsOf(sampleRun({ options: parseOptions({ images: 'ghcr.io/acme/app', labels }).options, results }));
}

describe('the output metadata', () => {
  it('is an object for fromJSON', () => {
    const build: Results['build'] = {
      image,
      labels: {},
      sizesBytes: new Map(),
      metadata,
      problems: [],
      layoutPath: undefined,
    };
    expect(JSON.parse(outputs('', { lookup: miss, build }).metadata ?? '')).toEqual(metadata);
    expect(JSON.parse(outputs('', { lookup: hit }).metadata ?? '')).toEqual({});
  });
});

describe('the labels of a reused image', () => {
  const ofHit = (labels: string) => outputs(labels, { lookup: hit });

  it('are its annotations, and those that were asked for: they count towards the hash', () => {
    const { labels, json, annotations } = ofHit('team=core\nurl=a=b');
    expect(labels?.split('\n')).toEqual(['team=core', `${INPUTS_ANNOTATION}=${HASH}`, 'url=a=b']);
    expect(JSON.parse(json ?? '').labels).toEqual({ team: 'core', [INPUTS_ANNOTATION]: HASH, url: 'a=b' });
    expect(annotations).toContain('team=old');
  });

  it('are not those that may differ from run to run', () => {
    expect(ofHit('org.opencontainers.image.revision=abc').labels).not.toContain('abc');
  });

  it('never say another content than the image', () => {
    expect(ofHit(`${INPUTS_ANNOTATION}=forged`).labels).not.toContain('forged');
  });
});
