import { randomUUID } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, findProgram, NODE_DIRECTORY, run } from '../support/programs.ts';

const toolchain = inject('toolchain');
const { host, certificate, username, password } = toolchain.tlsRegistry;
let job: Job;
afterEach(() => job.remove());

/** The CLI hashes a Dockerfile whose base is in the registry over TLS: it must connect, sign in and ask. */
async function hash(env: Readonly<Record<string, string>>) {
  job = openJob(toolchain, { Dockerfile: `FROM ${host}/t/${randomUUID()}:1\n` }, [toolchain.tlsRegistry]);
  const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'hash', '.'] as const;
  return run([...argv], { cwd: job.workspace, env: { ...job.env, ...env } });
}

describe.skipIf(!toolchain.layers.tls)('a registry over TLS', () => {
  it.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'])(
    'answers a client that trusts its certificate by %s',
    async (name) => {
      const { status, stderr } = await hash({ [name]: certificate });
      expect(status).toBe(1);
      expect(stderr).toContain('BASE_NOT_FOUND');
    },
  );

  it('is refused by one that does not', async () => {
    const { status, stderr } = await hash({});
    expect(status).toBe(1);
    expect(stderr).toMatch(/self-signed certificate/);
    expect(stderr).toContain('registry-ca');
    expect(stderr).not.toContain('BASE_NOT_FOUND');
  });
});

describe.skipIf(!toolchain.layers.tls || !toolchain.layers.docker)(
  'a job whose registry has a private authority',
  () => {
    const inputs = (): Record<string, string> => ({
      images: `${host}/t/${randomUUID()}`,
      'build-args': `BASE=${toolchain.baseImage}`,
      'registry-ca': certificate,
      username,
      password,
    });

    it('builds and pushes, and then skips without docker', async () => {
      job = openJob(toolchain);
      const asked = inputs();
      const first = await job.step(asked);
      expect(first).toMatchObject({ status: 'success', outputs: { built: 'true', pushed: 'true' } });
      expect(first.log).not.toContain(password);
      const second = await job.step(asked, { env: { PATH: NODE_DIRECTORY } });
      expect(second).toMatchObject({
        status: 'success',
        outputs: { built: 'false', digest: first.outputs['digest'] },
      });
    });

    it.skipIf(!toolchain.layers.buildkit)('builds from it and to it with a builder made for the run', async () => {
      job = openJob(toolchain);
      const base = inputs();
      await job.step(base, { event: { ref: 'refs/tags/v1.0.0' } });
      const real = findProgram('docker', toolchain.env['PATH'] ?? '');
      // Stands for an engine with the classic image store.
      const script = `#!/bin/sh
if [ "$*" = "buildx inspect --bootstrap" ]; then ${real} "$@" | sed 's/^ OCI exporter: .*/ OCI exporter: false/'
else exec ${real} "$@"; fi
`;
      // The base on this machine puts the builder on its network, where the registry's name leads.
      const dockerfile = `FROM ${toolchain.baseImage} AS local\nFROM ${base['images']}:1.0.0\nCOPY --from=local /bin /again\n`;
      job.write({ Dockerfile: dockerfile, '../bin/docker': script });
      chmodSync(join(job.directory, 'bin/docker'), 0o755);
      const asked = { ...inputs(), 'build-args': '' };
      const result = await job.step(asked, { env: { PATH: `${job.directory}/bin:${job.env['PATH']}` } });
      expect(result.log).toContain('making a builder for this run');
      expect(result).toMatchObject({ status: 'success', outputs: { built: 'true', pushed: 'true' } });
    });

    it('does both through a proxy that asks for a login', async () => {
      const [, port = ''] = host.split(':');
      const authorization = `Basic ${Buffer.from('kim:s3cret').toString('base64')}`;
      const proxy = await startForwardProxy({ routes: { [host]: `127.0.0.1:${port}` }, authorization });
      onTestFinished(() => proxy.close());
      job = openJob(toolchain);
      const asked = inputs();
      const HTTPS_PROXY = proxy.url.replace('//', '//kim:s3cret@');
      const first = await job.step(asked, { env: { HTTPS_PROXY } });
      expect(first).toMatchObject({ status: 'success', outputs: { built: 'true', pushed: 'true' } });
      expect(first.log).toContain(`requests go through the proxy ${proxy.url} (HTTPS_PROXY)`);
      const second = await job.step(asked, { env: { HTTPS_PROXY, PATH: NODE_DIRECTORY } });
      expect(second).toMatchObject({ status: 'success', outputs: { built: 'false', digest: first.outputs['digest'] } });
      expect(`${first.log}${first.summary}${second.log}${second.summary}`).not.toContain('s3cret');
      expect(new Set(proxy.requests.map(({ method, target }) => `${method} ${target}`))).toEqual(
        new Set([`CONNECT ${host}`]),
      );
    });
  },
);
