import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { runWorkflow, type WorkflowResult, type WorkflowRun } from '../support/act.ts';
import { type ActionFolder, openActionFolder } from '../support/action-folder.ts';
import { type Job, openJob, SAMPLE } from '../support/job.ts';
import { CHECKOUT, mustRun } from '../support/programs.ts';

const toolchain = inject('toolchain');
const files = {
  Dockerfile: `FROM ${toolchain.baseImage}\nCOPY package-lock.json /\nRUN uname -m > /machine\nCMD ["cat", "/machine"]\n`,
  '.dockerignore': '.git\n.github\n',
  'package-lock.json': '{ "lockfileVersion": 3 }\n',
};

/** The outputs of a scan, of an image in which there is nothing to find. */
const NOTHING_FOUND = {
  'scan-result': 'passed',
  critical: '0',
  high: '0',
  sarif: expect.stringMatching(/\/scan\.sarif$/),
  report: expect.stringContaining('build-once-reports-'),
};
const UPLOAD = 'github/codeql-action@f205ea1c3313d32999d8d6a48b4f6530d4437b38';
const { act, docker, trivy } = toolchain.layers;

describe.skipIf(!act || !docker || !trivy)("the README's workflows, run by act", () => {
  let folder: ActionFolder;
  beforeAll(async () => {
    folder = await openActionFolder(toolchain);
  });
  afterAll(() => folder.remove());

  const runIn = (job: Job, name: string, image: string, { env, ...more }: Partial<WorkflowRun> = {}) =>
    runWorkflow({
      workflow: join(CHECKOUT, 'examples', name),
      image,
      action: folder.action,
      files,
      env: { ...job.env, ...folder.env, ...env },
      ...more,
    });
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
    expect(first.outputs).toMatchObject({ built: 'true', reason: 'not-found', pushed: 'true', ...NOTHING_FOUND });
    expect(first.summary).toContain('### Scan: nothing found');
    expect(first.summary).not.toContain('kept since');
    const second = succeeded(await runExample('one-step.yml', image));
    const { digest = '' } = first.outputs;
    expect(second.outputs).toMatchObject({ built: 'false', reason: 'hit', digest, ...NOTHING_FOUND });
    expect(second.summary).toMatch(/passed: nothing found .*kept since \d/);
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
    expect(first.outputs).toMatchObject(NOTHING_FOUND);
    const again = succeeded(await runExample('release.yml', image, release));
    expect(again.outputs).toMatchObject({ built: 'false', digest, ...NOTHING_FOUND });
    expect(again.summary).toContain('kept since');
  });

  it('a scan: stops an image with a new vulnerability before any tag, and its SARIF is uploaded all the same', async () => {
    const image = `${toolchain.registry}/t/${randomUUID()}`;
    const uploaded = join(folder.action, 'uploaded.sarif');
    const readRuns = (): unknown => JSON.parse(readFileSync(uploaded, 'utf8')).runs;
    const more = { others: { [UPLOAD]: join(CHECKOUT, '__tests__/fixtures/upload-sarif-stand-in') } };
    const env = { UPLOADED: uploaded };
    const { outputs } = succeeded(await runExample('scan.yml', image, { ...more, env }));
    expect(outputs).toMatchObject({ built: 'true', 'new-vulnerabilities': '', ...NOTHING_FOUND });
    expect(readRuns()).toEqual([expect.objectContaining({ results: [] })]);
    const worse = { ...files, Dockerfile: `FROM ${toolchain.vulnerableImage}\n` };
    const stopped = await runExample('scan.yml', image, { ...more, env, files: worse });
    expect(stopped.status).toBe('failure');
    expect(stopped.outputs).toMatchObject({
      'scan-result': 'failed',
      'new-vulnerabilities': expect.not.stringMatching(/^0?$/),
    });
    expect(stopped.summary).toContain('The scan stops this run');
    expect(readRuns()).toEqual([expect.objectContaining({ results: expect.arrayContaining([expect.anything()]) })]);
    expect(await digestOf(`${image}:main`)).toBe(outputs['digest']);
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
      const env = { BUILDX_BUILDER: builder };
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
