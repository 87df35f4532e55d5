import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob, spyOnDocker } from '../support/job.ts';
import { findProgram } from '../support/programs.ts';
import { type RegistryProxy, startRegistryProxy } from '../support/registry-proxy.ts';

const toolchain = inject('toolchain');
const PLATFORMS = 'linux/amd64,linux/arm64';
const RELEASE = { name: 'push', ref: 'refs/tags/v1.2.3' };

/** The summary as a reader sees it. */
function shown(markdown: string): string {
  return markdown.replace(/&#([0-9]+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

const BUILDERS = [
  { driver: 'docker', ready: toolchain.layers.docker },
  { driver: 'docker-container', ready: toolchain.layers.docker && toolchain.layers.buildkit },
] as const;
const REGISTRIES = [
  { kind: 'plain', host: toolchain.registry, logins: [] },
  { kind: 'htpasswd', host: toolchain.authRegistry.host, logins: [toolchain.authRegistry] },
] as const;

describe.each(BUILDERS)('with a $driver builder', ({ driver, ready }) => {
  describe.skipIf(!ready).each(REGISTRIES)('and a $kind registry', ({ host, logins }) => {
    let job: Job;
    let proxy: RegistryProxy;
    let image: string;
    let inputs: Record<string, string>;

    beforeAll(async () => {
      proxy = await startRegistryProxy(host);
    });
    afterAll(() => proxy.close());
    beforeEach(async () => {
      const { username = '', password = '' } = logins[0] ?? {};
      job = openJob(toolchain);
      image = `${proxy.host}/t/${randomUUID()}`;
      inputs = { images: image, platforms: PLATFORMS, 'build-args': `BASE=${toolchain.baseImage}`, username, password };
      if (driver === 'docker-container') {
        inputs['builder'] = `bo-${randomUUID()}`;
        const network = '--driver-opt=network=host';
        await job.run(
          'docker',
          'buildx',
          'create',
          `--name=${inputs['builder']}`,
          `--driver=${driver}`,
          network,
          '--bootstrap',
        );
      }
    });
    afterEach(async () => {
      proxy.release();
      if (inputs['builder'] !== undefined) await job.run('docker', 'buildx', 'rm', '--force', inputs['builder']);
      job.remove();
    });

    const crane = (...args: string[]): Promise<string> => {
      const { username = '', password = '' } = logins[0] ?? {};
      const login = Buffer.from(JSON.stringify({ auths: { [proxy.host]: { username, password } } }));
      job.write({ '../crane/config.json': login.toString() });
      return job.run('env', `DOCKER_CONFIG=${job.directory}/crane`, 'crane', '--insecure', ...args);
    };
    const digestsOf = async (...tags: string[]): Promise<string[]> =>
      Promise.all(tags.map((tag) => crane('digest', `${image}:${tag}`)));

    it('builds and pushes both platforms, then skips without docker and with five requests at most', async () => {
      const first = await job.step(inputs);
      expect(first.log).toContain('miss (not-found)');
      expect(first).toMatchObject({
        status: 'success',
        outputs: { built: 'true', reason: 'not-found', pushed: 'true' },
      });
      const { digest = '', hash = '' } = first.outputs;
      expect(await digestsOf('main', `hash-${hash.slice(0, 32)}`)).toEqual([digest, digest]);
      expect(JSON.parse(first.outputs['platforms-digests'] ?? '')).toMatchObject({
        'linux/amd64': expect.stringMatching(/^sha256:/),
        'linux/arm64': expect.stringMatching(/^sha256:/),
      });
      expect(first.problems).toEqual([]);
      expect(first.summary).toContain(digest);

      const spy = spyOnDocker(job, findProgram('docker', toolchain.env['PATH'] ?? '') ?? '');
      proxy.forget();
      const second = await job.step(inputs, { env: { PATH: spy.path } });
      expect(second).toMatchObject({ status: 'success', outputs: { built: 'false', reason: 'hit', digest, hash } });
      expect(Number(second.outputs['seconds-saved'])).toBeGreaterThan(0);
      expect(spy.calls()).toEqual([]);
      // The base is in another registry: one request more. A challenge is the first half of signing in. This registry has
      // no referrers API, so that what was saved takes two.
      expect(proxy.requests.filter(({ status }) => status !== 401).length).toBeLessThanOrEqual(4);
    });

    it.skipIf(!toolchain.layers.crane)('pushes what crane finds valid and docker runs, on both platforms', async () => {
      const { outputs, status, log } = await job.step(inputs);
      expect(status, log).toBe('success');
      for (const digest of Object.values(JSON.parse(outputs['platforms-digests'] ?? ''))) {
        expect(await crane('validate', '--remote', `${image}@${String(digest)}`)).toContain('PASS');
      }
      expect(await crane('manifest', `${image}:main`)).toContain('dev.build-once.inputs');
      const login = logins[0];
      if (login !== undefined) {
        await job.run('docker', 'login', proxy.host, '-u', login.username, '-p', login.password);
      }
      for (const [platform, machine] of [
        ['linux/amd64', 'x86_64'],
        ['linux/arm64', 'aarch64'],
      ] as const) {
        expect(await job.run('docker', 'run', '--rm', `--platform=${platform}`, `${outputs['image']}`)).toBe(machine);
      }
    });

    it('sets the whole version set on one digest', async () => {
      const { outputs } = await job.step(inputs, { event: RELEASE });
      const { digest = '' } = outputs;
      expect(await digestsOf('1.2.3', '1.2', '1', 'latest')).toEqual([digest, digest, digest, digest]);
      expect(outputs).toMatchObject({ version: '1.2.3' });
    });
  });
});

describe.skipIf(!toolchain.layers.docker)('the main job', () => {
  let job: Job;
  let proxy: RegistryProxy;
  let image: string;
  let inputs: Record<string, string>;

  beforeAll(async () => {
    proxy = await startRegistryProxy(toolchain.registry);
  });
  afterAll(() => proxy.close());
  beforeEach(() => {
    job = openJob(toolchain);
    image = `${proxy.host}/t/${randomUUID()}`;
    inputs = { images: image, platforms: PLATFORMS, 'build-args': `BASE=${toolchain.baseImage}` };
  });
  afterEach(() => {
    proxy.release();
    job.remove();
  });

  const digestOf = (tag: string): Promise<string> => job.run('crane', '--insecure', 'digest', `${image}:${tag}`);

  it('misses when a lock file, a copied source, a build arg or a platform changes, and not otherwise', async () => {
    const first = await job.step(inputs);
    const { hash } = first.outputs;
    const changes: [string, () => void, Record<string, string>][] = [
      ['a lock file', () => job.write({ 'package-lock.json': '{ "lockfileVersion": 4 }\n' }), inputs],
      ['a copied source', () => job.write({ 'src/main.js': 'console.log(2)\n' }), inputs],
      ['a build arg', () => {}, { ...inputs, 'build-args': `${inputs['build-args']}\nGREETING=hi` }],
      ['a platform', () => {}, { ...inputs, platforms: 'linux/amd64' }],
    ];
    const seen = new Set([hash]);
    for (const [what, change, changed] of changes) {
      change();
      const run = await job.step(changed);
      expect([what, run.outputs['reason'], run.outputs['built']]).toEqual([what, 'not-found', 'true']);
      expect(seen).not.toContain(run.outputs['hash']);
      seen.add(run.outputs['hash']);
    }
    job.write({ 'README.md': 'edited\n' });
    expect((await job.step(inputs)).outputs).toMatchObject({ reason: 'hit', built: 'false' });
  });

  it('refuses a hash tag that was moved to another image by hand', async () => {
    const first = await job.step(inputs);
    job.write({ 'src/main.js': 'console.log(2)\n' });
    const other = await job.step(inputs);
    const hashTag = `hash-${(first.outputs['hash'] ?? '').slice(0, 32)}`;
    await job.run('crane', '--insecure', 'tag', `${image}@${other.outputs['digest']}`, hashTag);
    job.write({ 'src/main.js': 'console.log(1)\n' });
    const again = await job.step(inputs);
    expect(again.outputs).toMatchObject({ reason: 'mismatch', built: 'true', hash: first.outputs['hash'] });
    expect(await digestOf(hashTag)).toBe(again.outputs['digest']);
    expect(again.outputs['digest']).not.toBe(other.outputs['digest']);
  });

  it('ends with every tag on one digest when two runs build at once', async () => {
    const other = openJob(toolchain);
    try {
      const runs = await Promise.all([
        job.step({ ...inputs, 'no-cache': 'true' }, { event: RELEASE }),
        other.step({ ...inputs, 'no-cache': 'true' }, { event: RELEASE }),
      ]);
      expect(runs.map(({ status }) => status)).toEqual(['success', 'success']);
      const hashTag = `hash-${(runs[0].outputs['hash'] ?? '').slice(0, 32)}`;
      const digests = await Promise.all([hashTag, '1.2.3', '1.2', '1', 'latest'].map(digestOf));
      expect(new Set([...digests, ...runs.map(({ outputs }) => outputs['digest'])]).size).toBe(1);
    } finally {
      other.remove();
    }
  });

  it('leaves every tag with one run when two release a version from different commits at once', async () => {
    const other = openJob(toolchain);
    other.write({ 'src/main.js': 'console.log("another commit")\n' });
    try {
      const runs = await Promise.all([
        job.step(inputs, { event: { ...RELEASE, sha: '1'.repeat(40) } }),
        other.step(inputs, { event: { ...RELEASE, sha: '2'.repeat(40) } }),
      ]);
      const released = await digestOf('1.2.3');
      expect(await Promise.all(['1.2', '1', 'latest'].map(digestOf))).toEqual(Array(3).fill(released));
      expect(runs.map(({ exitCode }) => exitCode ?? -1).sort((a, b) => a - b)).toEqual([0, 3]);
      expect(runs.find(({ exitCode }) => exitCode === 0)?.outputs['digest']).toBe(released);
    } finally {
      other.remove();
    }
  });

  it('builds from the base that was hashed although its tag moves before the build', async () => {
    const base = `${toolchain.registry}/t/base-${randomUUID()}:1`;
    const push = async (text: string): Promise<void> => {
      job.write({ '../base/Dockerfile': `FROM ${toolchain.baseImage}\nRUN echo ${text} > /which\n` });
      await job.run(
        'docker',
        'buildx',
        'build',
        '--builder=default',
        '--provenance=false',
        '--push',
        `--tag=${base}`,
        '../base',
      );
    };
    await push('hashed');
    job.write({ Dockerfile: `FROM ${base}\nCMD ["cat", "/which"]\n` });
    let moved = false;
    const { outputs } = await job.step(
      { ...inputs, platforms: 'linux/amd64' },
      {
        interrupt: {
          signal: 'SIGKILL',
          when: async (log) => {
            if (!moved && log.includes('miss (not-found)')) {
              moved = true;
              await push('moved');
            }
            return false;
          },
        },
      },
    );
    expect(moved).toBe(true);
    expect(await job.run('docker', 'run', '--rm', `${outputs['image']}`)).toBe('hashed');
  });

  it('completes a run that was killed after the push and before the hash tag', async () => {
    const reached = proxy.hold(({ method, path }) => method === 'PUT' && path.includes('/manifests/hash-'));
    let there = false;
    void reached.then(() => {
      there = true;
    });
    const killed = await job.step(inputs, { event: RELEASE, interrupt: { signal: 'SIGKILL', when: () => there } });
    expect(killed).toMatchObject({ status: 'failure', signal: 'SIGKILL' });
    expect(proxy.requests.some(({ method, path }) => method === 'PUT' && /manifests\/sha256:/.test(path))).toBe(true);
    proxy.release();
    const next = await job.step(inputs, { event: RELEASE });
    expect(next.outputs).toMatchObject({ built: 'true', reason: 'not-found' });
    expect(await Promise.all(['1.2.3', '1.2', '1', 'latest'].map(digestOf))).toEqual(
      Array(4).fill(next.outputs['digest']),
    );
  });

  it('skips and sets the version tags after a run that was killed between the hash tag and them', async () => {
    let there = false;
    void proxy
      .hold(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/1.2.3'))
      .then(() => {
        there = true;
      });
    const killed = await job.step(inputs, { event: RELEASE, interrupt: { signal: 'SIGKILL', when: () => there } });
    expect(killed).toMatchObject({ status: 'failure', signal: 'SIGKILL' });
    proxy.release();
    const next = await job.step(inputs, { event: RELEASE });
    expect(next.outputs).toMatchObject({ built: 'false', reason: 'hit' });
    expect(await Promise.all(['1.2.3', '1.2', '1', 'latest'].map(digestOf))).toEqual(
      Array(4).fill(next.outputs['digest']),
    );
  });

  it('moves no line down: v1.9.1 after v2.0.1', async () => {
    await job.step(inputs, { event: { name: 'push', ref: 'refs/tags/v2.0.1', sha: '2'.repeat(40) } });
    const high = await digestOf('latest');
    job.write({ 'src/main.js': 'console.log("backport")\n' });
    const { outputs, summary } = await job.step(inputs, { event: { name: 'push', ref: 'refs/tags/v1.9.1' } });
    expect(outputs['tag-names']?.split('\n').filter((tag) => !tag.startsWith('hash-'))).toEqual(['1.9.1', '1.9', '1']);
    expect([await digestOf('latest'), await digestOf('2')]).toEqual([high, high]);
    expect(await digestOf('1')).toBe(outputs['digest']);
    expect(shown(summary)).toContain('2.0.1 is higher');
  });

  it('builds nothing and moves nothing when a version is released already from other content', async () => {
    const first = await job.step(inputs, { event: { ...RELEASE, sha: '1'.repeat(40) } });
    job.write({ 'src/main.js': 'console.log("other")\n' });
    const second = await job.step(inputs, { event: { ...RELEASE, sha: '2'.repeat(40) } });
    expect(second).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(second.log).toContain('IMMUTABLE_TAG_EXISTS');
    expect(second.log).toContain(first.outputs['digest']);
    expect(await digestOf('1.2.3')).toBe(first.outputs['digest']);
    expect(second.groups).not.toContain('Build the image');
  });

  it('shows the Dockerfile line and the log of a step that fails, and sets no tag', async () => {
    job.write({ Dockerfile: `FROM ${toolchain.baseImage}\nRUN echo told you so && exit 7\n` });
    const run = await job.step({ ...inputs, platforms: 'linux/amd64' });
    expect(run).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(run.annotations).toContainEqual(
      expect.objectContaining({ file: 'Dockerfile', line: 2, message: expect.stringContaining('told you so') }),
    );
    expect(shown(run.summary)).toContain('BUILD_FAILED');
    await expect(digestOf('main')).rejects.toThrow(/NAME_UNKNOWN|MANIFEST_UNKNOWN|NOT_FOUND/);
  });

  it('keeps a secret out of arguments, logs, outputs and summary, and leaves no file behind', async () => {
    const secret = `s3cr3t-${randomUUID()}`;
    const spy = spyOnDocker(job, findProgram('docker', toolchain.env['PATH'] ?? '') ?? '');
    job.write({
      Dockerfile: `FROM ${toolchain.baseImage}\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token\n`,
    });
    const run = await job.step(
      { ...inputs, platforms: 'linux/amd64', secrets: `token=${secret}`, username: 'someone', password: secret },
      { env: { PATH: spy.path, TMPDIR: job.directory } },
    );
    expect(run.status).toBe('success');
    expect(spy.calls().join('\n')).toContain('id=token,env=');
    const shown = [
      spy.calls().join('\n'),
      run.stdout.replace(/^::add-mask::.*$/gm, ''),
      run.stderr,
      run.summary,
      JSON.stringify(run.outputs),
    ];
    for (const text of shown) expect(text).not.toContain(secret);
    await expect(job.run('grep', '-rl', secret, job.directory)).rejects.toThrow();
  });
});
