import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { runWorkflow, type WorkflowResult, type WorkflowRun } from '../support/act.ts';
import { type Job, openJob, SAMPLE } from '../support/job.ts';
import { CHECKOUT, mustRun } from '../support/programs.ts';

const toolchain = inject('toolchain');
const files = {
  Dockerfile: `FROM ${toolchain.baseImage}\nCOPY package-lock.json /\nRUN uname -m > /machine\nCMD ["cat", "/machine"]\n`,
  '.dockerignore': '.git\n.github\n',
  'package-lock.json': '{ "lockfileVersion": 3 }\n',
};

describe.skipIf(!toolchain.layers.act || !toolchain.layers.docker)("the README's workflows, run by act", () => {
  let action: string;

  beforeAll(() => {
    action = mkdtempSync(join(tmpdir(), 'build-once-action-'));
    for (const part of ['action.yml', 'dist']) cpSync(join(CHECKOUT, part), join(action, part), { recursive: true });
  });
  afterAll(() => rmSync(action, { recursive: true }));

  const runIn = (job: Job, name: string, image: string, more: Partial<WorkflowRun> = {}) =>
    runWorkflow({ workflow: join(CHECKOUT, 'examples', name), image, action, files, env: job.env, ...more });
  const runExample = async (name: string, image: string, more: Partial<WorkflowRun> = {}) => {
    const job = openJob(toolchain);
    try {
      return await runIn(job, name, image, more);
    } finally {
      job.remove();
    }
  };
  const digestOf = (reference: string): Promise<string> =>
    mustRun(['crane', '--insecure', 'digest', reference], { env: { ...process.env, ...toolchain.env } });
  const succeeded = (result: WorkflowResult): WorkflowResult => {
    expect(result.status, result.log).toBe('success');
    return result;
  };

  it('one step: builds on the first push and reuses the image on the second', async () => {
    const image = `${toolchain.registry}/t/${randomUUID()}`;
    const first = succeeded(await runExample('one-step.yml', image));
    expect(first.outputs).toMatchObject({ built: 'true', reason: 'not-found', pushed: 'true' });
    const second = succeeded(await runExample('one-step.yml', image));
    expect(second.outputs).toMatchObject({ built: 'false', reason: 'hit', digest: first.outputs['digest'] });
    expect(await digestOf(`${image}:main`)).toBe(first.outputs['digest']);
    expect(second.steps.filter(({ stage }) => stage === 'Post').map(({ result }) => result)).toContain('success');
  });

  it('a release: sets the version set on one digest for both platforms, also when it is run again', async () => {
    const image = `${toolchain.registry}/t/${randomUUID()}`;
    const release = { ref: 'refs/tags/v1.2.3' };
    const first = succeeded(await runExample('release.yml', image, release));
    const { digest = '' } = first.outputs;
    const tags = ['1.2.3', '1.2', '1', 'latest'];
    expect(await Promise.all(tags.map((tag) => digestOf(`${image}:${tag}`)))).toEqual(tags.map(() => digest));
    expect(Object.keys(JSON.parse(first.outputs['platforms-digests'] ?? ''))).toEqual(['linux/amd64', 'linux/arm64']);
    expect(first.log).toContain(`Released ${image}@${digest}`);
    const again = succeeded(await runExample('release.yml', image, release));
    expect(again.outputs).toMatchObject({ built: 'false', digest });
  });

  it('a release to a registry that asks for a login, which an earlier step made', async () => {
    const { authRegistry } = toolchain;
    const job = openJob(toolchain, SAMPLE, [authRegistry]);
    try {
      const image = `${authRegistry.host}/t/${randomUUID()}`;
      const release = { ref: 'refs/tags/v1.2.3' };
      const { outputs } = succeeded(await runIn(job, 'release.yml', image, release));
      expect(outputs).toMatchObject({ built: 'true', pushed: 'true', version: '1.2.3' });
      const digests = ['1.2.3', '1.2', '1', 'latest'].map((tag) =>
        job.run('crane', '--insecure', 'digest', `${image}:${tag}`),
      );
      expect(new Set(await Promise.all(digests))).toEqual(new Set([outputs['digest']]));
      const again = succeeded(await runIn(job, 'release.yml', image, release));
      expect(again.outputs).toMatchObject({ built: 'false', digest: outputs['digest'] });
    } finally {
      job.remove();
    }
  });

  it.skipIf(!toolchain.layers.buildkit)('a release with a docker-container builder that the job names', async () => {
    const job = openJob(toolchain);
    const builder = `workflows-${randomUUID()}`;
    const create = ['create', `--name=${builder}`, '--driver=docker-container', '--driver-opt=network=host'];
    await job.run('docker', 'buildx', ...create);
    try {
      const image = `${toolchain.registry}/t/${randomUUID()}`;
      const env = { ...job.env, BUILDX_BUILDER: builder };
      const { outputs } = succeeded(await runIn(job, 'release.yml', image, { ref: 'refs/tags/v1.2.3', env }));
      expect(outputs).toMatchObject({ built: 'true', pushed: 'true' });
      expect(JSON.parse(outputs['metadata'] ?? '')).toMatchObject({
        'buildx.build.ref': expect.stringMatching(`^${builder}/`),
      });
      expect(Object.keys(JSON.parse(outputs['platforms-digests'] ?? ''))).toEqual(['linux/amd64', 'linux/arm64']);
      expect(await digestOf(`${image}:1.2.3`)).toBe(outputs['digest']);
    } finally {
      await job.run('docker', 'buildx', 'rm', '--force', builder);
      job.remove();
    }
  });
});
