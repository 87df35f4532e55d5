import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { startRegistry } from '../../src/registry/server.ts';
import { type Job, openJob } from '../support/job.ts';
import type { ActionResult } from '../support/runner.ts';

const toolchain = inject('toolchain');
const { docker, buildkit } = toolchain.layers;

/** `tools` and `app` are built on `base`, `lone` is not; nobody asks for `hidden` but `other`. */
const DEFINITION = {
  group: { default: { targets: ['app', 'base', 'tools', 'lone'] } },
  target: {
    app: { context: 'app', contexts: { up: 'target:tools' } },
    tools: { context: 'tools', contexts: { base: 'target:base' } },
    base: { context: 'base' },
    lone: { context: 'lone' },
    hidden: { context: 'lone' },
    other: { context: 'tools', contexts: { base: 'target:hidden' } },
  },
};
const from = (base: string, file: string): string => `FROM ${base}\nCOPY ${file} /${file}\n`;
const FILES = {
  'docker-bake.json': JSON.stringify(DEFINITION),
  'base/Dockerfile': `${from(toolchain.baseImage, 'base')}RUN cat /proc/sys/kernel/random/uuid > /once\n`,
  'base/base': 'base1',
  'tools/Dockerfile': from('base', 'tools'),
  'tools/tools': 'tools1',
  'app/Dockerfile': from('up', 'app'),
  'app/app': 'app1',
  'lone/Dockerfile': from(toolchain.baseImage, 'lone'),
  'lone/lone': 'lone1',
};

describe.skipIf(!docker)('several images in one run, with the real builder', () => {
  let job: Job;
  let prefix: string;
  beforeEach(() => {
    job = openJob(toolchain, FILES);
    prefix = `${toolchain.registry}/t/${randomUUID()}`;
  });
  afterEach(() => job.remove());

  const inputs = (more: Readonly<Record<string, string>> = {}) => ({
    files: 'docker-bake.json',
    images: `${prefix}/{{name}}`,
    platforms: 'linux/amd64,linux/arm64',
    tags: 'main',
    ...more,
  });
  const succeeded = (result: ActionResult): ActionResult => {
    expect(result.status, result.log).toBe('success');
    return result;
  };
  const plan = async (): Promise<readonly Readonly<Record<string, string>>[]> => {
    const { outputs } = succeeded(await job.step(inputs({ command: 'plan' })));
    return JSON.parse(outputs['matrix'] ?? '');
  };
  const names = (entries: readonly Readonly<Record<string, string>>[]) => entries.map(({ name }) => name);
  const build = (more: Readonly<Record<string, string>> = {}) => job.step(inputs(more));
  const buildEntry = async (entry: object | undefined, more: Readonly<Record<string, string>> = {}) =>
    succeeded(await job.step({ entry: JSON.stringify(entry), tags: 'main', ...more }));
  const built = (outputs: ActionResult['outputs']): readonly string[] => {
    const images: Readonly<Record<string, { built: string }>> = JSON.parse(outputs['json'] ?? '');
    return Object.entries(images).flatMap(([name, one]) => (one.built === 'true' ? [name] : []));
  };
  const shown = (name: string, platform: string, ...argv: string[]) =>
    job.run('docker', 'run', '--rm', '--pull=always', `--platform=${platform}`, `${prefix}/${name}:main`, ...argv);

  it('builds what is missing in one call, each behind what it is built on, and what they share once', async () => {
    const { outputs, log, summary } = succeeded(await build());
    expect(built(outputs)).toEqual(['base', 'tools', 'app', 'lone']);
    expect(log.match(/^Build 4 images$/gm) ?? log.match(/Build 4 images/g)).toHaveLength(1);
    expect(summary).toContain('Built 4 of 4 images, reused 0');
    for (const platform of ['linux/amd64', 'linux/arm64'])
      expect(await shown('app', platform, 'cat', '/base', '/tools', '/app')).toBe('base1tools1app1');
    const [base, app] = await Promise.all(['base', 'app'].map((name) => shown(name, 'linux/amd64', 'cat', '/once')));
    expect(app).toBe(base);
    const again = succeeded(await build());
    expect(again.outputs).toMatchObject({ built: 'false', pushed: 'true' });
    expect(again.summary).toContain('Built 0 of 4 images, reused 4');
  });

  it('builds again what is built on an image that has changed, and nothing else', async () => {
    succeeded(await build());
    job.write({ 'tools/tools': 'tools2', 'base/README.md': 'is not copied' });
    expect(names(await plan())).toEqual(['tools', 'app']);
    expect(built(succeeded(await build()).outputs)).toEqual(['tools', 'app']);
    expect(await shown('app', 'linux/amd64', 'cat', '/base', '/tools', '/app')).toBe('base1tools2app1');
    job.write({ 'base/base': 'base2' });
    expect(names(await plan())).toEqual(['base', 'tools', 'app']);
    job.write({ 'base/base': 'base1' });
    expect(await plan()).toEqual([]);
  });

  it('builds an image that nobody asked for where others need it, and pushes it nowhere', async () => {
    const { outputs } = succeeded(await build({ targets: 'other' }));
    expect(outputs).toMatchObject({ built: 'true', image: expect.stringContaining(`${prefix}/other@sha256:`) });
    await expect(job.run('crane', '--insecure', 'ls', `${prefix}/hidden`)).rejects.toThrow(/NAME_UNKNOWN|not found/i);
    job.write({ 'lone/lone': 'lone2' });
    expect(succeeded(await build({ targets: 'other' })).outputs).toMatchObject({ built: 'true' });
    expect(succeeded(await build({ targets: 'other' })).outputs).toMatchObject({ built: 'false' });
  });

  it('builds on what a base leaves to be done, in every run, since no hash covers it', async () => {
    job.write({ 'base/Dockerfile': `${FILES['base/Dockerfile']}ONBUILD COPY tools /late\n` });
    const first = succeeded(await build({ targets: 'tools' }));
    expect(first.log).toContain('every run builds');
    expect(await shown('tools', 'linux/amd64', 'cat', '/late')).toBe('tools1');
    expect(succeeded(await build({ targets: 'tools' })).outputs).toMatchObject({ built: 'true' });
  });

  it('says which image failed and where, tags none that was to be built, and goes on with those that are there', async () => {
    succeeded(await build({ targets: 'lone' }));
    job.write({ 'tools/Dockerfile': `${FILES['tools/Dockerfile']}RUN echo told && exit 7\n` });
    const { status, log, outputs, summary, annotations } = await build();
    expect(status).toBe('failure');
    expect(log).toMatch(/tools: BUILD_FAILED: /);
    expect(log).toContain('exit code: 7');
    expect(log).toContain('1 of 4 images failed');
    expect(log).toContain('not built because of that: base, app');
    expect(summary).toContain('Built 0 of 4 images, reused 1, 1 failed, 2 not built');
    expect(summary).toContain('&#34;base&#34; was not built: the build of &#34;tools&#34; failed');
    expect(JSON.parse(outputs['json'] ?? '').lone).toMatchObject({ built: 'false', pushed: 'true' });
    expect(summary).toContain('told');
    expect(annotations.some(({ level }) => level === 'error')).toBe(true);
    await expect(job.run('crane', '--insecure', 'ls', `${prefix}/app`)).rejects.toThrow();
  });

  it('says what failed of a base that nobody asked for, by the images that are built on it', async () => {
    job.write({ 'lone/Dockerfile': `${FILES['lone/Dockerfile']}RUN echo told && exit 7\n` });
    const { status, log } = await build({ targets: 'other,base' });
    expect(status).toBe('failure');
    expect(log).toMatch(/other: BUILD_FAILED: the build of "hidden" failed .*exit code: 7/);
    expect(log).not.toContain('not built because of that: other');
  });

  it('builds the others when the registry takes one of them from nobody', async () => {
    const all = ['pull', 'push'] as const;
    const rights = { 'acme/base': all, 'acme/app': all, 'acme/lone': all, 'acme/tools': ['pull'] } as const;
    const users = [{ name: 'ci', password: 'secret', rights }];
    const registry = await startRegistry({ auth: { kind: 'basic', users } });
    const login = { registry: registry.host, username: 'ci', password: 'secret' };
    const result = await build({ ...login, images: `${registry.host}/acme/{{name}}` });
    await registry.close();
    expect(result.status).toBe('failure');
    expect(result.log).toContain('1 of 4 images failed');
    expect(result.log).toMatch(/tools: DENIED: .*acme\/tools/);
    expect(built(result.outputs)).toEqual(['base', 'app', 'lone']);
  });

  it('builds the entries of a matrix one after the other, and each image once', async () => {
    const entries = await plan();
    expect(names(entries)).toEqual(['base', 'tools', 'app', 'lone']);
    for (const entry of entries) {
      const { outputs, log } = await buildEntry(entry);
      expect(outputs).toMatchObject({ built: 'true', hash: entry['hash'] });
      expect(log).not.toContain('the plan has seen other content');
    }
    expect(await plan()).toEqual([]);
    expect(await shown('app', 'linux/arm64', 'cat', '/base', '/tools', '/app')).toBe('base1tools1app1');
  });

  describe.skipIf(!buildkit)('with a builder that pushes', () => {
    const builder = `several-${randomUUID()}`;
    let owner: Job;
    beforeAll(async () => {
      owner = openJob(toolchain);
      const options = ['--driver=docker-container', '--driver-opt=network=host', '--bootstrap'];
      await owner.run('docker', 'buildx', 'create', `--name=${builder}`, ...options);
    });
    afterAll(async () => {
      await owner.run('docker', 'buildx', 'rm', '--force', builder);
      owner.remove();
    });

    it('takes a base that is there from the registry, to the byte, instead of building it again', async () => {
      const env = { BUILDX_CONFIG: `${owner.env['DOCKER_CONFIG']}/buildx`, BUILDX_BUILDER: builder };
      const entries = await plan();
      for (const entry of entries)
        succeeded(await job.step({ entry: JSON.stringify(entry), tags: 'main', 'no-cache': 'true' }, { env }));
      const images = ['base', 'tools', 'app'];
      const [base, tools, app] = await Promise.all(images.map((name) => shown(name, 'linux/amd64', 'cat', '/once')));
      expect([tools, app]).toEqual([base, base]);
    });
  });
});
