import { expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { describeArchive } from '../../src/tools/engine-archive.ts';

const blob = (text: string, mediaType: string = MEDIA_TYPES.ociLayerGzip): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  sizeBytes: text.length,
});
const at = (text: string): string => `blobs/${digestOf(text).replace(':', '/')}`;
const name = { repository: { registry: 'docker.io', path: 'library/myapp' }, tag: 'main' };
const image = {
  layout: '/layout',
  root: blob('index', MEDIA_TYPES.ociIndex),
  platform: { ...blob('amd64', MEDIA_TYPES.ociManifest), platform: { os: 'linux', architecture: 'amd64' } },
  manifest: {
    kind: 'manifest',
    mediaType: MEDIA_TYPES.ociManifest,
    config: blob('config', MEDIA_TYPES.ociConfig),
    layers: [blob('one'), blob('two'), blob('one')],
    annotations: {},
  },
  name,
} as const;

it('names the index, so that the digest stays, and takes the blobs of one platform', () => {
  const { index, files } = describeArchive(image);
  expect(JSON.parse(index)).toEqual({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [
      {
        mediaType: MEDIA_TYPES.ociIndex,
        digest: digestOf('index'),
        size: 5,
        annotations: {
          'io.containerd.image.name': 'docker.io/library/myapp:main',
          'org.opencontainers.image.ref.name': 'main',
        },
      },
    ],
  });
  expect(files).toEqual(['oci-layout', at('index'), at('amd64'), at('config'), at('one'), at('two')]);
});

it('lists every layer in order for the older store, one that is there twice as well', () => {
  expect(JSON.parse(describeArchive(image).manifest)).toEqual([
    { Config: at('config'), RepoTags: ['docker.io/library/myapp:main'], Layers: [at('one'), at('two'), at('one')] },
  ]);
});

it('of an image without an index has its manifest once', () => {
  const { files } = describeArchive({ ...image, root: image.platform });
  expect(files.filter((file) => file === at('amd64'))).toHaveLength(1);
});
