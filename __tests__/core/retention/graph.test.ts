import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { manifestsToRead } from '../../../src/core/retention/graph.ts';
import type { Inventory } from '../../../src/core/retention/inventory.ts';
import { NOW_MS, SampleRepository } from '../../support/sample-repository.ts';

function inventoryOf({ entries }: SampleRepository): Inventory {
  return { repository: 'r', listedAtMs: NOW_MS, entries, isComplete: true };
}

describe('manifestsToRead', () => {
  it('asks for what has a tag first: images, signatures, indexes of referrers', () => {
    const repo = new SampleRepository();
    const image = repo.image(['a'], 9);
    const link = image.replace(':', '-');
    const signature = repo.manifest({ tags: [`${link}.sig`] });
    const fallback = repo.index([repo.manifest({})], { tags: [link] });
    expect(manifestsToRead(inventoryOf(repo), new Map())).toEqual([image, signature, fallback]);
  });

  it('reads one manifest for each image: what an index names as a manifest need not be read', () => {
    const repo = new SampleRepository();
    for (let n = 0; n < 200; n += 1) repo.image(n % 10 === 0 ? [] : [`b-${n}`], 100 - n / 10, 4);
    const { manifests, rounds } = repo.readAsNeeded();
    expect(manifests.size).toBe(200);
    expect(rounds).toBeLessThan(4);
  });

  it('reads little more where images have no tag and no size in common', () => {
    const repo = new SampleRepository();
    for (let n = 0; n < 300; n += 1) repo.image(n % 100 === 99 ? [`b-${n}`] : [], 100 - n / 10, 3 + (n % 3));
    const { manifests, rounds } = repo.readAsNeeded();
    expect(manifests.size).toBeLessThan(300 * 1.15);
    expect(rounds).toBeLessThan(60);
  });

  it('reads everything where nothing names anything, in few rounds', () => {
    const repo = new SampleRepository();
    for (let n = 0; n < 1000; n += 1) repo.manifest(n % 50 === 0 ? { tags: [`b-${n}`] } : {});
    const { manifests, rounds } = repo.readAsNeeded();
    expect(manifests.size).toBe(1000);
    expect(rounds).toBe(2);
  });

  it('reads an index inside an index, and children of which no type is known', () => {
    const repo = new SampleRepository();
    const leaf = repo.manifest({});
    const inner = repo.index([leaf]);
    const untyped = repo.manifest({});
    const outer = repo.index([inner, { digest: untyped, type: 'unknown', sizeBytes: 1 }], { tags: ['a'] });
    expect([...repo.readAsNeeded().manifests.keys()]).toEqual([outer, inner, untyped]);
  });

  it('asks for nothing that is not listed, and for nothing that could not be read a second time', () => {
    const repo = new SampleRepository();
    const missing = digestOf('missing');
    const index = repo.index([{ digest: missing, type: 'unknown', sizeBytes: 1 }], { tags: ['a'] });
    const broken = repo.unreadable();
    expect([...repo.readAsNeeded().manifests.keys()]).toEqual([index, broken]);
  });

  it('needs no numbers for ids', () => {
    const repo = new SampleRepository();
    for (let n = 0; n < 30; n += 1) {
      const children = [
        repo.manifest({ id: digestOf(`c${n}`), daysAgo: 90 - n }),
        repo.manifest({ id: digestOf(`d${n}`), daysAgo: 90 - n }),
      ];
      repo.index(children, { id: digestOf(`i${n}`), daysAgo: 90 - n - 0.1 });
    }
    expect(repo.readAsNeeded().manifests.size).toBeLessThan(40);
  });
});
