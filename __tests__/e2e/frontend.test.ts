import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { hasOpenssl } from '../support/certificates.ts';
import { type Job, openJob } from '../support/job.ts';
import { dockerThatMoves, type Hub, moveTag, pushFrontends, pushImage, startHub } from './frontends.ts';

const toolchain = inject('toolchain');
const { layers, registry, baseImage } = toolchain;
/** The frontends are at `REPOSITORY:works` and `REPOSITORY:fails`, where Docker Hub has its own below this prefix. */
const prefix = `t/${randomUUID()}`;
const frontend = `${registry}/${prefix}/docker/dockerfile`;

const BUILDERS = [
  { driver: 'docker', ready: layers.docker && layers.frontend },
  { driver: 'docker-container', ready: layers.docker && layers.buildkit && layers.frontend },
] as const;

beforeAll(async () => {
  if (!BUILDERS[0].ready) return;
  const job = openJob(toolchain);
  await pushFrontends(toolchain, job, frontend);
  job.remove();
});

let job: Job;
let inputs: Record<string, string>;
beforeEach(() => {
  job = openJob(toolchain);
  inputs = { images: `${registry}/t/${randomUUID()}`, platforms: 'linux/amd64' };
});
afterEach(async () => {
  if (inputs['builder'] !== undefined) await job.run('docker', 'buildx', 'rm', '--force', inputs['builder']);
  job.remove();
});

async function createBuilder(...config: readonly string[]): Promise<void> {
  const name = `bo-${randomUUID()}`;
  const options = [`--name=${name}`, '--driver=docker-container', '--driver-opt=network=host', ...config];
  await job.run('docker', 'buildx', 'create', ...options, '--bootstrap');
  inputs['builder'] = name;
}

describe.each(BUILDERS)('with a $driver builder', ({ driver, ready }) => {
  describe.skipIf(!ready)('the build is pinned', () => {
    beforeEach(async () => {
      if (driver === 'docker-container') await createBuilder();
    });

    it.each(['# syntax=', 'BUILDKIT_SYNTAX='])(
      '62 63 to the frontend of %s that was hashed, though its tag moves',
      async (way) => {
        const tag = `${frontend}:${randomUUID()}`;
        await moveTag(job, tag, `${frontend}:works`);
        const isDirective = way.startsWith('#');
        if (!isDirective) inputs['build-args'] = `${way}${tag}`;
        job.write({ Dockerfile: `${isDirective ? `${way}${tag}\n` : ''}FROM scratch\nCOPY src /src\n` });
        const PATH = dockerThatMoves(toolchain, job, [[tag, `${frontend}:fails`]]);
        const first = await job.step(inputs, { env: { PATH } });
        expect(first.status, first.log).toBe('success');
        expect(first.outputs).toMatchObject({ built: 'true' });
        // From now on the other one counts, and builds.
        const second = await job.step(inputs);
        expect(second.log).toContain('BUILD_FAILED');
        expect(second.outputs['hash']).not.toBe(first.outputs['hash']);
      },
    );

    it('63 64 to the images of FROM, COPY and RUN that were hashed, though their tags move', async () => {
      const name = `${registry}/t/${randomUUID()}`;
      const tags = ['from', 'copy', 'mount'].map((tag) => `${name}:${tag}`);
      const texts = ['hashed', 'moved'];
      await Promise.all(
        texts.map((text) => pushImage(job, `${name}:${text}`, `FROM ${baseImage}\nRUN echo ${text} >/which\n`)),
      );
      await Promise.all(tags.map((tag) => moveTag(job, tag, `${name}:hashed`)));
      const [from, copy, mount] = tags;
      job.write({
        Dockerfile: [
          `FROM ${from}`,
          `COPY --from=${copy} /which /copied`,
          `RUN --mount=type=bind,from=${mount},target=/mount cat /which /copied /mount/which >/all`,
          'CMD ["cat", "/all"]',
        ].join('\n'),
      });
      const PATH = dockerThatMoves(
        toolchain,
        job,
        tags.map((tag) => [tag, `${name}:moved`]),
      );
      const hashes: (string | undefined)[] = [];
      for (const [text, env] of [
        ['hashed', { PATH }],
        ['moved', {}],
      ] as const) {
        const { outputs, log } = await job.step(inputs, { env });
        expect(outputs, log).toMatchObject({ built: 'true', reason: 'not-found' });
        hashes.push(outputs['hash']);
        const printed = await job.run('docker', 'run', '--rm', `${outputs['image']}`);
        expect(printed.split('\n')).toEqual([text, text, text]);
      }
      expect(new Set(hashes).size).toBe(2);
    }, 120_000);
  });
});

describe.skipIf(!BUILDERS[0].ready)('a frontend of another name', () => {
  it('90 makes the whole context count, which is said', async () => {
    job.write({ Dockerfile: `# syntax=${frontend}:works\nFROM scratch\nCOPY src /src\n` });
    const first = await job.step(inputs);
    expect(first.status, first.log).toBe('success');
    expect(first.annotations).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining(`"${frontend}:works" is not Docker's`) }),
    );
    expect((await job.step(inputs)).outputs).toMatchObject({ reason: 'hit' });
    job.write({ 'package-lock.json': 'not copied\n' });
    expect((await job.step(inputs)).outputs).toMatchObject({ built: 'true', reason: 'not-found' });
  });
});

describe.skipIf(!BUILDERS[1].ready || !hasOpenssl)("Docker's own frontend, of a mirror of Docker Hub", () => {
  const own = `${frontend}:1`;
  let hub: Hub;
  let env: Record<string, string>;

  beforeAll(async () => {
    hub = await startHub(registry, prefix);
  });
  afterAll(() => hub.close());
  beforeEach(async () => {
    const mirror = `[registry."docker.io"]\n  mirrors = ["${registry}/${prefix}"]\n[registry."${registry}"]\n  http = true\n`;
    job.write({
      '../hub/buildkitd.toml': mirror,
      '../hub/ca.pem': hub.certificate,
      Dockerfile: '# syntax=docker/dockerfile:1\nFROM scratch\nCOPY src /src\n',
    });
    await createBuilder(`--buildkitd-config=${job.directory}/hub/buildkitd.toml`);
    inputs['registry-ca'] = join(job.directory, 'hub/ca.pem');
    env = { HTTPS_PROXY: hub.proxy };
    await moveTag(job, own, `${frontend}:works`);
  });

  it('62 counts, and only what the target reads besides', async () => {
    const first = await job.step(inputs, { env });
    expect(first.status, first.log).toBe('success');
    expect(first.log).not.toContain("is not Docker's");
    job.write({ 'package-lock.json': 'not copied\n' });
    const { digest } = first.outputs;
    expect((await job.step(inputs, { env })).outputs).toMatchObject({ reason: 'hit', digest });
    await moveTag(job, own, `${frontend}:fails`);
    const moved = await job.step(inputs, { env });
    expect(moved.outputs['hash']).not.toBe(first.outputs['hash']);
    expect(moved.log).toContain('BUILD_FAILED');
  });

  it('63 is the one that was hashed, though its tag moves before the build', async () => {
    const PATH = dockerThatMoves(toolchain, job, [[own, `${frontend}:fails`]]);
    const { status, log } = await job.step(inputs, { env: { ...env, PATH } });
    expect(status, log).toBe('success');
    expect(log).toContain('docker-image://docker.io/docker/dockerfile:1@sha256:');
  });
});
