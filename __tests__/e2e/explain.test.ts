import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob, SAMPLE } from '../support/job.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';

const toolchain = inject('toolchain');
/** Each of another commit: of one commit, a release stands whatever it is made from. */
const release = (version: string) => ({
  event: { name: 'push', ref: `refs/tags/${version}`, sha: randomUUID().replaceAll('-', '').padEnd(40, '0') },
});

describe.skipIf(!toolchain.layers.docker)('after a release', () => {
  let job: Job;
  let base: string;
  let image: string;
  let inputs: Record<string, string>;
  let released: string | undefined;

  beforeEach(async () => {
    job = openJob(toolchain);
    base = `${toolchain.registry}/t/base-${randomUUID()}:1`;
    image = `${toolchain.registry}/t/${randomUUID()}`;
    inputs = { images: image, platforms: 'linux/amd64', 'build-args': `BASE=${base}` };
    await pushBase('first');
    const { outputs, log } = await job.step(inputs, release('v1.2.3'));
    expect(outputs, log).toMatchObject({ built: 'true', version: '1.2.3' });
    released = outputs['digest'];
  });
  afterEach(() => job.remove());

  async function pushBase(text: string): Promise<void> {
    job.write({ '../base/Dockerfile': `FROM ${toolchain.baseImage}\nRUN echo ${text} > /which\n` });
    const flags = ['--builder=default', '--provenance=false', '--push', `--tag=${base}`];
    await job.run('docker', 'buildx', 'build', ...flags, '../base');
  }

  async function explain(...args: readonly string[]): Promise<readonly string[]> {
    const cli = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js')] as const;
    const flags = Object.entries(inputs).map(([name, value]) => `--${name}=${value}`);
    return (await job.run(...cli, 'explain', ...flags, ...args)).split('\n');
  }

  it('explain lists a file, a base and an arg that have changed, and nothing else', async () => {
    expect((await explain())[0]).toBe(`nothing has changed since ${image}:latest`);
    job.write({ 'src/main.js': 'console.log(2)\n', 'README.md': 'still not copied\n' });
    await pushBase('second');
    inputs['build-args'] = `BASE=${base}\nGREETING=bye\nUNUSED=1`;
    const short = 'sha256:[0-9a-f]{12}';
    expect((await explain('1.2.3')).slice(0, 7)).toEqual([
      `3 differences from ${image}:1.2.3`,
      '  1 file',
      '    ~ src/main.js',
      '  1 base image',
      expect.stringMatching(new RegExp(`^ {4}~ ${base}: ${short} → ${short}$`)),
      '  1 build arg',
      expect.stringMatching(/^ {4}~ GREETING: hello → \S+$/),
    ]);
  });

  it('the same version is kept when its base has moved; the next one is built, and says why', async () => {
    await pushBase('second');
    const again = await job.step(inputs, release('v1.2.3'));
    expect(again.outputs, again.log).toMatchObject({ built: 'false', reason: 'hit', digest: released });
    expect(again.annotations).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining(`(${base}: `) }),
    );
    const next = await job.step(inputs, release('v1.2.4'));
    expect(next.outputs, next.log).toMatchObject({ built: 'true', reason: 'not-found' });
    expect(next.log).toContain(`1 difference from ${image}:latest`);
    expect(next.log).toContain(`~ ${base}: `);
    job.write({ 'src/main.js': `${SAMPLE['src/main.js']}// 2\n` });
    const other = await job.step(inputs, release('v1.2.4'));
    expect(other).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(other.log).toMatch(/IMMUTABLE_TAG_EXISTS[\s\S]*~ src\/main\.js/);
  });
});
