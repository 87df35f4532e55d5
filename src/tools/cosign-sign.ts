import path from 'node:path';
import { parseJson, textAt, valueAt } from '../core/json.ts';
import { BuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import { reasonOf, runToSign, signingProblem } from './cosign-command.ts';
import type { OpenKey } from './cosign-key.ts';

/** The services that witness a signature. Without any, a signature with a key is seen by nobody but its readers. */
export interface SigningServices {
  /** The input `sigstore-signing-config`: a file of cosign 3. */
  readonly signingConfig: string | undefined;
  /** The input `sigstore-trusted-root`: the file with what those services are known by; without it cosign asks public Sigstore. */
  readonly trustedRoot: string | undefined;
}

export const NO_SERVICES: SigningServices = { signingConfig: undefined, trustedRoot: undefined };

/** Files and the key, as arguments of `cosign attest-blob`. */
export interface SignArguments {
  readonly key: string;
  readonly statement: string;
  readonly bundle: string;
  readonly signingConfig: string;
  readonly trustedRoot: string | undefined;
}

/** https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto */
const EMPTY_CONFIG = {
  mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
  rekorTlogConfig: {},
  tsaConfig: {},
};
const EMPTY_ROOT = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const MAX_CONFIG_BYTES = 1 << 20;
const MAX_BUNDLE_BYTES = 64 << 20;
/**
 * Signs a statement of in-toto as it stands, and answers the bundle: what `cosign sign` and `cosign attest` attach to an image.
 * Nothing is sent anywhere but to the key's service, and to the services of the signing config. BuildOnceError
 * `SIGN_KEY_INVALID`; CommandError `SIGN_KEY_FAILED`.
 */
export async function signStatement(key: OpenKey, statement: string, services: SigningServices): Promise<Uint8Array> {
  const { host } = key.cosign;
  const directory = host.files.makeTemporaryDirectory('build-once-sign-');
  try {
    const place = {
      statement: path.join(directory, 'statement.json'),
      bundle: path.join(directory, 'bundle.json'),
      ...placeServices(host, directory, services),
    };
    host.files.write(place.statement, statement);
    const env = { ...key.env, TUF_ROOT: path.join(directory, 'tuf') };
    const result = await runToSign(key.cosign, signArguments({ key: key.reference, ...place }), env);
    if (result.status !== 0) throw signFailure(result);
    return readBundle(host, place.bundle, statement);
  } finally {
    await host.cleanup({ kind: 'remove', path: directory })();
  }
}

/** Arguments of `cosign`; nothing secret is among them. */
export function signArguments({
  key,
  statement,
  bundle,
  signingConfig,
  trustedRoot,
}: SignArguments): readonly string[] {
  return [
    'attest-blob',
    '--yes',
    `--key=${key}`,
    `--signing-config=${signingConfig}`,
    ...(trustedRoot === undefined ? [] : [`--trusted-root=${trustedRoot}`]),
    `--statement=${statement}`,
    `--bundle=${bundle}`,
  ];
}

/** The public half of a key, in PEM form. BuildOnceError `SIGN_KEY_INVALID`; CommandError `SIGN_KEY_FAILED`. */
export async function publicKeyOf(key: OpenKey): Promise<string> {
  const result = await runToSign(key.cosign, ['public-key', `--key=${key.reference}`], key.env);
  if (result.status === 0 && result.stdout.includes('-----BEGIN PUBLIC KEY-----')) return result.stdout;
  throw signFailure(result);
}

/** Where cosign finds the services: files without any where none are asked for, as it would ask public Sigstore otherwise. */
function placeServices(
  host: Host,
  directory: string,
  { signingConfig, trustedRoot }: SigningServices,
): Pick<SignArguments, 'signingConfig' | 'trustedRoot'> {
  const emptyRoot = path.join(directory, 'trusted-root.json');
  host.files.write(emptyRoot, JSON.stringify(EMPTY_ROOT));
  const root = trustedRoot === undefined ? undefined : host.files.resolve(trustedRoot);
  if (signingConfig !== undefined) {
    const isWitnessed = hasServices(host, signingConfig);
    return {
      signingConfig: host.files.resolve(signingConfig),
      trustedRoot: root ?? (isWitnessed ? undefined : emptyRoot),
    };
  }
  const emptyConfig = path.join(directory, 'signing-config.json');
  host.files.write(emptyConfig, JSON.stringify(EMPTY_CONFIG));
  return { signingConfig: emptyConfig, trustedRoot: emptyRoot };
}

/** What cannot be read has none; cosign says why it cannot. */
function hasServices({ files }: Host, signingConfig: string): boolean {
  let config: unknown;
  try {
    config = parseJson(files.readRegular(signingConfig, MAX_CONFIG_BYTES) ?? '');
  } catch {
    return false;
  }
  return ['rekorTlogUrls', 'tsaUrls'].some((name) => {
    const urls = valueAt(config, name);
    return Array.isArray(urls) && urls.length > 0;
  });
}

function signFailure({ stderr }: CommandResult): BuildOnceError {
  const reason = reasonOf(stderr);
  if (!/\bdecrypt:/.test(reason)) return signingProblem(reason);
  return new BuildOnceError('SIGN_KEY_INVALID', 'the password of the key to sign with is another one', 2, {
    hint: 'Give the password that the key was made with in sign-key-password.',
  });
}

function readBundle({ files }: Host, file: string, statement: string): Uint8Array {
  const text = files.readRegular(file, MAX_BUNDLE_BYTES) ?? '';
  const bundle = parseJson(text);
  const payload = Buffer.from(textAt(bundle, 'dsseEnvelope', 'payload') ?? '', 'base64').toString('utf8');
  if (textAt(bundle, 'mediaType') === BUNDLE_TYPE && payload === statement) return Buffer.from(text);
  throw signingProblem(`it says that it succeeded, and left no bundle (${BUNDLE_TYPE}) with what was to be signed`);
}
