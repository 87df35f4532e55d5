import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { openJob } from '../support/job.ts';
import { readTags } from '../support/publication.ts';
import { seededRandom } from '../support/random.ts';

const toolchain = inject('toolchain');
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 7);
const ROUNDS = 20;
/** How much later than the other a runner starts, at most: about as long as a run takes. */
const MAX_OFFSET_MS = 1000;
const RELEASE = { name: 'push', ref: 'refs/tags/v1.2.3' };

describe.skipIf(!toolchain.layers.docker)('78 two runners on one machine that release one version', () => {
  const random = seededRandom(SEED);
  const rounds = Array.from({ length: ROUNDS }, (_, round) => [round, Math.floor(random.fraction() * MAX_OFFSET_MS)]);
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.close());

  it.for(rounds)('end with every tag on one image, round %i, %i ms apart', async ([round = 0, offsetMs = 0]) => {
    const files = { Dockerfile: 'FROM scratch\nCOPY data /data\n', data: randomUUID().repeat(1000) };
    const jobs = [openJob(toolchain, files), openJob(toolchain, files)] as const;
    const image = `${registry.host}/round/${round}`;
    const inputs = { images: image, platforms: 'linux/amd64,linux/arm64', 'no-cache': 'true' };
    try {
      const [first, second] = await Promise.all([
        jobs[0].step(inputs, { event: RELEASE }),
        wait(offsetMs).then(() => jobs[1].step(inputs, { event: RELEASE })),
      ]);
      for (const run of [first, second]) expect(run, run.log).toMatchObject({ status: 'success', problems: [] });
      const { digest = '', hash = '' } = first.outputs;
      expect(second.outputs).toMatchObject({ digest, hash });
      const tags = [`hash-${hash.slice(0, 32)}`, '1.2.3', '1.2', '1', 'latest'];
      expect(await readTags(image)).toEqual(Object.fromEntries(tags.map((tag) => [tag, digest])));
      expect(await registry.integrity()).toEqual([]);
    } finally {
      for (const job of jobs) job.remove();
    }
  });
});
