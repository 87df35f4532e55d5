import { createPublicKey, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { parseSigningKey } from '../../src/core/signing-key.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { formatDescriptor } from '../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../src/oci/types.ts';
import { Secret } from '../../src/registry/credentials.ts';
import { openRegistries, type RegistriesSettings } from '../../src/registry/open.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { startRegistry } from '../../src/registry/server.ts';
import type { Cosign } from '../../src/tools/cosign-install.ts';
import type { OpenKey } from '../../src/tools/cosign-key.ts';
import type { SigningServices } from '../../src/tools/cosign-sign.ts';
import type { KeyVerdict } from '../../src/tools/cosign-verify.ts';
import { loadCosign } from '../../src/tools/load.ts';
import { openScanAccess } from '../../src/tools/trivy-access.ts';
import { all, pieceOf, pushImage, sampleImage } from '../registry/sample-image.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { findProgram, mustRun } from '../support/programs.ts';
import { generateKeys, type KeyFiles, pemKey } from '../tools/cosign-keys.ts';

const { findCosign, NO_SERVICES, openKey, publicKeyOf, signStatement, verifyWithKey } = await loadCosign();
const toolchain = inject('toolchain');
const PATH = toolchain.env['PATH'] ?? '';
const hasCosign = findProgram('cosign', PATH) !== undefined;
const PASSWORD = 'pass-word-of-the-key';
const SIGNATURE = 'https://sigstore.dev/cosign/sign/v1';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** Two pairs that all tests share: to make one takes long. */
let keyDirectory: string;
let ours: KeyFiles;
let other: KeyFiles;
let installed: Cosign;
beforeAll(async () => {
  if (!hasCosign) return;
  keyDirectory = fs.mkdtempSync(path.join(os.tmpdir(), 'sign-with-key-'));
  ours = await generateKeys(keyDirectory, { name: 'ours', password: PASSWORD, PATH });
  other = await generateKeys(keyDirectory, { name: 'other', password: PASSWORD, PATH });
  installed = await findCosign(createTerminalHost({ env: { PATH } }), { transport: {} });
});
afterAll(() => {
  if (hasCosign) fs.rmSync(keyDirectory, { recursive: true });
});

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let cosign: Cosign;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sign-with-key-'));
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}): void {
  lines = [];
  host = createTerminalHost({
    cwd: directory,
    env: { PATH, HOME: path.join(directory, 'home'), BUILD_ONCE_DEBUG: 'true', TMPDIR: directory, ...env },
    write: (line) => void lines.push(line),
  });
  cosign = { ...installed, host };
}

async function openNamed(text: string, password: string | undefined = PASSWORD): Promise<OpenKey> {
  const key = parseSigningKey(text);
  if (!key.ok) throw new Error(key.problem);
  return openKey(cosign, { key: key.value, password: password === undefined ? undefined : new Secret(password) });
}

const statementOf = (digest: Digest, predicateType = SIGNATURE): string =>
  JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: digest.slice(7) }, annotations: {} }],
    predicateType,
    predicate: {},
  });

/** As cosign 3 attaches a bundle, through our own client. */
async function attach(repository: Repository, image: Descriptor, bundle: Uint8Array): Promise<void> {
  const config = pieceOf('{}', MEDIA_TYPES.ociEmpty);
  const layer = pieceOf(bundle, BUNDLE);
  const manifest = pieceOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: BUNDLE,
      config: formatDescriptor(config.descriptor),
      layers: [formatDescriptor(layer.descriptor)],
      subject: formatDescriptor(image),
      annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope', 'dev.sigstore.bundle.predicateType': SIGNATURE },
    }),
    MEDIA_TYPES.ociManifest,
  );
  for (const { descriptor, bytes } of [config, layer, manifest]) await repository.push(descriptor, bytes);
}

interface Place {
  readonly repository: Repository;
  readonly image: Descriptor;
  readonly reference: string;
  /** What a consumer with this public key finds. */
  readonly verify: (publicKey: string) => Promise<KeyVerdict>;
  readonly signAndAttach: (key: OpenKey) => Promise<void>;
}

/** An image in a repository of its own. */
async function place(registry: string, settings: Omit<RegistriesSettings, 'env'> = {}): Promise<Place> {
  const registries = openRegistries({ env: {}, ...settings });
  onTestFinished(() => registries.close());
  const name = { registry, path: `signed/${randomUUID()}` };
  const repository = registries.open(name, 'push');
  const image = await pushImage(repository, sampleImage());
  return {
    repository,
    image,
    reference: `${registry}/${name.path}@${image.digest}`,
    async verify(publicKey) {
      const access = await openScanAccess(host, name, {
        registries,
        authorities: settings.authorities,
        plainRegistries: [],
      });
      return verifyWithKey(cosign, { repository: name, digest: image.digest, publicKey, log: 'ignored', access });
    },
    async signAndAttach(key) {
      await attach(repository, image, await signStatement(key, statementOf(image.digest), NO_SERVICES));
    },
  };
}

async function embedded(options: Parameters<typeof startRegistry>[0] = {}): Promise<string> {
  const registry = await startRegistry(options);
  onTestFinished(() => registry.close());
  return registry.host;
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; exitCode: number }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it did not fail', { cause: error });
  return { code: error.code, message: error.message, exitCode: error.exitCode };
}

const { registry, authRegistry, tlsRegistry } = toolchain;
const REGISTRIES: readonly (readonly [string, () => Promise<string>, Omit<RegistriesSettings, 'env'>])[] = [
  ['the embedded registry', () => embedded(), {}],
  ['the embedded registry without the referrers API', () => embedded({ referrers: false }), {}],
  ...(toolchain.layers.registry
    ? ([
        ['docker-registry', () => Promise.resolve(registry), {}],
        [
          'docker-registry with a login',
          () => Promise.resolve(authRegistry.host),
          {
            explicit: { registry: authRegistry.host, username: authRegistry.username, password: authRegistry.password },
          },
        ],
      ] as const)
    : []),
  ...(toolchain.layers.tls
    ? ([
        [
          'docker-registry with TLS and a login',
          () => Promise.resolve(tlsRegistry.host),
          {
            explicit: { registry: tlsRegistry.host, username: tlsRegistry.username, password: tlsRegistry.password },
            authorities: fs.readFileSync(tlsRegistry.certificate, 'utf8'),
          },
        ],
      ] as const)
    : []),
];

describe.skipIf(!hasCosign)('a signature with a key', () => {
  it.each(REGISTRIES)('is what cosign verifies, and not with another key: %s', async (_, start, settings) => {
    const { verify, signAndAttach } = await place(await start(), settings);
    expect(await verify(ours.publicKey)).toEqual({ kind: 'unsigned' });
    await signAndAttach(await openNamed(ours.key));
    expect(await verify(ours.publicKey)).toEqual({ kind: 'verified', signatures: 1 });
    expect(await verify(other.publicKey)).toMatchObject({ kind: 'refused' });
  });

  it('stays when two sign at once where there is no referrers API', async () => {
    const { verify, signAndAttach, repository, image } = await place(await embedded({ referrers: false }));
    const pairs = [ours, other];
    await Promise.all(pairs.map(async ({ key }) => signAndAttach(await openNamed(key))));
    expect(await all(repository.referrers(image, BUNDLE))).toHaveLength(2);
    for (const { publicKey } of pairs) expect(await verify(publicKey)).toEqual({ kind: 'verified', signatures: 1 });
  });

  it('is not what a signed statement of another kind, or of another image, is', async () => {
    const { verify, repository, image } = await place(await embedded());
    const key = await openNamed(ours.key);
    const provenance = statementOf(image.digest, 'https://slsa.dev/provenance/v1');
    await attach(repository, image, await signStatement(key, provenance, NO_SERVICES));
    expect((await verify(ours.publicKey)).kind).not.toBe('verified');
    const elsewhere = statementOf(digestOf('another image'));
    await attach(repository, image, await signStatement(key, elsewhere, NO_SERVICES));
    expect((await verify(ours.publicKey)).kind).not.toBe('verified');
  });

  it('is refused when a byte of what is signed differs', async () => {
    const { verify, repository, image } = await place(await embedded());
    const bundle = await signStatement(await openNamed(ours.key), statementOf(digestOf('another image')), NO_SERVICES);
    const json = JSON.parse(Buffer.from(bundle).toString('utf8'));
    json.dsseEnvelope.payload = Buffer.from(statementOf(image.digest)).toString('base64');
    await attach(repository, image, Buffer.from(JSON.stringify(json)));
    expect(await verify(ours.publicKey)).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['as a bundle', []],
    ['in the old form', ['--new-bundle-format=false']],
  ])('of cosign itself is verified: %s', async (_, flags) => {
    const { verify, reference } = await place(await embedded());
    const { key, publicKey } = ours;
    const plain = ['--use-signing-config=false', '--tlog-upload=false', ...flags];
    const env = { PATH, HOME: directory, COSIGN_PASSWORD: PASSWORD };
    await mustRun(['cosign', 'sign', '--yes', `--key=${key}`, ...plain, reference], { env, cwd: directory });
    expect(await verify(publicKey)).toEqual({ kind: 'verified', signatures: 1 });
  });

  it('says that there is no telling where the registry does not answer', async () => {
    const server = await startRegistry();
    const { verify } = await place(server.host);
    await server.close();
    expect((await failure(verify(ours.publicKey))).code).toBe('VERIFY_KEY_FAILED');
  });
});

describe.skipIf(!hasCosign)('a key', () => {
  const DIGEST = digestOf('an image');
  const payloadOf = (bundle: Uint8Array): string =>
    Buffer.from(JSON.parse(Buffer.from(bundle).toString('utf8')).dsseEnvelope.payload, 'base64').toString('utf8');
  const sign = (key: OpenKey, services: SigningServices = NO_SERVICES): Promise<Uint8Array> =>
    signStatement(key, statementOf(DIGEST), services);

  it('in a file, as text, or in a variable signs what it is given, byte for byte', async () => {
    const { key, publicKey } = ours;
    const text = fs.readFileSync(key, 'utf8');
    open({ COSIGN_PRIVATE_KEY: text });
    for (const named of [
      key,
      path.relative(directory, key),
      text,
      text.replaceAll('\n', '\r\n').trim(),
      'env://COSIGN_PRIVATE_KEY',
    ]) {
      const opened = await openNamed(named);
      expect(payloadOf(await sign(opened))).toBe(statementOf(DIGEST));
      expect(await publicKeyOf(opened)).toBe(publicKey);
    }
  });

  it.each([
    ['for ECDSA', pemKey('ec'), undefined],
    ['for RSA', pemKey('rsa'), undefined],
    ['with a password', pemKey('ec', PASSWORD), PASSWORD],
  ])('in PEM form is turned into one of cosign, and leaves nothing: %s', async (_, pem, password) => {
    const key = await openNamed(pem, password);
    expect(payloadOf(await sign(key))).toBe(statementOf(DIGEST));
    const publicKey = createPublicKey({ key: pem, ...(password === undefined ? {} : { passphrase: password }) });
    expect(await publicKeyOf(key)).toBe(publicKey.export({ type: 'spki', format: 'pem' }));
    await host.finish();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['of cosign', () => fs.readFileSync(ours.key, 'utf8'), 'wrong', /password/],
    ['in PEM form', () => pemKey('ec', PASSWORD), 'wrong', /its password is another one/],
    ['for Ed25519', () => pemKey('ed25519'), undefined, /kind that cosign cannot sign images with: "ed25519"/],
    ['that is public', () => ours.publicKey, undefined, /is no private key, but "PUBLIC KEY"/],
    ['in a variable that is not set', () => 'env://NOWHERE', undefined, /variable NOWHERE, which is not set/],
    ['in a file that is not there', () => 'nowhere.key', undefined, /^(?!.*nowhere).*not there/],
    ['in a file that is none', () => directory, undefined, /is no regular file|directory/],
    ['that was cut', () => pemKey('ec').slice(0, 80), undefined, /is no private key|damaged/],
  ])('is refused: %s', async (_, make, password, message) => {
    const text = make();
    const error = await failure(openNamed(text, password).then((key) => sign(key)));
    expect(error).toMatchObject({ code: 'SIGN_KEY_INVALID', exitCode: 2 });
    expect(error.message).toMatch(message);
  });

  it('of a service is named as it is, and a refusal there is said', async () => {
    const key = await openNamed('hashivault://build-once', undefined);
    expect(key.reference).toBe('hashivault://build-once');
    open({ VAULT_ADDR: 'http://127.0.0.1:1', VAULT_TOKEN: 'x', VAULT_MAX_RETRIES: '0' });
    expect((await failure(sign(await openNamed('hashivault://build-once', undefined)))).code).toBe('SIGN_KEY_FAILED');
  });
});

describe.skipIf(!hasCosign)('signing with a key', () => {
  const DIGEST = digestOf('an image');

  it('asks nobody, and leaves the home alone, unless a signing config names a service', async () => {
    const proxy = await startForwardProxy({ routes: {} });
    onTestFinished(() => proxy.close());
    const { key } = ours;
    open({ HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url });
    await signStatement(await openNamed(key), statementOf(DIGEST), NO_SERVICES);
    expect(proxy.requests).toEqual([]);
    expect(fs.existsSync(path.join(directory, 'home'))).toBe(false);
    const config = {
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      rekorTlogUrls: [
        { url: 'https://rekor.test', majorApiVersion: 1, validFor: { start: '2024-01-01T00:00:00Z' }, operator: 'x' },
      ],
      rekorTlogConfig: { selector: 'ANY' },
      tsaConfig: {},
    };
    fs.writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
    const witnessed = { signingConfig: 'config.json', trustedRoot: undefined };
    const failed = await failure(signStatement(await openNamed(key), statementOf(DIGEST), witnessed));
    expect(failed.code).toBe('SIGN_KEY_FAILED');
    expect(proxy.requests.map(({ target }) => target)).toContain('rekor.test:443');
    expect(fs.existsSync(path.join(directory, 'home'))).toBe(false);
  });

  it('does not take what is in the variables of cosign', async () => {
    const { key } = ours;
    open({
      COSIGN_KEY: 'nowhere',
      COSIGN_PASSWORD: 'wrong',
      COSIGN_PREDICATE: 'nowhere',
      SIGSTORE_ROOT_FILE: 'nowhere',
    });
    await signStatement(await openNamed(key), statementOf(DIGEST), NO_SERVICES);
  });

  it('has no secret among its arguments or in what it logs, also when it fails', async () => {
    const { key } = ours;
    const text = fs.readFileSync(key, 'utf8');
    const seen = path.join(directory, 'arguments');
    const wrapper = path.join(directory, 'cosign');
    const real = findProgram('cosign', PATH) ?? '';
    fs.writeFileSync(wrapper, `#!/bin/sh\necho "$@" >>'${seen}'\nenv | sort >&2\nexec '${real}' "$@"\n`, {
      mode: 0o755,
    });
    cosign = { ...cosign, program: wrapper };
    for (const [named, password] of [
      [text, PASSWORD],
      [pemKey('ec', PASSWORD), PASSWORD],
      [text, 'wrong-password'],
    ] as const)
      await openNamed(named, password)
        .then((opened) => signStatement(opened, statementOf(DIGEST), NO_SERVICES))
        .catch(() => {});
    const all = `${fs.readFileSync(seen, 'utf8')}\n${lines.join('\n')}`;
    expect(all).toContain('attest-blob');
    expect(all).toContain('COSIGN_PASSWORD=***');
    for (const secret of [PASSWORD, 'wrong-password', ...text.split('\n').slice(1, -2)])
      expect(all).not.toContain(secret);
  });
});
