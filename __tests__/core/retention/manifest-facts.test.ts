import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { parseManifestFacts } from '../../../src/core/retention/manifest-facts.ts';
import { MAX_MANIFEST_BYTES } from '../../../src/oci/parse.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';

const { ociIndex, ociManifest, dockerIndex, dockerManifest } = MEDIA_TYPES;
const bytes = (json: unknown): Uint8Array => Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
const descriptor = (mediaType: string, name: string, size = 7) => ({ mediaType, digest: digestOf(name), size });
const indexOf = (...manifests: unknown[]) => ({ schemaVersion: 2, mediaType: ociIndex, manifests });

describe('the facts of a manifest', () => {
  test('are its blobs, its subject and its size', () => {
    const content = bytes({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: descriptor(MEDIA_TYPES.ociConfig, 'config', 3),
      layers: [descriptor(MEDIA_TYPES.ociLayerGzip, 'layer', 5)],
      subject: descriptor(ociIndex, 'subject'),
    });
    expect(parseManifestFacts(content, ociManifest)).toEqual({
      kind: 'manifest',
      subject: digestOf('subject'),
      sizeBytes: content.length,
      blobs: [
        { digest: digestOf('config'), sizeBytes: 3 },
        { digest: digestOf('layer'), sizeBytes: 5 },
      ],
    });
  });

  test.each([
    [ociManifest, 'manifest'],
    [dockerManifest, 'manifest'],
    [ociIndex, 'unknown'],
    [dockerIndex, 'unknown'],
    ['application/vnd.acme.unheard-of+json', 'unknown'],
    ['application/vnd.oci.image.layer.v1.tar+zstd', 'blob'],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'blob'],
    ['application/vnd.buildkit.cacheconfig.v0', 'blob'],
  ])('call a child of type %s %s', (mediaType, type) => {
    expect(parseManifestFacts(bytes(indexOf(descriptor(mediaType, 'child'))), ociIndex)).toMatchObject({
      kind: 'index',
      subject: undefined,
      children: [{ digest: digestOf('child'), type, sizeBytes: 7 }],
    });
  });

  test('name a child that is listed twice once, by the type that leaves most open (case 24)', () => {
    const twice = [ociManifest, ociIndex, ociManifest].map((type) => descriptor(type, 'child'));
    const once = { digest: digestOf('child'), type: 'unknown', sizeBytes: 7 };
    expect(parseManifestFacts(bytes(indexOf(...twice)), ociIndex)).toMatchObject({ children: [once] });
  });

  test.each([
    ['a page for people', '<html>\u001b[31mlog in</html>', 'text/html', 'it is not JSON'],
    ['half a document', JSON.stringify(indexOf()).slice(0, 30), ociIndex, 'it is not JSON'],
    ['nothing', '', ociManifest, 'it is empty'],
    ['a child without a type', indexOf({ digest: digestOf('child'), size: 7 }), ociIndex, 'no valid mediaType'],
    ['a child without a digest', indexOf({ mediaType: ociManifest, size: 7 }), ociIndex, 'no valid digest'],
    ['an index served as a manifest', { schemaVersion: 2, manifests: [] }, ociManifest, 'its fields are not those'],
    ['another type', { schemaVersion: 2, mediaType: 'application/x', layers: [] }, 'application/x', 'no type of'],
    ['too much', `{"a":"${'x'.repeat(MAX_MANIFEST_BYTES)}"}`, ociManifest, 'larger than'],
  ])('are unreadable for %s (case 35)', (_, content, mediaType, reason) => {
    const facts = parseManifestFacts(bytes(content), mediaType);
    expect(facts).toEqual({ kind: 'unreadable', reason: expect.stringContaining(reason) });
    expect(JSON.stringify(facts)).not.toContain('\\u001b');
  });
});
