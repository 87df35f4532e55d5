import { randomUUID } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob } from '../support/job.ts';
import { findProgram } from '../support/programs.ts';

const toolchain = inject('toolchain');

describe.skipIf(!toolchain.layers.docker)('an image is never stale', () => {
  let job: Job;
  let inputs: Record<string, string>;
  beforeEach(() => {
    job = openJob(toolchain);
    const images = `${toolchain.registry}/t/${randomUUID()}`;
    inputs = { images, platforms: 'linux/amd64', 'build-args': `BASE=${toolchain.baseImage}` };
  });
  afterEach(() => job.remove());

  async function push(reference: string, dockerfile: string): Promise<void> {
    job.write({ '../base/Dockerfile': dockerfile });
    const flags = ['--builder=default', '--provenance=false', '--push', `--tag=${reference}`];
    await job.run('docker', 'buildx', 'build', ...flags, '../base');
  }

  /** A docker that runs this after each build. */
  function dockerThat(act: string): string {
    const real = findProgram('docker', toolchain.env['PATH'] ?? '');
    const script = `#!/bin/sh\n'${real}' "$@"; code=$?\ncase "$*" in *--metadata-file*) ${act};; esac\nexit $code\n`;
    job.write({ '../wrapped/docker': script });
    chmodSync(join(job.directory, 'wrapped/docker'), 0o755);
    return `${job.directory}/wrapped:${toolchain.env['PATH']}`;
  }

  it('when what an ONBUILD of its base copies from has moved', async () => {
    const dep = `${toolchain.registry}/t/dep-${randomUUID()}:1`;
    const base = `${toolchain.registry}/t/base-${randomUUID()}:1`;
    await push(base, `FROM ${toolchain.baseImage}\nONBUILD COPY --from=${dep} /which /which\n`);
    job.write({ Dockerfile: `FROM ${base}\nCMD ["cat", "/which"]\n` });
    for (const text of ['first', 'second']) {
      await push(dep, `FROM ${toolchain.baseImage}\nRUN echo ${text} > /which\n`);
      const { outputs, log } = await job.step(inputs);
      expect(outputs, log).toMatchObject({ built: 'true', reason: 'not-found' });
      expect(await job.run('docker', 'run', '--rm', `${outputs['image']}`)).toBe(text);
    }
  });

  it('when a file is written while it is built', async () => {
    const PATH = dockerThat(
      'echo 2 >> src/main.js; echo x > src/new.js; rm package-lock.json; echo FROM x >> Dockerfile',
    );
    const result = await job.step(inputs, { env: { PATH } });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(result.log).toContain('CONTEXT_CHANGED');
    expect(result.log).toContain('"Dockerfile", "package-lock.json", "src/main.js", "src/new.js"');
    await expect(job.run('crane', '--insecure', 'ls', inputs['images'] ?? '')).rejects.toThrow(/NAME_UNKNOWN/);
  });

  it('and is built where only ignored files, local caches and temporary files are written', async () => {
    const PATH = dockerThat(
      'echo 2 >> README.md; mkdir -p cache tmp; echo 2 > cache/x; echo 2 > tmp/x; echo "# x" >> Dockerfile',
    );
    job.write({ '.dockerignore': '.git\n*.md\nDockerfile\n', 'tmp/y': '' });
    const TMPDIR = join(job.workspace, 'tmp');
    const result = await job.step({ ...inputs, 'cache-to': 'type=local,dest=cache' }, { env: { PATH, TMPDIR } });
    expect(result.status, result.log).toBe('success');
  });
});
