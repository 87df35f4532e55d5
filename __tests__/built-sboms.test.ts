import { describe, expect, it, onTestFinished } from 'vitest';
import { readBuiltSboms } from '../src/built-sboms.ts';
import { MAX_PREDICATE_BYTES } from '../src/core/attestations.ts';
import { digestOf } from '../src/core/digest.ts';
import { openRegistries } from '../src/registry/open.ts';
import type { Repository } from '../src/registry/repository.ts';
import { pushHashed } from './support/hashed-image.ts';
import { pushSbomImage, type SbomChanges, sbomStatement, spdx } from './support/sbom-image.ts';
import { openRegistry } from './support/signing.ts';

async function openRepository(): Promise<Repository> {
  const { host } = await openRegistry();
  const registries = openRegistries({ env: {} });
  onTestFinished(() => registries.close());
  return registries.open({ registry: host, path: 'acme/app' }, 'push');
}

describe("the builder's SBOM", () => {
  it('is found, with the platform that it is about', async () => {
    const repository = await openRepository();
    const { image, platform } = await pushSbomImage(repository);
    const { digest, mediaType, sizeBytes } = platform;
    expect(await readBuiltSboms(repository, image)).toEqual([
      {
        ok: true,
        value: { subject: expect.objectContaining({ digest, mediaType, sizeBytes }), predicate: spdx(['package-0']) },
      },
    ]);
  });

  it('may be several, one of each stage that was asked for', async () => {
    const repository = await openRepository();
    const { image } = await pushSbomImage(repository, { count: 3 });
    expect(await readBuiltSboms(repository, image)).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
  });

  it.each<[string, SbomChanges]>([
    ['of another predicate', { annotations: { 'in-toto.io/predicate-type': 'https://example.org/x' } }],
    ['of another type of content', { mediaType: 'application/json' }],
    ['that was not made', { count: 0 }],
  ])('is not what is there %s', async (_, changes) => {
    const repository = await openRepository();
    const { image } = await pushSbomImage(repository, changes);
    expect(await readBuiltSboms(repository, image)).toEqual([]);
  });

  it('is not in an image without attestations', async () => {
    const repository = await openRepository();
    expect(await readBuiltSboms(repository, await pushHashed(repository, { hash: '0'.repeat(64) }))).toEqual([]);
  });

  it('is about what the index says where it leaves that open, as in images without a tag', async () => {
    const repository = await openRepository();
    const { image, platform } = await pushSbomImage(repository, { content: statement({ subject: [] }) });
    const { digest } = platform;
    expect(await readBuiltSboms(repository, image)).toMatchObject([{ ok: true, value: { subject: { digest } } }]);
  });

  it.each([[[{}]], [[null]], ['x'], [[{ digest: { sha1: '0'.repeat(40) } }]]])('is not about %j', async (subject) => {
    const repository = await openRepository();
    const { image } = await pushSbomImage(repository, { content: statement({ subject }) });
    expect(await readBuiltSboms(repository, image)).toMatchObject([{ ok: false }]);
  });

  const statement = (changes: object) => JSON.stringify({ ...JSON.parse(sbomStatement(digestOf('x'))), ...changes });
  it.each<[string, SbomChanges, string]>([
    ['that is about another image', { content: sbomStatement(digestOf('another')) }, 'about something else'],
    ['that is another statement', { content: statement({ predicateType: 'https://example.org/x' }) }, 'it is none'],
    ['that is no statement', { content: statement({ _type: 'x' }) }, 'no statement of in-toto'],
    ['that is no JSON', { content: '{"_type": \u001b[31m' }, 'not JSON'],
    ['of bytes that are no text', { content: Buffer.from([0xff, 0xfe, 0x00]) }, 'not JSON'],
    ['that nests without end', { content: '['.repeat(100_000) }, 'nests too deep'],
    ['that is too large', { content: Buffer.alloc(MAX_PREDICATE_BYTES + 1, 32) }, 'larger than 16777216 bytes'],
    ['that there are too many of', { count: 21 }, 'more than 20 SBOMs'],
    ['of an image that is not in the index', { about: digestOf('nothing') }, 'about nothing in this image'],
    ['that is not there', { isLost: true }, 'not there'],
  ])('is a problem and no error: one %s', async (_, changes, problem) => {
    const repository = await openRepository();
    const { image } = await pushSbomImage(repository, changes);
    expect(await readBuiltSboms(repository, image)).toEqual([{ ok: false, problem: expect.stringContaining(problem) }]);
  });
});
