import { describe, expect, inject, it } from 'vitest';
import { playAtRandom } from '../support/random-world.ts';
import { makeDockerConfig } from '../support/toolchain.ts';

const toolchain = inject('toolchain');
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 20_261_122);
const RUNS = 15;

describe.skipIf(!toolchain.layers.docker)('runs at random with the real engine', () => {
  it('leave no tag on a missing or unverified manifest, and no version guard broken', {
    timeout: 300_000,
  }, async () => {
    const docker = (directory: string) => ({
      ...toolchain.env,
      HOME: directory,
      DOCKER_CONFIG: makeDockerConfig(toolchain, directory),
    });
    await playAtRandom({ seed: SEED, expect, docker }, RUNS);
  });
});
