import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { valueAt } from '../../src/core/json.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import type { Builder, BuilderNeeds } from '../../src/tools/builder.ts';
import { chooseBuilder } from '../../src/tools/buildx.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { findProgram } from '../support/programs.ts';
import { type BuildChange, type Built, platformsOf, Workshop, watchArguments } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const { registry } = toolchain;
const needs: BuilderNeeds = { platformCount: 2, runs: [amd64, arm64], pushTo: registry, registries: [registry] };

let host: Machine;
let docker: Docker;
let printed: string[];

beforeEach(() => {
  printed = [];
  host = workshop.host((line) => printed.push(line));
  docker = openDocker(host, []);
});
afterEach(async () => {
  await host.finish();
});
afterAll(() => workshop.remove());

function build(builder: Builder, dockerfile: string, change?: BuildChange): Promise<Built> {
  return workshop.build(docker, builder, dockerfile, change);
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** What is the same whatever the driver. */
function specify(choose: () => Promise<Builder>): void {
  it('builds both platforms in one call', async () => {
    const dockerfile = `FROM ${toolchain.baseImage}\nRUN uname -m > /m\n`;
    const built = await build(await choose(), dockerfile, { provenance: 'false' });
    expect(platformsOf(await workshop.indexOf(built))).toEqual(['linux/amd64', 'linux/arm64']);
    expect(built.descriptor.mediaType).toBe(MEDIA_TYPES.ociIndex);
  });

  it('makes an index with annotations of a single platform', async () => {
    const value = 'a, "b"\nc=d';
    const built = await build(await choose(), `FROM ${toolchain.baseImage}\n`, {
      platforms: [arm64],
      provenance: 'false',
      annotations: [`dev.build-once.inputs=${value}`],
      labels: [`l=${value}`],
    });
    const index = await workshop.indexOf(built);
    expect(platformsOf(index)).toEqual(['linux/arm64']);
    expect(valueAt(index, 'annotations', 'dev.build-once.inputs')).toBe(value);
  });

  it('attests the run as the builder', async () => {
    const origin = { url: 'https://github.example/acme/app/actions/runs/1', isPrivate: false };
    const index = await workshop.indexOf(await build(await choose(), 'FROM scratch\nCOPY Dockerfile /\n', { origin }));
    expect(platformsOf(index)).toEqual(['linux/amd64', 'linux/arm64', 'unknown/unknown', 'unknown/unknown']);
  });

  it('uses the base image that was hashed, though its tag moved since', async () => {
    const base = `${registry}/base/${randomUUID()}:1`;
    const hashed = await workshop.pushBase(base, 'old');
    expect(await workshop.pushBase(base, 'new')).not.toBe(hashed);
    const dockerfile = [
      `FROM ${base}`,
      `COPY --from=${base} /which /copied`,
      `RUN --mount=type=bind,from=${base},target=/m test "$(cat /which /copied /m/which)" = oldoldold`,
    ].join('\n');
    const pins = [{ reference: base, digest: hashed }];
    await build(await choose(), dockerfile, { pins, noCache: true });
    await expect(build(await choose(), dockerfile, { noCache: true })).rejects.toMatchObject({ code: 'BUILD_FAILED' });
  });

  it('keeps a stage that bears the name of its base image', async () => {
    const base = `${registry}/base/${randomUUID()}`;
    const digest = await workshop.pushBase(base, 'old');
    const dockerfile = `FROM ${base} AS node\nRUN echo stage > /from\nFROM node\nRUN test "$(cat /from)" = stage\n`;
    await build(await choose(), dockerfile, { pins: [{ reference: base, digest }] });
  });

  it('loads the syntax that was hashed', async () => {
    const syntax = `${registry}/base/${randomUUID()}:1`;
    const hashed = await workshop.pushBase(syntax, 'old');
    await workshop.pushBase(syntax, 'new');
    const failed = build(await choose(), `# syntax=${syntax}\nFROM scratch\n`, {
      pins: [{ reference: syntax, digest: hashed }],
    });
    // It is no frontend, so the build fails; which image was loaded is what counts.
    await expect(failed).rejects.toMatchObject({ code: 'BUILD_FAILED' });
    expect(printed.join('\n')).toContain(`docker-image://${syntax}@${hashed}`);
  });

  it('tells which line failed, and what it printed last', async () => {
    const dockerfile = `FROM ${toolchain.baseImage}\nRUN true\nRUN echo one \\\n  && echo two \\\n  && exit 7\n`;
    await expect(build(await choose(), dockerfile, { noCache: true })).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      status: 1,
      message: expect.stringMatching(
        /^the build failed at \[linux\/a\w+64 3\/3\] RUN echo one .*exit code: 7\n {2}one\n {2}two$/,
      ),
      location: { file: expect.stringMatching(/^context-\w+\/Dockerfile$/), line: 3 },
    });
  });

  it('says what helps when a base image is refused', async () => {
    await expect(build(await choose(), `FROM ${toolchain.authRegistry.host}/x/y:1\n`)).rejects.toMatchObject({
      code: 'BUILD_FAILED',
      hint: expect.stringContaining('log in'),
      location: { line: 1 },
    });
  });

  it('shows secrets to the build only', async () => {
    const secret = `s3cr3t-${randomUUID()}`;
    const watch = watchArguments();
    const dockerfile = `FROM ${toolchain.baseImage}\nRUN --mount=type=secret,id=a sed s/3/e/g /run/secrets/a && sleep 1\n`;
    const secrets = [{ id: 'a', value: `${secret}\nline two` }];
    const built = await build(await choose(), dockerfile, { secrets, noCache: true });
    const seen = watch.stop();
    expect(seen).toContain('--secret=id=a,env=BUILD_ONCE_SECRET_0');
    expect(seen).not.toContain(secret);
    expect(printed.join('\n')).toContain(secret.replaceAll('3', 'e'));
    expect(JSON.stringify([await workshop.indexOf(built), built.metadata])).not.toContain(secret);
    const blobs = path.join(built.layout, 'blobs/sha256');
    for (const name of fs.existsSync(blobs) ? fs.readdirSync(blobs) : []) {
      expect(fs.readFileSync(path.join(blobs, name)).includes(secret)).toBe(false);
    }
  });
}

describe.skipIf(!toolchain.layers.docker)('the docker driver', () => {
  it('writes a layout', async () => {
    const builder = await chooseBuilder(docker, undefined, needs);
    expect(builder).toMatchObject({ driver: 'docker', delivery: 'layout', created: false });
    const { descriptor, layout } = await build(builder, 'FROM scratch\nCOPY Dockerfile /\n');
    const index = JSON.parse(fs.readFileSync(path.join(layout, 'index.json'), 'utf8'));
    expect(index.manifests).toHaveLength(1);
    expect(index.manifests[0]).toMatchObject({ digest: descriptor.digest, size: descriptor.sizeBytes });
  });

  specify(() => chooseBuilder(docker, 'default', needs));

  it('that cannot be reached is said to be so', async () => {
    const lost = workshop.host(() => {}, { DOCKER_HOST: `unix://${workshop.directory}/no.sock` });
    await expect(chooseBuilder(openDocker(lost, []), undefined, needs)).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
    });
  });

  it('lacks a platform by name, and builds for it where nothing runs', async () => {
    const freebsd = { os: 'freebsd', architecture: 'amd64' };
    await expect(chooseBuilder(docker, undefined, { ...needs, runs: [amd64, freebsd] })).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      message: expect.stringContaining('cannot run freebsd/amd64;'),
    });
    const builder = await chooseBuilder(docker, undefined, needs);
    const change = { platforms: [freebsd], provenance: 'false' };
    const copied = await build(builder, 'FROM scratch\nCOPY Dockerfile /\n', change);
    expect(platformsOf(await workshop.indexOf(copied))).toEqual(['freebsd/amd64']);
  });
});

describe.skipIf(!toolchain.layers.buildkit)('a docker-container builder', () => {
  const name = `e2e-${randomUUID()}`;
  beforeAll(async () => {
    const port = await freePort();
    const flags = `--buildkitd-flags=--addr=unix:///run/buildkit/buildkitd.sock --addr=tcp://127.0.0.1:${port}`;
    const options = ['--driver=docker-container', '--driver-opt=network=host', flags];
    await workshop.docker('buildx', 'create', `--name=${name}`, ...options, '--bootstrap');
    await workshop.docker('buildx', 'create', `--name=${name}-remote`, '--driver=remote', `tcp://127.0.0.1:${port}`);
  });
  afterAll(async () => {
    for (const builder of [`${name}-remote`, name]) await workshop.docker('buildx', 'rm', '--force', builder);
  });

  it('pushes by digest and makes no tag', async () => {
    const builder = await chooseBuilder(docker, name, needs);
    expect(builder).toMatchObject({ driver: 'docker-container', delivery: 'push', created: false });
    await build(builder, 'FROM scratch\nCOPY Dockerfile /\n');
    const tags = await fetch(`http://${registry}/v2/${workshop.repository.path}/tags/list`);
    expect(await tags.text()).toMatch(/NAME_UNKNOWN|"tags":(?:null|\[\])/);
  });

  specify(() => chooseBuilder(docker, name, needs));

  describe('that is reached as a remote one', () => {
    specify(() => chooseBuilder(docker, `${name}-remote`, needs));
  });

  it('is made for the run where the current one cannot, and goes with it', async () => {
    const real = findProgram('docker', toolchain.env['PATH'] ?? '');
    // Stands for an engine with the classic image store.
    const script = `#!/bin/sh
if [ "$*" = "buildx inspect --bootstrap" ]; then ${real} "$@" | sed 's/^ OCI exporter: .*/ OCI exporter: false/'
else exec ${real} "$@"; fi
`;
    const wrapper = workshop.contextOf({ docker: script });
    fs.chmodSync(path.join(wrapper, 'docker'), 0o755);
    host = workshop.host((line) => printed.push(line), { PATH: `${wrapper}:${toolchain.env['PATH']}` });
    docker = openDocker(host, []);
    const builder = await chooseBuilder(docker, undefined, needs);
    expect(builder).toMatchObject({ driver: 'docker-container', delivery: 'push', created: true });
    expect(await workshop.docker('buildx', 'ls')).toContain(builder.name);
    await build(builder, `FROM ${toolchain.baseImage}\nRUN true\n`);
    await host.finish();
    expect(await workshop.docker('buildx', 'ls')).not.toContain(builder.name);
  });

  it('stops building at an interrupt', async () => {
    const interrupt = new AbortController();
    const builder = await chooseBuilder(docker, name, needs);
    const write = (line: string): void => {
      printed.push(line);
      if (line.includes('RUN sleep')) interrupt.abort(new Error('interrupted'));
    };
    const interrupted = workshop.host(write, {}, interrupt.signal);
    docker = openDocker(interrupted, []);
    const sleeping = build(builder, `FROM ${toolchain.baseImage}\nRUN sleep 20\n`, { noCache: true });
    await expect(sleeping).rejects.toThrow('interrupted');
    await interrupted.finish();
    expect(printed.join('\n')).toContain('CANCELED');
  });
});
