import { describe, it } from 'vitest';
import { installLayoutBuilder } from '../support/layout-builder.ts';
import { playAtRandom } from '../support/random-world.ts';

/** The same seed makes the same choices; how requests of runs at the same time mix is the machine's. */
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 20_261_121);
const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 300);
/** Worlds at the same time, each with a registry of its own. */
const WORLDS = 4;

describe('runs at random on registries that fail, on machines that are lost', () => {
  it.concurrent.for(Array.from({ length: WORLDS }, (_, index) => SEED + index))(
    'leave no tag on a missing or unverified manifest, and no version guard broken: BUILD_ONCE_SEED=%i',
    { timeout: 600_000 },
    async (seed, { expect }) => {
      const docker = (directory: string) => ({ PATH: installLayoutBuilder(directory).path });
      const ends = await playAtRandom({ seed, expect, docker }, RUNS / WORLDS);
      // Or it would show little.
      for (const count of Object.values(ends)) expect(count, JSON.stringify(ends)).toBeGreaterThan(0);
    },
  );
});
