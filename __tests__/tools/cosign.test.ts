import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { parseSigningKey } from '../../src/core/signing-key.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { openKey } from '../../src/tools/cosign-key.ts';
import {
  NO_SERVICES,
  publicKeyOf,
  type SigningServices,
  signArguments,
  signStatement,
} from '../../src/tools/cosign-sign.ts';
import {
  type KeyVerdict,
  type KeyVerification,
  verifyArguments,
  verifyWithKey,
} from '../../src/tools/cosign-verify.ts';
import { NO_ACCESS } from '../../src/tools/trivy-access.ts';

const DIGEST = digestOf('manifest');
const REPOSITORY = { registry: 'ghcr.io', path: 'acme/app' };
const REQUEST: KeyVerification = {
  repository: REPOSITORY,
  digest: DIGEST,
  publicKey: '-----BEGIN PUBLIC KEY-----',
  log: 'ignored',
  access: NO_ACCESS,
};
const PLACE = {
  key: 'env://KEY',
  statement: '/s/statement.json',
  bundle: '/s/bundle.json',
  signingConfig: '/s/config.json',
  trustedRoot: undefined,
};

let directory: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'cosign-test-'));
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(signal = new AbortController().signal): void {
  lines = [];
  const env = { PATH: process.env['PATH'], TMPDIR: directory, BUILD_ONCE_DEBUG: 'true' };
  host = createTerminalHost({ cwd: directory, env, signal, write: (line) => void lines.push(line) });
}

/** A real program named cosign that does this instead, with the paths of some options in `$bundle` and `$config`. */
function fake(script: string) {
  const program = path.join(directory, 'cosign');
  const find =
    'for arg; do case $arg in --bundle=*) bundle=${arg#*=} ;; --signing-config=*) config=${arg#*=} ;; --trusted-root=*) root=${arg#*=} ;; esac; done';
  fs.writeFileSync(program, `#!/bin/sh\n${find}\n${script}\n`, { mode: 0o755 });
  return { host, program, version: '3.0.6' };
}

const serviceKey = (script: string) =>
  openKey(fake(script), { key: { kind: 'service', uri: 'awskms:///alias/x' }, password: undefined });

async function sign(script: string, services: SigningServices = NO_SERVICES): Promise<string> {
  return Buffer.from(await signStatement(await serviceKey(script), '{}', services)).toString('utf8');
}

const verify = (script: string): Promise<KeyVerdict> => verifyWithKey(fake(script), REQUEST);

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it did not fail', { cause: error });
  return { code: error.code, message: error.message };
}

/** A bundle over the statement `{}`. */
const BUNDLE = JSON.stringify({
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  dsseEnvelope: { payload: Buffer.from('{}').toString('base64') },
});
const writes = (text: string): string => `printf '%s' '${text}' >"$bundle"`;

describe('the arguments to sign', () => {
  it.each([
    'awskms:///alias/build',
    'gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k/versions/1',
    'azurekms://vault.vault.azure.net/key',
    'hashivault://key',
    'k8s://ns/key',
  ])('name a key of a service as it is: %s', async (uri) => {
    const key = parseSigningKey(uri);
    if (!key.ok) throw new Error(key.problem);
    const opened = await openKey(fake('exit 9'), { key: key.value, password: undefined });
    expect(opened).toMatchObject({ reference: uri, env: { COSIGN_PASSWORD: '' } });
    expect(signArguments({ ...PLACE, key: opened.reference })).toEqual([
      'attest-blob',
      '--yes',
      `--key=${uri}`,
      '--signing-config=/s/config.json',
      '--statement=/s/statement.json',
      '--bundle=/s/bundle.json',
    ]);
  });

  it('name a trusted root', () => {
    expect(signArguments({ ...PLACE, trustedRoot: '/r.json' })).toContain('--trusted-root=/r.json');
  });

  it.each<[string, SigningServices, string, RegExp]>([
    ['none without a config', NO_SERVICES, '', /"rekorTlogConfig":\{\}.*trustedroot/],
    [
      'none where the config has none',
      { signingConfig: 'c.json', trustedRoot: undefined },
      '{"tsaUrls":[]}',
      /"tsaUrls":\[\].*trustedroot/,
    ],
    [
      'those of the config, and the root that is given',
      { signingConfig: 'c.json', trustedRoot: 'r.json' },
      '{"rekorTlogUrls":[{}]}',
      /rekorTlogUrls.* ours$/,
    ],
    [
      'those of the config, and the public root',
      { signingConfig: 'c.json', trustedRoot: undefined },
      '{"rekorTlogUrls":[{}]}',
      /rekorTlogUrls.* none$/,
    ],
  ])('lead to services: %s', async (_, services, config, expected) => {
    fs.writeFileSync(path.join(directory, 'c.json'), config);
    fs.writeFileSync(path.join(directory, 'r.json'), 'ours');
    await sign(`echo "$(cat "$config") $([ -n "$root" ] && cat "$root" || echo none)"\n${writes(BUNDLE)}`, services);
    expect(lines.find((line) => line.includes('debug: '))).toMatch(expected);
  });
});

describe('the arguments to verify', () => {
  it('ask for this digest and this key', () => {
    expect(verifyArguments(host, REQUEST, undefined)).toEqual([
      'verify',
      '--key=env://BUILD_ONCE_PUBLIC_KEY',
      '--output=json',
      '--insecure-ignore-tlog=true',
      '--',
      `ghcr.io/acme/app@${DIGEST}`,
    ]);
  });

  it.each<[string, Partial<KeyVerification>, readonly string[]]>([
    ['a log', { log: { trustedRoot: undefined } }, []],
    ['a log with a root of its own', { log: { trustedRoot: '/r.json' } }, ['--trusted-root=/r.json']],
    [
      'plain http where it is allowed',
      { access: { ...NO_ACCESS, plainRegistries: ['ghcr.io'] } },
      ['--insecure-ignore-tlog=true', '--allow-http-registry=true'],
    ],
    [
      'https elsewhere',
      { access: { ...NO_ACCESS, plainRegistries: ['registry.lan'] } },
      ['--insecure-ignore-tlog=true'],
    ],
  ])('are for %s', (_, more, expected) => {
    expect(verifyArguments(host, { ...REQUEST, ...more }, undefined).slice(3, -2)).toEqual(expected);
  });

  it('name the certificates to trust', () => {
    expect(verifyArguments(host, REQUEST, '/ca.pem')).toContain('--registry-cacert=/ca.pem');
  });
});

describe('signing', () => {
  it('answers the bundle, and leaves nothing', async () => {
    expect(await sign(writes(BUNDLE))).toBe(BUNDLE);
    expect(fs.readdirSync(directory)).toEqual(['cosign']);
  });

  it.each([
    [
      'that fails',
      "echo 'Using statement' >&2; echo 'Error: kms: \u001b[31mdenied' >&2; exit 1",
      /could not sign: kms: denied$/,
    ],
    ['that fails silently', 'exit 3', /it gave no reason/],
    ['that is not there', 'rm "$0"; exit 127', /could not sign/],
    ['that leaves no bundle', ':', /left no bundle/],
    ['that leaves something else', writes('x'), /left no bundle/],
    ['that signs something else', writes(BUNDLE.replace('e30=', 'W10=')), /left no bundle/],
    ['that writes another format', writes(BUNDLE.replace('v0.3', 'v0.9')), /left no bundle/],
    ['that writes without end', 'exec yes', /could not sign/],
  ])('says why with a cosign %s', async (_, script, message) => {
    const error = await failure(sign(script));
    expect(error.code).toBe('SIGN_KEY_FAILED');
    expect(error.message).toMatch(message);
    expect(fs.readdirSync(directory).filter((name) => name !== 'cosign')).toEqual([]);
  });

  it('says that the password is another one', async () => {
    const script = "echo 'Error: reading key: decrypt: encrypted: decryption failed' >&2; exit 1";
    expect((await failure(sign(script))).code).toBe('SIGN_KEY_INVALID');
    expect((await failure(serviceKey(script).then(publicKeyOf))).code).toBe('SIGN_KEY_INVALID');
  });

  it.each(['nowhere.json', '.'])(
    'leaves it to cosign to say what is wrong with a config: %s',
    async (signingConfig) => {
      const script = `[ -f "$config" ] || { echo 'Error: reading signing config' >&2; exit 1; }`;
      expect(await failure(sign(script, { signingConfig, trustedRoot: undefined }))).toMatchObject({
        code: 'SIGN_KEY_FAILED',
        message: expect.stringContaining('reading signing config'),
      });
    },
  );

  it('stops with the run', async () => {
    const run = new AbortController();
    open(run.signal);
    const work = sign('kill -0 $$; exec tail -f /dev/null');
    run.abort(new Error('interrupted'));
    await expect(work).rejects.toThrow();
  });
});

describe('verifying', () => {
  const entry = (digest: string, type: string): string =>
    JSON.stringify([{ critical: { image: { 'docker-manifest-digest': digest }, type } }]);
  const says = (text: string): string => `echo '${text}'`;

  it.each<[string, string, KeyVerdict]>([
    ['a signature', says(entry(DIGEST, 'https://sigstore.dev/cosign/sign/v1')), { kind: 'verified', signatures: 1 }],
    [
      'a signature of the old form',
      says(entry(DIGEST, 'cosign container image signature')),
      { kind: 'verified', signatures: 1 },
    ],
    ['an attestation only', says(entry(DIGEST, 'https://slsa.dev/provenance/v1')), { kind: 'unsigned' }],
    ['another image', says(entry(digestOf('x'), 'https://sigstore.dev/cosign/sign/v1')), { kind: 'unsigned' }],
    ['nothing', says('[]'), { kind: 'unsigned' }],
    ['that there is none', "echo 'Error: no signatures found' >&2; exit 10", { kind: 'unsigned' }],
    [
      'that none fits',
      "echo 'Error: no matching attestations: bad' >&2; exit 1",
      { kind: 'refused', reason: 'no matching attestations: bad' },
    ],
  ])('takes it as it is when cosign says: %s', async (_, script, verdict) => {
    expect(await verify(script)).toEqual(verdict);
  });

  it.each([
    [
      "echo 'Error: GET https://ghcr.io: DENIED' >&2; exit 1",
      /acme\/app@sha256:.* could not be verified: GET .* DENIED$/,
    ],
    ['exit 1', /no reason/],
    ['echo Verified', /not understood/],
    ['exec yes', /could not be verified/],
  ])('says when there is no telling: %s', async (script, message) => {
    const error = await failure(verify(script));
    expect(error.code).toBe('VERIFY_KEY_FAILED');
    expect(error.message).toMatch(message);
  });
});
