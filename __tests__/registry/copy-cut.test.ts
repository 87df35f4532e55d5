import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { partsOf } from '../../src/oci/links.ts';
import { parseManifest } from '../../src/oci/parse.ts';
import { type Descriptor, isManifestMediaType } from '../../src/oci/types.ts';
import { copyImage } from '../../src/registry/copy.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { MemoryRepository } from './memory-repository.ts';
import { pieceOf, pushImage, sampleImage, sampleIndex } from './sample-image.ts';

it('a copy never leaves a manifest whose parts are not there, wherever it is cut, and completes when repeated', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 12 }), fc.nat(40), async (shapes, cutAt) => {
      const from = new MemoryRepository('from');
      const root = await pushShapes(from, shapes);
      let left = cutAt;
      const to = new MemoryRepository('to', (content) => {
        left -= 1;
        if (left === 0) throw new Error('cut');
        expectParts(from, to, content);
      });
      const first = await copyImage(from, to, root).catch((error: unknown) => error);
      if (first instanceof Error) expect(first.message).toBe('cut');
      left = 0;
      await copyImage(from, to, root);
      expectTree(to, root.digest);
    }),
    { numRuns: 300 },
  );
});

/** An image with these layers, or an index of these earlier ones; numbers are taken modulo what there is. */
const shape = fc.record({ isIndex: fc.boolean(), picks: fc.array(fc.nat(20), { maxLength: 5 }) });

async function pushShapes(
  repository: Repository,
  shapes: readonly { isIndex: boolean; picks: readonly number[] }[],
): Promise<Descriptor> {
  const made: { descriptor: Descriptor; depth: number }[] = [];
  for (const { isIndex, picks } of shapes) {
    if (!isIndex) {
      const image = sampleImage(picks.map((pick) => pieceOf(`layer ${pick}`)));
      made.push({ descriptor: await pushImage(repository, image), depth: 1 });
      continue;
    }
    const members = picks.flatMap((pick) => made[pick % made.length] ?? []).filter(({ depth }) => depth < 7);
    const index = sampleIndex(
      members.map(({ descriptor }) => descriptor),
      { annotations: { number: `${made.length}` } },
    );
    await repository.push(index.descriptor, index.bytes);
    made.push({ descriptor: index.descriptor, depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)) });
  }
  const root = made.at(-1);
  if (root === undefined) throw new Error('there is at least one shape');
  return root.descriptor;
}

function partsIn(repository: MemoryRepository, digest: Digest): readonly Descriptor[] {
  const held = repository.held.get(digest);
  if (held === undefined || !isManifestMediaType(held.descriptor.mediaType)) return [];
  const manifest = parseManifest(held.bytes);
  return manifest.ok ? partsOf(manifest.value) : [];
}

function expectParts(from: MemoryRepository, to: MemoryRepository, { digest }: Descriptor): void {
  for (const part of partsIn(from, digest)) expect(to.held.has(part.digest)).toBe(true);
}

function expectTree(repository: MemoryRepository, digest: Digest): void {
  expect(repository.held.has(digest)).toBe(true);
  for (const part of partsIn(repository, digest)) expectTree(repository, part.digest);
}
