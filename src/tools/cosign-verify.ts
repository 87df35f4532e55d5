import path from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Digest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { formatRepositoryName, isLoopback, type RepositoryName } from '../core/reference.ts';
import { CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import { reasonOf, runCosign } from './cosign-command.ts';
import type { Cosign } from './cosign-install.ts';
import type { ScanAccess } from './trivy-access.ts';

const PUBLIC_KEY_VARIABLE = 'BUILD_ONCE_PUBLIC_KEY';
/** What a signature of an image says that it is, in a bundle and in the old form; attestations say something else. */
const SIGNATURE_TYPES = new Set(['https://sigstore.dev/cosign/sign/v1', 'cosign container image signature']);

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
    host.signal.throwIfAborted();
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
