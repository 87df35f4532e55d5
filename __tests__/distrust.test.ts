import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatStatement, SIGNATURE_PREDICATE } from '../src/core/signed-statement.ts';
import type { TrustPlan } from '../src/core/trust-plan.ts';
import { ownRule } from '../src/core/trust-plan.ts';
import { distrustOf, type FindDistrust } from '../src/distrust.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions } from '../src/options.ts';
import { attachBundle } from '../src/tools/sigstore-attachment.ts';
import { NODE_DIRECTORY } from './support/programs.ts';
import { signAs } from './support/signed-image.ts';
import { makeDirectory, openPlace, openRegistry, openSigstore, type Place, reopenPlace } from './support/signing.ts';
import { GITHUB_ISSUER, type Job } from './support/sigstore.ts';

const MAIN: Job = { repository: 'acme/app', ref: 'refs/heads/main' };
const BY_SIGNATURE: TrustPlan = {
  by: 'signature',
  rules: [
    ownRule({
      repository: 'https://github.com/acme/app',
      ref: 'refs/heads/topic',
      defaultBranch: 'main',
      issuer: GITHUB_ISSUER,
    }),
  ],
};

interface Asked {
  readonly findDistrust: FindDistrust;
  /** What was read from this machine's files, and run on it. */
  readonly done: readonly string[];
}

/** The question of a run in this directory. */
function ask(
  trust: TrustPlan,
  directory: string,
  { inputs = {}, PATH = '/nonexistent' }: { inputs?: Readonly<Record<string, string>>; PATH?: string } = {},
): Asked {
  const done: string[] = [];
  const host = createTerminalHost({ cwd: directory, env: { PATH, HOME: directory }, write: () => {} });
  const files = {
    ...host.files,
    readRegular: (file: string, maxBytes: number) => {
      done.push(`read ${file}`);
      return host.files.readRegular(file, maxBytes);
    },
  };
  const exec: typeof host.exec = (command) => {
    done.push(['run', ...command.argv.slice(1)].join(' '));
    return host.exec(command);
  };
  const { options } = parseOptions({ images: 'ghcr.io/acme/app', 'sigstore-trusted-root': 'root.json', ...inputs });
  const run = { trust, options, host: { ...host, files, exec }, access: { env: {}, signal: host.signal } };
  return { findDistrust: distrustOf(run), done };
}

async function openScene(options: Parameters<typeof openRegistry>[0] = {}) {
  const [services, registry] = await Promise.all([openSigstore(), openRegistry(options)]);
  const directory = makeDirectory();
  writeFileSync(join(directory, 'root.json'), services.trustedRoot);
  return { services, registry, directory, place: await openPlace(registry.host) };
}

const pem = (key: KeyObject): string =>
  key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }).toString();

/** Attaches what `cosign sign --key` would. */
async function signWith(key: KeyObject, { repository, image }: Place): Promise<void> {
  const type = 'application/vnd.in-toto+json';
  const payload = Buffer.from(formatStatement(image.digest, SIGNATURE_PREDICATE, {}));
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
  const bundle = JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'key' } },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: type,
      signatures: [{ sig: sign('sha256', signed, key).toString('base64') }],
    },
  });
  await attachBundle(repository, { image, bundle, predicateType: SIGNATURE_PREDICATE, created: new Date(0) });
}

describe('trust by the content hash', () => {
  it('asks for nothing', async () => {
    const { registry, directory, place } = await openScene();
    registry.forgetRequests();
    const { findDistrust, done } = ask({ by: 'hash' }, directory);
    expect(await findDistrust(place)).toBeUndefined();
    expect([registry.requests, done]).toEqual([[], []]);
  });
});

describe('trust by signature', () => {
  it.each([
    ['with the referrers API', {}, ['GET referrers', 'GET manifest', 'GET manifest', 'GET blob']],
    ['without it', { referrers: false }, ['GET referrers', 'GET manifest', 'GET manifest', 'GET blob']],
  ])(
    'asks a registry %s for the two lists and once for each bundle, Sigstore for nothing, and runs nothing',
    async (_, options, expected) => {
      const { services, registry, directory, place } = await openScene(options);
      await signAs(services, place, MAIN);
      // As the next run does, which knows nothing of what this one learned.
      const again = await reopenPlace(registry.host);
      const asked = services.requests.length;
      registry.forgetRequests();
      const { findDistrust, done } = ask(BY_SIGNATURE, directory);
      expect(await findDistrust(again)).toBeUndefined();
      const requests = registry.requests.map(({ method, kind }) => `${method} ${kind}`);
      expect(requests.toSorted()).toEqual(expected.toSorted());
      expect(new Set(registry.requests.map(({ path }) => path)).size).toBe(requests.length);
      expect(services.requests.slice(asked)).toEqual([]);
      expect(done).toEqual(['read root.json']);
    },
  );

  it('looks at no other signature once one counts', async () => {
    const { services, registry, directory, place } = await openScene();
    for (const ref of ['refs/heads/main', 'refs/tags/v1', 'refs/tags/v2'])
      await signAs(services, place, { ...MAIN, ref });
    registry.forgetRequests();
    expect(await ask(BY_SIGNATURE, directory).findDistrust(place)).toBeUndefined();
    expect(registry.requests.filter(({ kind }) => kind === 'blob')).toHaveLength(1);
  });

  it('counts where a key is given, too, and the key does not', async () => {
    const { services, directory, place } = await openScene();
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const inputs = { 'sign-key': pem(privateKey) };
    await signWith(privateKey, place);
    expect(await ask(BY_SIGNATURE, directory, { inputs }).findDistrust(place)).toMatch(/^none of its signatures/);
    await signAs(services, place, MAIN);
    expect(await ask(BY_SIGNATURE, directory, { inputs }).findDistrust(place)).toBeUndefined();
  });

  it('opens the trusted root once for all images of a run', async () => {
    const { services, registry, directory, place } = await openScene();
    await signAs(services, place, MAIN);
    const other = await openPlace(registry.host, 'acme/other');
    const { findDistrust, done } = ask(BY_SIGNATURE, directory);
    expect(await Promise.all([findDistrust(place), findDistrust(other), findDistrust(place)])).toEqual([
      undefined,
      'it is not signed',
      undefined,
    ]);
    expect(done).toEqual(['read root.json']);
  });

  it('names few of the reasons, each once', async () => {
    const { services, directory, place } = await openScene();
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await signAs(services, place, { ...MAIN, repository: `${name}/app`, workflow: `${name}/app/x.yml` });
    }
    await signAs(services, place, { ...MAIN, repository: 'a/app', ref: 'refs/heads/again' });
    const distrust = await ask(BY_SIGNATURE, directory).findDistrust(place);
    expect(distrust).toMatch(/^none of its signatures counts: (?:its source repository is [^;]+; ){3}and 2 more$/);
  });

  it('is an error where nobody knows whom to trust', async () => {
    const { directory, place } = await openScene();
    writeFileSync(join(directory, 'root.json'), '{}');
    await expect(ask(BY_SIGNATURE, directory).findDistrust(place)).rejects.toMatchObject({
      code: 'VERIFY_ROOT_INVALID',
    });
  });
});

describe('trust by key', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const encrypted = privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'pass' })
    .toString();

  it.each([
    ['the public key', { 'sign-key': pem(publicKey) }],
    ['a private key in PEM form', { 'sign-key': pem(privateKey) }],
    ['an encrypted one', { 'sign-key': encrypted, 'sign-key-password': 'pass' }],
  ])('runs nothing with %s', async (_, inputs) => {
    const { directory, place } = await openScene();
    await signWith(privateKey, place);
    const { findDistrust, done } = ask({ by: 'key' }, directory, { inputs });
    expect(await findDistrust(place)).toBeUndefined();
    expect(done).toEqual([]);
  });

  it('reads the public key from a file', async () => {
    const { directory, place } = await openScene();
    await signWith(privateKey, place);
    writeFileSync(join(directory, 'cosign.pub'), pem(publicKey));
    const { findDistrust, done } = ask({ by: 'key' }, directory, { inputs: { 'sign-key': 'cosign.pub' } });
    expect([await findDistrust(place), await findDistrust(place)]).toEqual([undefined, undefined]);
    expect(done).toEqual(['read cosign.pub']);
  });

  it("asks cosign once for the public half of a service's key", async () => {
    const { directory, place } = await openScene();
    await signWith(privateKey, place);
    writeFileSync(join(directory, 'cosign.pub'), pem(publicKey));
    mkdirSync(join(directory, 'bin'));
    const script = [
      '#!/bin/sh',
      'case $1 in',
      `version) echo '{"gitVersion":"v3.0.6"}' ;;`,
      `public-key) while read -r line; do echo "$line"; done <'${join(directory, 'cosign.pub')}' ;;`,
      'esac',
    ];
    writeFileSync(join(directory, 'bin/cosign'), script.join('\n'), { mode: 0o755 });
    const { findDistrust, done } = ask({ by: 'key' }, directory, {
      inputs: { 'sign-key': 'awskms:///alias/x' },
      PATH: `${join(directory, 'bin')}:${NODE_DIRECTORY}`,
    });
    expect([await findDistrust(place), await findDistrust(place)]).toEqual([undefined, undefined]);
    expect(done.filter((line) => line.startsWith('run public-key'))).toEqual([
      'run public-key --key=awskms:///alias/x',
    ]);
  });

  it.each<[string, KeyObject | undefined, RegExp]>([
    ['nobody has signed', undefined, /^it is not signed$/],
    [
      'another key has signed',
      generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
      /^none of its signatures counts: /,
    ],
  ])('does not accept what %s', async (_, key, expected) => {
    const { directory, place } = await openScene();
    if (key !== undefined) await signWith(key, place);
    const inputs = { 'sign-key': pem(publicKey) };
    expect(await ask({ by: 'key' }, directory, { inputs }).findDistrust(place)).toMatch(expected);
  });

  it('does not accept a job of our own: it has no key', async () => {
    const { services, directory, place } = await openScene();
    await signAs(services, place, MAIN);
    const inputs = { 'sign-key': pem(publicKey) };
    expect(await ask({ by: 'key' }, directory, { inputs }).findDistrust(place)).toMatch(/^none of its signatures/);
  });

  it('is an error with what is no key', async () => {
    const { directory, place } = await openScene();
    const wrong = { 'sign-key': encrypted, 'sign-key-password': 'other' };
    await expect(ask({ by: 'key' }, directory, { inputs: wrong }).findDistrust(place)).rejects.toMatchObject({
      code: 'SIGN_KEY_INVALID',
    });
  });
});
