import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { InventoryEntry } from '../../src/core/retention/inventory.ts';
import { changesSince, listVersions } from '../../src/retention/ghcr-listing.ts';
import { type Random, seededRandom } from '../support/random.ts';

const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 2000);
const FIRST_SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 1);

/** A package where others push and delete between any two requests. */
function busyPackage(random: Random, restlessness: number) {
  const versions: InventoryEntry[] = [];
  let number = 0;
  const push = (): void => {
    number += 1;
    const atMs = number * 1000;
    versions.unshift({
      id: String(number),
      digest: digestOf(String(number)),
      tags: [],
      pushedAtMs: atMs,
      updatedAtMs: atMs,
    });
  };
  for (let count = 150 + random.below(400); count > 0; count -= 1) push();
  const meanwhile = async (): Promise<void> => {
    // Requests that are made at once are answered in any order.
    for (let turns = random.below(8); turns > 0; turns -= 1) await Promise.resolve();
    if (random.chance(restlessness)) push();
    if (random.chance(restlessness)) versions.splice(random.below(versions.length), 1);
  };
  return {
    versions,
    async facts() {
      await meanwhile();
      return { versionCount: versions.length, scopes: undefined };
    },
    async page(number: number) {
      await meanwhile();
      const entries = versions.slice((number - 1) * 100, number * 100);
      return { entries, isLast: versions.length <= number * 100, dateMs: 0 };
    },
  };
}

describe('a list of a package in which others push and delete meanwhile', () => {
  test(`misses nothing when it is said to be whole and nothing came since (${RUNS} packages)`, async () => {
    const proved: number[] = [];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed += 1) {
      const random = seededRandom(seed);
      const one = busyPackage(random, random.pick([0, 0.02, 0.1, 0.3]));
      const listing = await listVersions(one);
      const changes = await changesSince(one, listing, new Set());
      if (!listing.isComplete || changes === undefined) continue;
      proved.push(seed);
      const seen = new Set([...listing.entries, ...changes].map(({ id }) => id));
      const missed = one.versions.filter(({ id }) => !seen.has(id)).map(({ id }) => id);
      // What came after the last request is nobody's to know.
      const newest = Number(changes[0]?.id ?? listing.entries[0]?.id);
      expect({ seed, missed: missed.filter((id) => Number(id) <= newest) }).toEqual({ seed, missed: [] });
    }
    expect(proved.length).toBeGreaterThan(RUNS / 4);
  });

  test('is whole at once where nobody does', async () => {
    const one = busyPackage(seededRandom(1), 0);
    const listing = await listVersions(one);
    expect(listing.isComplete).toBe(true);
    expect(listing.entries).toEqual(one.versions);
    expect(await changesSince(one, listing, new Set())).toEqual([]);
  });

  test('is not trusted when one of its newest is gone, though the numbers fit', async () => {
    const one = busyPackage(seededRandom(1), 0);
    const entries = one.versions.slice(0, -1);
    entries.splice(50, 0, { id: '9999', digest: digestOf('gone'), tags: [], pushedAtMs: 1, updatedAtMs: 1 });
    expect(entries).toHaveLength(one.versions.length);
    expect(await changesSince(one, { entries }, new Set())).toBeUndefined();
  });

  test('tells of an old version that got a tag meanwhile, as a part of an image may', async () => {
    const one = busyPackage(seededRandom(1), 0);
    const entries = [...one.versions];
    const last = one.versions.length - 1;
    for (const [position, entry] of one.versions.entries()) {
      if (position === last) one.versions[position] = { ...entry, tags: ['late'] };
    }
    expect(await changesSince(one, { entries }, new Set())).toMatchObject([{ tags: ['late'] }]);
  });
});
