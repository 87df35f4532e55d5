import { describe, expect, test } from 'vitest';
import { copyImage } from '../src/registry/copy.ts';
import { type FoundImage, fetchImage } from '../src/registry/image.ts';
import type { Repository } from '../src/registry/repository.ts';
import type { RegistryOptions, RunningRegistry } from '../src/registry/server.ts';
import { copySignatures, signedManifests } from '../src/signature-copies.ts';
import { signImage, verifyImage } from '../src/tools/sigstore.ts';
import { attachBundle } from '../src/tools/sigstore-attachment.ts';
import { plantBundle } from './support/planted-bundle.ts';
import { openPlace, openRegistry, openSigning, openSigstore, type TestSigning } from './support/signing.ts';

interface World {
  readonly from: Repository;
  readonly to: Repository;
  readonly image: FoundImage;
  readonly signing: TestSigning;
  readonly target: RunningRegistry;
  /** How many signatures each of the image's manifests has in the other repository. */
  readonly signatures: () => Promise<readonly number[]>;
}

/** A signed image, and another repository that has it without its signatures. */
async function openWorld(options: RegistryOptions = {}): Promise<World> {
  const [services, source, target] = await Promise.all([openSigstore(), openRegistry(options), openRegistry(options)]);
  const signing = await openSigning(services);
  const { repository: from, image: descriptor } = await openPlace(source.host);
  const { repository: to } = await openPlace(target.host, 'other/place');
  const image = await fetchImage(from, { digest: descriptor.digest });
  if (image === undefined) throw new Error('the image is not there');
  for (const one of signedManifests(image)) await signImage(signing, { repository: from, image: one });
  await copyImage(from, to, descriptor);
  const signatures = () =>
    Promise.all(
      signedManifests(image).map(
        async (one) =>
          (await verifyImage(signing.trust, { repository: to, image: one }, { rules: [{}] })).accepted.length,
      ),
    );
  return { from, to, image, signing, target, signatures };
}

describe.each([
  ['with the referrers API', {}],
  ['with the fallback tag', { referrers: false }],
] as const)('the signatures of an image, between registries %s', (_, options) => {
  test('come to the other repository, of the index and of every platform', async () => {
    const { from, to, image, signatures } = await openWorld(options);
    expect(await signatures()).toEqual([0, 0]);
    await copySignatures(from, to, image);
    expect(await signatures()).toEqual([1, 1]);
  });

  test('come once: a second time nothing is written', async () => {
    const { from, to, image, target } = await openWorld(options);
    await copySignatures(from, to, image);
    target.forgetRequests();
    await copySignatures(from, to, image);
    expect(target.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });

  test('are on the list there although a run was ended between the two', async () => {
    const { from, to, image, signatures, target } = await openWorld(options);
    target.fail({ action: { kind: 'status', status: 400 }, method: 'PUT', path: /\/manifests\/sha256-/ });
    await copySignatures(from, to, image).catch(() => {});
    target.repair();
    await copySignatures(from, to, image);
    expect(await signatures()).toEqual([1, 1]);
  });
});

test('come along however much else is said of the image since then', async () => {
  const { from, to, image, signatures } = await openWorld();
  for (let day = 1; day <= 51; day += 1)
    await attachBundle(from, {
      image: image.descriptor,
      bundle: `{"day":${day}}`,
      predicateType: 'https://cosign.sigstore.dev/attestation/vuln/v1',
      created: new Date(Date.now() + day * 86_400_000),
    });
  await copySignatures(from, to, image);
  expect(await signatures()).toEqual([1, 1]);
});

test.each([
  ['is too big', { sizeBytes: 33 << 20, saysBytes: 33 << 20 }],
  ['says that it is larger than it is', { sizeBytes: 1000, saysBytes: 2000 }],
  ['says that it is smaller than it is', { sizeBytes: 33 << 20, saysBytes: 1000 }],
])('a bundle that %s is left behind', async (_, sizes) => {
  const { from, to, image, signatures } = await openWorld();
  await plantBundle(from, image.descriptor, sizes);
  await copySignatures(from, to, image);
  expect(await signatures()).toEqual([1, 1]);
  const there = [];
  for await (const { digest } of to.referrers(image.descriptor)) there.push(digest);
  expect(there).toHaveLength(1);
});
