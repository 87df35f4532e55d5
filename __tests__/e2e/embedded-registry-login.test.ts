import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { parseJson, textAt } from '../../src/core/json.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { all } from '../registry/sample-image.ts';
import { hasOpenssl, type KeyPair, makeAuthority } from '../support/certificates.ts';
import { findProgram, mustRun, run } from '../support/programs.ts';
import { makeDockerConfig } from '../support/toolchain.ts';

const toolchain = inject('toolchain');
const hasCosign = findProgram('cosign', toolchain.env['PATH'] ?? '') !== undefined;
const users = [
  { name: 'tester', password: 'se:cret' },
  { name: 'reader', password: 'r', rights: { '*': ['pull'] } },
] as const;
const KINDS = [
  { kind: 'basic', tls: false },
  { kind: 'bearer', tls: false },
  { kind: 'basic', tls: true },
  { kind: 'bearer', tls: true },
] as const;

let directory: string;
let keyPair: KeyPair | undefined;
let registry: RunningRegistry;
/** A DOCKER_CONFIG of each test's own, so that its logins are its own. */
let env: Record<string, string>;
beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'login-'));
  mkdirSync(path.join(directory, 'context'));
  writeFileSync(path.join(directory, 'context/file'), randomUUID());
  writeFileSync(path.join(directory, 'context/Dockerfile'), 'FROM scratch\nCOPY file /\n');
  await mustRun(['tar', '-cf', 'layer.tar', '-C', 'context', 'file'], { cwd: directory });
  if (!hasOpenssl) return;
  const authority = makeAuthority();
  keyPair = authority.issue('127.0.0.1');
  writeFileSync(path.join(directory, 'authority.pem'), authority.cert);
});
afterAll(() => rmSync(directory, { recursive: true }));

function optionsOf(variant: (typeof KINDS)[number]): RegistryOptions {
  const auth = { kind: variant.kind, users };
  return variant.tls && keyPair !== undefined ? { auth, tls: keyPair } : { auth };
}

const tool = (...argv: readonly [string, ...string[]]): Promise<string> => mustRun(argv, { env, cwd: directory });
const reference = (rest: string): string => `${registry.host}/${rest}`;
const login = (argv: readonly [string, ...string[]], name = 'tester', password = 'se:cret') =>
  run([...argv, '--username', name, '--password-stdin', registry.host], { env, cwd: directory, stdin: password });
const craneImage = (tag: string): Promise<string> =>
  tool('crane', 'append', '--oci-empty-base', '-f', 'layer.tar', '-t', reference(tag));

describe.each(KINDS.filter(({ tls }) => hasOpenssl || !tls))(
  'the embedded registry with a login: $kind, TLS $tls',
  (variant) => {
    const { kind, tls } = variant;
    beforeEach(async () => {
      registry = await startRegistry(optionsOf(variant));
      const trust: Record<string, string> = tls ? { SSL_CERT_FILE: path.join(directory, 'authority.pem') } : {};
      const config = makeDockerConfig(toolchain, directory);
      env = { ...toolchain.env, ...trust, DOCKER_CONFIG: config, HOME: directory, COSIGN_PASSWORD: 'secret' };
    });
    afterEach(() => registry.close());

    // Without a certificate in its own folders the engine trusts a registry of this machine, but no token service.
    const engineTrusts = !(tls && kind === 'bearer');
    if (engineTrusts)
      describe.skipIf(!toolchain.layers.docker)('and docker', () => {
        it('login, push, pull, and not with a wrong password', async () => {
          const remote = reference(`acme/${randomUUID()}:1`);
          expect((await login(['docker', 'login'], 'tester', 'wrong')).status).not.toBe(0);
          await tool('docker', 'buildx', 'build', '--load', '--tag', remote, 'context');
          expect((await run(['docker', 'push', remote], { env })).status).not.toBe(0);
          expect(await login(['docker', 'login'])).toMatchObject({ status: 0 });
          await tool('docker', 'push', remote);
          await tool('docker', 'rmi', remote);
          registry.expireTokens();
          await tool('docker', 'pull', remote);
          await tool('docker', 'rmi', remote);
          expect(await registry.integrity()).toEqual([]);
        });

        it('build and push from buildx', async () => {
          expect(await login(['docker', 'login'])).toMatchObject({ status: 0 });
          const platforms = 'linux/amd64,linux/arm64';
          const image = reference(`acme/${randomUUID()}:1`);
          await tool('docker', 'buildx', 'build', '--push', '--platform', platforms, '--tag', image, 'context');
          // It speaks plain http to this machine.
          if (!tls) await tool('docker', 'buildx', 'imagetools', 'inspect', image);
          expect(await registry.integrity()).toEqual([]);
        });

        it('leave a login that opens the registry for our client', async () => {
          expect(await login(['docker', 'login'])).toMatchObject({ status: 0 });
          const config = parseJson(readFileSync(path.join(env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8'));
          const identityToken = textAt(config, 'auths', registry.host, 'identitytoken');
          expect(identityToken === undefined).toBe(kind === 'basic');
          // Our client speaks plain http to this machine.
          if (tls) return;
          const image = reference('acme/app:1');
          await tool('docker', 'buildx', 'build', '--push', '--tag', image, 'context');
          const registries = openRegistries({ env });
          try {
            const repository = registries.open({ registry: registry.host, path: 'acme/app' }, 'push');
            await repository.checkPushAccess();
            expect(await all(repository.tags())).toEqual(['1']);
          } finally {
            registries.close();
          }
        });
      });

    describe.skipIf(!toolchain.layers.crane)('and crane', () => {
      it('log in, push, copy by mount, list and read, and not with a wrong password or right', async () => {
        expect((await run(['crane', 'ls', reference('acme/app')], { env })).status).not.toBe(0);
        await login(['crane', 'auth', 'login'], 'tester', 'wrong');
        expect((await run(['crane', 'catalog', registry.host], { env })).status).not.toBe(0);
        expect(await login(['crane', 'auth', 'login'])).toMatchObject({ status: 0 });
        await craneImage('acme/app:1');
        registry.forgetRequests();
        await tool('crane', 'copy', reference('acme/app:1'), reference('acme/copy:1'));
        expect(registry.requests.filter(({ method }) => method === 'PATCH')).toEqual([]);
        await tool('crane', 'validate', '--remote', reference('acme/copy:1'));
        expect(await tool('crane', 'catalog', registry.host)).toBe('acme/app\nacme/copy');
        expect(await login(['crane', 'auth', 'login'], 'reader', 'r')).toMatchObject({ status: 0 });
        expect(await tool('crane', 'ls', reference('acme/app'))).toBe('1');
        expect((await run(['crane', 'tag', reference('acme/app:1'), '2'], { env })).stderr).toMatch(/DENIED/);
      });
    });

    describe.skipIf(!toolchain.layers.crane || !hasCosign)('and cosign', () => {
      it('sign and verify', async () => {
        expect(await login(['crane', 'auth', 'login'])).toMatchObject({ status: 0 });
        await tool('cosign', 'generate-key-pair', '--output-key-prefix', `key-${kind}-${tls}`);
        await tool('cosign', 'signing-config', 'create', '--out', 'signing.json');
        const image = await craneImage('acme/app:1');
        await tool(
          'cosign',
          'sign',
          '-y',
          '--key',
          `key-${kind}-${tls}.key`,
          '--signing-config',
          'signing.json',
          image,
        );
        await tool('cosign', 'verify', '--key', `key-${kind}-${tls}.pub`, '--insecure-ignore-tlog=true', image);
        expect(await registry.integrity()).toEqual([]);
      });
    });
  },
);
