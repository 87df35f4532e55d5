import path from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Digest } from '../core/digest.ts';
import { parseJson, textAt, valueAt } from '../core/json.ts';
import { formatRepositoryName, isLoopback, type RepositoryName } from '../core/reference.ts';
import { BuildOnceError, CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import { reasonOf, runCosign } from './cosign-command.ts';
import type { Cosign } from './cosign-install.ts';
import type { OpenKey } from './cosign-key.ts';
import type { ScanAccess } from './trivy-access.ts';

export { findCosign } from './cosign-install.ts';
export { openKey } from './cosign-key.ts';

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
const PUBLIC_KEY_VARIABLE = 'BUILD_ONCE_PUBLIC_KEY';
/** What a signature of an image says that it is, in a bundle and in the old form; attestations say something else. */
const SIGNATURE_TYPES = new Set(['https://sigstore.dev/cosign/sign/v1', 'cosign container image signature']);

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
    const result = await signing(() => runCosign(key.cosign, signArguments({ key: key.reference, ...place }), env));
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
  const result = await signing(() => runCosign(key.cosign, ['public-key', `--key=${key.reference}`], key.env));
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

function hasServices(host: Host, signingConfig: string): boolean {
  const config = parseJson(host.files.readRegular(signingConfig, MAX_CONFIG_BYTES) ?? '');
  return ['rekorTlogUrls', 'tsaUrls'].some((name) => {
    const urls = valueAt(config, name);
    return Array.isArray(urls) && urls.length > 0;
  });
}

async function signing(run: () => Promise<CommandResult>): Promise<CommandResult> {
  try {
    return await run();
  } catch (cause) {
    if (!isBuildOnceError(cause) || !cause.code.startsWith('COMMAND_')) throw cause;
    throw signingProblem(cause.message, cause);
  }
}

function signFailure({ stderr }: CommandResult): BuildOnceError {
  const reason = reasonOf(stderr);
  if (!/\bdecrypt:/.test(reason)) return signingProblem(reason);
  return new BuildOnceError('SIGN_KEY_INVALID', 'the password of the key to sign with is another one', 2, {
    hint: 'Give the password that the key was made with in sign-key-password.',
  });
}

function signingProblem(reason: string, cause?: unknown): CommandError {
  return new CommandError('SIGN_KEY_FAILED', `cosign could not sign: ${reason}`, {
    command: 'cosign',
    stderrTail: reason,
    hint: 'For a key in a service: look whether this job is logged in there, and may use the key to sign.',
    cause,
  });
}

function readBundle({ files }: Host, file: string, statement: string): Uint8Array {
  const text = files.readRegular(file, MAX_BUNDLE_BYTES) ?? '';
  const bundle = parseJson(text);
  const payload = Buffer.from(textAt(bundle, 'dsseEnvelope', 'payload') ?? '', 'base64').toString('utf8');
  if (textAt(bundle, 'mediaType') === BUNDLE_TYPE && payload === statement) return Buffer.from(text);
  throw signingProblem(`it says that it succeeded, and left no bundle (${BUNDLE_TYPE}) with what was to be signed`);
}

/** What a consumer with the public key would find. */
export type KeyVerdict =
  | { readonly kind: 'verified'; readonly signatures: number }
  /** Nothing is signed there. */
  | { readonly kind: 'unsigned' }
  /** What is signed there is signed by another key, or says something else. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface KeyVerification {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  /** In PEM form. */
  readonly publicKey: string;
  /** Whether a signature counts only when it is in a transparency log, and what that is known by. */
  readonly log: 'ignored' | { readonly trustedRoot: string | undefined };
  readonly access: ScanAccess;
}

/** `cosign verify`, of this digest in this repository. CommandError `VERIFY_KEY_FAILED` when there is no telling. */
export async function verifyWithKey(cosign: Cosign, request: KeyVerification): Promise<KeyVerdict> {
  const { host } = cosign;
  const directory = host.files.makeTemporaryDirectory('build-once-verify-');
  try {
    const authorities = placeAuthorities(host, directory, request.access);
    const env = {
      ...request.access.env,
      [PUBLIC_KEY_VARIABLE]: request.publicKey,
      TUF_ROOT: path.join(directory, 'tuf'),
    };
    const result = await runCosign(cosign, verifyArguments(host, request, authorities), env);
    return verdictOf(request, result);
  } catch (cause) {
    if (!isBuildOnceError(cause) || !cause.code.startsWith('COMMAND_')) throw cause;
    throw verifyProblem(request, cause.message, cause);
  } finally {
    await host.cleanup({ kind: 'remove', path: directory })();
  }
}

/** Arguments of `cosign`; nothing secret is among them. */
export function verifyArguments(
  { files }: Pick<Host, 'files'>,
  { repository, digest, log, access }: KeyVerification,
  authorities: string | undefined,
): readonly string[] {
  const { registry } = repository;
  const isPlain = access.plainRegistries.includes(registry) && !isLoopback(registry);
  return [
    'verify',
    `--key=env://${PUBLIC_KEY_VARIABLE}`,
    '--output=json',
    ...(log === 'ignored' ? ['--insecure-ignore-tlog=true'] : []),
    ...(log !== 'ignored' && log.trustedRoot !== undefined ? [`--trusted-root=${files.resolve(log.trustedRoot)}`] : []),
    ...(isPlain ? ['--allow-http-registry=true'] : []),
    ...(authorities === undefined ? [] : [`--registry-cacert=${authorities}`]),
    '--',
    `${formatRepositoryName(repository)}@${digest}`,
  ];
}

/** Cosign trusts these instead of the system's. */
function placeAuthorities({ files }: Host, directory: string, { authorities }: ScanAccess): string | undefined {
  if (authorities === undefined) return undefined;
  const file = path.join(directory, 'ca.pem');
  files.write(file, [...rootCertificates, authorities].join('\n'));
  return file;
}

function verdictOf(request: KeyVerification, { status, stdout, stderr }: CommandResult): KeyVerdict {
  if (status === 0) {
    const found = parseJson(stdout);
    if (!Array.isArray(found)) throw verifyProblem(request, 'its answer is not understood');
    const signatures = found.filter((one: unknown) => isSignature(one, request.digest)).length;
    return signatures === 0 ? { kind: 'unsigned' } : { kind: 'verified', signatures };
  }
  const reason = reasonOf(stderr);
  if (/\bno signatures found\b/.test(reason)) return { kind: 'unsigned' };
  if (/\bno matching (?:signatures|attestations)\b/.test(reason)) return { kind: 'refused', reason };
  throw verifyProblem(request, reason);
}

/** To cosign, an attestation by the same key is a signature too. */
function isSignature(found: unknown, digest: Digest): boolean {
  return (
    textAt(found, 'critical', 'image', 'docker-manifest-digest') === digest &&
    SIGNATURE_TYPES.has(textAt(found, 'critical', 'type') ?? '')
  );
}

function verifyProblem({ repository, digest }: KeyVerification, reason: string, cause?: unknown): CommandError {
  const what = `${formatRepositoryName(repository)}@${digest}`;
  return new CommandError('VERIFY_KEY_FAILED', `the signatures of ${what} could not be verified: ${reason}`, {
    command: 'cosign verify',
    stderrTail: reason,
    hint: 'Run this job again; if it happens again, look at what the registry answers.',
    cause,
  });
}
