import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob } from '../support/job.ts';

const toolchain = inject('toolchain');

describe.skipIf(!toolchain.layers.docker)('base images, with the real builder', () => {
  let job: Job;
  let inputs: Record<string, string>;
  let base: string;
  beforeEach(() => {
    job = openJob(toolchain, { a: 'a1', b: 'b1', 'README.md': 'one' });
    base = `${toolchain.registry}/t/base-${randomUUID()}:1`;
    inputs = { images: `${toolchain.registry}/t/${randomUUID()}`, platforms: 'linux/amd64' };
  });
  afterEach(() => job.remove());

  async function pushBase(lines: readonly string[]): Promise<void> {
    job.write({ '../base/Dockerfile': [`FROM ${toolchain.baseImage}`, ...lines, ''].join('\n') });
    const flags = ['--builder=default', '--provenance=false', '--push', `--tag=${base}`];
    await job.run('docker', 'buildx', 'build', ...flags, '../base');
  }

  async function step(more: Readonly<Record<string, string>> = {}) {
    const { outputs, log } = await job.step({ ...inputs, ...more });
    expect(outputs['digest'], log).toMatch(/^sha256:/);
    return outputs;
  }

  const shown = (image: string | undefined, ...argv: string[]) => job.run('docker', 'run', '--rm', `${image}`, ...argv);

  it('91 an image whose base has ONBUILD is reused until what it copies changes', async () => {
    await pushBase(['ONBUILD COPY a /a']);
    job.write({ Dockerfile: `FROM ${base}\nCOPY b /b\n` });
    expect(await step()).toMatchObject({ built: 'true' });
    job.write({ 'README.md': 'two' });
    expect(await step()).toMatchObject({ built: 'false', reason: 'hit' });
    job.write({ a: 'a2' });
    const changed = await step();
    expect(changed).toMatchObject({ built: 'true' });
    expect(await shown(changed['image'], 'cat', '/a', '/b')).toBe('a2b1');
  });

  it('65 a variable of the base says what is copied', async () => {
    await pushBase(['ENV WHICH=a']);
    job.write({ Dockerfile: `FROM ${base}\nCOPY $WHICH /it\n` });
    expect(await step()).toMatchObject({ built: 'true' });
    job.write({ b: 'b2' });
    expect(await step()).toMatchObject({ built: 'false' });
    await pushBase(['ENV WHICH=b']);
    const moved = await step();
    expect(moved).toMatchObject({ built: 'true' });
    expect(await shown(moved['image'], 'cat', '/it')).toBe('b2');
  });

  it('60 with base: tag, a base that moves is no reason to build; what is built has it as it is then', async () => {
    await pushBase(['ENV WHICH=a']);
    job.write({ Dockerfile: `FROM ${base}\nCOPY a /a\nRUN echo $WHICH > /which\n` });
    const first = await step({ base: 'tag' });
    expect(first).toMatchObject({ built: 'true' });
    await pushBase(['ENV WHICH=b']);
    expect(await step({ base: 'tag' })).toMatchObject({ built: 'false', digest: first['digest'] });
    job.write({ a: 'a2' });
    const second = await step({ base: 'tag' });
    expect(await shown(second['image'], 'cat', '/which')).toBe('b');
  });

  it('61 a base of an unused stage need not exist', async () => {
    await pushBase(['ENV WHICH=a']);
    job.write({ Dockerfile: `FROM ${base}-missing AS unused\nRUN x\nFROM ${base}\nCOPY a /a\n` });
    expect(await step()).toMatchObject({ built: 'true' });
  });
});
