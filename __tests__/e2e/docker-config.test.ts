import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Secret } from '../../src/registry/credentials.ts';
import { type BuildOutcome, buildImage, chooseBuilder } from '../../src/tools/buildx.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { buildSettings } from '../tools/build-settings.ts';
import { Workshop } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const { host: registry, username, password } = toolchain.authRegistry;
const login = { registry, credentials: { username, password: new Secret(password) } };
const builderName = `e2e-${randomUUID()}`;

afterEach(() => vi.unstubAllEnvs());
afterAll(() => workshop.remove());

describe.skipIf(!toolchain.layers.buildkit)('a push to a registry that asks for a login', () => {
  const printed: string[] = [];
  let PATH: string;

  beforeEach(async () => {
    const helper = `#!/bin/sh\ncat >/dev/null\necho '{"Username":"${username}","Secret":"wrong"}'\n`;
    const helpers = workshop.contextOf({ 'docker-credential-wrong': helper });
    fs.chmodSync(path.join(helpers, 'docker-credential-wrong'), 0o755);
    PATH = `${helpers}:${toolchain.env['PATH']}`;
    const config = { credsStore: 'wrong', credHelpers: { [registry]: 'wrong' } };
    fs.writeFileSync(path.join(workshop.env['DOCKER_CONFIG'] ?? '', 'config.json'), JSON.stringify(config));
    const options = ['--driver=docker-container', '--driver-opt=network=host'];
    await workshop.docker('buildx', 'create', `--name=${builderName}`, ...options);
  });
  afterEach(() => workshop.docker('buildx', 'rm', '--force', builderName));

  async function push(docker: Docker): Promise<BuildOutcome> {
    const needs = { platformCount: 2, runs: [], pushTo: registry, registries: [registry] };
    const builder = await chooseBuilder(docker, builderName, needs);
    const settings = buildSettings({
      context: workshop.contextOf({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' }),
    });
    const destination = { kind: 'push', repository: { registry, path: `t/${randomUUID()}` } } as const;
    return buildImage(docker, { settings, builder, destination, pins: [], origin: undefined });
  }

  it("works with this run's credentials, though docker's helper has others; the builder is the user's", async () => {
    const host = workshop.host((line) => printed.push(line), { PATH });
    try {
      await expect(push(openDocker(host, []))).rejects.toMatchObject({
        code: 'BUILD_FAILED',
        hint: expect.stringContaining('log in'),
      });
      await expect(push(openDocker(host, [login]))).resolves.toHaveProperty('descriptor.digest');
    } finally {
      await host.finish();
    }
    expect(printed.join('\n')).not.toContain(password);
  });

  it('works with what DOCKER_AUTH_CONFIG holds, whether docker itself reads it or not', async () => {
    const auths = { [registry]: { auth: Buffer.from(`${username}:${password}`).toString('base64') } };
    const host = workshop.host((line) => printed.push(line), { PATH, DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) });
    try {
      await expect(push(openDocker(host, []))).resolves.toHaveProperty('descriptor.digest');
    } finally {
      await host.finish();
    }
  });
});
