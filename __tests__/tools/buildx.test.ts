import fs from 'node:fs';
import path from 'node:path';
import { Context } from '@docker/actions-toolkit/lib/context.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseDigest } from '../../src/core/digest.ts';
import type { BuilderNeeds } from '../../src/tools/builder.ts';
import { buildImage, chooseBuilder } from '../../src/tools/buildx.ts';
import { checkBuildx, type Docker } from '../../src/tools/docker.ts';
import { loadToolkit } from '../../src/tools/load.ts';
import { buildSettings } from './build-settings.ts';
import { DockerScene } from './docker-scene.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const descriptor = { mediaType: 'application/vnd.oci.image.index.v1+json', digest, size: 7 };

const INSPECT = (name: string, driver: string, oci: boolean): string =>
  `Name: ${name}\\nDriver: ${driver}\\n\\nNodes:\\nName: ${name}0\\nEndpoint: unix:///x\\nStatus: running\\n` +
  `Platforms: linux/amd64, linux/arm64\\nFeatures:\\n OCI exporter: ${oci}\\n Multi-platform build: ${oci}\\n`;
const BUILDS = `
  const flag = (name) => args.find((arg) => arg.startsWith('--' + name + '='))?.slice(name.length + 3);
  if (args[1] === 'build') {
    write(flag('metadata-file'), JSON.stringify({ 'containerimage.descriptor': ${JSON.stringify(descriptor)}, 'buildx.build.ref': 'b/b0/x' }));
    return 0;
  }`;

const HARMLESS =
  'ERROR: (*service).Write failed: rpc error: code = Unavailable desc = ref layer-sha256:8bdf locked for 5.3ms (since x): unavailable';

let scene: DockerScene;
beforeEach(() => {
  scene = new DockerScene();
});
afterEach(() => scene.remove());

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const needs: BuilderNeeds = { platformCount: 2, runs: [amd64, arm64], pushTo: 'ghcr.io', registries: ['ghcr.io'] };
const builder = { name: 'b', driver: 'remote', delivery: 'layout', created: false } as const;
const destination = { kind: 'layout', path: '/nowhere' } as const;

function argvs(): string[] {
  return scene.calls().map(({ argv }) => argv.join(' '));
}

it('leaves nothing of the toolkit behind as it is loaded', async () => {
  await loadToolkit(scene.dockerThat('').host);
  expect(fs.existsSync(Context.tmpDir())).toBe(false);
});

describe('the builder', () => {
  it('is the one that is named', async () => {
    const docker = scene.dockerThat(`out('${INSPECT('mine', 'remote', true)}')`);
    expect(await chooseBuilder(docker, 'mine', needs)).toEqual({
      name: 'mine',
      driver: 'remote',
      delivery: 'push',
      created: false,
    });
    expect(argvs()).toEqual(['buildx inspect --bootstrap -- mine']);
    // Without it buildx does not say what the driver can do.
    expect(scene.calls()[0]?.env['DEBUG']).toBe('1');
  });

  it('is the current one when none is named', async () => {
    const docker = scene.dockerThat(`out('${INSPECT('default', 'docker', true)}')`);
    expect(await chooseBuilder(docker, undefined, needs)).toMatchObject({ name: 'default', delivery: 'layout' });
    expect(argvs()).toEqual(['buildx inspect --bootstrap']);
  });

  it.each<[string, string]>([
    ['names platforms of Windows only', `out('${INSPECT('default', 'docker', true)}'.replace(/linux/g, 'windows'))`],
    ['does not answer buildx', `out('Name: default\\nDriver: docker\\n\\nNodes:\\nName: d\\nError: no grpc here\\n')`],
    ['buildx cannot inspect', `err('ERROR: no builder'); return 1`],
  ])('on an engine of Windows containers is refused before the build: it %s', async (_, inspected) => {
    const docker = scene.dockerThat(`
      if (args[0] === 'version') { out('{"Os":"windows","Arch":"amd64"}'); return 0; }
      if (args[1] === 'inspect') { ${inspected} }`);
    await expect(chooseBuilder(docker, undefined, needs)).rejects.toMatchObject({
      code: 'ENGINE_UNSUPPORTED',
      message: expect.stringContaining('the Docker engine runs windows containers, not Linux ones'),
    });
    expect(argvs().join()).not.toContain('create');
  });

  it('is named by BUILDX_BUILDER, too', async () => {
    const docker = scene.dockerThat(`out('${INSPECT('env', 'remote', true)}')`, { BUILDX_BUILDER: 'env' });
    await chooseBuilder(docker, undefined, needs);
    expect(argvs()).toEqual(['buildx inspect --bootstrap -- env']);
  });

  it('that was named and cannot do this build is an error that says what it lacks', async () => {
    const docker = scene.dockerThat(`out('${INSPECT('mine', 'docker', false)}')`);
    await expect(chooseBuilder(docker, 'mine', needs)).rejects.toMatchObject({
      code: 'BUILDER_UNFIT',
      message: expect.stringMatching(/"mine" cannot .*containerd image store.*several platforms/),
    });
  });

  it('is made for the run when none was named, and its removal is registered first', async () => {
    const docker = scene.dockerThat(`
      if (args[1] === 'inspect') out(args.includes('--') ? '${INSPECT('new', 'docker-container', true)}' : '${INSPECT('default', 'docker', false)}');`);
    const undone: string[] = [];
    const watched: Docker = {
      ...docker,
      host: {
        ...docker.host,
        cleanup(undo) {
          if (undo.kind === 'command') undone.push(`${undo.argv.join(' ')} after ${argvs().length} calls`);
          return docker.host.cleanup(undo);
        },
      },
    };
    expect(await chooseBuilder(watched, undefined, needs)).toMatchObject({
      name: 'new',
      delivery: 'push',
      created: true,
    });
    const [, create = ''] = argvs();
    const name = /--name=(build-once-[0-9a-f]{16}) /.exec(create)?.[1];
    expect(create).toBe(`buildx create --name=${name} --driver=docker-container --bootstrap`);
    expect(undone).toEqual([`docker buildx rm --force ${name} after 1 calls`]);
    await scene.finish();
    expect(argvs().at(-1)).toBe(`buildx rm --force ${name}`);
  });

  it('that cannot be made is an error', async () => {
    const docker = scene.dockerThat(`
      if (args[1] === 'inspect') out('${INSPECT('default', 'docker', false)}');
      if (args[1] === 'create') { err('ERROR: no image'); return 1; }`);
    await expect(chooseBuilder(docker, undefined, needs)).rejects.toMatchObject({
      code: 'BUILDER_UNFIT',
      message: 'no docker-container builder could be made: no image',
    });
  });

  it('that lacks a platform is an error that names it', async () => {
    const docker = scene.dockerThat(`out('${INSPECT('default', 'remote', true)}')`);
    const riscv = { os: 'linux', architecture: 'riscv64' };
    await expect(chooseBuilder(docker, undefined, { ...needs, runs: [amd64, riscv] })).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      message: 'the builder "default" cannot run linux/riscv64; it runs linux/amd64, linux/arm64',
      hint: expect.stringContaining('Set emulation to auto'),
    });
  });

  describe('that lacks a platform', () => {
    const riscv = { ...needs, runs: [amd64, { os: 'linux', architecture: 'riscv64' }] };
    const emulator = {
      repository: { registry: 'ghcr.io', path: 'acme/binfmt' },
      tag: undefined,
      digest: parseDigest(digest),
    };
    const install = `run --rm --privileged --network=none ghcr.io/acme/binfmt@${digest} --install=riscv64`;

    it('gets it by emulation, on its own engine', async () => {
      const docker = scene.dockerThat(
        `if (args[0] === 'buildx') out('${INSPECT('mine', 'docker-container', true)}'); else err('installing: riscv64 OK');`,
      );
      expect(await chooseBuilder(docker, 'mine', riscv, emulator)).toMatchObject({ name: 'mine', delivery: 'push' });
      expect(argvs()).toEqual(['buildx inspect --bootstrap -- mine', `--host=unix:///x ${install}`]);
    });

    it('is asked again when somebody registered it before', async () => {
      const docker = scene.dockerThat(
        `if (args[0] === 'buildx') out('${INSPECT('default', 'docker', true)}'.replace('arm64', args.includes('--') ? 'riscv64' : 'arm64'));
        else err('installing: riscv64 qemu-riscv64 already registered');`,
      );
      await chooseBuilder(docker, undefined, riscv, emulator);
      expect(argvs().at(-1)).toBe('buildx inspect --bootstrap -- default');
    });

    it('is an error when emulation cannot add it', async () => {
      const docker = scene.dockerThat(`out('${INSPECT('far', 'remote', true)}')`);
      await expect(chooseBuilder(docker, 'far', riscv, emulator)).rejects.toMatchObject({
        code: 'PLATFORM_MISSING',
        hint: expect.stringContaining('cannot be registered from here'),
      });
      expect(argvs()).toHaveLength(1);
    });

    it.each([
      ['it has all that is run', needs],
      ['the build only copies files', { ...riscv, runs: [] }],
    ])('sets nothing up when %s', async (_, wanted) => {
      const docker = scene.dockerThat(`out('${INSPECT('default', 'docker', true)}')`);
      await chooseBuilder(docker, undefined, wanted, emulator);
      expect(argvs()).toEqual(['buildx inspect --bootstrap']);
    });
  });

  it('that is not there is an error', async () => {
    const docker = scene.dockerThat(`if (args[1] === 'inspect') { err('ERROR: no builder "x" found'); return 1; }`);
    await expect(chooseBuilder(docker, 'x', needs)).rejects.toMatchObject({
      code: 'BUILDER_NOT_FOUND',
      message: /no builder "x" found/,
    });
  });

  it.each([
    ['x', 'mkdir /ro/.docker/buildx: permission denied', 'let this user write there'],
    [undefined, 'open /ro/buildx/.lock: read-only file system', 'let this user write there'],
    ['x', 'permission denied while trying to connect to the Docker daemon socket', 'add it to the group docker'],
    ['x', 'no builder "x" found', 'leave the input builder out'],
    [undefined, 'the current one is broken', 'docker buildx use NAME'],
  ])('that cannot be used (%s: %s) comes with what to do', async (name, said, hint) => {
    const docker = scene.dockerThat(`if (args[1] === 'inspect') { err('ERROR: ${said}'); return 1; }
      if (args[0] === 'version') out('{"Os":"linux","Arch":"amd64"}');`);
    await expect(chooseBuilder(docker, name, needs)).rejects.toMatchObject({
      code: 'BUILDER_NOT_FOUND',
      hint: expect.stringContaining(hint),
    });
  });

  it('that is not there is told by what buildx says, not by where in buildx it was said', async () => {
    const docker = scene.dockerThat(`if (args[1] === 'inspect') {
      err('ERROR: no builder "x" found'); err('12 v0.29.1 buildx inspect x'); err('main.main'); err('\\truntime/asm_amd64.s:1771');
      return 1; }`);
    await expect(chooseBuilder(docker, 'x', needs)).rejects.toMatchObject({
      message: 'the builder "x" cannot be used: no builder "x" found',
    });
  });

  it('without an engine that answers is an error, though buildx exits 0', async () => {
    const docker = scene.dockerThat(`out('Name: default\\nDriver: \\nError: Cannot connect to the Docker daemon\\n')`);
    await expect(chooseBuilder(docker, undefined, needs)).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      message: /Cannot connect to the Docker daemon/,
    });
  });
});

describe('docker', () => {
  it('that is all there passes the check', async () => {
    await expect(checkBuildx(scene.dockerThat(''))).resolves.toBeUndefined();
  });

  it('without buildx is missing', async () => {
    const docker = scene.dockerThat(
      `if (args[0] === 'buildx') { err('docker: unknown command: docker buildx'); return 1; }`,
    );
    await expect(checkBuildx(docker)).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      message: 'docker has no buildx plugin',
    });
    await expect(chooseBuilder(docker, undefined, needs)).rejects.toMatchObject({ code: 'DOCKER_MISSING' });
  });

  it('that is not installed is missing', async () => {
    const docker = scene.dockerThat('', { PATH: scene.workspace });
    await expect(checkBuildx(docker)).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      hint: expect.stringContaining('Install Docker'),
    });
  });
});

describe('a build', () => {
  it('answers what buildx says that it built', async () => {
    const docker = scene.dockerThat(BUILDS);
    const outcome = await buildImage(docker, {
      settings: buildSettings(),
      builder,
      destination,
      pins: [],
      origin: undefined,
    });
    expect(outcome).toMatchObject({
      descriptor: { mediaType: descriptor.mediaType, digest, sizeBytes: 7 },
      buildRef: 'b/b0/x',
      metadata: { 'containerimage.descriptor': descriptor, 'buildx.build.ref': 'b/b0/x' },
    });
  });

  it('shows its progress as it goes, and judges by the exit code alone', async () => {
    const docker = scene.dockerThat(`err('ERROR: x'); err('${HARMLESS}'); err('#1 DONE');${BUILDS}`);
    await buildImage(docker, { settings: buildSettings(), builder, destination, pins: [], origin: undefined });
    expect(scene.printed).toEqual(['ERROR: x', '#1 DONE']);
  });

  it('keeps secrets out of argv, the log and the error', async () => {
    const docker = scene.dockerThat(
      `err('#5 [1/1] RUN x'); err('#5 0.1 ' + process.env.BUILD_ONCE_SECRET_0); err('#5 ERROR: ' + process.env.FROM_ENV); return 1;`,
      { FROM_ENV: 'correct-horse' },
    );
    const settings = buildSettings({
      secrets: [{ id: 'a', value: 'hunter2' }],
      secretEnvs: [{ id: 'b', env: 'FROM_ENV' }],
    });
    const failed = buildImage(docker, { settings, builder, destination, pins: [], origin: undefined });
    const error = await failed.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BUILD_FAILED' });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/hunter2|correct-horse/);
    expect(scene.printed.join('\n')).not.toMatch(/hunter2|correct-horse/);
    expect(argvs().join('\n')).not.toMatch(/hunter2|correct-horse/);
    expect(scene.calls()[0]?.env['BUILD_ONCE_SECRET_0']).toBe('hunter2');
  });

  it('points at the line of the Dockerfile, relative to the workspace', async () => {
    const docker = scene.dockerThat(
      `err('Dockerfile:3'); err('-'.repeat(20)); err('   3 | >>> RUNN x'); err('-'.repeat(20)); err('ERROR: bad'); return 1;`,
    );
    const settings = (context: string): ReturnType<typeof buildSettings> => buildSettings({ context });
    const inside = {
      settings: settings(path.join(scene.workspace, 'app')),
      builder,
      destination,
      pins: [],
      origin: undefined,
    };
    await expect(buildImage(docker, inside)).rejects.toMatchObject({ location: { file: 'app/Dockerfile', line: 3 } });
    await expect(buildImage(docker, { ...inside, settings: settings('/elsewhere') })).rejects.toMatchObject({
      location: undefined,
    });
  });

  it('uses the images that were hashed, by a source policy that goes with the run', async () => {
    const docker = scene.dockerThat(
      `write('${scene.workspace}/policy', require('node:fs').readFileSync(process.env.EXPERIMENTAL_BUILDKIT_SOURCE_POLICY));${BUILDS}`,
    );
    const pins = [{ reference: 'node:22', digest: (await import('../../src/core/digest.ts')).digestOf('x') }];
    await buildImage(docker, { settings: buildSettings(), builder, destination, pins, origin: undefined });
    expect(fs.readFileSync(path.join(scene.workspace, 'policy'), 'utf8')).toContain(
      'docker-image://docker.io/library/node:22@sha256:',
    );
    await scene.finish();
    expect(fs.existsSync(scene.calls()[0]?.env['EXPERIMENTAL_BUILDKIT_SOURCE_POLICY'] ?? '/')).toBe(false);
  });

  it('that says nothing of its result is an error', async () => {
    const request = { settings: buildSettings(), builder, destination, pins: [], origin: undefined };
    await expect(buildImage(scene.dockerThat(''), request)).rejects.toMatchObject({ code: 'BUILD_FAILED' });
  });

  it('is not begun without its secrets', async () => {
    const docker = scene.dockerThat('');
    const settings = buildSettings({
      secretEnvs: [{ id: 'a', env: 'NOT_SET' }],
      secretFiles: [{ id: 'b', path: 'nope' }],
    });
    const failed = buildImage(docker, { settings, builder, destination, pins: [], origin: undefined });
    await expect(failed).rejects.toMatchObject({ problems: [{ input: 'secret-envs' }, { input: 'secret-files' }] });
    expect(argvs()).toEqual([]);
  });

  it('writes nothing to standard output', async () => {
    const written: unknown[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(text) > 0);
    try {
      const docker = scene.dockerThat(`if (args[1] === 'inspect') out('${INSPECT('b', 'remote', true)}');${BUILDS}`);
      const chosen = await chooseBuilder(docker, undefined, needs);
      await buildImage(docker, {
        settings: buildSettings(),
        builder: chosen,
        destination,
        pins: [],
        origin: undefined,
      });
    } finally {
      write.mockRestore();
    }
    expect(written).toEqual([]);
  });
});
