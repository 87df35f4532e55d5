import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';

const toolchain = inject('toolchain');
const { host, certificate } = toolchain.tlsRegistry;
let job: Job;
afterEach(() => job.remove());

/** The CLI hashes a Dockerfile whose base is in the registry over TLS: it must connect, sign in and ask. */
async function hash(env: Readonly<Record<string, string>>) {
  job = openJob(toolchain, { Dockerfile: `FROM ${host}/t/${randomUUID()}:1\n` }, [toolchain.tlsRegistry]);
  const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'hash', '.'] as const;
  return run([...argv], { cwd: job.workspace, env: { ...job.env, ...env } });
}

describe.skipIf(!toolchain.layers.tls)('a registry over TLS', () => {
  it('answers a client that trusts its certificate', async () => {
    const { status, stderr } = await hash({ NODE_EXTRA_CA_CERTS: certificate });
    expect(status).toBe(1);
    expect(stderr).toContain('BASE_NOT_FOUND');
  });

  it('is refused by one that does not', async () => {
    const { status, stderr } = await hash({});
    expect(status).toBe(1);
    expect(stderr).toMatch(/self-signed certificate/);
    expect(stderr).not.toContain('BASE_NOT_FOUND');
  });
});
