import { expect, it } from 'vitest';
import { digestOf } from '../src/core/digest.ts';
import { type Descriptor, type Index, MEDIA_TYPES } from '../src/oci/types.ts';
import { findMembers } from '../src/platform-scans.ts';
import { MemoryRepository } from './registry/memory-repository.ts';

async function push(repository: MemoryRepository, mediaType: string, content: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(content));
  const descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
  await repository.push(descriptor, bytes);
  return descriptor;
}

/** A manifest that an index can name, with this configuration. */
async function pushManifest(repository: MemoryRepository, config: object, type: string = MEDIA_TYPES.ociConfig) {
  const { mediaType, digest, sizeBytes: size } = await push(repository, type, config);
  const body = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType, digest, size },
    layers: [],
  };
  return push(repository, MEDIA_TYPES.ociManifest, body);
}

const NAME = 'app';
const ARM64 = { os: 'linux', architecture: 'arm64', rootfs: { type: 'layers', diff_ids: [] } };

async function membersOf(repository: MemoryRepository, manifests: readonly Descriptor[]) {
  const manifest: Index = { kind: 'index', mediaType: MEDIA_TYPES.ociIndex, manifests, annotations: {} };
  const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf('index'), sizeBytes: 5 };
  const members = await findMembers(repository, { descriptor, manifest, repository: repository.name });
  return members.map(({ platform }) => platform);
}

it('asks an image that its index names without a platform for its own, since engines run it', async () => {
  const repository = new MemoryRepository(NAME);
  const signature = await pushManifest(repository, {}, MEDIA_TYPES.ociEmpty);
  const attestation = { ...(await pushManifest(repository, {})), platform: { os: 'unknown', architecture: 'unknown' } };
  const hidden = await pushManifest(repository, ARM64);
  expect(await membersOf(repository, [attestation, hidden, signature])).toEqual(['linux/arm64']);
});

it('leaves no image out because its configuration names no system', async () => {
  const repository = new MemoryRepository(NAME);
  expect(await membersOf(repository, [await pushManifest(repository, { architecture: 'arm64' })])).toEqual(['unknown']);
});

it('refuses an index in an index, of which Trivy would take one platform', async () => {
  const repository = new MemoryRepository(NAME);
  const nested = await push(repository, MEDIA_TYPES.ociIndex, { schemaVersion: 2, manifests: [] });
  await expect(membersOf(repository, [{ ...nested, platform: ARM64 }])).rejects.toMatchObject({
    code: 'SCAN_FAILED',
    message: expect.stringContaining(`${nested.digest} in its index is an index`),
  });
});
