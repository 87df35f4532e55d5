import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { runWorkflow, type WorkflowRun } from '../support/act.ts';
import { CHECKOUT } from '../support/programs.ts';

const { layers, env } = inject('toolchain');

function workflow(name: string, options: Partial<WorkflowRun> = {}) {
  return runWorkflow({
    workflow: join(CHECKOUT, 'examples', name),
    image: '127.0.0.1:5000/test/app',
    action: join(CHECKOUT, '__tests__/fixtures/echo-action'),
    files: { Dockerfile: 'FROM scratch\n' },
    env,
    ...options,
  });
}

describe.skipIf(!layers.act)('a workflow run by act', () => {
  it('runs the example with nothing but the image replaced, on Node 24, in a checkout of acme/app', async () => {
    const path = (env['PATH'] ?? '').split(':').filter((part) => !part.includes('/node_modules/'));
    const result = await workflow('one-step.yml', { env: { PATH: path.join(':') } });
    expect(result).toMatchObject({
      status: 'success',
      summary: '# 127.0.0.1:5000/test/app\n',
      outputs: { images: '127.0.0.1:5000/test/app', ref: 'refs/heads/main', event: 'push', repository: 'acme/app' },
    });
    expect(result.outputs).toMatchObject({ node: 'v24', 'checked-out': 'true', api: 'http://127.0.0.1:9' });
    expect(result.steps.map(({ name }) => name.replace(/@.*/, ''))).toEqual([
      'actions/checkout',
      'build-once/build-once',
    ]);
  });

  it('runs a release for a git tag', async () => {
    const result = await workflow('release.yml', { ref: 'refs/tags/v1.2.3' });
    expect(result).toMatchObject({ status: 'success', outputs: { ref: 'refs/tags/v1.2.3' } });
  });

  it('reports a failure with its annotations, and keeps the token out of the log', async () => {
    const script = "console.log('::error::bad ' + env.INPUT_TOKEN); process.exit(1)";
    const result = await runWorkflow({
      workflow: join(CHECKOUT, '__tests__/fixtures/scripted.yml'),
      image: script,
      action: join(CHECKOUT, '__tests__/fixtures/scripted-action'),
      files: {},
      env,
      token: 'ghs_0123456789',
    });
    expect(result).toMatchObject({ status: 'failure', annotations: [{ level: 'error' }] });
    expect(result.log).toContain('::error::bad ***');
    expect(result.steps.at(0)).toMatchObject({ stage: 'Main', result: 'failure' });
    expect(result.log).not.toContain('ghs_0123456789');
  });

  it('refuses a workflow that does not name the image', async () => {
    await expect(workflow('../__tests__/fixtures/scripted-action/action.yml')).rejects.toThrow(
      'does not name the image',
    );
  });
});
