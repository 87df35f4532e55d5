import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { isDigest } from '../../src/core/digest.ts';
import { textAt } from '../../src/core/json.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { openLayout } from '../../src/registry/layout.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { type RequestKind, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { describeRepositoryContract } from '../registry/contract.ts';
import { all } from '../registry/sample-image.ts';
import { findProgram, mustRun, run } from '../support/programs.ts';
import { makeDockerConfig } from '../support/toolchain.ts';

const toolchain = inject('toolchain');
const hasCosign = findProgram('cosign', toolchain.env['PATH'] ?? '') !== undefined;
const registries = openRegistries({ env: {} });
afterAll(() => registries.close());

describe.skipIf(!toolchain.layers.registry)('the client and the real docker-registry', () => {
  describeRepositoryContract('docker-registry', async () => ({
    repository: registries.open({ registry: toolchain.registry, path: `contract/${randomUUID()}` }),
  }));
});

let directory: string;
let env: Record<string, string>;
let registry: RunningRegistry;
beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'embedded-'));
  const config = makeDockerConfig(toolchain, directory);
  env = { ...toolchain.env, DOCKER_CONFIG: config, HOME: directory, COSIGN_PASSWORD: 'secret' };
  mkdirSync(path.join(directory, 'context'));
  writeFileSync(path.join(directory, 'context/file'), randomUUID());
  writeFileSync(
    path.join(directory, 'context/Dockerfile'),
    'FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\nCOPY file /\n',
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

// In memory and in a folder: the same registry to the programs.
describe.each(['memory', 'folder'])('the embedded registry in %s', (kind) => {
  beforeEach(async () => {
    registry = await startRegistry(kind === 'memory' ? {} : { directory: path.join(directory, randomUUID()) });
  });
  afterEach(() => registry.close());

  const tool = (...argv: readonly [string, ...string[]]): Promise<string> => mustRun(argv, { env, cwd: directory });
  const reference = (rest: string): string => `${registry.host}/${rest}`;
  const kinds = (method: string): RequestKind[] =>
    registry.requests.filter((one) => one.method === method).map((one) => one.kind);

  /** By platform: crane takes the statements of attestations for layers that it cannot unpack. */
  async function validatePlatforms(rest: string): Promise<void> {
    if (!toolchain.layers.crane) return;
    for (const platform of ['linux/amd64', 'linux/arm64']) {
      await tool('crane', 'validate', '--platform', platform, '--remote', reference(rest));
    }
  }

  async function craneImage(): Promise<string> {
    const layer = path.join(directory, 'layer.tar');
    await tool('tar', '-cf', layer, '-C', path.join(directory, 'context'), 'file');
    return tool('crane', 'append', '--oci-empty-base', '-f', layer, '-t', reference('acme/app:1'));
  }

  describe.skipIf(!toolchain.layers.crane)('and crane', () => {
    it('push, validate, list, copy by mount, tag and delete', async () => {
      const pushed = await craneImage();
      await tool('crane', 'validate', '--remote', reference('acme/app:1'));
      await tool('crane', 'tag', reference('acme/app:1'), '1.2');
      registry.forgetRequests();
      await tool('crane', 'copy', reference('acme/app:1'), reference('acme/copy:1'));
      expect(kinds('PATCH')).toEqual([]);
      expect(await tool('crane', 'digest', reference('acme/copy:1'))).toBe(pushed.split('@')[1]);
      expect(await tool('crane', 'ls', reference('acme/app'))).toBe('1\n1.2');
      expect(await tool('crane', 'catalog', registry.host)).toBe('acme/app\nacme/copy');
      await tool('crane', 'delete', pushed);
      expect(await tool('crane', 'ls', reference('acme/app'))).toBe('');
      await tool('crane', 'validate', '--remote', reference('acme/copy:1'));
    });

    it('copy every tag, read a blob and a manifest, delete one tag', async () => {
      const digest = (await craneImage()).split('@')[1] ?? '';
      await tool('crane', 'tag', reference('acme/app:1'), '1.2');
      await tool('crane', 'copy', '--all-tags', reference('acme/app'), reference('acme/all'));
      expect(await tool('crane', 'ls', '--full-ref', reference('acme/all'))).toBe(
        `${reference('acme/all:1')}\n${reference('acme/all:1.2')}`,
      );
      const manifest = await tool('crane', 'manifest', reference(`acme/all@${digest}`));
      const config = textAt(JSON.parse(manifest), 'config', 'digest') ?? '';
      expect(await tool('crane', 'blob', reference(`acme/all@${config}`))).toBe(
        await tool('crane', 'config', reference('acme/all:1')),
      );
      await tool('crane', 'delete', reference('acme/all:1.2'));
      expect(await tool('crane', 'ls', reference('acme/all'))).toBe('1');
      expect(await tool('crane', 'digest', reference('acme/all:1'))).toBe(digest);
    });

    it('copies an image of the real docker-registry, all platforms', async () => {
      if (toolchain.baseImage === '') return;
      await tool('crane', 'copy', toolchain.baseImage, reference('base/busybox:1'));
      await tool('crane', 'validate', '--remote', reference('base/busybox:1'));
      expect(await tool('crane', 'digest', reference('base/busybox:1'))).toBe(
        await tool('crane', 'digest', toolchain.baseImage),
      );
    });
  });

  describe.skipIf(!toolchain.layers.crane || !hasCosign)('and cosign', () => {
    beforeAll(async () => {
      await mustRun(['cosign', 'generate-key-pair', '--output-key-prefix', `key-${kind}`], { env, cwd: directory });
      await mustRun(['cosign', 'signing-config', 'create', '--out', 'signing.json'], { env, cwd: directory });
    });
    const verify = ['cosign', 'verify', '--key', `key-${kind}.pub`, '--insecure-ignore-tlog=true'] as const;

    it('sign, find the signature through the referrers API, and verify', async () => {
      const image = await craneImage();
      expect((await run([...verify, image], { env, cwd: directory })).status).not.toBe(0);
      await tool('cosign', 'sign', '-y', '--key', `key-${kind}.key`, '--signing-config', 'signing.json', image);
      await tool(...verify, image);
      // No fallback tag: the registry said that it keeps referrers itself.
      expect(await tool('crane', 'ls', reference('acme/app'))).toBe('1');
      const digest = image.split('@')[1] ?? '';
      const repository = registries.open({ registry: registry.host, path: 'acme/app' });
      const subject = isDigest(digest) ? await repository.resolve({ digest }) : undefined;
      const signatures = subject === undefined ? [] : await all(repository.referrers(subject));
      expect(signatures.map(({ artifactType }) => artifactType)).toEqual([
        'application/vnd.dev.sigstore.bundle.v0.3+json',
      ]);
    });

    it('keep a signature in the old form, as a referrer', async () => {
      const image = await craneImage();
      const old = ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false'] as const;
      const sign = ['cosign', 'sign', '-y', '--key', `key-${kind}.key`, '--registry-referrers-mode=oci-1-1'] as const;
      await mustRun([...sign, ...old, image], { env: { ...env, COSIGN_EXPERIMENTAL: '1' }, cwd: directory });
      expect(await tool('crane', 'ls', reference('acme/app'))).toBe('1');
      await tool(...verify, '--new-bundle-format=false', '--experimental-oci11', image);
    });

    it('keep a signature in the old form, as a tag', async () => {
      const image = await craneImage();
      const old = ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false'] as const;
      await tool('cosign', 'sign', '-y', '--key', `key-${kind}.key`, ...old, image);
      await tool(...verify, image);
      expect(await tool('crane', 'ls', reference('acme/app'))).toMatch(/sha256-[0-9a-f]{64}\.sig/);
    });
  });

  describe.skipIf(!toolchain.layers.docker)('and dockerd', () => {
    it('push and pull', async () => {
      const [local, remote] = [reference(`acme/${randomUUID()}:1`), reference('acme/app:1')];
      await tool('docker', 'buildx', 'build', '--load', '--tag', local, 'context');
      await tool('docker', 'tag', local, remote);
      await tool('docker', 'push', remote);
      await tool('docker', 'rmi', local, remote);
      await tool('docker', 'pull', remote);
      expect(await tool('docker', 'image', 'inspect', '--format', '{{.Config.Labels.a}}', remote)).toMatch(
        /^(amd|arm)64$/,
      );
      await tool('docker', 'rmi', remote);
    });

    it('build two platforms with attestations, push, and import the cache', async () => {
      const build = ['docker', 'buildx', 'build', '--push', '--platform', 'linux/amd64,linux/arm64'] as const;
      const cache = `type=registry,ref=${reference('acme/app:cache')},mode=max`;
      await tool(...build, '--provenance=mode=max', '--cache-to', cache, '--tag', reference('acme/app:1'), 'context');
      await tool(...build, '--cache-from', cache, '--tag', reference('acme/app:2'), 'context');
      const repository = registries.open({ registry: registry.host, path: 'acme/app' });
      const image = await fetchImage(repository, { tag: '1' });
      expect(image?.manifest.kind === 'index' ? image.manifest.manifests.length : 0).toBe(4);
      await tool(
        'docker',
        'buildx',
        'imagetools',
        'create',
        '--tag',
        reference('acme/other:1'),
        reference('acme/app:1'),
      );
      const copied = await registries.open({ registry: registry.host, path: 'acme/other' }).resolve({ tag: '1' });
      expect(copied?.digest).toBe(image?.descriptor.digest);
      await validatePlatforms('acme/other:1');
    });

    it('pull by digest and by platform', async () => {
      const build = ['docker', 'buildx', 'build', '--push', '--platform', 'linux/amd64,linux/arm64'] as const;
      await tool(...build, '--tag', reference('acme/app:1'), 'context');
      const image = await fetchImage(registries.open({ registry: registry.host, path: 'acme/app' }), { tag: '1' });
      const byDigest = reference(`acme/app@${image?.descriptor.digest ?? ''}`);
      for (const [architecture, pulled] of [
        ['arm64', reference('acme/app:1')],
        ['amd64', byDigest],
      ] as const) {
        await tool('docker', 'pull', '--platform', `linux/${architecture}`, pulled);
        const inspect = ['docker', 'image', 'inspect', '--platform', `linux/${architecture}`, '--format'] as const;
        expect(await tool(...inspect, '{{.Config.Labels.a}}', pulled)).toBe(architecture);
      }
      await tool('docker', 'rmi', reference('acme/app:1'));
    });

    it('leave a layout that we read, copy into the registry, and that is valid there', async () => {
      const layoutPath = path.join(directory, randomUUID());
      const output = `type=oci,tar=false,dest=${layoutPath}`;
      await tool('docker', 'buildx', 'build', '--platform', 'linux/amd64,linux/arm64', '--output', output, 'context');
      const layout = openLayout(layoutPath);
      const [root, ...others] = await layout.roots();
      expect(others).toEqual([]);
      if (root === undefined) throw new Error('the layout is empty');
      const repository = registries.open({ registry: registry.host, path: 'acme/app' });
      await copyImage(layout, repository, root);
      await repository.tag(root, 'copied');
      expect(await repository.resolve({ tag: 'copied' })).toEqual(root);
      await tool('docker', 'pull', reference('acme/app:copied'));
      await tool('docker', 'rmi', reference('acme/app:copied'));
      await validatePlatforms('acme/app:copied');
    });
  });

  describe.skipIf(!toolchain.layers.buildkit)('and a builder of real BuildKit', () => {
    it('push by digest', async () => {
      const builder = `b-${randomUUID()}`;
      const create = [
        'docker',
        'buildx',
        'create',
        '--driver',
        'docker-container',
        '--driver-opt',
        'network=host',
      ] as const;
      await tool(...create, '--name', builder, '--bootstrap');
      try {
        const output = `type=image,name=${reference('acme/app')},push-by-digest=true,name-canonical=true,push=true`;
        const metadata = path.join(directory, `${builder}.json`);
        const platforms = 'linux/amd64,linux/arm64';
        const build = ['docker', 'buildx', 'build', '--builder', builder, '--platform', platforms] as const;
        await tool(...build, '--output', output, '--metadata-file', metadata, 'context');
        expect(kinds('PUT')).toContain('manifest');
        const repository = registries.open({ registry: registry.host, path: 'acme/app' });
        expect(await all(repository.tags())).toEqual([]);
      } finally {
        await tool('docker', 'buildx', 'rm', builder);
      }
    });
  });
});
