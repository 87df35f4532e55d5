import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { textAt, valueAt } from '../../src/core/json.ts';
import { OUTPUT_NAMES, PLAN_OUTPUTS } from '../../src/report/outputs.ts';
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

  it('come with what it built in GITHUB_ARTIFACTS, for each image; nothing of what it reused', async () => {
    const mirror = `${inputs['images']}-mirror`;
    const both = { ...inputs, images: `${inputs['images']}\n${mirror}` };
    const built = await job.step(both);
    const digest = built.outputs['digest'] ?? '';
    const subjects = [inputs['images'] ?? '', mirror].map((name) => ({ name, digest, kind: 'oci' as const }));
    expect(built, built.log).toMatchObject({ status: 'success', outputs: { built: 'true' }, artifacts: subjects });
    expect(built.outputs['images-digests']).toBe(subjects.map(({ name }) => `${name}@${digest}`).join('\n'));
    expect(await job.step(both)).toMatchObject({ status: 'success', outputs: { built: 'false' }, artifacts: [] });
  });

  it('come with a notice where an earlier step has declared another image of that name', async () => {
    const artifacts = [{ name: inputs['images'] ?? '', digest: `sha256:${'1'.repeat(64)}`, kind: 'oci' as const }];
    const result = await job.step(inputs, { artifacts });
    expect(result).toMatchObject({ status: 'success', outputs: { built: 'true' }, artifacts, problems: [] });
    expect(result.log).toContain('not in GITHUB_ARTIFACTS: an earlier step of this job declared');
  });

  it('claim nothing where nothing was pushed', async () => {
    const result = await job.step({ ...inputs, push: 'false', summary: 'false' });
    expect(result).toMatchObject({ status: 'success', artifacts: [], summary: '' });
    expect(result.outputs).toMatchObject({ built: 'true', pushed: 'false', tags: '', 'tag-names': '' });
    expect(Object.keys(result.outputs).toSorted()).toEqual(
      OUTPUT_NAMES.filter((name) => PLAN_OUTPUTS.every((one) => one !== name)).toSorted(),
    );
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
