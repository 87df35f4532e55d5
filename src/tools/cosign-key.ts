import { createPrivateKey, type KeyObject } from 'node:crypto';
import path from 'node:path';
import { quote } from '../core/printable.ts';
import { pemLabel, type SigningKey, toPem } from '../core/signing-key.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Secret } from '../registry/credentials.ts';
import { whyUnreadable } from '../regular-file.ts';
import { reasonOf, runToSign } from './cosign-command.ts';
import type { Cosign } from './cosign-install.ts';

export interface KeySettings {
  readonly key: SigningKey;
  /** The input `sign-key-password`. */
  readonly password: Secret | undefined;
}

/** A key that cosign can sign with, until the end of the run. */
export interface OpenKey {
  readonly cosign: Cosign;
  /** As an argument; nothing secret. */
  readonly reference: string;
  /** Where what is secret is. */
  readonly env: Readonly<Record<string, string>>;
}

const KEY_VARIABLE = 'BUILD_ONCE_SIGN_KEY';
const MAX_KEY_BYTES = 64 << 10;
/** What cosign reads: https://github.com/sigstore/cosign/blob/v3.0.6/pkg/cosign/keys.go */
const OWN_LABELS = new Set(['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY']);
/** What it can import, the last one once it is decrypted. */
const PEM_LABELS = new Set(['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']);
const IMPORTABLE = new Set(['ec', 'rsa']);

/**
 * Makes a key ready to sign with. One of a service is not looked at; one in PEM form is turned into one of cosign's, in a
 * private directory that goes with the run. BuildOnceError `SIGN_KEY_INVALID`; CommandError
 * `SIGN_KEY_FAILED`.
 */
export async function openKey(cosign: Cosign, { key, password }: KeySettings): Promise<OpenKey> {
  const { host } = cosign;
  const given = password?.reveal() ?? '';
  if (given !== '') host.log.mask(given);
  // Always set: cosign would ask for it.
  const env = { COSIGN_PASSWORD: given };
  if (key.kind === 'service') return { cosign, reference: key.uri, env };
  const text = readKey(host, key);
  host.log.mask(text.trim());
  const label = pemLabel(text);
  if (isPemKey(text)) return importKey(cosign, decryptKey(text, given));
  if (label === undefined || !OWN_LABELS.has(label)) throw invalid(`is no private key, but ${describeLabel(label)}`);
  if (key.kind === 'file') return { cosign, reference: host.files.resolve(key.path), env };
  const name = key.kind === 'variable' ? key.name : KEY_VARIABLE;
  return { cosign, reference: `env://${name}`, env: { ...env, [name]: toPem(text) } };
}

/** It is a private key in PEM form, and not in cosign's own. */
export function isPemKey(text: string): boolean {
  return PEM_LABELS.has(pemLabel(text) ?? '');
}

/** The text of a key that is none of a service. BuildOnceError `SIGN_KEY_INVALID`. */
export function readKey(host: Host, key: Exclude<SigningKey, { readonly kind: 'service' }>): string {
  if (key.kind === 'text') return key.pem;
  if (key.kind === 'variable') {
    const text = host.env[key.name];
    if (text) return text;
    throw invalid(`is in the variable ${key.name}, which is not set`);
  }
  let text: string | undefined;
  try {
    text = host.files.readRegular(key.path, MAX_KEY_BYTES);
  } catch (cause) {
    throw invalid(`is in a file that ${whyUnreadable(cause)}`, cause);
  }
  // Not quoted: what is taken for a path may be the key itself, badly pasted.
  if (text === undefined) throw invalid('names a file that is not there');
  return text;
}

/** A private key in PEM form. BuildOnceError `SIGN_KEY_INVALID`. */
export function decryptKey(pem: string, passphrase: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: toPem(pem), passphrase });
  } catch (cause) {
    throw invalid('cannot be read: it is damaged, or its password is another one', cause);
  }
  if (IMPORTABLE.has(key.asymmetricKeyType ?? '')) return key;
  throw invalid(`is of a kind that cosign cannot sign images with: ${quote(key.asymmetricKeyType ?? 'unknown')}`);
}

/** Cosign reads its own format only, which needs a password; the one of a moment will do. */
async function importKey(cosign: Cosign, key: KeyObject): Promise<OpenKey> {
  const { host } = cosign;
  const directory = host.files.makeTemporaryDirectory('build-once-key-');
  const plain = path.join(directory, 'plain.pem');
  const prefix = path.join(directory, 'imported');
  const env = { COSIGN_PASSWORD: host.randomId() };
  try {
    host.files.write(plain, key.export({ type: 'pkcs8', format: 'pem' }));
    const args = ['import-key-pair', '--yes', `--key=${plain}`, `--output-key-prefix=${prefix}`];
    const { status, stderr } = await runToSign(cosign, args, env);
    if (status !== 0) throw invalid(`cannot be used by cosign: ${reasonOf(stderr)}`);
    return { cosign, reference: `${prefix}.key`, env };
  } finally {
    await host.cleanup({ kind: 'remove', path: plain })();
  }
}

function describeLabel(label: string | undefined): string {
  return label === undefined ? 'something else' : quote(label);
}

function invalid(problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError('SIGN_KEY_INVALID', `the key of sign-key ${problem}`, 2, {
    hint: 'Give a key as cosign generate-key-pair writes it, or one for ECDSA or RSA in PEM form, and its password in sign-key-password.',
    // What Node and the system say of a key quotes nothing of it.
    cause,
  });
}
