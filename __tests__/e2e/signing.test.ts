import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type RegistryProxy, startRegistryProxy } from '../support/registry-proxy.ts';
import type { ActionResult } from '../support/runner.ts';
import { openSigstore } from '../support/signing.ts';
import type { SigstoreServices } from '../support/sigstore.ts';
import { generateKeys } from '../tools/cosign-keys.ts';
import { makeBuilder } from './scan-job.ts';

const toolchain = inject('toolchain');
const { docker, buildkit, cosign, crane } = toolchain.layers;
const RELEASE = { name: 'push', ref: 'refs/tags/v1.2.3' };
const RELEASED = ['1.2.3', '1.2', '1', 'latest'];
const TIMEOUT_MS = 240_000;

describe.skipIf(!docker || !cosign || !crane)("a signed image in Debian's registry", () => {
  let sigstore: SigstoreServices;
  let job: Job;
  let proxy: RegistryProxy;
  let image: string;
  let inputs: Record<string, string>;

  beforeAll(async () => {
    proxy = await startRegistryProxy(toolchain.registry);
  });
  afterAll(() => proxy.close());
  beforeEach(async () => {
    sigstore = await openSigstore();
    job = openJob(toolchain);
    job.write({ 'root.json': sigstore.trustedRoot, 'config.json': sigstore.signingConfig });
    image = `${proxy.host}/t/${randomUUID()}`;
    inputs = {
      images: image,
      platforms: 'linux/amd64,linux/arm64',
      'build-args': `BASE=${toolchain.baseImage}`,
      trust: 'hash',
    };
  });
  afterEach(() => {
    proxy.release();
    job.remove();
  });

  const keyless = (more: Parameters<Job['step']>[1] = {}, given: Readonly<Record<string, string>> = {}) =>
    job.step(
      {
        ...inputs,
        sign: 'keyless',
        'sigstore-trusted-root': 'root.json',
        'sigstore-signing-config': 'config.json',
        ...given,
      },
      { event: RELEASE, ...more, env: sigstore.jobEnv({ repository: 'acme/app', ref: RELEASE.ref }) },
    );
  const digestOf = (tag: string): Promise<string> => job.run('crane', '--insecure', 'digest', `${image}:${tag}`);
  /** What the step says that a consumer runs, in a shell, for the image and each of its platforms. */
  const verifyAsConsumer = async ({ outputs, log }: ActionResult): Promise<void> => {
    const { digest = '', 'verify-command': command = '' } = outputs;
    expect(command, log).toContain(digest);
    const platforms: readonly unknown[] = Object.values(JSON.parse(outputs['platforms-digests'] ?? ''));
    expect(platforms).toHaveLength(2);
    for (const one of [digest, ...platforms])
      expect(await job.run('sh', '-c', command.replace(digest, String(one)))).toContain(String(one));
  };

  it.each(['docker', ...(buildkit ? ['docker-container'] : [])])(
    'is what the verify-command proves with cosign, each platform as well: %s',
    { timeout: TIMEOUT_MS },
    async (driver) => {
      const builder = driver === 'docker' ? undefined : await makeBuilder(job);
      try {
        const result = await keyless({}, builder === undefined ? {} : { builder });
        expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'true', signed: 'true' } });
        await verifyAsConsumer(result);
        const again = await keyless();
        expect(again, again.log).toMatchObject({ outputs: { built: 'false', signed: 'true' } });
        expect(again.log).toContain('0 signed, 3 signed before');
      } finally {
        if (builder !== undefined) await job.run('docker', 'buildx', 'rm', '--force', builder);
      }
    },
  );

  it.each([
    ['the push and the hash tag', '/manifests/hash-', []],
    ['the hash tag and the version', '/manifests/1.2.3', ['hash']],
  ])(
    'is there behind every tag when the run is killed between %s, and the next run completes it',
    { timeout: TIMEOUT_MS },
    async (_, place, before) => {
      let there = false;
      void proxy
        .hold(({ method, path }) => method === 'PUT' && path.includes(place))
        .then(() => {
          there = true;
        });
      const killed = await keyless({ interrupt: { signal: 'SIGKILL', when: () => there } });
      expect(killed, killed.log).toMatchObject({ status: 'failure', signal: 'SIGKILL' });
      const tagged = proxy.requests.filter(({ method, path }) => method === 'PUT' && path.includes(image.slice(-36)));
      const names = tagged
        .map(({ path }) => path.replace(/^.*\/manifests\//, ''))
        .filter((name) => /^(hash|\d)/.test(name));
      expect(names.slice(0, -1).map((name) => name.slice(0, 4))).toEqual(before);
      proxy.release();
      const next = await keyless();
      expect(next, next.log).toMatchObject({ status: 'success', outputs: { signed: 'true' } });
      expect(new Set(await Promise.all(RELEASED.map(digestOf)))).toEqual(new Set([next.outputs['digest']]));
      await verifyAsConsumer(next);
    },
  );

  it('with a key: signed on a miss and on a hit, once, and cosign verifies it with the public key', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const password = 'password-of-the-key';
    const PATH = job.env['PATH'] ?? '';
    const { key, publicKey } = await generateKeys(job.directory, { name: 'cosign', password, PATH });
    job.write({ 'cosign.pub': publicKey });
    const withKey = () => job.step({ ...inputs, sign: 'key', 'sign-key': key, 'sign-key-password': password });
    const unsigned = await job.step({ ...inputs, sign: 'none' });
    expect(unsigned.outputs).toMatchObject({ built: 'true', signed: 'false', 'verify-command': '' });
    const hit = await withKey();
    expect(hit, hit.log).toMatchObject({ outputs: { built: 'false', signed: 'true' } });
    await verifyAsConsumer(hit);
    expect((await withKey()).log).toContain('0 signed, 3 signed before');
    job.write({ 'src/main.js': 'console.log(2)\n' });
    const miss = await withKey();
    expect(miss, miss.log).toMatchObject({ outputs: { built: 'true', signed: 'true' } });
    await verifyAsConsumer(miss);
    expect(`${miss.log}${miss.summary}${JSON.stringify(miss.outputs)}`).not.toContain(password);
    const cli = [`${NODE_DIRECTORY}/node`, `${CHECKOUT}/dist/cli.js`] as const;
    expect(await job.run(...cli, 'verify', `${image}:main`, '--sign-key=cosign.pub')).toContain('with the key');
    const other = await generateKeys(job.directory, { name: 'other', password, PATH });
    job.write({ 'other.pub': other.publicKey });
    await expect(job.run(...cli, 'verify', `${image}:main`, '--sign-key=other.pub')).rejects.toThrow('UNVERIFIED');
  });
});
