import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { mustRun, run } from '../support/programs.ts';
import { makeDockerConfig } from '../support/toolchain.ts';

const toolchain = inject('toolchain');
const { layers, env, registry, authRegistry, tlsRegistry, baseImage } = toolchain;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolchain-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The environment of a client with its own DOCKER_CONFIG, logged in to these registries. */
function client(logins: Parameters<typeof makeDockerConfig>[2] = []): Record<string, string> {
  return { ...env, HOME: folder, DOCKER_CONFIG: makeDockerConfig(toolchain, folder, logins) };
}

const RUN_ON_BOTH = 'ARG BASE\nFROM ${BASE}\nRUN uname -m > /machine\n';

function build(clientEnv: Record<string, string>, image: string, ...args: string[]) {
  writeFileSync(join(folder, 'Dockerfile'), RUN_ON_BOTH);
  const platforms = ['--platform', 'linux/amd64,linux/arm64'];
  const rest = ['--build-arg', `BASE=${baseImage}`, '--push', '--tag', image, ...args, folder];
  return run(['docker', 'buildx', 'build', ...platforms, ...rest], { env: clientEnv });
}

describe.skipIf(!layers.docker)('the engine', () => {
  it('builds both platforms from the base image, with RUN, and pushes them to the plain registry', async () => {
    const image = `${registry}/test/${randomUUID()}:1`;
    expect(await build(client(), image)).toMatchObject({ status: 0 });
    for (const [platform, machine] of [
      ['linux/amd64', 'x86_64'],
      ['linux/arm64', 'aarch64'],
    ] as const) {
      const args = ['--rm', '--platform', platform, image, 'cat', '/machine'];
      expect(await mustRun(['docker', 'run', '--quiet', ...args], { env: client() })).toBe(machine);
    }
  });

  it('may push to the registry with a login only when it has the login', async () => {
    const image = `${authRegistry.host}/test/${randomUUID()}:1`;
    const denied = await build(client(), image);
    expect(denied.status).not.toBe(0);
    expect(denied.stderr).toContain('401 Unauthorized');
    expect(await build(client([authRegistry]), image)).toMatchObject({ status: 0 });
  });
});

describe.skipIf(!layers.buildkit)('a docker-container builder', () => {
  it('runs real BuildKit and can build both platforms', async () => {
    const clientEnv = client();
    const name = `test-${randomUUID()}`;
    const options = ['--driver', 'docker-container', '--driver-opt', 'network=host', '--bootstrap'];
    await mustRun(['docker', 'buildx', 'create', '--name', name, ...options], { env: clientEnv });
    try {
      const shown = await mustRun(['docker', 'buildx', 'inspect', name], { env: clientEnv });
      expect(shown).toMatch(/BuildKit version: +v0\.\d+\.\d+/);
      const image = `${registry}/test/${randomUUID()}:1`;
      expect(await build(clientEnv, image, '--builder', name)).toMatchObject({ status: 0 });
    } finally {
      await run(['docker', 'buildx', 'rm', '--force', name], { env: clientEnv });
    }
  });
});

it.skipIf(!layers.tls)('the TLS registry shows its certificate and asks for the login', async () => {
  const script = `fetch('https://${tlsRegistry.host}/v2/').then((answer) => console.log(answer.status))`;
  const trusting = { ...env, NODE_EXTRA_CA_CERTS: tlsRegistry.certificate };
  expect(await mustRun([process.execPath, '-e', script], { env: trusting })).toBe('401');
  expect((await run([process.execPath, '-e', script], { env })).status).not.toBe(0);
});

it.skipIf(!(layers.crane && layers.docker))('crane reads both platforms of the base image', async () => {
  const index = await mustRun(['crane', 'manifest', '--insecure', baseImage], { env });
  expect(JSON.parse(index)).toMatchObject({
    manifests: [{ platform: { architecture: 'amd64' } }, { platform: { architecture: 'arm64' } }],
  });
});
