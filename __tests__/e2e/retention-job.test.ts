import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob } from '../support/job.ts';
import { shiftedClock } from '../support/shifted-clock.ts';
import { takeSnapshot } from './repository-snapshot.ts';
import { statusOf } from './scan-job.ts';

const toolchain = inject('toolchain');
const { docker, registry } = toolchain.layers;
const FIVE_HOURS_MS = 5 * 3_600_000;
const TIMEOUT_MS = 240_000;

describe.skipIf(!docker || !registry)('the action with retention, on docker-registry,', () => {
  let job: Job;
  let inputs: Record<string, string>;
  let earlier: Record<string, string>;
  beforeEach(() => {
    job = openJob(toolchain);
    inputs = {
      images: `${toolchain.registry}/t/${randomUUID()}`,
      platforms: 'linux/amd64,linux/arm64',
      'build-args': `BASE=${toolchain.baseImage}`,
      retention: '1',
    };
    earlier = { NODE_OPTIONS: shiftedClock(job.directory, -FIVE_HOURS_MS) };
  });
  afterEach(() => job.remove());

  it('deletes the image before, keeps the new one, and hits on it in the next run', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { images = '' } = inputs;
    const first = await job.step(inputs, { env: earlier });
    expect(first, first.log).toMatchObject({ status: 'success', outputs: { built: 'true', deleted: '0' } });
    const before = await takeSnapshot(images);
    job.write({ 'src/main.js': 'console.log(2)\n' });
    const second = await job.step(inputs);
    expect(second, second.log).toMatchObject({
      status: 'success',
      outputs: { built: 'true', deleted: '1', kept: '1', failed: '0', skipped: '0', complete: 'true' },
    });
    const after = await takeSnapshot(images);
    for (const digest of Object.keys(before.manifests))
      expect([digest, after.manifests[digest] ?? (await statusOf(images, digest))]).toEqual([digest, 404]);
    expect(after.tags['main']).toBe(second.outputs['digest']);
    const third = await job.step(inputs);
    expect(third, third.log).toMatchObject({
      status: 'success',
      outputs: { built: 'false', reason: 'hit', digest: second.outputs['digest'], deleted: '0', kept: '1' },
    });
    expect(await takeSnapshot(images)).toEqual(after);
  });

  it('deletes nothing in a pull request, in a dry run, or without a push', { timeout: TIMEOUT_MS }, async () => {
    const { images = '' } = inputs;
    await job.step(inputs, { env: earlier });
    job.write({ 'src/main.js': 'console.log(2)\n' });
    const dry = await job.step({ ...inputs, 'dry-run': 'true' });
    expect(dry, dry.log).toMatchObject({ status: 'success', outputs: { built: 'true', deleted: '0' } });
    expect(dry.log).toContain('1 image to delete, 1 to keep');
    const before = await takeSnapshot(images);
    const event = { name: 'pull_request', ref: 'refs/pull/7/merge' };
    for (const [given, more] of [
      [inputs, { event }],
      [{ ...inputs, push: 'false' }, {}],
    ] as const) {
      const { status, outputs, log } = await job.step(given, more);
      expect(status, log).toBe('success');
      expect(outputs['deleted']).toBe('');
    }
    const { tags, manifests } = await takeSnapshot(images);
    expect(tags).toMatchObject(before.tags);
    expect(manifests).toMatchObject(before.manifests);
  });
});
