import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { textAt, valueAt } from '../../src/core/json.ts';
import { type Job, openJob } from '../support/job.ts';

const toolchain = inject('toolchain');

describe.skipIf(!toolchain.layers.docker || !toolchain.layers.crane)('the outputs of a step with labels', () => {
  let job: Job;
  let inputs: Readonly<Record<string, string>>;

  beforeEach(() => {
    job = openJob(toolchain);
    const image = `${toolchain.registry}/t/${randomUUID()}`;
    const labels = 'team=core\nteam=web\norg.opencontainers.image.title=mine';
    inputs = { images: image, 'build-args': `BASE=${toolchain.baseImage}`, labels };
  });
  afterEach(() => job.remove());

  it('are those of the image when it was built, and again when it was reused', async () => {
    const { outputs } = await job.step(inputs);
    const config = JSON.parse(await job.run('crane', '--insecure', 'config', outputs['image'] ?? ''));
    const labels = valueAt(JSON.parse(outputs['json'] ?? ''), 'labels');
    expect(outputs['built']).toBe('true');
    expect(labels).toEqual(valueAt(config, 'config', 'Labels'));
    expect(labels).toMatchObject({ team: 'web', 'org.opencontainers.image.title': 'mine' });
    expect(textAt(JSON.parse(outputs['metadata'] ?? ''), 'containerimage.digest')).toBe(outputs['digest']);

    const { outputs: again } = await job.step(inputs);
    expect(again['built']).toBe('false');
    expect(again['labels']?.split('\n')).toContain('team=web');
  });

  it('come with a log that names no error where there is none', async () => {
    const platforms = 'linux/amd64,linux/arm64';
    const { log, outputs } = await job.step({ ...inputs, platforms });
    expect(outputs['built']).toBe('true');
    expect(log).not.toContain('ERROR');
  });

  it('are missing when the builder is, and the error says which', async () => {
    const { log, status } = await job.step({ ...inputs, builder: 'nosuch' });
    expect(status).toBe('failure');
    expect(log).toContain('the builder "nosuch" cannot be used: no builder "nosuch" found');
  });
});
